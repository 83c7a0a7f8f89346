"""What applying a plan would change: found by applying it in a transaction that is taken back.

So the rights that are shown are those that the database gives, whatever the steps say.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field

from django.db import connection, transaction

from catalog.descriptors.relations import owner_of
from catalog.following import followers
from catalog.handing.models import Reorganisation
from catalog.handing.plans.applying import apply
from catalog.handing.plans.unfolding import OWNER, RoleChange, Unfolded, unfold
from catalog.models import Entity, Source
from portal.accounts.access import Access
from portal.accounts.models import Organisation, Team, User
from portal.kit.errors import Refusal
from portal.kit.refs import kind_of
from portal.notices.people import of_teams


@dataclass(frozen=True)
class Rights:
    """Over how many entities somebody would gain rights through their teams, and over how many lose them."""

    person: str
    gains: int
    loses: int


@dataclass(frozen=True)
class OtherFile:
    """A file that names another owner than would be on record; `is_ours`: it can be brought in line from here."""

    ref: str
    path: str
    source: str
    is_ours: bool


@dataclass
class Foreseen:
    """`told`: how many people would be told; `wrong`: (number of a step, 0 for the whole, and the sentence)."""

    changes: Sequence[RoleChange] = ()
    rights: list[Rights] = field(default_factory=list)
    files: list[OtherFile] = field(default_factory=list)
    told: int = 0
    wrong: list[tuple[int, str]] = field(default_factory=list)
    teams: list[str] = field(default_factory=list)


class _TakenBack(Exception):
    """Ends the transaction in which it was tried."""


def foresee(access: Access, plan: Reorganisation) -> Foreseen:
    """Tries the plan and takes it back. What it costs is what applying costs; nothing of it stays."""
    organisation = access.organisation
    unfolded = unfold(organisation, plan.steps)
    if unfolded.wrong or not plan.steps:
        return Foreseen(unfolded.changes, wrong=unfolded.wrong, teams=_teams(unfolded))
    changes = unfolded.changes
    refs = _involved(organisation, unfolded)
    before = _reach(organisation, refs)
    found = Foreseen(changes, teams=_teams(unfolded))
    try:
        with transaction.atomic():
            apply(actor=access.actor, plan=plan)
            found.rights = _differences(before, _reach(organisation, refs | _owners(changes)))
            raise _TakenBack
    except _TakenBack:
        pass
    except Refusal as refusal:
        found.wrong.append((0, refusal.text))
    plan.refresh_from_db(fields=["state", "applied_at", "applied_by_label", "reason", "before"])
    found.files = files_of(organisation, {each.entity.pk: each.to for each in changes if each.role == OWNER})
    teams = sorted(ref for ref in _owners(changes) if kind_of(ref) == "group")
    told = of_teams(organisation, teams) | followers(organisation, [each.entity.uid for each in changes], teams)
    found.told = len(told.keys() - {access.user.pk})
    return found


def _teams(found: Unfolded) -> list[str]:
    """What changes of teams, as sentences."""
    told = [f"{name} ({slug}) is made{f', below {parent}' if parent else ''}." for slug, name, parent in found.made]
    for slug, wanted in found.changed.items():
        if "name" in wanted:
            told.append(f"{slug} is called {wanted['name']}.")
        if "parent" in wanted:
            told.append(f"{slug} is moved {'below ' + wanted['parent'] if wanted['parent'] else 'to the top'}.")
    return told + [f"The people of {slug} are in {into} too." for slug, into in found.merged]


def _owners(changes: Sequence[RoleChange]) -> set[str]:
    return {ref for each in changes for ref in (each.was, each.to) if ref}


def _involved(organisation: Organisation, found: Unfolded) -> set[str]:
    """The teams whose things or whose people may change: those of the changes, those that move, and all below them."""
    moved = Team.objects.for_tenant(organisation).filter(slug__in=[*found.changed, *(each for each, _ in found.merged)])
    refs = _owners(found.changes) | set(moved.values_list("ref", flat=True))
    below = Team.objects.for_tenant(organisation).raw(
        "SELECT b.id, b.ref FROM accounts_team t JOIN accounts_teampath p ON p.above_id = t.id"
        " AND p.organisation_id = t.organisation_id JOIN accounts_team b ON b.id = p.below_id"
        " WHERE t.organisation_id = %s AND t.ref = ANY(%s::text[])",
        [organisation.pk, list(refs)],
    )
    return refs | {team.ref for team in below}


def _reach(organisation: Organisation, refs: Collection[str]) -> dict[int, set[int]]:
    """By person, the entities of these owners over which they have rights through their teams: two statements."""
    owned: dict[str, set[int]] = defaultdict(set)
    rows = Entity.objects.for_tenant(organisation).filter(owner_ref__in=refs, removed_at=None)
    for ref, pk in rows.values_list("owner_ref", "pk"):
        owned[ref].add(pk)
    found: dict[int, set[int]] = defaultdict(set)
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT DISTINCT m.user_id, t.ref FROM accounts_teammembership m JOIN accounts_teampath p"
            " ON p.organisation_id = m.organisation_id AND p.above_id = m.team_id AND p.stands"
            " JOIN accounts_team t ON t.id = p.below_id WHERE m.organisation_id = %s AND t.ref = ANY(%s::text[])",
            [organisation.pk, list(owned)],
        )
        for user, ref in cursor.fetchall():
            found[user] |= owned[ref]
    return found


def _differences(before: dict[int, set[int]], after: dict[int, set[int]]) -> list[Rights]:
    found, nothing = dict[int, tuple[int, int]](), set[int]()
    for user in before.keys() | after.keys():
        had, has = before.get(user, nothing), after.get(user, nothing)
        if had != has:
            found[user] = len(has - had), len(had - has)
    names = {user.pk: str(user) for user in User.objects.filter(pk__in=found)}
    rights = [Rights(names[user], *counts) for user, counts in found.items()]
    return sorted(rights, key=lambda each: each.person.lower())


def files_of(organisation: Organisation, owners: dict[int, str]) -> list[OtherFile]:
    """Whose text names another owner than they have or would have. owners: by key of the entity, "" for nobody."""
    rows = Entity.objects.for_tenant(organisation).filter(pk__in=owners, removed_at=None)
    found = []
    for row in rows.select_related("body", "source").order_by("path", "ref").iterator(chunk_size=500):
        said = owner_of(row.document)
        if said and owners[row.pk] and said != owners[row.pk]:
            kind, label = (row.source.kind, row.source.label) if row.source else ("", "a source that is gone")
            is_ours = kind in (Source.Kind.PORTAL, Source.Kind.REPOSITORY)
            found.append(OtherFile(row.ref, row.path, label, is_ours))
    return found


def still_other(plan: Reorganisation) -> list[OtherFile]:
    """Of a plan that was applied or undone: the files that do not say yet what is on record."""
    uids = {each[0] for each in plan.before.get("roles", ()) if each[1] == OWNER}
    rows = Entity.objects.for_tenant(plan.organisation_id).filter(uid__in=uids, removed_at=None)
    return files_of(plan.organisation, dict(rows.exclude(owner_how="inheritance").values_list("pk", "owner_ref")))
