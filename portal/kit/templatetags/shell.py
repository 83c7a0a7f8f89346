"""What the page frame is made of: the theme, the navigation, where one stands in it."""

import json
from dataclasses import dataclass
from typing import Any

from django import template
from django.http import HttpRequest
from django.middleware.csrf import get_token
from django.template import Context
from django.urls import reverse

register = template.Library()
THEMES = {"light": "light", "dark": "dark", "system-light": "light", "system-dark": "dark"}


@dataclass(frozen=True)
class Entry:
    """A line of the navigation: the URL name it leads to, and the names that count as being there.

    query  what to open the page with, so that it begins with what most people come for
    """

    name: str
    label: str
    icon: str
    permission: str
    also: tuple[str, ...] = ()
    query: str = ""


@dataclass(frozen=True)
class Group:
    """Entries under one heading ("" for the first group)."""

    title: str
    entries: tuple[Entry, ...]


NAVIGATION = (
    Group(
        "",
        (
            Entry("home", "Home", "home", "org.view"),
            Entry("catalog", "Catalog", "layout-grid", "catalog.view", ("entity", "entity-*"), "?kind=Component"),
            Entry("paths", "Golden paths", "route", "paths.view", ("path", "path-*")),
            Entry("runs", "Runs", "player-play", "runs.view", ("run", "run-*")),
            Entry("clusters", "Clusters", "server-2", "clusters.view", ("cluster", "cluster-*", "workload-*")),
            Entry("repos", "Repositories", "git-branch", "repos.view", ("repo", "repo-*", "git-host*")),
            Entry("teams", "Teams", "users-group", "people.view", ("team", "team-*")),
        ),
    ),
    Group(
        "Organisation",
        (
            Entry("people", "People", "users", "people.view", ("people-*", "person", "invitation-*")),
            Entry("sources", "Sources", "folders", "catalog.view", ("source", "source-*", "sources-*")),
            Entry("tokens", "API tokens", "key", "tokens.own", ("token-*", "tokens-*")),
            Entry("audit", "Audit log", "history", "audit.view", ("audit-*",)),
            Entry("api-docs", "API docs", "api", "org.view"),
            Entry("settings", "Settings", "settings", "org.manage", ("settings-*",)),
        ),
    ),
)


def _is_at(entry: Entry, here: str) -> bool:
    """`entity-*` in `also` stands for every name that begins with `entity-`."""
    return here == entry.name or any(
        here.startswith(one[:-1]) if one.endswith("*") else here == one for one in entry.also
    )


@register.inclusion_tag("kit/navigation.html", takes_context=True)
def navigation(context: Context) -> dict[str, Any]:
    """The groups of the navigation that the person may use, with the current page marked."""
    access, org = context.get("access"), context.get("org")
    match = getattr(context.get("request"), "resolver_match", None)
    here = (match.url_name or "") if match else ""
    groups = []
    for group in NAVIGATION:
        entries = [
            {
                "label": entry.label,
                "icon": entry.icon,
                "url": reverse(entry.name, kwargs={"org": org.slug}) + entry.query,
                "is_here": _is_at(entry, here),
            }
            for entry in group.entries
            if access and org and access.can(entry.permission)
        ]
        if entries:
            groups.append({"title": group.title, "entries": entries})
    return {"groups": groups}


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
