"""A team is one thing: the portal's team with its people, and the Group that the catalog knows it by.

A Group that a file describes has a team here, which follows the file; a team that was made in the portal has a Group,
written here. Who belongs to a team is decided in the portal; both kinds show their people as `hasMember`.
"""

import re
from collections.abc import Collection, Iterable
from itertools import chain, count

import yaml
from django.db import transaction
from django.utils.timezone import now

from catalog.asking.filters import All, In
from catalog.asking.query import entities_of
from catalog.descriptors import relations
from catalog.descriptors.contacts import contact_of, links_of
from catalog.descriptors.kinds import CHILD_OF, HAS_MEMBER, MEMBER_OF
from catalog.index import edges, writing
from catalog.index.edges import Said
from catalog.index.reading import find
from catalog.intake import ingest
from catalog.intake.sources.portal import path_of
from catalog.intake.sources.tree import MemoryTree
from catalog.models import Entity, Source
from portal.accounts.actor import Actor
from portal.accounts.contact import FIELDS
from portal.accounts.models import Organisation, Team, TeamMembership, TeamOrigin, User
from portal.accounts.tenancy import tenant
from portal.kit.refs import DEFAULT_NAMESPACE, parse_ref

# What the source of the Groups written here is called; their texts are made from the teams, never by hand.
TARGET = "teams"
MEMBERSHIP = (HAS_MEMBER, MEMBER_OF)


def is_written_here(entity: Entity) -> bool:
    """Whether the entity is the Group of a team that was made in the portal."""
    source = entity.source
    return source is not None and (source.kind, source.target) == (Source.Kind.PORTAL, TARGET)


def after_ingest(organisation: Organisation, source: Source, entities: list[Entity]) -> None:
    """The hook: Groups bring teams, and described people are matched with those who have joined."""
    groups = [entity.ref for entity in entities if entity.kind == "Group"]
    if groups and source.target != TARGET:
        sync_teams(organisation, groups)
    if any(entity.kind == "User" for entity in entities):
        sync_members(organisation)  # whoever has joined may be described from now on, in any team
    elif groups:
        sync_members(organisation, groups)


def after_removal(organisation: Organisation, entities: list[Entity]) -> None:
    """The hook: a team whose file is gone stays with its people, and says so; one that waited goes with its file."""
    gone = [entity.ref for entity in entities if entity.kind == "Group"]
    if gone:
        lost = Team.objects.for_tenant(organisation).filter(ref__in=gone, origin=TeamOrigin.FILE)
        lost.exclude(waits_since=None).delete()  # nobody's word but the file's
        lost.update(origin=TeamOrigin.GONE, described_in="")
        sync_teams(organisation, gone)  # what stands below them
    if any(entity.kind == "User" for entity in entities):
        sync_members(organisation)


def after_change(actor: Actor, team: Team) -> None:
    """The hook of the portal's own teams: the Group says what the team says, in the same transaction."""
    if not team.is_filed:
        write_group(team, actor.person)
    sync_members(team.organisation, [team.ref])


def before_delete(actor: Actor, team: Team) -> None:
    """The hook: the Group goes with its team."""
    group = entities_of(team.organisation_id).select_related("source").filter(ref=team.ref).first()
    if group is None or not is_written_here(group):
        return
    ingest.bury([group], f"The team was deleted by {actor}.")
    ingest.tell_removed(team.organisation, [group])


def write_group(team: Team, person: User | None = None) -> None:
    """Writes the Group of a team that was made in the portal. Must run inside the tenant."""
    source, _ = Source.objects.get_or_create(
        organisation=team.organisation,
        kind=Source.Kind.PORTAL,
        target=TARGET,
        revision="",
        path="",
        defaults={"schedule_minutes": 0, "created_by": person},
    )
    text = yaml.safe_dump(document_of(team), sort_keys=False, allow_unicode=True)
    path = path_of(parse_ref(team.ref))
    ingest.store_part(source, ingest.read_tree(source, MemoryTree({path: text.encode()}, "")))


def document_of(team: Team) -> dict[str, object]:
    """The descriptor that says what the team says."""
    ref = parse_ref(team.ref)
    metadata: dict[str, object] = {"name": ref.name, "namespace": ref.namespace, "title": team.name}
    if team.description:
        metadata["description"] = team.description
    if links := links_of(team.contact):
        metadata["links"] = links
    profile = {"displayName": team.name} | ({"email": team.mail} if team.mail else {})
    spec: dict[str, object] = {"type": "team", "profile": profile, "children": []}
    if team.parent is not None:
        spec["parent"] = team.parent.ref
    return {"apiVersion": "backstage.io/v1alpha1", "kind": "Group", "metadata": metadata, "spec": spec}


def write_missing_groups() -> int:
    """Teams from before they had a Group get theirs. Returns how many. For the live process."""
    written = 0
    for organisation in Organisation.objects.order_by("pk"):
        with tenant(organisation):
            for team in (
                Team.objects.for_tenant(organisation).filter(origin="").select_related("organisation", "parent")
            ):
                described = entities_of(organisation).filter(ref=team.ref).exists()
                if not described:
                    write_group(team)
                team.origin = TeamOrigin.FILE if described else TeamOrigin.PORTAL
                team.save(update_fields=["origin"])
                written += not described
    return written


def sync_teams(organisation: Organisation, refs: Collection[str]) -> None:
    """A team for each of these Groups: name, description and contact follow the file. A new one waits to be confirmed,
    and a place in the tree too: whoever writes a file decides about nobody's rights.

    refs: of the Groups that may have changed; what stands below them is looked at, too
    """
    teams: dict[str, Team] = {team.ref: team for team in Team.objects.for_tenant(organisation)}
    above = {team.pk for ref, team in teams.items() if ref in refs}
    below = {ref for ref, team in teams.items() if team.parent_id in above}
    rows = entities_of(organisation).filter(kind="Group", ref__in={*refs, *below}).select_related("source")
    groups = [group for group in rows.select_related("body") if not is_written_here(group)]
    taken = {team.slug for team in teams.values()}
    fresh = list[Team]()
    for group in groups:
        team = teams.get(group.ref) or Team(organisation=organisation, ref=group.ref, waits_since=now())
        if claims(team, group):
            continue
        if _follow(team, group):
            if team.pk:
                team.save()
            else:
                team.slug = _slug(group, taken)
                taken.add(team.slug)
                fresh.append(team)
        teams[group.ref] = team
    Team.objects.bulk_create(fresh)
    _sync_parents(organisation, teams, groups)


def claims(team: Team, group: Entity) -> bool:
    """Whether the Group's source is another than the one that described the confirmed team: then it changes nothing."""
    if not team.stands or team.pk is None:
        return False
    is_known = team.origin == TeamOrigin.FILE and team.described_by == ""  # from before this was kept
    return not is_known and team.described_by != uid_of(group)


def uid_of(group: Entity) -> str:
    """The source that describes a Group, as a team remembers it."""
    return str(group.source.uid) if group.source else ""


def follow(team: Team, group: Entity) -> None:
    """From now on this Group's source describes the team: for who confirms it."""
    _follow(team, group)
    team.save()


def _follow(team: Team, group: Entity) -> bool:
    """Takes over what the file says; whether anything is new."""
    contact = contact_of(group.document)
    wanted: dict[str, object] = {
        "name": group.display_name[:120],
        "description": group.description.strip()[:300],
        "origin": TeamOrigin.FILE,
        "described_by": uid_of(group),
        "described_in": f"{group.source.label if group.source else ''} {group.path}".strip()[-300:],
        **{name: getattr(contact, name)[:254] for name in FIELDS},
    }
    fresh = {name: value for name, value in wanted.items() if getattr(team, name) != value}
    for name, value in fresh.items():
        setattr(team, name, value)
    return bool(fresh) or not team.pk


def _slug(group: Entity, taken: set[str]) -> str:
    plain = re.sub(r"[^a-z0-9]+", "-", group.name.lower()).strip("-")
    base = plain if group.namespace == DEFAULT_NAMESPACE else f"{group.namespace}-{plain}"
    base = base[:56].strip("-")
    return next(slug for slug in chain([base], (f"{base}-{n}" for n in count(2))) if slug not in taken)


def said_parents(organisation: Organisation, groups: Iterable[Entity]) -> dict[str, str]:
    """The team above, as the file of each Group says: only the source that describes a team says where it stands."""
    described = {group.ref: group.source_id for group in groups}
    said = edges.with_authors(organisation.pk, list(described), [CHILD_OF])
    rows = Entity.objects.for_tenant(organisation).filter(num__in={author for *_, author in said})
    sources = dict(rows.values_list("num", "source_id"))
    told = sorted(((child, parent, sources.get(author)) for child, _, parent, author in said), key=str, reverse=True)
    return {child: parent for child, parent, source in told if source == described[child] and child != parent}


def _sync_parents(organisation: Organisation, teams: dict[str, Team], groups: list[Entity]) -> None:
    """A place in the tree gives rights, so it needs two words: the file's, and that of somebody who confirmed it. It
    ends with the first of them; a new one waits."""
    by_id = {team.pk: team for team in teams.values()}
    parents = said_parents(organisation, groups)
    for group in groups:
        team = teams[group.ref]
        if team.parent_id is None or claims(team, group):
            continue
        above = by_id.get(team.parent_id)
        if above is None or above.ref != parents.get(group.ref):
            team.parent = None
            team.save(update_fields=["parent"])


@transaction.atomic
def sync_members(organisation: Organisation, refs: Iterable[str] | None = None) -> None:
    """The people of teams as relations of their Groups: those whom the file names, and everybody who has joined and
    whom a described User's e-mail address names. Some statements, however many teams.

    refs: of the Groups that may have changed, when not all may have
    """
    groups = entities_of(organisation).filter(kind="Group")
    if refs is not None:
        groups = groups.filter(ref__in=list(refs))
    found = {group.ref: group for group in groups.select_related("body")}
    joined = _joined(organisation, list(found))
    _say(organisation, {group.num: group for group in found.values()}, joined)


def _say(organisation: Organisation, groups: dict[int, Entity], joined: dict[str, set[str]]) -> None:
    """Brings what Groups say of their people in line with who has joined."""
    said = edges.said_by(organisation.pk, groups)
    gone, fresh = list[tuple[int, Said]](), list[tuple[int, Said]]()
    for number, group in groups.items():
        wanted = {edge for edge in relations.outgoing(group.document) if edge[0] in MEMBERSHIP}
        wanted |= {(HAS_MEMBER, user) for user in joined.get(group.ref, ())}
        mine = {edge for edge in said[number] if edge[0] in MEMBERSHIP}
        gone += [(number, edge) for edge in sorted(mine - wanted)]
        fresh += [(number, edge) for edge in sorted(wanted - mine)]
    writing.say(organisation.pk, gone, fresh)


def _joined(organisation: Organisation, refs: list[str]) -> dict[str, set[str]]:
    """References of the described people who have joined, by team."""
    places = TeamMembership.objects.for_tenant(organisation).filter(team__ref__in=refs)
    members = [(ref, email.lower()) for ref, email in places.values_list("team__ref", "user__email")]
    users = users_by_mail(organisation, {email for _, email in members})
    found: dict[str, set[str]] = {}
    for ref, email in members:
        if email in users:
            found.setdefault(ref, set()).add(users[email].ref)
    return found


def users_by_mail(organisation: Organisation, emails: Iterable[str]) -> dict[str, Entity]:
    """Described people by e-mail address in lower case: one statement."""
    wanted = tuple(email.lower() for email in emails)
    if not wanted:
        return {}
    found = find(organisation, All((In("kind", ("user",)), In("spec.profile.email", wanted))))
    rows = entities_of(organisation).filter(num__in=found.numbers()).order_by("-ref").select_related("body")
    return {str((row.spec.get("profile") or {}).get("email", "")).lower(): row for row in rows}
