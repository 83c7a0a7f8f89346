"""Who is told of a problem, and how: once, when it appears; and what stays for long, once a week.

Somebody is told at most once: who was told is written with what they are told, in one transaction. How it reaches them
is the business of the room of notices.
"""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from email.utils import parseaddr
from typing import Any

from django.db.models import Count, Exists, Min, OuterRef
from django.urls import reverse
from django.utils.timezone import now

from catalog.models import Problem, ProblemTold, Source, SourceReading
from catalog.problems import open_of
from portal.accounts.actor import Actor
from portal.accounts.models import Organisation, Team, TeamMembership
from portal.accounts.tenancy import TenantQuerySet, sweep, tenant
from portal.githosts.hosts import HOSTS
from portal.jobs.actions import submit
from portal.jobs.registry import JobDone, JobKind, register
from portal.jobs.work import Work
from portal.kit.errors import NotFound
from portal.notices.people import by_address
from portal.notices.registry import (
    MAIL,
    MOST_LINES,
    NOW,
    PORTAL,
    TEAM_MAIL,
    Audience,
    Happened,
    NoticeKind,
    NoticeText,
    register_kind,
)
from portal.notices.telling import Telling
from portal.notices.telling import tell as tell_on

TELL = "catalog.tell"
FOUND, STANDING = "problem.found", "problem.standing"
# What is older was told, or was there before anybody was told of anything.
FRESH = timedelta(days=1)
OLD = timedelta(days=7)
# So many problems of a source are told at once.
MOST_TOLD = 2000
# So many sources of an organisation are taken in one turn.
AT_ONCE = 50


def sweep_fresh() -> int:
    """Asks for a telling of each source in which something new is wrong. For the live process; returns how many."""
    asked = 0
    for organisation_id in _organisations():
        with tenant(organisation_id):
            due = _untold(organisation_id).order_by().values_list("source_id", flat=True).distinct()
            rows = Source.objects.for_tenant(organisation_id).filter(pk__in=list(due[:AT_ONCE]))
            for source in rows.select_related("organisation"):
                title = f"Tell of problems in {source.label}"
                submit(
                    organisation=source.organisation,
                    actor=Actor.slipway(),
                    kind=TELL,
                    title=title,
                    arguments={"source": source.pk},
                    key=f"source:{source.pk}",
                )
                asked += 1
    return asked


def _organisations() -> list[int]:
    """Those in whose sources something is wrong."""
    with sweep():
        rows = Source.objects.filter(problem_count__gt=0).order_by("organisation_id")
        return list(rows.values_list("organisation_id", flat=True).distinct())


def sweep_digests() -> int:
    """Tells each team, once a week, what has been wrong for longer than a week. Returns how many teams."""
    week, told = now().strftime("%G-W%V"), 0
    for organisation_id in _organisations():
        with tenant(organisation_id):
            organisation = Organisation.objects.get(pk=organisation_id)
            late = standing(organisation)
            reached = _reached(organisation, [each.owner_ref for each in late])
            things = [_standing(week, each, reached[each.owner_ref]) for each in late if each.owner_ref in reached]
            tell_on(organisation, things)
            told += len(things)
    return told


def _untold(organisation_id: int) -> TenantQuerySet[Problem]:
    told = ProblemTold.objects.filter(
        organisation=OuterRef("organisation_id"), source=OuterRef("source_id"), key=OuterRef("key")
    )
    return open_of(organisation_id).filter(~Exists(told), first_seen_at__gte=now() - FRESH)


def tell(work: Work) -> JobDone:
    """Tells each who should know what is newly wrong in a source."""
    organisation = work.organisation
    with tenant(organisation):
        source = Source.objects.for_tenant(organisation).filter(pk=work.arguments["source"]).first()
        if source is None:
            raise NotFound("The source was removed meanwhile.")
        rows = list(_untold(organisation.pk).filter(source=source).order_by("path", "line", "id")[:MOST_TOLD])
        is_first = not SourceReading.objects.for_tenant(organisation).filter(source=source)[1:2].exists()
    authors = _authors(organisation, source, rows, is_first=is_first)
    with tenant(organisation):
        letters = _letters(rows, _people(organisation, rows, authors))
        _note(source, rows, letters)
        tell_on(organisation, [_found(organisation, source, whom, about) for whom, about in letters.items()])
        work.note(told=len(letters))
    told = sorted(whom.address for whom in letters)
    return JobDone(f"Told {len(letters)} of {len(rows)} problems.", {"told": told})


def _authors(
    organisation: Organisation, source: Source, rows: Sequence[Problem], *, is_first: bool
) -> Mapping[str, str]:
    """By file, the address of who changed it last, as far as it can be known. Asks our own git host for each file.

    Elsewhere only the newest commit is known: its author stands for what came with it, and for nothing that a source
    had when it was read for the first time.
    """
    paths = sorted({row.path for row in rows if row.path})
    if source.kind == Source.Kind.REPOSITORY:
        host = HOSTS["slipway"]
        repo = host.find_repository(organisation, source.target)
        if repo is None or not source.read_revision:
            return {}
        return {path: host.author_of(repo, source.read_revision, path).email for path in paths}
    return {} if is_first else {row.path: parseaddr(row.author)[1] for row in rows if row.path}


@dataclass(frozen=True)
class _Whom:
    """A member (by their id) or a team whose mail address is told; `why` as a sentence."""

    address: str
    why: str
    person: int = 0
    team: str = ""

    def facts(self) -> dict[str, Any]:
        """What the kind's audience reads."""
        return {"person": self.person, "team": self.team, "why": self.why}


@dataclass(frozen=True)
class _People:
    """members: by address, a member's id; owners: by reference, who is told for a team; authors: by file."""

    members: Mapping[str, int]
    owners: Mapping[str, list[_Whom]]
    authors: Mapping[str, str]

    def of(self, row: Problem) -> list[_Whom]:
        """Who should know of it: strangers who once wrote a commit are not told."""
        author = self.authors.get(row.path, "").lower()
        found = {whom.address: whom for whom in self.owners.get(row.owner_ref, ())}
        if author in self.members:
            found[author] = _Whom(author, "You changed the file last.", person=self.members[author])
        return [found[address] for address in sorted(found)]


def _people(organisation: Organisation, rows: Iterable[Problem], authors: Mapping[str, str]) -> _People:
    known = by_address(organisation, authors.values())
    return _People(known, _reached(organisation, {row.owner_ref for row in rows}), authors)


def _reached(organisation: Organisation, refs: Iterable[str]) -> dict[str, list[_Whom]]:
    """By reference, who is told for a team: its own address, or its leads; teams that have neither are left out."""
    teams = list(Team.objects.for_tenant(organisation).filter(ref__in=[ref for ref in refs if ref]))
    leads = TeamMembership.objects.for_tenant(organisation).filter(team__in=teams, is_lead=True, user__is_active=True)
    by_team = defaultdict[int, list[tuple[int, str]]](list)
    for team_id, user, address in leads.values_list("team_id", "user_id", "user__email"):
        by_team[team_id].append((user, address.lower()))
    found = {team.ref: _for_team(team, by_team[team.pk]) for team in teams}
    return {ref: whom for ref, whom in found.items() if whom}


def _for_team(team: Team, leads: Sequence[tuple[int, str]]) -> list[_Whom]:
    if team.contact.mail:
        return [_Whom(team.contact.mail.lower(), f"{team} owns it.", team=team.ref)]
    return [_Whom(address, f"You lead {team}, which owns it.", person=user) for user, address in leads]


def _letters(rows: Sequence[Problem], people: _People) -> dict[_Whom, list[Problem]]:
    """For each address what it is told, and for which of their reasons: the first."""
    letters, whom_of = defaultdict[_Whom, list[Problem]](list), dict[str, _Whom]()
    for row in rows:
        for whom in people.of(row):
            letters[whom_of.setdefault(whom.address, whom)].append(row)
    return dict(letters)


def _note(source: Source, rows: Sequence[Problem], letters: Mapping[_Whom, Sequence[Problem]]) -> None:
    """Whoever is told, and that each was looked at although nobody is."""
    pairs = {(row.key, whom.address) for whom, about in letters.items() for row in about}
    pairs |= {(row.key, "") for row in rows}
    ProblemTold.objects.bulk_create(
        [
            ProblemTold(organisation_id=source.organisation_id, source=source, key=key, address=address)
            for key, address in sorted(pairs)
        ],
        batch_size=500,
        ignore_conflicts=True,
    )


def _found(organisation: Organisation, source: Source, whom: _Whom, about: Sequence[Problem]) -> Telling:
    """What one of them is told of a source."""
    count = len(about)
    lines = [(_place(row), _page(organisation, row)) for row in about[:MOST_LINES]]
    keys = hashlib.sha256("".join(sorted(row.key for row in about)).encode()).hexdigest()[:32]
    return Telling(
        kind=FOUND,
        key=f"{source.uid}:{whom.address}:{keys}"[-200:],
        summary=f"{'A problem' if count == 1 else f'{count} problems'} in {source.label}",
        subject_kind="source",
        subject_id=str(source.pk),
        subject_label=source.label,
        data={
            **whom.facts(),
            "owners": sorted({row.owner_ref for row in about if row.owner_ref}),
            "link": f"{_inbox(organisation)}?source={source.pk}",
            "text": f"The first {MOST_LINES} of {count}." if count > MOST_LINES else "",
            "lines": lines,
        },
    )


def _place(row: Problem) -> str:
    return f"{row.path}:{row.line}  {row.sentence}" if row.path else row.sentence


def _page(organisation: Organisation, row: Problem) -> str:
    return reverse("problem", kwargs={"org": organisation.slug, "problem": row.pk})


def _inbox(organisation: Organisation) -> str:
    return reverse("catalog-problems", kwargs={"org": organisation.slug})


@dataclass(frozen=True)
class Overdue:
    """What a team has had wrong for longer than a week."""

    owner_ref: str
    count: int
    since: datetime


def standing(organisation: Organisation) -> list[Overdue]:
    """By owner, what is wrong for longer than a week and not set aside."""
    rows = open_of(organisation).filter(first_seen_at__lt=now() - OLD).exclude(owner_ref="")
    told = rows.order_by().values_list("owner_ref").annotate(count=Count("pk"), since=Min("first_seen_at"))
    return [Overdue(*row) for row in told.order_by("owner_ref")]


def _standing(week: str, late: Overdue, whom: Sequence[_Whom]) -> Telling:
    return Telling(
        kind=STANDING,
        key=f"{week}:{late.owner_ref}"[:200],
        summary=f"{late.count} problem{'' if late.count == 1 else 's'} of your team for longer than a week",
        subject_kind="team",
        subject_label=late.owner_ref,
        data={
            "people": {str(one.person): one.why for one in whom if one.person},
            "mails": {one.team: one.why for one in whom if one.team},
            "owners": [late.owner_ref],
            "query": f"?owner={late.owner_ref}&age=week&order=old",
            "text": f"The oldest since {late.since:%-d %b %Y}. What can wait is set aside there, with a reason.",
        },
    )


# ---- as notices -----------------------------------------------------------------------------------------------------


def _whom(happened: Happened) -> Audience:
    data = happened.data
    why = str(data.get("why", ""))
    return Audience(
        people={int(data["person"]): why} if data.get("person") else {},
        teams=data.get("owners", ()),
        mails={str(data["team"]): why} if data.get("team") else {},
    )


def _words(happened: Happened) -> NoticeText:
    data = happened.data
    lines = [(str(text), str(link)) for text, link in data.get("lines", ())]
    return NoticeText(happened.summary, str(data["link"]), str(data.get("text", "")), lines)


def _whom_of_standing(happened: Happened) -> Audience:
    people = {int(person): str(why) for person, why in happened.data.get("people", {}).items()}
    return Audience(people=people, teams=happened.data.get("owners", ()), mails=happened.data.get("mails", {}))


def _words_of_standing(happened: Happened) -> NoticeText:
    link = f"{_inbox(happened.organisation)}{happened.data.get('query', '')}"
    return NoticeText(happened.summary, link, str(happened.data.get("text", "")))


def register_telling() -> None:
    """Makes the kinds of jobs and of notices known."""
    register(JobKind(TELL, "Tell of problems", tell, lane="outside"))
    channels = {PORTAL: NOW, MAIL: NOW, TEAM_MAIL: NOW}
    register_kind(
        NoticeKind(
            FOUND,
            "Problems in what you own",
            "Catalog",
            "something is newly wrong in a file that you changed last, or that your team owns.",
            _whom,
            _words,
            channels=channels,
            permission="catalog.view",
        ),
        NoticeKind(
            STANDING,
            "Problems that stay",
            "Catalog",
            "something of your team has been wrong for longer than a week. Told once a week.",
            _whom_of_standing,
            _words_of_standing,
            grouping=lambda it: it.subject_label,
            channels=channels,
            permission="catalog.view",
        ),
    )
