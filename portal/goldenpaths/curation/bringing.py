"""Templates that a source brings become candidates: taken byte for byte while the source is open, stored afterwards."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace

from django.utils import timezone

from catalog.descriptors.findings import Finding
from catalog.intake.reading import FoundEntity, Reading
from catalog.intake.sources.tree import Bounds, FileUnreadable, RawFile, Tree
from catalog.models import Entity, Source
from portal.accounts.actor import Actor
from portal.accounts.audit import record
from portal.accounts.models import AuditEvent, Organisation, User
from portal.accounts.tenancy import TenantQuerySet, tenant
from portal.goldenpaths import actions
from portal.goldenpaths.actions import Provenance
from portal.goldenpaths.curation import places, trusting
from portal.goldenpaths.curation.deciding import publish_waiting
from portal.goldenpaths.files import (
    MAX_FILE_BYTES,
    MAX_FILES,
    MAX_TREE_BYTES,
    File,
    Workspace,
    checked,
    tree_digest,
    within,
)
from portal.goldenpaths.models import Candidate, CandidateFile, GoldenPath, Trust
from portal.goldenpaths.origins import Origin
from portal.goldenpaths.preparing import Prepared, prepare
from portal.goldenpaths.shape import CODE
from portal.goldenpaths.templates import folder_of
from portal.kit.errors import Refusal

Rows = TenantQuerySet[Candidate]
BOUNDS = Bounds(MAX_FILES, MAX_FILE_BYTES, MAX_TREE_BYTES)


@dataclass(frozen=True, slots=True)
class Brought:
    """One template as its source has it now; `trouble` says why its files cannot be taken at all."""

    found: FoundEntity
    author: str = ""
    prepared: Prepared | None = None
    trouble: str = ""


# While the source is open: no transaction.


def take(source: Source, tree: Tree, reading: Reading) -> list[Brought]:
    """Every template of the reading with the files beside it, examined unless exactly these bytes were before."""
    templates = [found for found in reading.entities if found.entity.ref.kind == "Template"]
    return [_taken(source, tree, found) for found in templates]


def _taken(source: Source, tree: Tree, found: FoundEntity) -> Brought:
    if source.kind == Source.Kind.PORTAL:
        return Brought(found, trouble="A template written in the portal has no files. Publish it from a repository.")
    folder = folder_of(found.path)
    try:
        files = {f"{folder}/{path}" if folder else path: _file(raw) for path, raw in tree.below(folder, BOUNDS).items()}
        return Brought(found, tree.author, _examined(source, checked(files), found.path))
    except (FileUnreadable, Refusal) as error:
        return Brought(found, tree.author, trouble=f"This cannot become a golden path: {error}")


def _file(raw: RawFile) -> File:
    return File(raw.content, 0o755 if raw.is_executable else 0o644)


def _examined(source: Source, files: Workspace, template_path: str) -> Prepared:
    bundle = within(files, folder_of(template_path))
    digest = tree_digest(bundle)
    if source.pk is not None:
        with tenant(source.organisation_id):
            known = _same(source, template_path, digest)
        if known is not None:
            findings = known.findings()
            return Prepared(bundle, digest, known.document, findings)
    return prepare(files, template_path)


def _same(source: Source, template_path: str, digest: str) -> Candidate | None:
    rows = Candidate.objects.for_tenant(source.organisation_id)
    found: Candidate | None = (
        rows.filter(source=source, template_path=template_path, digest=digest).order_by("-pk").first()
    )
    return found


def look(brought: list[Brought] | None) -> Iterator[Finding]:
    """What can be said of the templates by their files alone."""
    for one in brought or ():
        if one.prepared is None:
            yield Finding(one.found.path, one.found.line, CODE, one.trouble, one.found.ref)
        else:
            yield from (replace(finding, entity_ref=one.found.ref) for finding in one.prepared.findings)


# Afterwards, inside the ingestion's transaction.


def store(organisation: Organisation, source: Source, reading: Reading, brought: list[Brought] | None) -> list[Finding]:
    """Bring the candidates in line with the source; the findings are what its owner has to put right."""
    trust = trusting.standing(organisation, source)
    there = _its_own(organisation, source, brought) if brought else []
    if reading.is_whole:
        waiting = _waiting(organisation, source).exclude(template_path__in=[one.found.path for one in there])
        _overtake(waiting, "The source no longer has it.")
    return [finding for one in there for finding in _store_one(organisation, source, reading, one, trust)]


def _its_own(organisation: Organisation, source: Source, brought: list[Brought]) -> list[Brought]:
    """Those whose name in the catalog is this source's."""
    rows = Entity.objects.for_tenant(organisation).filter(source=source, kind="Template", removed_at=None)
    mine = set(rows.values_list("ref", flat=True))
    return [one for one in brought if one.found.ref in mine]


def _waiting(organisation: Organisation, source: Source) -> Rows:
    return Candidate.objects.for_tenant(organisation).filter(source=source, state=Candidate.State.WAITING)


def _overtake(rows: Rows, why: str) -> None:
    gone = list(rows.values_list("pk", flat=True))
    if gone:
        rows.update(state=Candidate.State.OVERTAKEN, decided_at=timezone.now(), reason=why)
        CandidateFile.objects.filter(candidate__in=gone).delete()


def _store_one(
    organisation: Organisation, source: Source, reading: Reading, one: Brought, trust: Trust | None
) -> Iterator[Finding]:
    path, line, ref = one.found.path, one.found.entity.line, one.found.ref
    older = _waiting(organisation, source).filter(template_path=path)
    if one.prepared is None:
        _overtake(older, "The source now has something else.")
        yield Finding(path, line, CODE, one.trouble, ref)
        return
    _overtake(older.exclude(digest=one.prepared.digest), "The source now has something else.")
    for finding in one.prepared.findings:
        yield replace(finding, entity_ref=ref)
    origin = places.origin_of(source, reading.revision)
    document = one.prepared.document if not one.prepared.findings else None
    if document is not None and (sentence := actions.whose(organisation, document, origin)):
        yield Finding(path, line, CODE, sentence, ref)
    candidate = _candidate(organisation, source, reading, one)
    if candidate is None:
        return
    if candidate.state == Candidate.State.DECLINED:
        yield Finding(path, line, CODE, f"{candidate.decided_by or 'An admin'} declined it: {candidate.reason}", ref)
    elif trust is not None and not one.prepared.findings:
        _publish_by_trust(organisation, candidate, one.prepared, trust)


def _candidate(organisation: Organisation, source: Source, reading: Reading, one: Brought) -> Candidate | None:
    """The candidate of these bytes, made if they are new; None when they are what is published now."""
    prepared = one.prepared
    if prepared is None:
        return None
    current = GoldenPath.objects.for_tenant(organisation).filter(ref=one.found.ref).first()
    origin = places.origin_of(source, reading.revision)
    is_mine = current is not None and origin.is_same(current.origin_key, current.origin_address)
    if current is not None and is_mine and current.current_number and current.current.digest == prepared.digest:
        return None
    known = _same(source, one.found.path, prepared.digest)
    if known is not None and known.state in (Candidate.State.WAITING, Candidate.State.DECLINED):
        return known
    return _new_candidate(organisation, source, reading, one, prepared)


def _new_candidate(
    organisation: Organisation, source: Source, reading: Reading, one: Brought, prepared: Prepared
) -> Candidate:
    origin = places.origin_of(source, reading.revision)
    document = one.found.entity.document
    pusher = _pusher(organisation, source, reading.revision)
    candidate = Candidate.objects.create(
        organisation=organisation,
        source=source,
        origin_key=origin.key,
        origin_label=origin.label,
        origin_address=origin.address,
        template_path=one.found.path,
        ref=one.found.ref,
        title=str(document["metadata"].get("title") or document["metadata"]["name"])[:200],
        commit=reading.revision[:100],
        author=one.author,
        pushed_by=pusher,
        digest=prepared.digest,
        document=prepared.document,
        problems=[{"path": each.path, "line": each.line, "sentence": each.sentence} for each in prepared.findings],
    )
    CandidateFile.objects.bulk_create(
        CandidateFile(organisation=organisation, candidate=candidate, path=path, mode=file.mode, content=file.content)
        for path, file in prepared.bundle.items()
    )
    record(
        organisation=organisation,
        actor=Actor.task(pusher),
        verb="path.brought",
        subject=candidate,
        summary=f"Brought {candidate.title} from {source.label}"
        + Provenance(candidate.commit, candidate.author, pusher).words,
        data={"digest": candidate.digest, "commit": candidate.commit, "author": candidate.author},
    )
    return candidate


def _pusher(organisation: Organisation, source: Source, commit: str) -> User | None:
    """Who pushed the commit to a repository of the built-in host, by the audit log; None where nobody is known."""
    if source.kind != Source.Kind.REPOSITORY or not commit:
        return None
    events = (
        AuditEvent.objects.for_tenant(organisation)
        .filter(verb="repository.pushed", subject_label=source.target)
        .select_related("actor")
        .order_by("-pk")[:50]
    )
    return next((event.actor for event in events if commit in _heads(event)), None)


def _heads(event: AuditEvent) -> Iterable[str]:
    return [moved.get("is") or "" for moved in (event.data.get("refs") or {}).values()]


def _publish_by_trust(organisation: Organisation, candidate: Candidate, prepared: Prepared, trust: Trust) -> None:
    """Publish the candidate of a trusted source; what cannot be published waits, and its finding says why."""
    # A path from before origins were kept belongs to nobody yet: a person decides whose it is.
    if GoldenPath.objects.for_tenant(organisation).filter(ref=candidate.ref, origin_key="").exists():
        return
    origin = Origin(candidate.origin_key, candidate.origin_label, candidate.origin_address)
    if actions.whose(organisation, prepared.document or {}, origin):
        return
    publish_waiting(
        organisation=organisation,
        actor=Actor.slipway(),
        candidate=candidate,
        prepared=prepared,
        trusted_by=trust.granted_by,
    )


def after_removal(organisation: Organisation, entities: list[Entity]) -> None:
    """What a removed source or template brought waits no longer."""
    refs = [entity.ref for entity in entities if entity.kind == "Template"]
    if refs:
        rows = Candidate.objects.for_tenant(organisation).filter(ref__in=refs, state=Candidate.State.WAITING)
        _overtake(rows, "Its source no longer has it.")
