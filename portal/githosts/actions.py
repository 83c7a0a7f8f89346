"""What people do to a repository beside pushing: hand it over, let others push, protect its default branch or not."""

from __future__ import annotations

from django.db import transaction
from django.db.models import Q

from portal.accounts import audit
from portal.accounts.actor import Actor
from portal.accounts.models import Membership, Organisation, Team, User
from portal.githosts.models import Grant, Repository
from portal.kit.errors import Invalid


@transaction.atomic
def hand_over(*, organisation: Organisation, actor: Actor, repository: Repository, team: Team) -> None:
    """Make a team the owner; grants stay."""
    if repository.owner_ref == team.ref:
        return
    before = repository.owner_ref
    repository.owner_ref = team.ref
    repository.save(update_fields=["owner_ref"])
    audit.record(
        organisation=organisation,
        actor=actor,
        verb="repository.handed-over",
        subject=repository,
        summary=f"Handed the repository {repository.name} over to {team}",
        data={"was": before, "is": team.ref},
    )


@transaction.atomic
def let_push(
    *,
    organisation: Organisation,
    actor: Actor,
    repository: Repository,
    team: Team | None = None,
    person: User | None = None,
) -> Grant:
    """Let a team or a person push, whoever owns the repository; twice is once. Raises Invalid for neither or both."""
    if (team is None) == (person is None):
        raise Invalid("Name one team or one person.", field="who")
    if person is not None and not Membership.objects.for_tenant(organisation).filter(user=person).exists():
        raise Invalid(f"{person} is not in this organisation.", field="who")
    grant, is_new = Grant.objects.for_tenant(organisation).get_or_create(
        organisation=organisation,
        repository=repository,
        team=team,
        person=person,
        defaults={"granted_by": actor.person},
    )
    if is_new:
        audit.record(
            organisation=organisation,
            actor=actor,
            verb="repository.push-granted",
            subject=repository,
            summary=f"Let {grant} push to {repository.name}",
            data={"team": team.ref} if team else {"person": person.email if person else ""},
        )
    return grant


@transaction.atomic
def withdraw(
    *,
    organisation: Organisation,
    actor: Actor,
    repository: Repository,
    grant: Grant,
) -> None:
    """Take a grant back."""
    audit.record(
        organisation=organisation,
        actor=actor,
        verb="repository.push-withdrawn",
        subject=repository,
        summary=f"No longer let {grant} push to {repository.name}",
    )
    grant.delete()


def before_team_goes(actor: Actor, team: Team) -> None:
    """The hook: what an owner allowed ends with it, and so does what was allowed to the team. Inside the deletion."""
    rows = Grant.objects.for_tenant(team.organisation_id).filter(Q(repository__owner_ref=team.ref) | Q(team=team))
    for grant in rows.select_related("repository", "team", "person"):
        withdraw(organisation=team.organisation, actor=actor, repository=grant.repository, grant=grant)


@transaction.atomic
def set_protection(
    *,
    organisation: Organisation,
    actor: Actor,
    repository: Repository,
    is_protected: bool,
) -> None:
    """Protect the default branch, or lift the protection: then who may push may rewrite and delete it."""
    if repository.is_protected == is_protected:
        return
    repository.is_protected = is_protected
    repository.save(update_fields=["is_protected"])
    branch = f"{repository.default_branch} of {repository.name}"
    audit.record(
        organisation=organisation,
        actor=actor,
        verb="repository.protected" if is_protected else "repository.unprotected",
        subject=repository,
        summary=f"Protected {branch}" if is_protected else f"Lifted the protection of {branch}",
    )
