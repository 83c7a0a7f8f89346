"""A duty's lease and health line in the database. Synchronous."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db import connection
from django.db.models import Q
from django.db.models.functions import Now
from django.utils import timezone

from portal.live.models import FAILING, WORKING, DutyLease

FORGOTTEN = timedelta(hours=1)

# A duty's name, and whose it is: empty for one that a single process does.
Place = tuple[str, str]


@dataclass(frozen=True)
class DutyLine:
    """How a duty goes, for whoever asks."""

    name: str
    owner: str
    is_held: bool
    state: str
    text: str
    since: datetime
    done_at: datetime | None

    @property
    def is_well(self) -> bool:
        """Whether somebody does it and it goes well."""
        return self.is_held and self.state == WORKING


def hold(duty: Place, owner: str, seconds: float) -> bool:
    """Takes or keeps a lease; False while another process holds it."""
    name, place = duty
    until = Now() + timedelta(seconds=seconds)
    rows = DutyLease.objects.filter(name=name, place=place)
    if rows.filter(Q(owner=owner) | Q(until__lt=Now())).update(owner=owner, until=until):
        return True
    DutyLease.objects.bulk_create([DutyLease(name=name, place=place, owner=owner, until=until)], ignore_conflicts=True)
    return rows.filter(owner=owner).exists()


_RENEW = """
UPDATE live_dutylease AS mine SET until = now() + make_interval(secs => held.seconds)
FROM unnest(%s::text[], %s::text[], %s::float8[]) AS held (name, place, seconds)
WHERE mine.name = held.name AND mine.place = held.place AND mine.owner = %s
RETURNING mine.name, mine.place
"""


def renew(owner: str, held: Mapping[Place, float]) -> set[Place]:
    """Keeps several for their seconds each, in one statement; answers what is still the owner's."""
    columns = [name for name, _ in held], [place for _, place in held], list(held.values())
    with connection.cursor() as cursor:
        cursor.execute(_RENEW, [*columns, owner])
        return {(name, place) for name, place in cursor.fetchall()}


def note(duty: Place, owner: str, *, text: str, is_failing: bool, is_done: bool) -> None:
    """Writes the health line, if the lease is still the owner's."""
    name, place = duty
    rows = DutyLease.objects.filter(name=name, place=place, owner=owner)
    state, now = (FAILING if is_failing else WORKING), timezone.now()
    values: dict[str, object] = {"text": text[:300], "state": state}
    if is_done:
        values["done_at"] = now
    # Nearly always the state is the one that it was: one statement.
    if not rows.filter(state=state).update(**values):
        rows.update(**values, since=now)


def release(duty: Place, owner: str) -> None:
    """Gives a lease back, so that another process need not wait for its end."""
    name, place = duty
    rows = DutyLease.objects.filter(name=name, place=place, owner=owner)
    if place:
        rows.delete()
    else:
        rows.update(until=Now())
    # what a process that was killed has left behind
    DutyLease.objects.exclude(place="").filter(until__lt=Now() - FORGOTTEN).delete()


def lines() -> list[DutyLine]:
    """The health line of every duty that anybody has begun."""
    now = timezone.now()
    return [
        DutyLine(row.name, row.owner, row.until > now, row.state, row.text, row.since, row.done_at)
        for row in DutyLease.objects.all()
    ]
