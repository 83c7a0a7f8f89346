"""The tags that every page is written with: icons, badges, times, links to people and entities, forms."""

import re
from datetime import datetime
from typing import Any

from django import template
from django.forms import BoundField, CheckboxInput, FileInput, Select
from django.http import QueryDict
from django.template import Context
from django.utils import timezone
from django.utils.html import conditional_escape, format_html
from django.utils.safestring import SafeString, mark_safe

from portal.kit import icons, paths, prose, references, words
from portal.kit.refs import completed, kind_of, parse_ref

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
    """The icon of a kind of thing: `{% kind_icon row.kind %}`."""
    return icons.svg(references.guide().icon(str(kind)), classes)


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


def _full(at: datetime) -> str:
    """The whole time in the zone of the person who asks, which is the current one: portal/accounts/zone.py."""
    local = timezone.localtime(at)
    return f"{local.day} {local:%b %Y, %H:%M:%S %Z}"


def _time(at: datetime, form: str, text: str) -> SafeString:
    """A time that the browser writes again in the person's zone: what is rendered once for all viewers is in UTC."""
    moment = at.isoformat(timespec="seconds")
    return format_html('<time datetime="{}" title="{}" data-{}>{}</time>', moment, _full(at), form, text)


@register.simple_tag
def ago(at: datetime | None, never: str = "never") -> SafeString:
    """`5 min ago`, the full time in its title; the browser keeps it fresh."""
    if at is None:
        return format_html('<span class="text-secondary">{}</span>', never)
    return _time(at, "ago", words.ago(timezone.localtime(at), timezone.now()))


@register.simple_tag
def moment(at: datetime, form: str = "full") -> SafeString:
    """A time as it is: `full` (day, time and zone), `day`, or `clock` (hours, minutes, seconds)."""
    local = timezone.localtime(at)
    texts = {"full": _full(at), "day": f"{local.day} {local:%b %Y}", "clock": f"{local:%H:%M:%S}"}
    return _time(at, form, texts[form])


def _named(context: Context, ref: str, label: str) -> references.Named:
    """What the page's `names` (references.named) know of it; a reference that they do not know is called by its name.

    In a fragment that was given no `org`, it leads nowhere.
    """
    org, names = context.get("org"), context.get("names") or {}
    found = names.get(ref)
    url = (found.url if found else "") or (references.guide().address(org.slug, ref) if org else "")
    title = label or (found.title if found else parse_ref(ref).short)
    return references.Named(ref, title, url, found.note if found else "")


def _reference(context: Context, ref: str, label: str, classes: str) -> SafeString:
    shown = _named(context, ref, label)
    picture = icons.svg(references.guide().icon(kind_of(ref)))
    hint = f"{ref}\n{shown.note}" if shown.note else ref
    if not shown.url:
        return format_html(
            '<span class="{}" title="{}">{}{}</span>', classes, hint, picture, paths.visible_text(shown.title)
        )
    return format_html(
        '<a class="{}" href="{}" title="{}">{}{}</a>',
        classes,
        shown.url,
        hint,
        picture,
        paths.visible_text(shown.title),
    )


@register.simple_tag(takes_context=True)
def owner_chip(context: Context, ref: str, label: str = "") -> SafeString:
    """Who owns it: a chip that leads to their page and says in its title how to reach them."""
    parsed = references.guide().owner(str(ref or ""))
    if not parsed:
        return format_html('<span class="chip chip-none">{}No owner</span>', icons.svg("user-question"))
    return _reference(context, parsed, label, "chip")


@register.simple_tag(takes_context=True)
def entity_link(context: Context, ref: str, label: str = "") -> SafeString:
    """A link to what a reference stands for, with the icon of its kind: `{% entity_link row.ref %}`."""
    parsed = completed(str(ref or ""), kind="")
    if not parsed:
        return format_html("<span>{}</span>", paths.visible_text(str(ref)))
    return _reference(context, parsed, label, "entity-link")


@register.simple_tag(takes_context=True)
def plain_link(context: Context, ref: str) -> SafeString:
    """A link to what a reference stands for, of words alone: for tables with many of them."""
    shown = _named(context, ref, "") if completed(str(ref or ""), kind="") else references.Named(ref, ref)
    hint = format_html(' title="{}"', paths.visible_text(shown.note[:80])) if shown.note else ""
    if not shown.url:
        return format_html("<span{}>{}</span>", hint, paths.visible_text(shown.title))
    return format_html('<a href="{}"{}>{}</a>', shown.url, hint, paths.visible_text(shown.title))


@register.simple_tag(takes_context=True)
def called(context: Context, ref: str) -> str:
    """What a reference is called, without a link: `{% called row.owner_ref %}`."""
    parsed = references.guide().owner(str(ref or ""))
    return paths.visible_text(_named(context, parsed, "").title if parsed else str(ref))


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
    return mark_safe(TICKED.sub(r"<code>\1</code>", conditional_escape(paths.visible_text(str(sentence)))))  # noqa: S308


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
        '<span class="copyable"><code tabindex="0">{}</code>'
        '<button type="button" class="btn btn-icon btn-sm" data-copy="{}" aria-label="{}" title="{}">'
        "{}</button></span>",
        paths.visible_text(str(text)),
        text,
        label,
        label,
        icons.svg("copy"),
    )
