"""Verbs on teams, and who may use them: managers everywhere, a team's leads on it and on the teams below it."""

from collections.abc import Callable

from django.db import IntegrityError, connection, transaction
from django.db.models import QuerySet
from django.utils.timezone import now

from portal.accounts import audit, paths
from portal.accounts.access import Access, whose_right
from portal.accounts.actor import Actor
from portal.accounts.models import Membership, Organisation, Team, TeamMembership, TeamOrigin, User
from portal.accounts.permissions import PERMISSIONS, Verdict, rank
from portal.kit.errors import Conflict, Forbidden, Invalid
from portal.kit.refs import ref_to

DEEPEST = 10
LONGEST_REASON = 300

# What the catalog does with a team that was made or changed, its people included, and with one that goes. Called inside
# the transaction of the change.
AFTER_CHANGE: dict[str, Callable[[Actor, Team], None]] = {}
BEFORE_DELETE: dict[str, Callable[[Actor, Team], None]] = {}
AFTER_DELETE: dict[str, Callable[[Actor, Team], None]] = {}
# What a change of the tree takes before the tree itself, so that everybody takes both in one order.
LOCK_FIRST: dict[str, Callable[[int], None]] = {}
# First key of the advisory lock that lets one at a time change the tree; the database takes it too (migration 0016).
LOCK_SPACE = 20_263


def may_manage(access: Access, team: Team | None) -> Verdict:
    """May they change this team (None: make one at the top)? Leads from developer up may, on their team and below."""
    leads = team is not None and rank(access.role) >= rank(PERMISSIONS["teams.manage"].owner_role)
    is_lead = leads and team is not None and _leads(access, team)
    verdict = access.verdict("teams.manage", is_owner=is_lead)
    if verdict or team is None:
        return verdict
    return Verdict(False, f"You cannot change {team}. Ask one of its leads, or a manager.")


def require_manage(access: Access, team: Team | None) -> None:
    """Raises Forbidden with the sentence unless they may."""
    verdict = may_manage(access, team)
    if not verdict:
        raise Forbidden(verdict.sentence, detail=whose_right("teams.manage", team.ref if team else None))


def _leads(access: Access, team: Team) -> bool:
    above = paths.paths_of(access.organisation).filter(below_id=team.pk).values("above_id")
    places = TeamMembership.objects.for_tenant(access.organisation)
    return places.filter(user=access.user, is_lead=True, team_id__in=above).exists()


def leads_over(access: Access, ref: str) -> bool:
    """Whether they lead the team of this reference, or one above it from which rights come down to it."""
    found = Team.objects.for_tenant(access.organisation).filter(ref=ref.lower()).values("pk")
    above = paths.paths_of(access.organisation).filter(below_id__in=found, stands=True).values("above_id")
    places = TeamMembership.objects.for_tenant(access.organisation)
    return places.filter(user=access.user, is_lead=True, team_id__in=above).exists()


def lineage(team: Team) -> list[Team]:
    """The team and every team above it, nearest first; ends even where data forms a circle. One statement."""
    return paths.above(team)


def _lock_tree(organisation: Organisation) -> None:
    """Waits for whoever else moves teams: two moves at once could close a circle that neither sees."""
    for lock in LOCK_FIRST.values():
        lock(organisation.pk)
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(%s, %s)", [LOCK_SPACE, organisation.pk])


def standing(organisation: Organisation | int) -> QuerySet[Team]:
    """The teams that give rights: those that wait to be confirmed are not among them."""
    return Team.objects.for_tenant(organisation).filter(waits_since=None)


@transaction.atomic
def create_team(
    *,
    actor: Actor,
    organisation: Organisation,
    name: str,
    slug: str,
    stands: bool,
    parent: Team | None = None,
    description: str = "",
    **contact: str,
) -> Team:
    """Make a team; the catalog knows it as group:default/<slug> at once. `contact`: the fields of contact.Contact.

    stands  False for one who may not make teams at the top, such as a lead: a team's name gives rights over all that
            bears it already, so it waits until somebody who may confirms it
    """
    _lock_tree(organisation)
    if parent is not None:
        _check_depth(parent)
    try:
        with transaction.atomic():
            team = Team.objects.create(
                organisation=organisation,
                name=name,
                slug=slug,
                ref=ref_to("group", slug),
                parent=parent,
                description=description,
                origin=TeamOrigin.PORTAL,
                waits_since=None if stands else now(),
                **contact,
            )
    except IntegrityError as error:
        raise Conflict(f"A team “{slug}” exists already.", field="slug") from error
    _record(actor, team, "team.created", f"Created the team {name}")
    _tell(actor, team)
    return team


def _tell(actor: Actor, team: Team) -> None:
    for hook in AFTER_CHANGE.values():
        hook(actor, team)


def _require_born_here(team: Team) -> None:
    if team.is_filed:
        raise Conflict(f"{team} is described in {team.described_in}. Change it there.", code="described-elsewhere")


@transaction.atomic
def change_team(
    *,
    actor: Actor,
    organisation: Organisation,
    team: Team,
    name: str,
    description: str,
    parent: Team | None,
    **contact: str,
) -> None:
    """Rename, describe or move a team, or change how it is reached. Its reference stays: descriptors name it.

    Raises Conflict for a team that a file describes.
    """
    _require_born_here(team)
    _lock_tree(organisation)
    if parent is not None:
        if team.pk in {above.pk for above in lineage(parent)}:
            raise Invalid(f"{parent} is {team} itself or below it.", field="parent", code="cycle")
        _check_depth(parent)
    changes = {"name": name, "description": description, "parent": parent, "origin": TeamOrigin.PORTAL, **contact}
    changed = [field for field, value in changes.items() if getattr(team, field) != value]
    if not changed:
        return
    was = str(team)
    for field in changed:
        setattr(team, field, changes[field])
    team.save(update_fields=changed)
    told = [field for field in changed if field != "origin"]
    summary = f"Renamed the team {was} to {name}" if told == ["name"] else f"Changed the team {name}"
    _record(actor, team, "team.changed", summary, {"fields": changed})
    _tell(actor, team)


@transaction.atomic
def confirm_team(
    *, actor: Actor, organisation: Organisation, team: Team, parent: Team | None, data: dict[str, object]
) -> None:
    """Let a team give rights, at this place of the tree. `data`: what was confirmed, for the audit log.

    For those who may make teams. Raises Conflict where the team above waits itself, Invalid for a circle.
    """
    _lock_tree(organisation)
    if parent is not None:
        if not parent.stands:
            raise Conflict(f"{parent} waits itself: confirm it first.", code="waits")
        if team.pk in {above.pk for above in lineage(parent)}:
            raise Invalid(f"{parent} is {team} itself or below it.", code="cycle")
        _check_depth(parent)
    team.waits_since, team.parent, team.declined = None, parent, ""
    team.save(update_fields=["waits_since", "parent", "declined"])
    place = f", part of {parent}" if parent else ""
    _record(actor, team, "team.confirmed", f"Confirmed the team {team}{place}", data)
    _tell(actor, team)


@transaction.atomic
def decline_team(
    *, actor: Actor, organisation: Organisation, team: Team, claim: str, reason: str, data: dict[str, object]
) -> None:
    """Leave a team as it is: what is asked of it, `claim`, is not asked again. A team that waits gives no rights still.

    For those who may make teams. Raises Invalid without a reason, and for one that is too long.
    """
    if not reason or len(reason) > LONGEST_REASON:
        raise Invalid(f"Say why, in at most {LONGEST_REASON} characters.", field="reason")
    _lock_tree(organisation)
    team.declined = claim
    team.save(update_fields=["declined"])
    facts = {**data, "claim": claim, "reason": reason}
    _record(actor, team, "team.declined", f"Declined the team {team}: {reason}", facts)


def _check_depth(parent: Team) -> None:
    if len(lineage(parent)) >= DEEPEST:
        raise Invalid(f"Teams nest at most {DEEPEST} deep.", field="parent")


@transaction.atomic
def delete_team(*, actor: Actor, organisation: Organisation, team: Team) -> None:
    """Delete a team; the teams below it move up, and what it owns shows an owner that does not exist.

    Raises Conflict for a team that a file describes.
    """
    _require_born_here(team)
    _lock_tree(organisation)
    below = list(Team.objects.for_tenant(organisation).filter(parent=team))
    children = Team.objects.for_tenant(organisation).filter(parent=team).update(parent=team.parent)
    _record(actor, team, "team.deleted", f"Deleted the team {team}", {"ref": team.ref, "moved_up": children})
    for hook in BEFORE_DELETE.values():
        hook(actor, team)
    team.delete()
    for child in below:
        child.refresh_from_db()
        _tell(actor, child)
    for hook in AFTER_DELETE.values():
        hook(actor, team)


@transaction.atomic
def put_in_team(
    *,
    actor: Actor,
    organisation: Organisation,
    team: Team,
    person: User,
    is_lead: bool,
) -> None:
    """Add a member of the organisation to the team, or make them lead or not."""
    if not Membership.objects.for_tenant(organisation).filter(user=person).exists():
        raise Invalid(f"{person} is not in this organisation.", field="person")
    place, is_new = TeamMembership.objects.for_tenant(organisation).get_or_create(
        organisation=organisation, team=team, user=person, defaults={"is_lead": is_lead}
    )
    if not is_new and place.is_lead == is_lead:
        return
    if not is_new:
        place.is_lead = is_lead
        place.save(update_fields=["is_lead"])
    verb = "team.member-added" if is_new else "team.lead-changed"
    role = "a lead" if is_lead else "a member"
    _record(actor, team, verb, f"Made {person} {role} of {team}", {"user": person.email, "is_lead": is_lead})
    _tell(actor, team)


@transaction.atomic
def take_out_of_team(*, actor: Actor, organisation: Organisation, team: Team, person: User) -> None:
    """Remove somebody from the team; twice is once."""
    removed, _ = TeamMembership.objects.for_tenant(organisation).filter(team=team, user=person).delete()
    if removed:
        _record(actor, team, "team.member-removed", f"Took {person} out of {team}", {"user": person.email})
        _tell(actor, team)


def _record(actor: Actor, team: Team, verb: str, summary: str, data: dict[str, object] | None = None) -> None:
    audit.record(
        organisation=team.organisation_id,
        actor=actor,
        verb=verb,
        subject=team,
        summary=summary,
        data=dict(data or {}),
    )
