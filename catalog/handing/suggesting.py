"""Looking for owners of what is nobody's: a job reads histories outside any transaction and writes suggestions."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta

from django.urls import reverse
from django.utils.timezone import now

from catalog.asking.query import entities_of
from catalog.handing import gathering
from catalog.handing.judging import Judge
from catalog.handing.models import Suggestion
from catalog.handing.weighing import Suggested
from catalog.models import How
from portal.accounts.actor import Actor
from portal.accounts.audit import record
from portal.accounts.models import Organisation
from portal.accounts.tenancy import tenant
from portal.jobs.actions import submit
from portal.jobs.models import Job
from portal.jobs.registry import JobDone, JobKind, register
from portal.jobs.work import Work
from portal.kit.refs import kind_of
from portal.notices.telling import Telling, tell

LOOK = "catalog.suggest_owners"
FOUND = "ownership.suggested"
OPEN, DECLINED = Suggestion.State.OPEN.value, Suggestion.State.DECLINED.value
MOST_REASONS = 5
DAILY, SETTLED = timedelta(hours=23), timedelta(hours=1)


def ask(organisation: Organisation, actor: Actor) -> Job:
    """Asks for a look: one at a time in an organisation. Must run inside the tenant."""
    return submit(
        organisation=organisation,
        actor=actor,
        kind=LOOK,
        title="Look for owners of what is nobody's",
        key="all",
        back_to=reverse("suggestions", kwargs={"org": organisation.slug}),
    )


def sweep_suggestions(moment: datetime | None = None) -> int:
    """Asks for a look once a day in every organisation that has something which is nobody's, but not while it is being
    filled. For the live process. Returns how many."""
    moment, asked = moment or now(), 0
    for organisation in Organisation.objects.filter(created_at__lt=moment - SETTLED).order_by("pk"):
        with tenant(organisation):
            late = Job.objects.for_tenant(organisation).filter(kind=LOOK, created_at__gt=moment - DAILY)
            lost = entities_of(organisation).filter(kind__in=gathering.OWNED)
            if not late.exists() and (lost.filter(owner_ref="") | lost.filter(owner_how=How.INHERITANCE)).exists():
                ask(organisation, Actor.slipway())
                asked += 1
    return asked


def look(work: Work) -> JobDone:
    """Gathers what is known, asks git about the repositories in which ownerless things lie, and writes what is said."""
    organisation = work.organisation
    with tenant(organisation):
        facts = gathering.facts_of(organisation)
        lost = [each for each in facts.known if not each.owner][: gathering.MOST]
        wanted = {each.repository for each in lost}
        places = gathering.repositories(organisation, facts.known) if wanted - {""} else {}
    histories = {}
    for number, (name, (path, branch)) in enumerate(places.items()):
        work.tell("Reading histories", number, len(places))
        if (history := gathering.history_of(path, branch)) is not None:
            histories[name] = history
    facts.histories = histories
    judge = Judge(facts)
    with tenant(organisation):
        refused = _declined(organisation)
    found = {each.key: said for each in lost if (said := judge.suggest(each.key, refused.get(each.key, ())))}
    with tenant(organisation):
        written = _write(organisation, lost, found)
        work.note(suggested=written)
    page = reverse("suggestions", kwargs={"org": organisation.slug})
    summary = f"{written:,} of {len(lost):,} things that are nobody's have a suggested owner."
    return JobDone(summary, {"suggested": written}, page)


def _declined(organisation: Organisation) -> Mapping[str, set[str]]:
    """By key, who is not suggested for it again."""
    rows = Suggestion.objects.for_tenant(organisation).filter(state=DECLINED)
    found: dict[str, set[str]] = defaultdict(set)
    for uid, ref in rows.values_list("entity_uid", "to_ref"):
        found[str(uid)].add(ref)
    return found


def _write(organisation: Organisation, lost: Sequence[gathering.Known], found: Mapping[str, Suggested]) -> int:
    """The open suggestions are those that were found now; what is the same stays as it is. Answers meanwhile count."""
    rows = Suggestion.objects.for_tenant(organisation)
    there = {(str(row.entity_uid), row.to_ref): row for row in rows.select_for_update()}
    known = {each.key: each for each in lost}
    fresh, changed = list[Suggestion](), list[Suggestion]()
    for key, said in found.items():
        evidence = [{"kind": each.kind, "sentence": each.sentence} for each in said.evidence[:MOST_REASONS]]
        row = there.pop((key, said.to_ref), None)
        if row is None:
            one = known[key]
            fresh.append(
                Suggestion(
                    organisation=organisation, entity_uid=key, ref=one.ref, title=one.title, to_ref=said.to_ref,
                    score=said.score, evidence=evidence,
                )
            )  # fmt: skip
        elif row.state != DECLINED:
            row.state, row.score, row.evidence = OPEN, said.score, evidence
            changed.append(row)
    gone = [row.pk for row in there.values() if row.state == OPEN]
    rows.filter(pk__in=gone).delete()
    Suggestion.objects.bulk_update(changed, ["state", "score", "evidence"], batch_size=500)
    Suggestion.objects.bulk_create(fresh, batch_size=500)
    _tell(organisation, fresh)
    record(
        organisation=organisation, actor=Actor.slipway(), verb="ownership.looked-for",
        summary=f"Suggested owners for {len(fresh) + len(changed):,} of {len(lost):,} things that are nobody's",
        data={"suggested": len(fresh) + len(changed), "fresh": len(fresh), "nobodys": len(lost)},
    )  # fmt: skip
    return len(fresh) + len(changed)


def _tell(organisation: Organisation, fresh: Sequence[Suggestion]) -> None:
    """Tells the leads of each team what may be theirs: once a week at most."""
    counts = Counter(row.to_ref for row in fresh if kind_of(row.to_ref) == "group")
    week = now().strftime("%G-W%V")
    things = [
        Telling(
            kind=FOUND, key=f"{ref}:{week}", summary=f"{count:,} thing{'s' if count > 1 else ''} may be yours",
            data={"to": ref, "count": count},
        )
        for ref, count in counts.items()
    ]  # fmt: skip
    tell(organisation, things)


def register_looking() -> None:
    """Makes the kind of job known."""
    register(JobKind(LOOK, "Look for owners", look))
