"""Where the record of an owner and the file disagree: the change of the file that settles it, and who may make it.

Nothing has to be settled: the record counts. The file is brought in line so that whoever reads it is not misled.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from catalog.actions import write_entity
from catalog.cards import edit_address
from catalog.descriptors.findings import patch_of
from catalog.descriptors.relations import owner_of
from catalog.intake.sources.tree import text_of
from catalog.jobs import page_of
from catalog.lists.changing import written_owner
from catalog.lists.editing import CannotEdit, changed
from catalog.models import Entity, Source
from catalog.teams import is_written_here
from portal.accounts.access import Access
from portal.accounts.audit import record
from portal.accounts.tenancy import tenant
from portal.githosts.hosts import HOSTS
from portal.githosts.models import Repository
from portal.githosts.protocol import Author
from portal.githosts.rights import may_push
from portal.jobs.registry import JobDone, JobKind, register
from portal.jobs.work import Work
from portal.kit.errors import Conflict, Invalid, NotFound

SETTLE = "catalog.settle"


@dataclass(frozen=True)
class Settling:
    """How the file comes to name the owner on record, for one person.

    way      commit: to our own git host; save: into the portal; patch: by hand, where we cannot write
    patch    the change for `git apply`, "" where the text cannot be changed by a machine: then `trouble` says why
    refusal  why this person may not, "" where they may
    """

    said: str
    way: Literal["commit", "save", "patch"]
    patch: str = ""
    trouble: str = ""
    refusal: str = ""
    branch: str = ""
    address: str = ""


def differs(entity: Entity) -> bool:
    """Whether the file names another owner than the record does."""
    said = owner_of(entity.document)
    return bool(said) and bool(entity.owner_ref) and said != entity.owner_ref and not is_written_here(entity)


def settling_of(access: Access, entity: Entity) -> Settling | None:
    """How it can be settled; None where there is nothing to settle."""
    if not differs(entity) or entity.source is None:
        return None
    said = owner_of(entity.document)
    patch, trouble = "", ""
    try:
        patch = patch_of(entity.path, entity.raw, changed_text(entity), first=entity.line)
    except CannotEdit as error:
        trouble = str(error)
    if entity.source.kind == Source.Kind.PORTAL:
        verdict = access.can("catalog.edit", entity.owner_ref)
        return Settling(said, "save", patch, trouble, "" if verdict else str(verdict))
    if entity.source.kind == Source.Kind.REPOSITORY:
        repository = _repository(access.organisation.pk, entity.source)
        if repository is not None:
            verdict = may_push(access, repository)
            branch = entity.source.revision or repository.default_branch
            return Settling(said, "commit", patch, trouble, "" if verdict else str(verdict), branch)
    return Settling(said, "patch", patch, trouble, address=edit_address(entity))


def _repository(organisation_id: int, source: Source) -> Repository | None:
    found: Repository | None = Repository.objects.for_tenant(organisation_id).filter(name=source.target).first()
    return found


def changed_text(entity: Entity) -> str:
    """The entity's text with the owner on record; raises CannotEdit."""
    return changed(entity.raw, "owner", written_owner(entity))


def write_into_text(access: Access, entity: Entity) -> None:
    """Writes the owner into the text of an entity that lives in the portal. Raises Invalid where no machine can."""
    try:
        text = changed_text(entity)
    except CannotEdit as error:
        raise Invalid(str(error)) from error
    write_entity(organisation=access.organisation, actor=access.actor, text=text, entity=entity)


def commit(work: Work) -> JobDone:
    """Commits the owner on record to our own git host, as whoever asked; the push makes the source be read again."""
    organisation, host = work.organisation, HOSTS["slipway"]
    with tenant(organisation):
        rows = Entity.objects.for_tenant(organisation).select_related("source", "body")
        entity = rows.filter(uid=work.arguments["entity"], removed_at=None).first()
        if entity is None or entity.source is None or not differs(entity):
            raise NotFound("There is nothing to settle any more.")
        repo = host.find_repository(organisation, entity.source.target)
    if repo is None:
        raise NotFound(f"There is no repository named “{entity.source.target}”.")
    branch = entity.source.revision or repo.default_branch
    head = host.head(repo, branch)
    if head is None:
        raise NotFound(f"“{repo.name}” has no “{branch}”.")
    text = text_of(host.read_file(repo, entity.path, head), entity.path)
    try:
        after = changed_text(entity)
    except CannotEdit as error:
        raise Conflict(str(error)) from error
    if text.count(entity.raw) != 1:
        raise Conflict(f"{entity.path} has changed since it was read. Refresh its source, and try again.")
    person = work.actor.user
    made = host.change_file(
        repo,
        entity.path,
        text.replace(entity.raw, after).encode(),
        message=f"Name {written_owner(entity)} as owner of {entity.name}\n\nIt is the owner on record.",
        author=Author(str(person), person.email),
        when=work.job.created_at,
        branch=branch,
        parent=head,
        actor=work.actor,
    )
    with tenant(organisation):
        work.note(commit=made)
        record(
            organisation=organisation,
            actor=work.actor,
            verb="ownership.settled",
            subject=entity,
            subject_label=entity.ref,
            summary=f"Wrote the owner of {entity.ref} into {entity.path} of {repo.name}",
            data={"commit": made, "branch": branch, "owner": entity.owner_ref},
        )
    done = f"Committed {made[:8]} to {branch} of {repo.name}; its source is being read again."
    return JobDone(done, {"commit": made}, page_of(organisation, entity.source))


def register_settling() -> None:
    """Makes the kind of job known."""
    register(JobKind(SETTLE, "Write an owner into a file", commit))
