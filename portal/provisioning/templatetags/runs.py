"""How durations, steps and effects read on pages."""

import json
from datetime import timedelta
from typing import Any

from django import template
from django.utils.safestring import SafeString

from portal.goldenpaths.questions import unseen
from portal.kit import icons
from portal.provisioning.models import Effect, Run, Step

register = template.Library()

POINTS = {
    "succeeded": ("is-good", "check"),
    "failed": ("is-bad", "x"),
    "running": ("is-busy", "loader-2"),
    "waiting": ("is-held", "hourglass"),
    "cancelled": ("", "player-stop"),
    "skipped": ("", "player-skip-forward"),
}
EFFECT_ICONS = {"repository": "brand-git", "object": "box", "source": "book-2"}
MOST = 12_000


@register.filter
def called(name: str) -> str:
    """What a run was told in confidence, as people write it."""
    return unseen.called(name)


def words(span: timedelta | None) -> str:
    """A duration: 0.4 s, 12 s, 3 min 5 s, 2 h 10 min."""
    if span is None:
        return "–"
    seconds = max(span.total_seconds(), 0)
    if seconds < 10:
        return f"{seconds:.1f} s"
    minutes, seconds = divmod(round(seconds), 60)
    if minutes == 0:
        return f"{seconds} s"
    hours, minutes = divmod(minutes, 60)
    return f"{minutes} min {seconds} s" if hours == 0 else f"{hours} h {minutes} min"


@register.filter
def took(row: Run | Step) -> str:
    """How long a run or a step took; a dash while it is not over."""
    return words(row.elapsed if row.ended_at else None)


@register.filter
def point(step: Step) -> str:
    """The class of a step's point on the timeline."""
    return POINTS.get(step.status, ("", ""))[0]


@register.filter
def point_icon(step: Step) -> SafeString:
    """The icon in a step's point; decorative, its state stands beside it in words."""
    return icons.svg(POINTS.get(step.status, ("", "circle"))[1])


@register.filter
def effect_icon(effect: Effect) -> SafeString:
    """The icon of an effect's kind."""
    return icons.svg(EFFECT_ICONS.get(effect.kind, "cube"))


@register.filter
def effect_word(effect: Effect) -> str:
    """What became of it, in a word or two."""
    if effect.undo:
        return effect.get_undo_display()
    return effect.get_outcome_display() if effect.outcome else "Intended"


@register.filter
def as_json(value: Any) -> str:
    """A value as a person reads JSON, cut where it gets long."""
    text = json.dumps(value, indent=2, ensure_ascii=False)
    return text if len(text) <= MOST else f"{text[:MOST]}\n…"
