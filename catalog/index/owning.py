"""Who owns an entity: whom its newest statement names, else the owner of the system or domain that it is part of.

A file states an owner only when it names another than it did when it was read last; an unchanged file takes nothing
back from whoever got the entity since. The first statement of all is not written down before a second one comes, so
that a catalog in which nothing was ever handed over keeps no row of this. See docs/adr/0190.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from django.utils.timezone import now

from catalog.descriptors import relations
from catalog.descriptors.kinds import OWNED_BY, PART_OF, is_ownable
from catalog.index import bulk
from catalog.index.bulk import run
from catalog.index.edges import NUMBERS
from catalog.models import Entity, How, Role, Statement
from portal.accounts.models import User

# So far up an owner is looked for; what is part of itself ends there too.
HIGHEST = 10
PLACES = ("system", "domain")
FILE, INHERITANCE = How.FILE.value, How.INHERITANCE.value


@dataclass(frozen=True)
class Owner:
    """Whom the newest statement about an entity names ("" for nobody), how it came to be, and since when it stands;
    `since` is none where no statement is written down."""

    holder_ref: str
    how: str
    since: datetime | None


@dataclass(frozen=True)
class FileTeller:
    """Who tells what a file says: the commit, and its author, or the person who writes in the portal."""

    commit: str = ""
    author: str = ""
    person: User | None = None


@dataclass(frozen=True)
class OwnerChange:
    """An entity whose file names another owner than before, "" for nobody."""

    entity: Entity
    was: str
    is_now: str


def settle(
    organisation_id: int, rows: Sequence[Entity], known: Mapping[int, Entity], told: FileTeller
) -> tuple[list[Statement], list[OwnerChange]]:
    """Puts the owner on rows that are about to be written; they come with the owner that their document names.

    known: those that are there already, by key, as they were. Returns the statements to write down, closed and
    standing, and what changed. One statement a level where somebody has no owner and is part of something; none else.
    """
    moment = now()
    statements, changes = list[Statement](), list[OwnerChange]()
    holders = dict[str, str]()
    for row in rows:
        before, said = known.get(row.pk), row.owner_ref
        row.owner_how, row.owner_since = "", None
        if before is not None:
            row.owner_ref, row.owner_how, row.owner_since = holder_of(before), before.owner_how, before.owner_since
            if said not in (_stood(before), row.owner_ref):
                changes.append(OwnerChange(row, row.owner_ref, said))
                statements += _file_says(row, before, said, moment, told)
                row.owner_ref, row.owner_how, row.owner_since = said, FILE, moment
            if not row.owner_ref:
                row.owner_how = ""
        holders[row.ref] = row.owner_ref
    _fall_back(organisation_id, rows, holders)
    return statements, changes


def _stood(before: Entity) -> str:
    """The owner that a row's document named when it was read last."""
    return holder_of(before) if before.owner_since is None else relations.owner_of(before.body.document)


def holder_of(row: Entity) -> str:
    """Whom the newest statement about a row names."""
    return "" if row.owner_how == INHERITANCE else row.owner_ref


def _file_says(row: Entity, before: Entity, said: str, moment: datetime, told: FileTeller) -> list[Statement]:
    """The new statement of a file, behind the first one, where that is written down only now."""
    first = first_of(before, until=moment)
    fresh = Statement(
        organisation_id=before.organisation_id, entity_id=before.pk, role=Role.OWNER, holder_ref=said, since=moment,
        how=How.FILE, by=told.person, by_label=str(told.person or told.author)[:300], path=row.path,
        commit=told.commit[:100],
    )  # fmt: skip
    return [*([first] if first else []), fresh]


def first_of(row: Entity, *, until: datetime) -> Statement | None:
    """What an entity's first document said, ended at that moment; None where that is written down, or was nobody."""
    if row.owner_since is not None or not holder_of(row):
        return None
    return Statement(
        organisation_id=row.organisation_id, entity_id=row.pk, role=Role.OWNER, holder_ref=holder_of(row),
        since=row.created_at, until=until, how=How.FILE, path=row.path,
    )  # fmt: skip


def write(organisation_id: int, statements: Sequence[Statement]) -> None:
    """Writes statements down; those that stand end the ones of the same entity and role that stood. Two statements."""
    if not statements:
        return
    standing = [each for each in statements if each.until is None]
    run(
        "UPDATE catalog_statement s SET until = w.since"
        " FROM unnest(%s::bigint[], %s::text[], %s::timestamptz[]) AS w (entity_id, role, since)"
        " WHERE s.organisation_id = %s AND s.entity_id = w.entity_id AND s.role = w.role AND s.until IS NULL",
        [each.entity_id for each in standing],
        [str(each.role) for each in standing],
        [each.since.isoformat() for each in standing],
        organisation_id,
    )
    bulk.insert(Statement, statements)


def write_owners(organisation_id: int, rows: Sequence[Entity]) -> None:
    """Writes the owners that rows have been given, and those of what is wrong with them. Two statements."""
    run(
        "UPDATE catalog_entity e SET owner_ref = w.owner_ref, owner_how = w.owner_how, owner_since = w.since"
        " FROM unnest(%s::bigint[], %s::text[], %s::text[], %s::timestamptz[]) AS w (id, owner_ref, owner_how, since)"
        " WHERE e.organisation_id = %s AND e.id = w.id",
        [row.pk for row in rows],
        [row.owner_ref for row in rows],
        [str(row.owner_how) for row in rows],
        [row.owner_since and row.owner_since.isoformat() for row in rows],
        organisation_id,
    )
    run(
        "UPDATE catalog_problem p SET owner_ref = w.owner_ref FROM unnest(%s::text[], %s::text[]) AS w (ref, owner_ref)"
        " WHERE p.organisation_id = %s AND p.entity_ref = w.ref",
        [row.ref for row in rows],
        [row.owner_ref for row in rows],
        organisation_id,
    )


# --- fallback ---


def _fall_back(organisation_id: int, rows: Sequence[Entity], holders: Mapping[str, str]) -> None:
    """Rows that nobody is named for get the owner of what they are part of. holders: of the rows, by reference."""
    lost = [row for row in rows if not row.owner_ref and row.system_ref and is_ownable(row.kind)]
    if not lost:
        return
    inside = {row.ref: (holders[row.ref], row.system_ref) for row in rows}
    found = above(organisation_id, {row.system_ref for row in lost}, inside)
    for row in lost:
        if owner := found[row.system_ref]:
            row.owner_ref, row.owner_how = owner, INHERITANCE


def above(
    organisation_id: int, places: Iterable[str], inside: Mapping[str, tuple[str, str]] | None = None
) -> dict[str, str]:
    """The owner that stands in for what is part of these systems and domains, "" for none: one statement a level.

    inside: (whom its newest statement names, what it is part of) of those that are about to be written.
    """
    wanted = set(places)
    known = dict(inside or {})
    missing = wanted - known.keys()
    for _ in range(HIGHEST):
        if missing:
            told = _told(organisation_id, missing)
            known |= {ref: told.get(ref, ("", "")) for ref in missing}
        missing = {known[ref][1] for ref in known if not known[ref][0] and known[ref][1]} - known.keys()
        if not missing:
            break
    return {ref: _climbed(ref, known) for ref in wanted}


def _climbed(ref: str, known: Mapping[str, tuple[str, str]]) -> str:
    for _ in range(HIGHEST):
        holder, place = known.get(ref, ("", ""))
        if holder or not place:
            return holder
        ref = place
    return ""


def _told(organisation_id: int, refs: Collection[str]) -> dict[str, tuple[str, str]]:
    rows = run(
        "SELECT ref, CASE WHEN owner_how = 'inheritance' THEN '' ELSE owner_ref END, system_ref FROM catalog_entity"
        " WHERE organisation_id = %s AND ref = ANY(%s::text[]) AND removed_at IS NULL",
        organisation_id,
        list(refs),
    )
    return {ref: (holder, place) for ref, holder, place in rows}


SLIM = (
    "id", "uid", "organisation_id", "num", "ref", "kind", "path", "created_at", "system_ref", "owner_ref", "owner_how",
    "owner_since",
)  # fmt: skip


def parts_without_owner(organisation_id: int, places: Iterable[str]) -> list[Entity]:
    """The entities that are part of these systems and domains and that nobody is named for: one statement."""
    names = ", ".join(f"e.{name}" for name in SLIM)
    sql = (
        f"SELECT {names} FROM catalog_edge x"  # noqa: S608 - our own constants
        " JOIN catalog_entity e ON e.organisation_id = %s AND e.num = x.num"
        " WHERE x.organisation_id = %s AND x.type = %s AND x.target = ANY(%s::text[])"
        " AND e.removed_at IS NULL AND e.system_ref = x.target"
        " AND (e.owner_ref = '' OR e.owner_how = 'inheritance')"
    )
    here = [organisation_id, organisation_id, NUMBERS[PART_OF], list(places)]
    return [row for row in Entity.objects.raw(sql, here) if is_ownable(row.kind)]


def every_without_owner(organisation_id: int) -> list[Entity]:
    """All that nobody is named for and that are part of something: one statement."""
    rows = Entity.objects.for_tenant(organisation_id).filter(removed_at=None).exclude(system_ref="")
    unowned = rows.filter(owner_ref="") | rows.filter(owner_how=INHERITANCE)
    return [row for row in unowned.only(*SLIM) if is_ownable(row.kind)]


def said_of(document_says: Iterable[tuple[str, str]], row: Entity) -> set[tuple[str, str]]:
    """What a row says of others: as its document, with the owner that it has."""
    said = set(document_says)
    if row.owner_how or row.owner_since:
        said = {edge for edge in said if edge[0] != OWNED_BY}
        if row.owner_ref:
            said.add((OWNED_BY, row.owner_ref))
    return said
