"""What the page frame is made of: the theme, the navigation, where one stands in it."""

import functools
import json
from typing import Any

from django import template
from django.http import HttpRequest
from django.middleware.csrf import get_token
from django.template import Context
from django.urls import get_script_prefix, reverse

from portal.kit.navigation import menu

register = template.Library()
THEMES = {"light": "light", "dark": "dark", "system-light": "light", "system-dark": "dark"}


@functools.lru_cache(maxsize=4096)
def _address(script_prefix: str, name: str, org: str) -> str:
    """Where a page of the navigation is; every page asks for all of them."""
    return reverse(name, kwargs={"org": org})


@register.inclusion_tag("kit/navigation.html", takes_context=True)
def navigation(context: Context) -> dict[str, Any]:
    """The groups of the navigation that the person may use, with the current page marked."""
    access, org = context.get("access"), context.get("org")
    match = getattr(context.get("request"), "resolver_match", None)
    here = (match.url_name or "") if match else ""
    groups = []
    for title, listed in menu():
        entries = [
            {
                "label": entry.label,
                "icon": entry.icon,
                "url": _address(get_script_prefix(), entry.name, org.slug) + entry.query,
                "is_here": entry.is_at(here),
                "count": entry.count(access) if entry.count else "",
            }
            for entry in listed
            if access and org and access.can(entry.permission)
        ]
        if entries:
            groups.append({"title": title, "entries": entries})
    return {"groups": groups}


@register.simple_tag(takes_context=True)
def zone(context: Context) -> str:
    """The IANA name of the zone that the person chose, "" where the browser's own is right.

    As the request knows it by now: the pages for what went wrong must not ask the database who this is.
    """
    return str(getattr(context.get("request"), "chosen_zone", ""))


def _choice(context: Context) -> str:
    request = context.get("request")
    chosen = request.COOKIES.get("theme", "") if isinstance(request, HttpRequest) else ""
    return chosen if chosen in THEMES else "system-light"


@register.simple_tag(takes_context=True)
def theme(context: Context) -> str:
    """light or dark, as the browser last said; what `system` means is corrected by theme.js before the first paint."""
    return THEMES[_choice(context)]


@register.simple_tag(takes_context=True)
def theme_choice(context: Context) -> str:
    """What the person chose: light, dark or system."""
    return _choice(context).partition("-")[0]


@register.simple_tag(takes_context=True)
def csrf_headers(context: Context) -> str:
    """The value of hx-headers that lets htmx post."""
    request = context.get("request")
    return json.dumps({"X-CSRFToken": get_token(request)}) if request else "{}"
