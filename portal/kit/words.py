"""How times, states and names read to a person; pure, shared by pages and tests."""

import re
from datetime import datetime

MINUTE, HOUR, DAY = 60, 3600, 86400
HEALTH_TONES = {
    "Healthy": "good",
    "Progressing": "busy",
    "Reduced": "warn",
    "Stuck": "stuck",
    "Down": "bad",
    "Paused": "held",
    "Idle": "idle",
    "Unknown": "unknown",
}
STATE_TONES = {
    "succeeded": "good",
    "done": "good",
    "accepted": "good",
    "active": "good",
    "connected": "good",
    "synced": "good",
    "ready": "good",
    "ok": "good",
    "running": "busy",
    "refreshing": "busy",
    "syncing": "busy",
    "connecting": "busy",
    "undoing": "busy",
    "cancelling": "busy",
    "queued": "idle",
    "pending": "idle",
    "created": "idle",
    "new": "idle",
    "skipped": "idle",
    "undone": "idle",
    "cancelled": "idle",
    "expired": "idle",
    "revoked": "idle",
    "waiting": "held",
    "paused": "held",
    "retrying": "warn",
    "stale": "warn",
    "problems": "warn",
    "warning": "warn",
    "failed": "bad",
    "error": "bad",
    "unreachable": "bad",
    "unauthorized": "bad",
    "rejected": "bad",
}


def ago(at: datetime, now: datetime) -> str:
    """A short distance in time, the same words that static/app.js uses to keep it fresh."""
    seconds = (now - at).total_seconds()
    distance = abs(seconds)
    if distance < 45:
        return "just now"
    if distance < HOUR:
        words = f"{max(1, round(distance / MINUTE))} min"
    elif distance < DAY:
        words = f"{round(distance / HOUR)} h"
    elif distance < 14 * DAY:
        days = round(distance / DAY)
        words = "1 day" if days == 1 else f"{days} days"
    elif distance < 60 * DAY:
        words = f"{round(distance / (7 * DAY))} weeks"
    else:
        return f"{at.day} {at:%b %Y}"
    return f"{words} ago" if seconds > 0 else f"in {words}"


def initials(name: str) -> str:
    """One or two letters for an avatar: `Ada Lovelace` -> `AL`, `dev@acme.test` -> `D`."""
    words = [word for word in re.split(r"[\s._-]+", name.split("@")[0]) if word]
    if not words:
        return "?"
    if len(words) == 1:
        return words[0][0].upper()
    return (words[0][0] + words[-1][0]).upper()


def shade(name: str, shades: int = 8) -> int:
    """A stable small number for a name, so that the same person keeps the same colour."""
    return sum(ord(letter) * (place + 1) for place, letter in enumerate(name.lower())) % shades


def cell(text: str) -> str:
    """A cell of a CSV file that a spreadsheet reads as text: what starts like a formula gets an apostrophe in front."""
    return f"'{text}" if text[:1] in {"=", "+", "-", "@", "\t", "\r"} else text
