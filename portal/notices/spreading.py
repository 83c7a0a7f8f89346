"""From what happened to who is told: notices in the portal, and a delivery for each other way it goes.

Everything in one transaction that the caller has open, set-based: a happening for two thousand people costs as many
statements as one for two.
"""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import timedelta

from django.db import Error as DatabaseError
from django.db import transaction
from django.utils.timezone import now

from portal.accounts.models import Membership, Organisation, TeamPath
from portal.accounts.permissions import decide
from portal.notices import unread
from portal.notices.choosing import Choices, rhythms_of
from portal.notices.models import Delivery, Destination, Notice
from portal.notices.people import known_teams
from portal.notices.registry import (
    MAIL,
    MOST_LINES,
    NOW,
    OFF,
    PORTAL,
    TEAM_MAIL,
    VERBS,
    Audience,
    Happened,
    NoticeKind,
    NoticeText,
)
from portal.notices.rhythm import PersonalRhythm

log = logging.getLogger(__name__)

# What is older was before anybody was to be told: an installation that is upgraded tells nobody of its past.
FRESH = timedelta(days=1)
BATCH = 1000


@dataclass(frozen=True)
class _Item:
    """One happening as one kind tells it."""

    happened: Happened
    kind: NoticeKind
    audience: Audience
    said: NoticeText
    group: str

    def line(self) -> dict[str, str]:
        return {"text": self.said.title[:300], "link": self.said.link[:500], "at": self.happened.at.isoformat()}

    @property
    def lines(self) -> list[dict[str, str]]:
        at = self.happened.at.isoformat()
        said = self.said.lines[:MOST_LINES]
        return [{"text": text[:300], "link": link[:500], "at": at} for text, link in said]


def spread(organisation: Organisation, happened: Iterable[Happened]) -> int:
    """Tells everybody whom it concerns; returns how many notices and deliveries came of it. Must run in the tenant."""
    items = [item for one in happened if one.at >= now() - FRESH for item in _items(one)]
    if not items:
        return 0
    work = _Spreading(organisation, items)
    return work.notices() + work.deliveries()


def _items(happened: Happened) -> Iterable[_Item]:
    for kind in VERBS.get(happened.verb, ()):
        item = _item(happened, kind)
        if item is not None:
            yield item


def _item(happened: Happened, kind: NoticeKind) -> _Item | None:
    """The happening as the kind tells it; None where it concerns nobody, or where the kind's own code breaks on it."""
    try:
        with transaction.atomic():
            audience = kind.audience(happened)
            if not (audience.people or audience.teams or audience.mails):
                return None
            return _Item(happened, kind, audience, kind.words(happened), kind.grouping(happened)[:200])
    except Exception as error:
        if isinstance(error, DatabaseError):
            raise  # the database's trouble passes, and then it comes again
        # One room's mistake about one event would otherwise keep everybody's notices from then on.
        log.exception("%s is not told as %s", happened.key, kind.key)
        return None


@dataclass
class _Spreading:
    """Some happenings of one organisation and the people whom they concern."""

    organisation: Organisation
    items: Sequence[_Item]
    members: dict[int, Membership] = field(init=False)
    choices: Choices = field(init=False)
    rhythms: dict[int, PersonalRhythm] = field(init=False)
    made: dict[tuple[int, int], Notice] = field(default_factory=dict)

    def __post_init__(self) -> None:
        users = {user for item in self.items for user in item.audience.people}
        rows = Membership.objects.for_tenant(self.organisation).filter(user__in=users, user__is_active=True)
        self.members = {row.user_id: row for row in rows.select_related("user")}
        memberships = [row.pk for row in self.members.values()]
        self.choices = Choices.of(self.organisation, memberships, list(self.members))
        self.rhythms = rhythms_of(self.organisation, list(self.members.values()))

    def _told(self, item: _Item) -> Iterable[tuple[Membership, str]]:
        """The members who are told of it, each with why: who did it knows already."""
        for user, why in item.audience.people.items():
            member = self.members.get(user)
            if member is None or user == item.happened.actor_id:
                continue
            if decide(item.kind.permission, role=member.role):
                yield member, why

    # ---- in the portal ----------------------------------------------------------------------------------------------

    def notices(self) -> int:
        """Writes what stands behind the bell; alike ones that are not read yet become one with a count."""
        there = self._unread()
        fresh: list[Notice] = []
        grown: dict[int, Notice] = {}
        for place, item in enumerate(self.items):
            for member, why in self._told(item):
                if self.choices.mode(member.pk, member.user_id, item.kind.key, PORTAL).mode == OFF:
                    continue
                key = (member.pk, item.kind.key, item.group)
                found = there.get(key)
                if found is not None and found.at >= item.happened.at - item.kind.window:
                    self._grow(found, item)
                    if found.pk:
                        grown[found.pk] = found
                else:
                    found = there[key] = self._notice(member, item, why)
                    fresh.append(found)
                self.made[place, member.pk] = found
        Notice.objects.bulk_create(fresh, batch_size=BATCH)
        Notice.objects.bulk_update(
            list(grown.values()), ["title", "text", "link", "lines", "count", "at"], batch_size=BATCH
        )
        if fresh:
            unread.count_up(self.organisation.pk, Counter(notice.membership_id for notice in fresh))
        users = {member.user_id for member in self.members.values()}
        unread.ring(self.organisation.pk, users if fresh or grown else ())
        return len(fresh) + len(grown)

    def _unread(self) -> dict[tuple[int, str, str], Notice]:
        """What these people have not read and something of now could be alike to, the newest of each."""
        since = min(item.happened.at - item.kind.window for item in self.items)
        rows = Notice.objects.for_tenant(self.organisation).filter(
            membership__in=[row.pk for row in self.members.values()],
            kind__in={item.kind.key for item in self.items},
            group__in={item.group for item in self.items},
            read_at=None,
            at__gte=since,
        )
        return {
            (row.membership_id, row.kind, row.group): row
            for row in rows.order_by("at", "pk").select_for_update(of=("self",))
        }

    def _notice(self, member: Membership, item: _Item, why: str) -> Notice:
        return Notice(
            organisation=self.organisation,
            membership=member,
            kind=item.kind.key,
            group=item.group,
            title=item.said.title[:300],
            text=item.said.text[:1000],
            link=item.said.link[:500],
            why=why[:300],
            lines=item.lines,
            first_at=item.happened.at,
            at=item.happened.at,
        )

    def _grow(self, notice: Notice, item: _Item) -> None:
        if notice.count == 1 and not notice.lines:
            notice.lines = [{"text": notice.title, "link": notice.link, "at": notice.at.isoformat()}]
        notice.lines = [*(item.lines or [item.line()]), *notice.lines][:MOST_LINES]
        notice.count += 1
        notice.title, notice.text = item.said.title[:300], item.said.text[:1000]
        notice.link, notice.at = item.said.link[:500], max(notice.at, item.happened.at)

    # ---- out of the house -------------------------------------------------------------------------------------------

    def deliveries(self) -> int:
        """Writes what goes by mail and to the organisation's destinations."""
        rows = [*self._mails(), *self._team_mails(), *self._destined()]
        Delivery.objects.bulk_create(rows, batch_size=BATCH, ignore_conflicts=True)
        return len(rows)

    def _mails(self) -> Iterable[Delivery]:
        for place, item in enumerate(self.items):
            for member, why in self._told(item):
                mode = self.choices.mode(member.pk, member.user_id, item.kind.key, MAIL).mode
                if mode != OFF:
                    due = self.rhythms[member.pk].due(mode, now())
                    row = self._delivery(item, MAIL, f"m{member.pk}", mode, why=why)
                    row.membership, row.due_at = member, due
                    row.notice = self.made.get((place, member.pk))
                    yield row

    def _team_mails(self) -> Iterable[Delivery]:
        refs = {ref for item in self.items for ref in item.audience.mails}
        teams = known_teams(self.organisation, refs) if refs else {}
        for item in self.items:
            for ref, why in item.audience.mails.items():
                team = teams.get(ref)
                if team is None or not team.mail:
                    continue
                mode = self.choices.for_team(team.pk, item.kind.key, TEAM_MAIL).mode
                if mode != OFF:
                    row = self._delivery(item, TEAM_MAIL, f"t{team.pk}", mode, why=why)
                    row.team, row.due_at = team, PersonalRhythm().due(mode, now())
                    yield row

    def _destined(self) -> Iterable[Delivery]:
        rows = list(Destination.objects.for_tenant(self.organisation).filter(is_on=True).select_related("team"))
        above = self._above({row.team_id for row in rows if row.team_id})
        for item in self.items:
            concerned = {team for ref in item.audience.teams for team in above.get(ref, ())}
            for row in rows:
                if (row.kinds and item.kind.key not in row.kinds) or (row.team_id and row.team_id not in concerned):
                    continue
                made = self._delivery(item, row.kind, f"d{row.pk}", NOW, why="")
                made.destination = row
                yield made

    def _above(self, wanted: set[int]) -> dict[str, set[int]]:
        """By the reference of a team that something is about: which of the wanted teams it is, or lies below."""
        refs = {ref for item in self.items for ref in item.audience.teams} if wanted else set()
        below = {team.pk: ref for ref, team in known_teams(self.organisation, refs).items()} if refs else {}
        rows = TeamPath.objects.for_tenant(self.organisation).filter(below_id__in=below, above_id__in=wanted)
        found: dict[str, set[int]] = {}
        for under, over in rows.values_list("below_id", "above_id") if below else ():
            found.setdefault(below[under], set()).add(over)
        return found

    def _delivery(self, item: _Item, channel: str, recipient: str, mode: str, *, why: str) -> Delivery:
        return Delivery(
            organisation=self.organisation,
            key=f"{item.happened.key}:{item.kind.key}:{channel}:{recipient}"[:300],
            channel=channel,
            kind=item.kind.key,
            group=item.group,
            title=item.said.title[:300],
            text=item.said.text[:1000],
            link=item.said.link[:500],
            why=why[:300],
            lines=item.lines,
            mode=mode,
            at=item.happened.at,
        )
