"""Verbs that change organisations, memberships and invitations: change, audit event and mail, in one transaction."""

import secrets
from collections.abc import Callable
from datetime import timedelta

from allauth.account.models import EmailAddress
from django.conf import settings
from django.db import IntegrityError, transaction
from django.db.models import QuerySet
from django.utils import timezone

from portal.accounts import audit, mails
from portal.accounts.access import digest_of
from portal.accounts.actor import Actor
from portal.accounts.models import (
    RESERVED_SLUGS,
    ApiToken,
    Invitation,
    Membership,
    Organisation,
    TeamMembership,
    User,
)
from portal.accounts.permissions import ROLES
from portal.accounts.tenancy import set_tenant, tenant
from portal.kit.errors import Conflict, Forbidden, Invalid, NotFound

INVITATION_DAYS = 7
OPERATORS = "New organisations are made by the operator of this portal."
# What rooms above do when somebody has left an organisation; called inside the transaction, once they are out.
AFTER_LEAVING: dict[str, Callable[[Organisation, User], None]] = {}
GONE = "This invitation is no longer valid. Ask for a new one."


def may_create_organisation(user: User) -> bool:
    """The first organisation of an installation is anyone's to make; later ones where ORGANISATIONS=open."""
    return settings.ORGANISATIONS == "open" or not Organisation.objects.exists()


def create_organisation(*, actor: Actor, name: str, slug: str) -> Organisation:
    """Make an organisation with the actor as its first admin, where the installation's policy lets them."""
    if not may_create_organisation(actor.user):
        raise Forbidden(OPERATORS)
    return found_organisation(actor=actor, name=name, slug=slug)


@transaction.atomic
def found_organisation(*, actor: Actor, name: str, slug: str) -> Organisation:
    """Make an organisation with the actor as its first admin; the operator's command comes here directly."""
    if slug in RESERVED_SLUGS:
        raise Conflict(f"“{slug}” is a word the portal needs for itself. Choose another.", field="slug")
    try:
        with transaction.atomic():
            organisation = Organisation.objects.create(name=name, slug=slug)
    except IntegrityError as error:
        raise Conflict(f"The address “{slug}” is taken. Choose another.", field="slug") from error
    with tenant(organisation):
        Membership.objects.create(organisation=organisation, user=actor.user, role="admin")
        audit.record(
            organisation=organisation,
            actor=actor,
            verb="organisation.created",
            subject=organisation,
            summary=f"Created the organisation {name}",
        )
    _remember(actor.user, organisation)
    return organisation


@transaction.atomic
def rename_organisation(*, actor: Actor, organisation: Organisation, name: str) -> None:
    """Change the display name; the slug stays, because addresses carry it."""
    was = organisation.name
    if name == was:
        return
    organisation.name = name
    organisation.save(update_fields=["name"])
    audit.record(
        organisation=organisation,
        actor=actor,
        verb="organisation.renamed",
        subject=organisation,
        summary=f"Renamed the organisation from {was} to {name}",
        data={"was": was, "is": name},
    )


def _remember(user: User, organisation: Organisation) -> None:
    """So that the next sign-in leads here."""
    user.last_organisation = organisation
    user.save(update_fields=["last_organisation"])


# --- members ---


@transaction.atomic
def change_role(*, actor: Actor, organisation: Organisation, member: Membership, role: str) -> None:
    """Give a member another role; the last admin stays one."""
    if role not in ROLES:
        raise Invalid("There is no such role.", field="role")
    was = member.role
    if role == was:
        return
    if was == "admin":
        _keep_an_admin(organisation, member)
    Membership.objects.for_tenant(organisation).filter(pk=member.pk).update(role=role)
    member.role = role
    audit.record(
        organisation=organisation,
        actor=actor,
        verb="member.role-changed",
        subject=member,
        subject_label=str(member.user),
        summary=f"Made {member.user} {_with_article(role)}",
        data={"user": member.user.email, "was": was, "is": role},
    )


@transaction.atomic
def remove_member(*, actor: Actor, organisation: Organisation, member: Membership) -> None:
    """Take a person out: their teams here, their tokens here, their membership. Their account stays."""
    if member.role == "admin":
        _keep_an_admin(organisation, member)
    person = member.user
    TeamMembership.objects.for_tenant(organisation).filter(user=person).delete()
    ApiToken.objects.for_tenant(organisation).filter(user=person, revoked_at=None).update(revoked_at=timezone.now())
    is_leaving = actor.person == person
    audit.record(
        organisation=organisation,
        actor=actor,
        verb="member.left" if is_leaving else "member.removed",
        subject=member,
        subject_label=str(person),
        summary="Left the organisation" if is_leaving else f"Removed {person} from the organisation",
        data={"user": person.email, "role": member.role},
    )
    member.delete()
    for hook in AFTER_LEAVING.values():
        hook(organisation, person)


def _keep_an_admin(organisation: Organisation, leaving: Membership) -> None:
    """Refuse to lose the last admin. Locks every admin's row, so that two admins cannot remove each other at once."""
    admins = Membership.objects.for_tenant(organisation).filter(role="admin").order_by("pk").select_for_update()
    if not any(admin.pk != leaving.pk for admin in admins):
        raise Conflict(
            f"{leaving.user} is the last admin. Make somebody else an admin first.", code="last_admin", field="role"
        )


def _with_article(role: str) -> str:
    return f"an {role}" if role == "admin" else f"a {role}"


# --- invitations ---


@transaction.atomic
def invite(*, actor: Actor, organisation: Organisation, email: str, role: str) -> Invitation:
    """Invite somebody by e-mail; an earlier open invitation of the same address gives way to this one."""
    email = email.strip().lower()
    if role not in ROLES:
        raise Invalid("There is no such role.", field="role")
    if Membership.objects.for_tenant(organisation).filter(user__email__iexact=email).exists():
        raise Conflict(f"{email} is in this organisation already.", field="email")
    open_invitations(organisation).filter(email__iexact=email).update(revoked_at=timezone.now())
    secret = secrets.token_urlsafe(32)
    invitation = Invitation.objects.create(
        organisation=organisation,
        email=email,
        role=role,
        digest=digest_of(secret),
        invited_by=actor.person,
        expires_at=timezone.now() + timedelta(days=INVITATION_DAYS),
    )
    _tell(
        actor,
        organisation,
        invitation,
        secret,
        verb="invitation.sent",
        summary=f"Invited {email} as {role}",
    )
    return invitation


@transaction.atomic
def resend_invitation(*, actor: Actor, organisation: Organisation, invitation: Invitation) -> None:
    """Send it again with a new secret and a new end; the old link stops working."""
    locked = Invitation.objects.for_tenant(organisation).select_for_update().get(pk=invitation.pk)
    if locked.accepted_at or locked.revoked_at:
        raise Conflict("This invitation is closed. Invite them again.")
    secret = secrets.token_urlsafe(32)
    locked.digest = digest_of(secret)
    locked.expires_at = timezone.now() + timedelta(days=INVITATION_DAYS)
    locked.save(update_fields=["digest", "expires_at"])
    summary = f"Sent the invitation of {locked.email} again"
    _tell(actor, organisation, locked, secret, verb="invitation.resent", summary=summary)


def _tell(
    actor: Actor,
    organisation: Organisation,
    invitation: Invitation,
    secret: str,
    *,
    verb: str,
    summary: str,
) -> None:
    audit.record(
        organisation=organisation,
        actor=actor,
        verb=verb,
        subject=invitation,
        summary=summary,
        data={"email": invitation.email, "role": invitation.role},
    )
    transaction.on_commit(lambda: mails.send_invitation(invitation, organisation, str(actor), secret))


@transaction.atomic
def revoke_invitation(*, actor: Actor, organisation: Organisation, invitation: Invitation) -> None:
    """Close an invitation that nobody accepted; closing it twice is once."""
    closed = (
        open_invitations(organisation, with_expired=True).filter(pk=invitation.pk).update(revoked_at=timezone.now())
    )
    if closed:
        audit.record(
            organisation=organisation,
            actor=actor,
            verb="invitation.revoked",
            subject=invitation,
            summary=f"Revoked the invitation of {invitation.email}",
        )


def open_invitations(organisation: Organisation, *, with_expired: bool = False) -> QuerySet[Invitation]:
    """Invitations that wait for their person."""
    found = Invitation.objects.for_tenant(organisation).filter(accepted_at=None, revoked_at=None)
    return found if with_expired else found.filter(expires_at__gt=timezone.now())


def find_invitation(slug: str, digest: str) -> Invitation:
    """The open invitation of a link's secret, by its digest, or NotFound; sets the tenant for the transaction."""
    organisation = Organisation.objects.filter(slug=slug).first()
    if organisation is None:
        raise NotFound(GONE)
    set_tenant(organisation)
    found = open_invitations(organisation).select_related("invited_by").filter(digest=digest).first()
    if found is None:
        raise NotFound(GONE)
    found.organisation = organisation
    return found


@transaction.atomic
def accept_invitation(*, actor: Actor, slug: str, digest: str) -> Organisation:
    """Join by an invitation: once, and only as the person it was sent to."""
    invitation = find_invitation(slug, digest)
    organisation = invitation.organisation
    if not _owns_address(actor.user, invitation.email):
        raise Forbidden(f"This invitation is for {invitation.email}; you are signed in as {actor.user.email}.")
    claimed = (
        open_invitations(organisation)
        .filter(pk=invitation.pk, digest=invitation.digest)
        .update(accepted_at=timezone.now(), accepted_by=actor.user)
    )
    if not claimed:
        raise NotFound(GONE)
    member, is_new = Membership.objects.for_tenant(organisation).get_or_create(
        organisation=organisation, user=actor.user, defaults={"role": invitation.role}
    )
    if is_new:
        audit.record(
            organisation=organisation,
            actor=actor,
            verb="member.joined",
            subject=member,
            subject_label=str(actor),
            summary=f"Joined as {member.role}",
            data={"role": member.role, "invited_by": str(invitation.invited_by or "")},
        )
    _remember(actor.user, organisation)
    return organisation


def _owns_address(user: User, email: str) -> bool:
    """Their sign-in address, or another one that they proved to be theirs."""
    return bool(EmailAddress.objects.filter(user=user, verified=True, email__iexact=email).exists())
