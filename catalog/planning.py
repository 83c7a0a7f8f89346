"""Many statements that a person wants to make: read from a list or a CSV file, told before they are made, then made."""

from __future__ import annotations

import csv
import hashlib
import io
from collections.abc import AsyncIterator, Iterator, Sequence
from dataclasses import dataclass, field

from asgiref.sync import sync_to_async

from catalog.asking.query import entities_of
from catalog.descriptors.kinds import is_ownable
from catalog.holders import holder_named
from catalog.index.owning import SLIM, holder_of
from catalog.lists.choosing import ListChoice
from catalog.lists.reading import Listed
from catalog.models import Entity, How, Role, Statement
from catalog.owners import stating
from catalog.owners.reading import standing
from catalog.owners.rights import may_state
from portal.accounts.access import Access
from portal.accounts.tenancy import tenant
from portal.kit.errors import Conflict, Invalid, Refusal
from portal.kit.refs import completed
from portal.kit.words import cell

# So many at once, and so much text.
MOST, MOST_TEXT = 5000, 2_000_000
# Each name is looked up by itself.
MOST_HOLDERS = 500
COLUMNS = ("entity", "role", "holder", "why")


@dataclass(frozen=True)
class OwnerWish:
    """One wish: the entity's reference (a short one is a component), the role, and a holder as people write it."""

    number: int
    ref: str
    role: str
    holder: str
    why: str = ""


@dataclass(frozen=True)
class PlannedChange:
    """What a wish would change."""

    number: int
    entity: Entity
    role: str
    was: str
    holder: str
    why: str


@dataclass(frozen=True)
class RefusedWish:
    """A wish that cannot be granted, and why."""

    number: int
    ref: str
    sentence: str


@dataclass
class Plan:
    """What a list of wishes comes to. `same` of them are so already.

    offers  changes of owners that this person may not state, and may offer: whoever gets them accepts or declines
    """

    changes: list[PlannedChange] = field(default_factory=list)
    offers: list[PlannedChange] = field(default_factory=list)
    refused: list[RefusedWish] = field(default_factory=list)
    same: int = 0

    @property
    def token(self) -> str:
        """Names exactly this: what was looked at is what is made."""
        told = [
            f"{each.entity.pk} {each.role} {each.was} {each.holder} {each.why}"
            for each in (*self.changes, *self.offers)
        ]
        return hashlib.sha256("\n".join(told).encode()).hexdigest()[:32]


def lines_of(text: str) -> list[OwnerWish]:
    """The wishes of a CSV file with the columns entity, role, holder, why (role and why may be missing).

    Raises Invalid (field "text") for what is no such file, and for more than MOST lines.
    """
    if len(text) > MOST_TEXT:
        raise Invalid("The file is too large: at most 2 MB at once.", field="text")
    rows = csv.DictReader(io.StringIO(text.replace("\0", "").lstrip("\ufeff")))
    names = [(name or "").strip().lower() for name in rows.fieldnames or ()]
    if not {"entity", "holder"} <= set(names):
        raise Invalid("The first line must name the columns entity and holder; role and why if wanted.", field="text")
    rows.fieldnames = names
    found = list(_lines(rows))
    if not found:
        raise Invalid("There is no line below the names of the columns.", field="text")
    if len(found) > MOST:
        raise Invalid(f"At most {MOST:,} lines at once; this has {len(found):,}.", field="text")
    return found


def _lines(rows: csv.DictReader[str]) -> Iterator[OwnerWish]:
    try:
        for row in rows:
            told = {name: _plain(row.get(name) or "") for name in COLUMNS}
            if any(told.values()):
                yield OwnerWish(
                    rows.line_num, told["entity"], told["role"].lower() or "owner", told["holder"], told["why"]
                )
    except csv.Error as error:
        raise Invalid(f"It is not CSV: {error}.", field="text") from error


def _plain(text: str) -> str:
    """A cell without the apostrophe that keeps a spreadsheet from calculating it."""
    text = text.strip()
    return text[1:] if text[:2] in {"'=", "'+", "'-", "'@"} else text


def planned(access: Access, lines: Sequence[OwnerWish]) -> Plan:
    """What these wishes come to, as far as this person may. Some statements, and those that find each holder's name."""
    plan = Plan()
    refs = {line.number: completed(line.ref.lower(), kind="component") for line in lines}
    rows = entities_of(access.organisation).filter(ref__in=set(refs.values()))
    known = {row.ref: row for row in rows.only(*SLIM, "title", "name")}
    stands = standing(access.organisation, [row.pk for row in known.values()])
    holders, rights = _Holders(access), dict[tuple[str, bool, str], tuple[str, bool]]()
    seen = set[tuple[int, str]]()
    for line in lines:
        entity = known.get(refs[line.number])
        if entity is None:
            plan.refused.append(RefusedWish(line.number, line.ref, "There is no such entity."))
            continue
        sentence = _trouble(entity, line, seen)
        holder = "" if sentence else holders.of(line.holder)
        sentence, is_offer = sentence or holders.trouble(line.holder), False
        if not sentence:
            same = entity.owner_ref, line.role == Role.OWNER.value, holder
            if same not in rights:
                rights[same] = _right(access, entity, line.role, holder)
            sentence, is_offer = rights[same]
        if sentence:
            plan.refused.append(RefusedWish(line.number, entity.ref, sentence))
            continue
        seen.add((entity.pk, line.role))
        was = _was(entity, line.role, stands)
        if was == holder:
            plan.same += 1
        else:
            into = plan.offers if is_offer else plan.changes
            into.append(PlannedChange(line.number, entity, line.role, was, holder, line.why))
    return plan


def _right(access: Access, entity: Entity, role: str, holder: str) -> tuple[str, bool]:
    """(why they may not state it, whether they may offer it instead)."""
    verdict = may_state(access, entity, role, holder)
    if verdict or not holder:
        return verdict.sentence, False
    is_offer = role == Role.OWNER.value and bool(may_state(access, entity, role))
    return ("", True) if is_offer else (verdict.sentence, False)


def _trouble(entity: Entity, line: OwnerWish, seen: set[tuple[int, str]]) -> str:
    if line.role not in Role.values:
        return f"There is no role called {line.role[:40]}. Roles are {', '.join(Role.values)}."
    if line.role == Role.OWNER.value and not is_ownable(entity.kind):
        return f"A {entity.kind} has no owner."
    return "It stands above already." if (entity.pk, line.role) in seen else ""


def _was(entity: Entity, role: str, stands: dict[tuple[int, str], Statement]) -> str:
    if (entity.pk, role) in stands:
        return stands[entity.pk, role].holder_ref
    return holder_of(entity) if role == Role.OWNER.value else ""


class _Holders:
    """What holders' names mean, each looked up once."""

    def __init__(self, access: Access) -> None:
        self.access = access
        self.known: dict[str, tuple[str, str]] = {}

    def of(self, text: str) -> str:
        return self._found(text)[0]

    def trouble(self, text: str) -> str:
        return self._found(text)[1]

    def _found(self, text: str) -> tuple[str, str]:
        if text not in self.known:
            if len(self.known) >= MOST_HOLDERS:
                raise Invalid(f"At most {MOST_HOLDERS} different holders at once.", field="text")
            try:
                self.known[text] = holder_named(self.access.organisation, text), ""
            except Refusal as refusal:
                self.known[text] = "", refusal.text
        return self.known[text]


def apply(access: Access, plan: Plan, *, token: str = "", how: str = How.TRANSFER.value) -> list[Statement]:
    """Makes the statements of a plan, one batch for each reason. Raises Conflict where it is not what was looked at."""
    if token and token != plan.token:
        raise Conflict("The catalog has changed since you looked. Look again.", code="changed")
    made = list[Statement]()
    for why in dict.fromkeys(each.why for each in plan.changes):
        changes = [(each.entity, each.role, each.holder) for each in plan.changes if each.why == why]
        made += stating.state(organisation=access.organisation, actor=access.actor, changes=changes, how=how, why=why)
    return made


# --- out ---

BATCH = 500
HEADINGS = ("entity", "role", "holder", "why", "how", "since", "by", "fallback")


async def exported(access: Access, wanted: ListChoice) -> AsyncIterator[str]:
    """Every role that somebody holds, of the entities of a list, as CSV that `lines_of` reads again: an owner always,
    the others where there are any. Each batch is read in a tenant transaction of its own.

    fallback  the owner that stands in where nobody is named
    """
    yield _csv([HEADINGS])
    after = ""
    while True:
        text, after = await sync_to_async(_batch)(access, wanted, after)
        yield text
        if not after:
            break


def _batch(access: Access, wanted: ListChoice, after: str) -> tuple[str, str]:
    with tenant(access.organisation):
        page = Listed(access, wanted, (), is_counted=False).page(size=BATCH, after=after)
        rows = {row.pk: row for row in entities_of(access.organisation).filter(pk__in=[each.pk for each in page.rows])}
        stands = standing(access.organisation, list(rows))
        ordered = [rows[each.pk] for each in page.rows if each.pk in rows]
        told = [line for row in ordered for line in _told(row, stands)]
    return _csv([[cell(value) for value in line] for line in told]), page.after


def _told(row: Entity, stands: dict[tuple[int, str], Statement]) -> Iterator[list[str]]:
    for role in Role.values:
        statement = stands.get((row.pk, role))
        is_owner = role == Role.OWNER.value and is_ownable(row.kind)
        if statement is not None and (statement.holder_ref or is_owner):
            since, by = statement.since.isoformat(timespec="seconds"), statement.by_label
            line = [row.ref, role, statement.holder_ref, statement.why, statement.how, since, by]
        elif is_owner:
            since = row.created_at.isoformat(timespec="seconds") if row.owner_ref else ""
            line = [row.ref, role, holder_of(row), "", How.FILE.value if holder_of(row) else "", since, ""]
        else:
            continue
        yield [*line, row.owner_ref if is_owner and not holder_of(row) else ""]


def _csv(rows: Sequence[Sequence[str]]) -> str:
    text = io.StringIO()
    csv.writer(text).writerows(rows)
    return text.getvalue()
