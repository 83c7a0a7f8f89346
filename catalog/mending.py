"""What people do with a problem: set it aside, take it back, or let the machine mend it where it may write."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import Literal

from django.db import transaction
from django.utils.timezone import now

from catalog.actions import write_entity
from catalog.cards import edit_address_at
from catalog.descriptors.findings import StaleEdit, edited, patch_of
from catalog.intake.sources.tree import text_of
from catalog.jobs import page_of
from catalog.models import Entity, Problem, Source
from portal.accounts.access import Access
from portal.accounts.actor import Actor
from portal.accounts.audit import record
from portal.accounts.models import Organisation
from portal.accounts.tenancy import tenant
from portal.githosts.hosts import HOSTS
from portal.githosts.models import Repository
from portal.githosts.protocol import Author
from portal.githosts.rights import may_push
from portal.jobs.registry import JobDone, JobKind, register
from portal.jobs.work import Work
from portal.kit.errors import Conflict, Invalid, NotFound

MEND = "catalog.mend"
TERMS = {"week": timedelta(days=7), "month": timedelta(days=30), "year": timedelta(days=365)}


@dataclass(frozen=True)
class Mending:
    """How a problem can be mended by a machine, for one person.

    way       commit: to our own git host; save: into the portal; patch: by hand, where we cannot write
    refusal   why this person may not, "" where they may
    branch    the branch that a commit would go to
    address   where the file is edited on its own host, "" where that is not known
    patch     the change for `git apply`, "" where it cannot be made from what is known
    """

    way: Literal["commit", "save", "patch"]
    refusal: str = ""
    branch: str = ""
    address: str = ""
    patch: str = ""


def mending_of(access: Access, problem: Problem) -> Mending | None:
    """How it can be mended; None where only a person knows how."""
    finding, source = problem.finding, problem.source
    if finding.edit is None:
        return None
    patch = _patch(problem)
    if source.kind == Source.Kind.PORTAL:
        verdict = access.can("catalog.edit", problem.owner_ref or None)
        return Mending("save", "" if verdict else str(verdict), patch=patch)
    if source.kind == Source.Kind.REPOSITORY:
        row = _repository(access.organisation, source)
        if row is not None:
            verdict = may_push(access, row)
            return Mending("commit", "" if verdict else str(verdict), source.revision or row.default_branch, "", patch)
    return Mending("patch", address=edit_address_at(source, problem.path), patch=patch)


def _repository(organisation: Organisation, source: Source) -> Repository | None:
    found: Repository | None = Repository.objects.for_tenant(organisation).filter(name=source.target).first()
    return found


def _patch(problem: Problem) -> str:
    """Made from the lines that the problem shows: two on each side are enough for git to find the place."""
    finding = problem.finding
    if finding.edit is None or finding.excerpt is None:
        return ""
    before = "".join(f"{line}\n" for line in finding.excerpt.lines)
    if "\ufffd" in before or max(map(len, finding.excerpt.lines)) >= 160:
        return ""
    first = finding.excerpt.first
    edit = finding.edit
    try:
        after = edited(before, [type(edit)(edit.path, edit.line - first + 1, edit.column, edit.was, edit.text)])
    except StaleEdit:
        return ""
    return patch_of(problem.path, before, after, first=first)


def set_aside(*, organisation: Organisation, actor: Actor, problem: Problem, reason: str, term: str) -> None:
    """Takes a problem out of the inbox for a while. Raises Invalid without a reason or a known term."""
    if not reason.strip():
        raise Invalid("Say why it can wait; whoever comes after you will ask.", field="reason")
    if term not in TERMS:
        raise Invalid("Choose for how long.", field="term")
    with transaction.atomic():
        Problem.objects.for_tenant(organisation).filter(pk=problem.pk).update(
            aside_until=now() + TERMS[term], aside_reason=reason.strip()[:500], aside_by=actor.person
        )
        record(
            organisation=organisation,
            actor=actor,
            verb="problem.set-aside",
            subject=problem,
            summary=f"Set aside for a {term}: {problem}",
            data={"reason": reason.strip()[:500], "code": problem.code, "path": problem.path},
        )


def take_back(*, organisation: Organisation, actor: Actor, problem: Problem) -> None:
    """Puts a problem that was set aside back into the inbox. Raises Conflict when it is there."""
    with transaction.atomic():
        rows = Problem.objects.for_tenant(organisation).filter(pk=problem.pk, aside_until__gt=now())
        if not rows.update(aside_until=None, aside_reason="", aside_by=None):
            raise Conflict("It is in the inbox already.", code="not-aside")
        record(
            organisation=organisation,
            actor=actor,
            verb="problem.taken-back",
            subject=problem,
            summary=f"Took back into the inbox: {problem}",
        )


def save_mend(*, organisation: Organisation, actor: Actor, problem: Problem) -> Entity:
    """Mends an entity that is written in the portal. Raises Conflict where its text has changed."""
    rows = Entity.objects.for_tenant(organisation).filter(source=problem.source, path=problem.path, removed_at=None)
    found = rows.select_related("source").first()
    if found is None:
        raise NotFound("There is no such entity any more.")
    return write_entity(organisation=organisation, actor=actor, text=_mended(problem, found.raw), entity=found)


def _mended(problem: Problem, text: str) -> str:
    edit = problem.finding.edit
    if edit is None:
        raise NotFound("Only a person knows how to mend this.")
    try:
        return edited(text, [edit])
    except StaleEdit as error:
        raise Conflict("The file has changed since it was read. Refresh its source, and look again.") from error


def commit_mend(work: Work) -> JobDone:
    """Commits the mend to our own git host, as whoever asked; the push makes the source be read again."""
    organisation, host = work.organisation, HOSTS["slipway"]
    with tenant(organisation):
        rows = Problem.objects.for_tenant(organisation).select_related("source")
        problem = rows.filter(pk=work.arguments["problem"]).first()
        if problem is None:
            raise NotFound("The problem is over: it was mended meanwhile.")
        repo = host.find_repository(organisation, problem.source.target)
    if repo is None:
        raise NotFound(f"There is no repository named “{problem.source.target}”.")
    branch = problem.source.revision or repo.default_branch
    head = host.head(repo, branch)
    if head is None:
        raise NotFound(f"“{repo.name}” has no “{branch}”.")
    path = problem.path
    text = text_of(host.read_file(repo, path, head), path)
    mended = _mended(problem, text)
    person = work.actor.person
    commit = host.change_file(
        repo,
        path,
        mended.encode(),
        message=f"Mend {path}: {problem.kind.title.lower()}\n\n{problem.sentence}",
        author=Author(str(person or "Slipway"), person.email if person else ""),
        when=work.job.created_at,
        branch=branch,
        parent=head,
        actor=work.actor,
    )
    with tenant(organisation):
        work.note(commit=commit)
        record(
            organisation=organisation,
            actor=work.actor,
            verb="problem.mended",
            subject=problem,
            summary=f"Mended {problem.path} in {repo.name}: {problem.kind.title.lower()}",
            data={"commit": commit, "branch": branch, "code": problem.code},
        )
    text_done = f"Committed {commit[:8]} to {branch} of {repo.name}; its source is being read again."
    return JobDone(text_done, {"commit": commit}, page_of(organisation, problem.source))


def register_mending() -> None:
    """Makes the kind of job known."""
    register(JobKind(MEND, "Mend a file", commit_mend))
