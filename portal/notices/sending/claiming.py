"""Who sends what: rows claimed with SKIP LOCKED, held under a lease, gathered into one message for one recipient.

A message is a batch of rows. Which rows belong to it is written when it is claimed first and stays so: however often it
is tried, and whoever tries it, it is the same message under the same name, so that the other side can tell a second
one from a new one. What is claimed and has not begun to leave is anybody's again when the lease ends; what was leaving
when its sender died is so only where the channel can tell (states.py: handed, unsure). docs/adr/0196.
"""

from __future__ import annotations

import os
import socket
import uuid
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db.models import Q
from django.db.models.functions import Now
from django.utils.timezone import now

from portal.accounts.models import Organisation
from portal.accounts.permissions import decide
from portal.accounts.tenancy import TenantQuerySet, tenant
from portal.notices.choosing import Choices, rhythm_of
from portal.notices.models import Delivery, Destination, Rhythm
from portal.notices.registry import KINDS, NOW, OFF
from portal.notices.rhythm import PersonalRhythm
from portal.notices.states import WEBHOOK

OWNER = f"{socket.gethostname()}:{os.getpid()}"
LEASE = timedelta(seconds=90)
# So many things stand in one message at most.
MOST = 100
# So many messages of an organisation are on their way at a time.
SENDERS = 2
# Only these can tell a second one from a new one, by its id.
CAN_TELL = frozenset({WEBHOOK})
UNSURE = "The sender ended while it was leaving: it may have arrived. It is not sent again by itself."
NAMES = uuid.UUID("b0f2b1d6-7f0e-4d8d-9a5c-8f1f0f8a6d31")


class BatchLost(Exception):
    """The message is somebody else's by now: whoever sees this sends nothing."""


@dataclass(frozen=True)
class Batch:
    """One message: its rows, the newest last, and the claim that it is sent under."""

    organisation: Organisation
    uid: uuid.UUID
    epoch: int
    attempts: int
    rows: list[Delivery]

    @property
    def first(self) -> Delivery:
        return self.rows[0]

    @property
    def channel(self) -> str:
        return self.first.channel

    @property
    def destination(self) -> Destination | None:
        return self.first.destination

    def held(self) -> TenantQuerySet[Delivery]:
        """Its rows, while the claim is ours."""
        return Delivery.objects.for_tenant(self.organisation).filter(batch=self.uid, epoch=self.epoch)

    def leaving(self) -> None:
        """Writes down that it leaves now. Raises BatchLost when it is not ours to send."""
        with tenant(self.organisation):
            until = now() + LEASE
            marked = self.held().filter(state="claimed").update(state="handed", lease_until=until)
            self.held().filter(pk=self.first.pk).update(due_at=until)
            if marked != len(self.rows):
                raise BatchLost(str(self.uid))


def claim(organisation_id: int) -> Batch | None:
    """The next message of the organisation that is due; None when none is. A transaction of its own, and short."""
    with tenant(organisation_id):
        organisation = Organisation.objects.get(pk=organisation_id)
        if _senders(organisation) >= SENDERS:
            return None
        busy = set[int]()
        while (row := _next(organisation, busy)) is not None:
            if row.destination_id and not _is_free(row.destination_id):
                busy.add(row.destination_id)
                continue
            rows = _together(organisation, row)
            if row.state == "handed" and row.channel not in CAN_TELL:
                _give_up(rows)
                continue
            # What a message was made of once is not judged again: a part of it may have arrived.
            rows = rows if row.batch else list(_wanted(organisation, rows))
            if rows:
                return _claimed(organisation, rows)
    return None


def _senders(organisation: Organisation) -> int:
    """How many messages of the organisation are under way: a server that does not answer holds so many workers."""
    rows = Delivery.objects.for_tenant(organisation).filter(state__in=["claimed", "handed"], lease_until__gt=Now())
    return rows.values("batch").distinct().count()


def _is_free(destination: int) -> bool:
    """Whether nothing is on its way to the destination; from here on it is ours until the transaction ends."""
    rows = Destination.objects.filter(Q(rests_until=None) | Q(rests_until__lte=Now()), pk=destination)
    return rows.select_for_update(skip_locked=True).exists()


def _next(organisation: Organisation, busy: set[int]) -> Delivery | None:
    due = Delivery.objects.for_tenant(organisation).filter(due_at__lte=Now())
    if busy:
        due = due.exclude(destination__in=busy)
    free = due.filter(Q(destination=None) | Q(destination__rests_until=None) | Q(destination__rests_until__lte=Now()))
    found: Delivery | None = free.order_by("due_at", "pk").select_for_update(skip_locked=True, of=("self",)).first()
    return found


def _together(organisation: Organisation, row: Delivery) -> list[Delivery]:
    """All of the row's message; of one that is none yet, everything that is due for the same recipient."""
    rows = Delivery.objects.for_tenant(organisation)
    if row.batch:
        # Only a message's first row is ever due, so whoever found it has the message to themselves.
        rows = rows.filter(batch=row.batch, ended_at=None)
    else:
        rows = rows.filter(
            batch=None,
            due_at__lte=Now(),
            channel=row.channel,
            membership=row.membership_id,
            team=row.team_id,
            destination=row.destination_id,
        )
    whole = rows.select_related("membership__user", "team", "destination", "notice")
    locked = whole.select_for_update(skip_locked=row.batch is None, of=("self",))
    return list(locked.order_by("at", "pk")[:MOST])


def _give_up(rows: list[Delivery]) -> None:
    for row in rows:
        row.state, row.sentence, row.due_at, row.lease_until = "unsure", UNSURE, None, None
        row.epoch, row.ended_at = row.epoch + 1, now()
        row.log = noted(row, UNSURE)
    Delivery.objects.bulk_update(rows, ["state", "sentence", "due_at", "lease_until", "epoch", "ended_at", "log"])


def noted(row: Delivery, said: str, at: datetime | None = None) -> list[list[str]]:
    """The row's log with one line more: the newest ten are kept."""
    return [*row.log, [(at or now()).isoformat(timespec="seconds"), said[:300]]][-10:]


def _wanted(organisation: Organisation, rows: list[Delivery]) -> Iterable[Delivery]:
    """Those that are still wanted now; others wait for their hour, or are dropped."""
    judge = _Judge(organisation, rows[0])
    for row in rows:
        due = judge.due(row)
        if due is None:
            row.state, row.due_at, row.ended_at = "dropped", None, now()
            row.save(update_fields=["state", "due_at", "ended_at"])
        elif due > now():
            row.due_at = due
            row.save(update_fields=["due_at", "mode"])
        else:
            yield row


class _Judge:
    """What one recipient wants at this moment: everything that was chosen since the row was written counts."""

    def __init__(self, organisation: Organisation, row: Delivery) -> None:
        self.member, self.team, self.destination = row.membership, row.team, row.destination
        self.rhythm = PersonalRhythm()
        if self.member:
            self.choices = Choices.of(organisation, [self.member.pk], [self.member.user_id])
            chosen = Rhythm.objects.for_tenant(organisation).filter(membership=self.member).first()
            self.rhythm = rhythm_of(chosen, self.member.user.timezone)
        elif self.team:
            self.choices = Choices.of(organisation, [])

    def due(self, row: Delivery) -> datetime | None:
        """When it is to go: now or later; None when it is not wanted any more."""
        if self.destination is not None:
            return now() if self.destination.is_on else None
        mode = self._mode(row)
        if mode == OFF or self._is_settled(row):
            return None
        if mode != row.mode:
            row.mode = mode
            return self.rhythm.due(mode, now())
        # A digest's hour has come; what goes at once may have come into quiet hours meanwhile.
        return self.rhythm.due(NOW, now())

    def _mode(self, row: Delivery) -> str:
        if self.member:
            return self.choices.mode(self.member.pk, self.member.user_id, row.kind, row.channel).mode
        return self.choices.for_team(self.team.pk, row.kind, row.channel).mode if self.team else OFF

    def _is_settled(self, row: Delivery) -> bool:
        """They read it in the portal, or may not read it any more."""
        if self.member is None:
            return False
        kind = KINDS.get(row.kind)
        is_read = row.notice is not None and row.notice.read_at is not None
        may_read = self.member.user.is_active and kind and decide(kind.permission, role=self.member.role)
        return is_read or not may_read


def _claimed(organisation: Organisation, rows: list[Delivery]) -> Batch:
    first = rows[0]
    uid = first.batch or uuid.uuid5(NAMES, f"{organisation.pk}:{first.key}:{first.epoch}")
    epoch, attempts, until = max(row.epoch for row in rows) + 1, first.attempts + 1, now() + LEASE
    for row in rows:
        row.batch, row.epoch, row.attempts, row.state = uid, epoch, attempts, "claimed"
        row.lease_owner, row.lease_until, row.due_at = OWNER, until, until if row is first else None
    Delivery.objects.bulk_update(
        rows, ["batch", "epoch", "attempts", "state", "lease_owner", "lease_until", "due_at"], batch_size=MOST
    )
    if first.destination_id:
        # One message after the other: `settle` opens it again, or the end of the lease does.
        Destination.objects.for_tenant(organisation).filter(pk=first.destination_id).update(rests_until=until)
    return Batch(organisation, uid, epoch, attempts, rows)
