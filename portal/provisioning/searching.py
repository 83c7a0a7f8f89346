"""What search finds among runs: by number, and by the name of what they made."""

from __future__ import annotations

from django.db.models.functions import Collate
from django.urls import reverse

from portal.accounts.access import Access
from portal.kit.searching import Command, Hit, Searchable, Sought, register_command, register_searchable
from portal.provisioning.models import Run

LAST = "\U0010ffff"
MOST_RUNS = 12
_ROWS = ("pk", "title", "subject", "status", "owner_ref")


def find_runs(access: Access, asked: Sought, most: int) -> list[Hit]:
    """`run 12`, `#12`, and the newest runs for what is called so or begins so."""
    rows = Run.objects.for_tenant(access.organisation).alias(called=Collate("subject", "C"))
    numbers = [int(word) for word in asked.words if word.isdecimal() and len(word) < 18]
    starts = dict.fromkeys(start for start in (asked.text.lower(), "-".join(asked.words)) if start)
    parts = [
        rows.filter(called__gte=start, called__lt=start + LAST)
        .order_by("called", "-id")
        .values_list(*_ROWS)[:MOST_RUNS]
        for start in starts
    ]
    if numbers:
        parts.append(rows.filter(pk__in=numbers).values_list(*_ROWS)[:MOST_RUNS])
    # Each beginning is a range of its own, all of them one statement.
    return [_found(access, *row) for row in parts[0].union(*parts[1:])] if parts else []


def _found(access: Access, number: int, title: str, subject: str, status: str, owner: str) -> Hit:
    return Hit(
        key=f"run:{number}",
        title=f"Run #{number}: {subject or title}",
        note=f"{title} · {status.replace('_', ' ')}",
        kind="Run",
        icon="player-play",
        url=reverse("run", kwargs={"org": access.organisation.slug, "run": number}),
        names=(f"run {number}", str(number), f"run {subject}") if subject else (f"run {number}", str(number)),
        words=(title, status),
        weight=min(number % 1000, 999) / 1000,
        owner_ref=owner,
    )


def register() -> None:
    """Called when the app is ready."""
    register_searchable(Searchable("runs", "Runs", "runs.view", 70, find_runs, frozenset({"run"})))
    register_command(
        Command("runs-failed", "Failed runs", "alert-circle", "runs.view", "runs", "errors broken launches",
                "?status=failed"),
        Command("runs-mine", "My runs", "player-play", "runs.view", "runs", "launches i started", "?who=me"),
        Command("runs-going", "Running now", "player-play", "runs.view", "runs", "runs in progress active",
                "?status=running"),
    )  # fmt: skip
