"""Who may push to a repository, and who may say so: the policy's decision about one repository, with its sentence."""

from __future__ import annotations

from django.db.models import Q

from portal.accounts.access import Access
from portal.accounts.models import AuditEvent, Team
from portal.accounts.permissions import Verdict
from portal.accounts.teams import standing
from portal.githosts.models import Grant, Repository
from portal.kit.errors import NotFound

PUSH = "repos.push"
MANAGE = "repos.manage"


def may_push(access: Access, repository: Repository) -> Verdict:
    """May they push? The owning team and the teams above it, who was granted it, and managers up."""
    verdict, with_standing = access.can(PUSH, repository.owner_ref), access.can(PUSH, is_requester=True)
    if verdict or not with_standing:
        return verdict
    if is_granted(access, repository):
        return with_standing
    return Verdict(
        False, f"You cannot push to {repository.name}: {_belongs(repository)} Ask {_whom(repository)} to let you."
    )


def may_manage(access: Access, repository: Repository) -> Verdict:
    """May they say who pushes? The owning team and the teams above it, and managers up; no grant passes itself on."""
    verdict = access.can(MANAGE, repository.owner_ref)
    if verdict or not access.can(MANAGE, is_requester=True):
        return verdict
    return Verdict(
        False, f"You cannot change {repository.name}: {_belongs(repository)} Ask {_whom(repository)} to do it."
    )


def may_unprotect(access: Access) -> Verdict:
    """May they lift a branch's protection? Admins."""
    return access.can("repos.unprotect")


def is_granted(access: Access, repository: Repository) -> bool:
    """Whether the person, a team of theirs or a team below one was granted to push."""
    rows = Grant.objects.for_tenant(access.organisation).filter(repository=repository)
    return rows.filter(Q(person=access.user) | Q(team__ref__in=access.team_refs)).exists()


def granted(repository: Repository) -> list[str]:
    """Who may push beside the owner, in a stable order: teams by their reference, people by their e-mail address."""
    rows = Grant.objects.for_tenant(repository.organisation_id).filter(repository=repository)
    return sorted(
        f"team {grant.team.ref or grant.team.slug}" if grant.team else f"person {grant.person and grant.person.email}"
        for grant in rows.select_related("team", "person")
    )


# The verbs of the audit log by which who may push, or what is protected, changed.
CHANGES = (
    "repository.handed-over", "repository.push-granted", "repository.push-withdrawn",
    "repository.protected", "repository.unprotected",
)  # fmt: skip


def times_changed(repository: Repository) -> int:
    """How often the rights of a repository were changed: what was changed and changed back is not what it was."""
    events = AuditEvent.objects.for_tenant(repository.organisation_id).filter(verb__in=CHANGES)
    return int(events.filter(subject_kind="repository", subject_id=str(repository.pk)).count())


def grant_of(repository: Repository, pk: int) -> Grant:
    """One of the repository's grants; NotFound otherwise."""
    rows = Grant.objects.for_tenant(repository.organisation_id).filter(repository=repository, pk=pk)
    found: Grant | None = rows.select_related("team", "person").first()
    if found is None:
        raise NotFound("There is no such grant.")
    return found


def owning_team(repository: Repository) -> Team | None:
    """The team that the owner's reference names, if the portal knows one that is confirmed."""
    return standing(repository.organisation_id).filter(ref=repository.owner_ref).first()


def protected_ref(repository: Repository) -> str:
    """The reference that nobody rewrites or deletes; "" when the protection is lifted."""
    return f"refs/heads/{repository.default_branch}" if repository.is_protected else ""


def _belongs(repository: Repository) -> str:
    if team := owning_team(repository):
        return f"it belongs to {team}."
    return f"it belongs to {repository.owner_ref}." if repository.owner_ref else "it has no owner."


def _whom(repository: Repository) -> str:
    return "that team, or a manager," if owning_team(repository) else "a manager"
