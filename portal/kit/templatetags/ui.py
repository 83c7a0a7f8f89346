"""The tags that every page is written with: icons, badges, times, links to people and entities, forms."""

import re
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from django import template
from django.forms import BoundField, CheckboxInput, FileInput, Select
from django.http import QueryDict
from django.template import Context
from django.urls import NoReverseMatch, reverse
from django.utils import timezone
from django.utils.html import conditional_escape, format_html
from django.utils.safestring import SafeString, mark_safe

from portal.kit import icons, paths, prose, words

register = template.Library()
# Where a list stands; a changed filter starts at its beginning again.
CURSORS = ("after", "before", "page", "cursor")
TICKED = re.compile(r"`([^`\n]+)`")


@register.filter
def visible(name: object) -> str:
    """The name of a file, branch or tag with what would hide or turn it made visible: `{{ entry.name|visible }}`."""
    return paths.visible("" if name is None else str(name))


@register.simple_tag
def icon(name: str, classes: str = "") -> SafeString:
    """A decorative Tabler icon: `{% icon "rocket" %}`."""
    return icons.svg(name, classes)


@register.simple_tag
def kind_icon(kind: str, classes: str = "") -> SafeString:
    """The icon of a catalog kind: `{% kind_icon "Component" %}`."""
    return icons.svg(words.KIND_ICONS.get(str(kind).lower(), "file-text"), classes)


def _badge(tone: str, word: str) -> SafeString:
    return format_html(
        '<span class="tone tone-{}"><span class="tone-dot" aria-hidden="true"></span>{}</span>', tone, word
    )


@register.simple_tag
def health(word: str) -> SafeString:
    """A health badge, dot and word: `{% health "Healthy" %}`; anything unheard of is Unknown."""
    known = str(word).capitalize()
    return _badge(words.HEALTH_TONES.get(known, "unknown"), known if known in words.HEALTH_TONES else "Unknown")


@register.simple_tag
def state(value: str, label: str = "") -> SafeString:
    """The badge of a run's, step's, source's or cluster's state: `{% state "succeeded" %}`."""
    word = str(value)
    return _badge(words.STATE_TONES.get(word.lower(), "idle"), label or word.replace("_", " ").capitalize())


@register.simple_tag(takes_context=True)
def ago(context: Context, at: datetime | None, never: str = "never") -> SafeString:
    """`5 min ago`, the full time in its title; the browser keeps it fresh and in local time."""
    if at is None:
        return format_html('<span class="text-secondary">{}</span>', never)
    user = getattr(context.get("request"), "user", None)
    zone = ZoneInfo(getattr(user, "timezone", "") or "UTC")
    local = at.astimezone(zone)
    return format_html(
        '<time datetime="{}" title="{}" data-ago>{}</time>',
        at.isoformat(timespec="seconds"),
        f"{local.day} {local:%b %Y, %H:%M:%S %Z}",
        words.ago(at, timezone.now()),
    )


def _link(context: Context, name: str, /, **where: str) -> str:
    """The address of a page of this organisation, or "" in a fragment that was given no `org`."""
    org = context.get("org")
    return reverse(name, kwargs={"org": org.slug, **where}) if org else ""


def _entity_address(context: Context, ref: words.Ref) -> str:
    try:
        return _link(context, "entity", kind=ref.kind, namespace=ref.namespace, name=ref.name)
    except NoReverseMatch:
        return ""  # authors write any text as an owner; what no entity can be called has no page


@register.simple_tag(takes_context=True)
def owner_chip(context: Context, ref: str, label: str = "") -> SafeString:
    """Who owns it: a team (or a person) as a chip that leads to their page."""
    parsed = words.parse_ref(str(ref or ""), kind="group")
    if parsed is None:
        return format_html('<span class="chip chip-none">{}No owner</span>', icons.svg("user-question"))
    address = _entity_address(context, parsed)
    picture = icons.svg(words.KIND_ICONS.get(parsed.kind, "users-group"))
    shown = label or parsed.name
    if not address:
        return format_html('<span class="chip">{}{}</span>', picture, shown)
    return format_html('<a class="chip" href="{}" title="{}">{}{}</a>', address, str(parsed), picture, shown)


@register.simple_tag(takes_context=True)
def entity_link(context: Context, ref: str, label: str = "") -> SafeString:
    """A link to a catalog entity with the icon of its kind: `{% entity_link "component:default/checkout" %}`."""
    parsed = words.parse_ref(str(ref or ""))
    if parsed is None:
        return format_html("<span>{}</span>", ref)
    shown = label or (parsed.name if parsed.namespace == "default" else f"{parsed.namespace}/{parsed.name}")
    picture = icons.svg(words.KIND_ICONS.get(parsed.kind, "file-text"))
    address = _entity_address(context, parsed)
    if not address:
        return format_html('<span class="entity-link">{}{}</span>', picture, shown)
    return format_html('<a class="entity-link" href="{}" title="{}">{}{}</a>', address, str(parsed), picture, shown)


@register.simple_tag
def avatar(name: str, classes: str = "") -> SafeString:
    """A person's initials in their own colour; decorative, the name stands beside it."""
    name = str(name or "")
    return format_html(
        '<span class="face face-{}{}" aria-hidden="true">{}</span>',
        words.shade(name),
        f" {classes}" if classes else "",
        words.initials(name),
    )


@register.simple_tag
def markdown(text: str | None) -> SafeString:
    """Markdown as sanitised HTML in a `.prose` block."""
    return format_html('<div class="prose">{}</div>', prose.to_html(str(text or "")))


@register.filter
def ticked(sentence: object) -> SafeString:
    """A sentence with its `words in ticks` set as code; everything in it is escaped first."""
    return mark_safe(TICKED.sub(r"<code>\1</code>", conditional_escape(str(sentence))))  # noqa: S308


@register.inclusion_tag("kit/empty.html")
def empty(icon: str, title: str, sentence: str = "", url: str = "", label: str = "") -> dict[str, str]:
    """What a list says when it has nothing yet, and the next step: {% empty "box" "Title" "Words" url "Button" %}."""
    return {"icon": icon, "title": title, "sentence": sentence, "url": url, "label": label}


@register.simple_tag(takes_context=True)
def query_with(context: Context, **changes: Any) -> str:
    """The page's query string with some values changed; None or "" takes one out; changed filters start at the top."""
    request = context.get("request")
    query = request.GET.copy() if request else QueryDict(mutable=True)
    for key in CURSORS:
        query.pop(key, None)
    for key, value in changes.items():
        query.pop(key, None)
        if value is not None and value != "":
            query.setlist(key, [str(one) for one in value] if isinstance(value, list | tuple | set) else [str(value)])
    return "?" + query.urlencode()


def _widget_class(field: BoundField) -> str:
    widget = field.field.widget
    if isinstance(widget, CheckboxInput):
        return "form-check-input"
    # Django's RadioSelect is no Select, whatever its name says.
    if isinstance(widget, Select):
        return "form-select"
    if isinstance(widget, FileInput):
        return "form-control form-file"
    return "form-control"


@register.inclusion_tag("kit/field.html")
def field(bound: BoundField, label: str = "") -> dict[str, Any]:
    """A form field with label, help and errors: `{% field form.email %}`."""
    classes = _widget_class(bound) + (" is-invalid" if bound.errors else "")
    own = bound.field.widget.attrs.get("class", "")
    return {
        "field": bound,
        "label": label or bound.label,
        "control": bound.as_widget(attrs={"class": f"{classes} {own}".strip()}),
        "is_check": isinstance(bound.field.widget, CheckboxInput),
        "is_group": bound.use_fieldset,
    }


@register.simple_tag
def copyable(text: str, label: str = "Copy") -> SafeString:
    """A one-line code block with a button that copies it."""
    return format_html(
        '<span class="copyable"><code tabindex="0">{0}</code>'
        '<button type="button" class="btn btn-icon btn-sm" data-copy="{0}" aria-label="{1}" title="{1}">'
        "{2}</button></span>",
        text,
        label,
        icons.svg("copy"),
    )
