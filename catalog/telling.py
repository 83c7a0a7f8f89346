"""Who is told of a problem, and how: by mail, once, when it appears; and what stays for long, once a week.

Somebody is told at most once: who was told is written before the mail goes, and taken back only when it could not go.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from email.utils import parseaddr

from django.conf import settings
from django.db.models import Count, Exists, Min, OuterRef
from django.urls import reverse
from django.utils.timezone import now

from catalog.models import Problem, ProblemTold, Source, SourceReading
from catalog.problems import open_of
from portal.accounts import mails
from portal.accounts.actor import Actor
from portal.accounts.models import Membership, Organisation, Team, TeamMembership
from portal.accounts.tenancy import TenantQuerySet, sweep, tenant
from portal.githosts.hosts import HOSTS
from portal.jobs.actions import submit
from portal.jobs.models import Job
from portal.jobs.registry import JobDone, JobKind, register
from portal.jobs.work import Work
from portal.kit.errors import Away, NotFound

TELL, DIGEST = "catalog.tell", "catalog.digest"
# What is older was told, or was there before anybody was told of anything.
FRESH = timedelta(days=1)
OLD = timedelta(days=7)
# So many problems of a source are told at once, and so many of them stand in one mail.
MOST_TOLD = 2000
# So many sources of an organisation are taken in one turn.
AT_ONCE = 50
MOST_SHOWN = 20


def sweep_fresh() -> int:
    """Asks for a mail about each source in which something new is wrong. For the live process; returns how many."""
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
    """Asks for this week's digest of every organisation that has not had it. For the live process."""
    week, asked = now().strftime("%G-W%V"), 0
    for organisation_id in _organisations():
        with tenant(organisation_id):
            if not Job.objects.for_tenant(organisation_id).filter(kind=DIGEST, key=week).exists():
                organisation = Organisation.objects.get(pk=organisation_id)
                submit(
                    organisation=organisation, actor=Actor.slipway(), kind=DIGEST, title="Digest of problems", key=week
                )  # fmt: skip
                asked += 1
    return asked


def _untold(organisation_id: int) -> TenantQuerySet[Problem]:
    told = ProblemTold.objects.filter(
        organisation=OuterRef("organisation_id"), source=OuterRef("source_id"), key=OuterRef("key")
    )
    return open_of(organisation_id).filter(~Exists(told), first_seen_at__gte=now() - FRESH)


def tell(work: Work) -> JobDone:
    """One mail to each who should know what is newly wrong in a source."""
    organisation = work.organisation
    with tenant(organisation):
        source = Source.objects.for_tenant(organisation).filter(pk=work.arguments["source"]).first()
        if source is None:
            raise NotFound("The source was removed meanwhile.")
        rows = list(_untold(organisation.pk).filter(source=source).order_by("path", "line", "id")[:MOST_TOLD])
        is_first = not SourceReading.objects.for_tenant(organisation).filter(source=source)[1:2].exists()
    authors = _authors(organisation, source, rows, is_first=is_first)
    with tenant(organisation):
        people = _people(organisation, rows, authors)
        letters = _letters(rows, people)
        _note(source, rows, letters)
        work.note(told=len(letters))
    for number, (address, about) in enumerate(letters.items()):
        try:
            _send(organisation, source, address, about)
        except Away:
            with tenant(organisation):
                unsent = list(letters)[number:]
                ProblemTold.objects.for_tenant(organisation).filter(
                    source=source, key__in=[row.key for row in rows], address__in=[*unsent, ""]
                ).delete()
            raise
    return JobDone(f"Told {len(letters)} of {len(rows)} problems.", {"told": sorted(letters)})


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
class _People:
    """members: the addresses of the organisation's people; owners: by reference, how a team is reached."""

    members: frozenset[str]
    owners: Mapping[str, list[str]]
    authors: Mapping[str, str]

    def of(self, row: Problem) -> set[str]:
        """Who should know of it: strangers who once wrote a commit are not written to."""
        author = self.authors.get(row.path, "").lower()
        return {*self.owners.get(row.owner_ref, ()), *({author} & self.members)}


def _people(organisation: Organisation, rows: Iterable[Problem], authors: Mapping[str, str]) -> _People:
    wanted = {address.lower() for address in authors.values() if address}
    members = Membership.objects.for_tenant(organisation).filter(user__is_active=True)
    known = {each.lower() for each in members.values_list("user__email", flat=True)} if wanted else set()
    return _People(frozenset(known), _reached(organisation, {row.owner_ref for row in rows}), authors)


def _reached(organisation: Organisation, refs: Iterable[str]) -> dict[str, list[str]]:
    """By reference, the addresses of teams: their own, or those of their leads."""
    teams = list(Team.objects.for_tenant(organisation).filter(ref__in=[ref for ref in refs if ref]))
    leads = TeamMembership.objects.for_tenant(organisation).filter(team__in=teams, is_lead=True, user__is_active=True)
    by_team = defaultdict[int, list[str]](list)
    for team_id, address in leads.values_list("team_id", "user__email"):
        by_team[team_id].append(address.lower())
    return {team.ref: [team.contact.mail.lower()] if team.contact.mail else by_team[team.pk] for team in teams}


def _letters(rows: Sequence[Problem], people: _People) -> dict[str, list[Problem]]:
    letters = defaultdict[str, list[Problem]](list)
    for row in rows:
        for address in sorted(people.of(row)):
            letters[address].append(row)
    return dict(letters)


def _note(source: Source, rows: Sequence[Problem], letters: Mapping[str, Sequence[Problem]]) -> None:
    """Whoever is told, and that each was looked at although nobody is."""
    pairs = {(row.key, address) for address, about in letters.items() for row in about}
    pairs |= {(row.key, "") for row in rows}
    ProblemTold.objects.bulk_create(
        [
            ProblemTold(organisation_id=source.organisation_id, source=source, key=key, address=address)
            for key, address in sorted(pairs)
        ],
        batch_size=500,
        ignore_conflicts=True,
    )


def _send(organisation: Organisation, source: Source, address: str, about: Sequence[Problem]) -> None:
    count = len(about)
    said = "a problem" if count == 1 else f"{count} problems"
    mails.send_text(
        to=address,
        subject=f"{said[0].upper()}{said[1:]} in {source.label}",
        template="catalog/mail/problems.txt",
        context={
            "organisation": organisation,
            "source": source,
            "problems": [(row, _page(organisation, row)) for row in about[:MOST_SHOWN]],
            "more": max(0, count - MOST_SHOWN),
            "inbox": f"{_inbox(organisation)}?source={source.pk}",
        },
    )


def _page(organisation: Organisation, row: Problem) -> str:
    return settings.PUBLIC_URL + reverse("problem", kwargs={"org": organisation.slug, "problem": row.pk})


def _inbox(organisation: Organisation) -> str:
    return settings.PUBLIC_URL + reverse("catalog-problems", kwargs={"org": organisation.slug})


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


def digest(work: Work) -> JobDone:
    """One mail to each team about what has been wrong for longer than a week."""
    organisation = work.organisation
    with tenant(organisation):
        told = standing(organisation)
        reached = _reached(organisation, [each.owner_ref for each in told])
    letters = [(address, each) for each in told for address in reached.get(each.owner_ref, ())]
    sent: list[list[str]] = list(work.notes.get("sent", []))
    for address, each in letters:
        if [address, each.owner_ref] in sent:
            continue
        sent.append([address, each.owner_ref])
        with tenant(organisation):
            work.note(sent=sent)
        mails.send_text(
            to=address,
            subject=f"{each.count} problem{'' if each.count == 1 else 's'} of your team for longer than a week",
            template="catalog/mail/digest.txt",
            context={
                "organisation": organisation,
                "standing": each,
                "inbox": f"{_inbox(organisation)}?owner={each.owner_ref}&age=week&order=old",
            },
        )
    return JobDone(f"Told {len(letters)} of what has been wrong for long.")


def register_telling() -> None:
    """Makes the kinds of jobs known."""
    register(JobKind(TELL, "Tell of problems", tell, lane="outside"))
    # The row is what remembers that this week's has gone.
    register(JobKind(DIGEST, "Digest of problems", digest, lane="outside", kept=timedelta(days=8)))
