"""What workers do for the catalog: look at, register, move and read sources again."""

from typing import Any

from django.urls import reverse

from catalog import actions
from catalog.intake import ingest
from catalog.models import Source
from catalog.tasks import REFRESH
from portal.accounts.models import Organisation
from portal.accounts.tenancy import tenant
from portal.jobs.models import Job
from portal.jobs.registry import JobDone, JobKind, register
from portal.jobs.work import Work
from portal.kit.errors import NotFound, Refusal

LOOK, REGISTER, MOVE = "catalog.look", "catalog.register", "catalog.move"
# So many entities, problems and documents of a look are kept.
MOST_SHOWN = 1000


class Watching(ingest.Watch):
    """An ingestion's news as a job's."""

    def __init__(self, work: Work) -> None:
        self.work = work

    def tell(self, text: str, done: int, total: int) -> None:
        self.work.tell(text, done, total)

    def prove(self) -> None:
        self.work.note()


def arguments_of(draft: actions.Draft) -> dict[str, Any]:
    """A draft as a job keeps it; an upload's bytes are the job's payload."""
    return {"kind": draft.kind, "target": draft.target, "path": draft.path, "revision": draft.revision}


def draft_of(work: Work) -> actions.Draft:
    """The draft that a job keeps."""
    given = work.arguments
    return actions.Draft(given["kind"], given["target"], given["path"], given["revision"], work.payload)


def page_of(organisation: Organisation, source: Source) -> str:
    """The source's page."""
    return reverse("source", kwargs={"org": organisation.slug, "source": source.pk})


def look(work: Work) -> JobDone:
    """What a source would bring; with `documents`, the entities themselves."""
    glance = actions.glance(organisation=work.organisation, draft=draft_of(work), watch=Watching(work), most=MOST_SHOWN)
    result: dict[str, Any] = {
        "count": len(glance.entities),
        "entities": [{"ref": ref, "state": state} for ref, state in glance.entities[:MOST_SHOWN]],
        "problems": [each.plain() for each in glance.problems[:MOST_SHOWN]],
    }
    if work.arguments.get("documents"):
        result["documents"] = glance.documents
    return JobDone("", result, work.job.way_back)


def register_source(work: Work) -> JobDone:
    """Makes the source and reads it; goes on with the reading where an earlier worker made it."""
    draft = draft_of(work)
    if "source" in work.notes:
        return _read(work, int(work.notes["source"]), "Registered")
    source = actions.add_source(
        organisation=work.organisation,
        actor=work.actor,
        kind=draft.kind,
        target=draft.target,
        path=draft.path,
        revision=draft.revision,
        content=draft.content,
        on_conflict=str(work.arguments.get("on_conflict", "reject")),
        watch=Watching(work),
        kept=lambda made: work.note(source=made.pk),
    )
    return _done(work, source, "Registered")


def move(work: Work) -> JobDone:
    """Points a source elsewhere."""
    with tenant(work.organisation):
        source = _source(work, int(work.arguments["source"]))
    source = actions.move_source(
        organisation=work.organisation,
        actor=work.actor,
        source=source,
        draft=draft_of(work),
        watch=Watching(work),
    )
    return _done(work, source, "Moved")


def refresh(work: Work) -> JobDone:
    """Reads a source again."""
    return _read(work, int(work.arguments["source"]), "Read")


def _source(work: Work, pk: int) -> Source:
    found: Source | None = Source.objects.for_tenant(work.organisation).filter(pk=pk).first()
    if found is None:
        raise NotFound("The source was removed meanwhile.")
    return found


def _read(work: Work, pk: int, verb: str) -> JobDone:
    with tenant(work.organisation):
        source = _source(work, pk)
    ingest.ingest(source, Watching(work))
    return _done(work, source, verb)


def _done(work: Work, source: Source, verb: str) -> JobDone:
    """No entity and some problems is no good end: the sentence says so."""
    result = {"source": source.pk, "entities": source.entity_count, "problems": source.problem_count}
    entities = f"{source.entity_count} entit{'y' if source.entity_count == 1 else 'ies'}"
    problems = f"{source.problem_count} problem{'' if source.problem_count == 1 else 's'}"
    text = f"{verb} {source.label}: {entities}."
    if source.problem_count:
        text = f"{verb} {source.label}: {entities}, {problems} to look at."
        if not source.entity_count:
            text = f"{verb} {source.label}, but no entity came in: {problems} to look at."
    return JobDone(text, result, page_of(work.organisation, source), is_doubtful=bool(source.problem_count))


def refresh_ended_badly(job: Job, refusal: Refusal) -> None:
    """Whatever ended a reading is the source's state, in words. Runs in the transaction that ends the job."""
    source = Source.objects.for_tenant(job.organisation_id).filter(pk=job.arguments.get("source")).first()
    if source is not None:
        ingest.fail(source, refusal.text)


def registering_ended_badly(job: Job, refusal: Refusal) -> None:
    """The same for a source that was made and not read to its end."""
    source = Source.objects.for_tenant(job.organisation_id).filter(pk=job.notes.get("source")).first()
    if source is not None:
        ingest.fail(source, refusal.text)


def register_kinds() -> None:
    """Makes the kinds known."""
    register(JobKind(LOOK, "Look at a source", look))
    register(JobKind(REGISTER, "Register a source", register_source, ended_badly=registering_ended_badly))
    register(JobKind(MOVE, "Move a source", move))
    register(JobKind(REFRESH, "Read a source", refresh, ended_badly=refresh_ended_badly))
