"""The entities of a list: how many, which, in which order, and what else could be chosen.

The catalog's index answers for what descriptors say. What only live knows (health), what is wrong (problems) and what a
person starred are sets of entities beside it; a list is what lies in all of them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any
from uuid import UUID

from django.db import connection
from django.db.models import Q

from catalog.asking.filters import All, Exists, In
from catalog.asking.paging import seal, unseal
from catalog.asking.query import entities_of
from catalog.freshness import stale_sources
from catalog.index import sets
from catalog.index.finding import text_node
from catalog.index.ordering import Needed, Order, page
from catalog.index.reading import Condition, FoundSet, IndexQuestion, Values, all_of, dangling, find
from catalog.lists.choosing import COLUMNS, HEALTH, KEYS, TIER_KEYS, TIER_TAG, ListChoice, Mine, node_of, tier_of
from catalog.lists.rows import Row, Rows, Segment, in_segments, of_page
from catalog.lists.seen import starred_uids
from catalog.models import Body
from catalog.packing import document_of
from portal.accounts import paths
from portal.accounts.access import Access
from portal.accounts.models import Organisation, Team
from portal.clusters import status
from portal.kit.errors import Invalid
from portal.kit.refs import ref_to

# So many choices are offered at once; the others are found by typing. So many are counted to find the commonest.
OFFERED, COUNTED = 12, 50
# A column with more values than these is ordered along the index, and within a value by number instead of by name.
MOST_SEGMENTS = 200


@dataclass(frozen=True)
class ListOption:
    """A value that could be chosen, and how many entities it would leave."""

    value: str
    count: int


@dataclass(frozen=True)
class ListedPage:
    """Rows with the cursors of their neighbours, empty where there is none."""

    rows: Sequence[Row]
    after: str = ""
    before: str = ""


def mine_of(access: Access, wanted: ListChoice) -> Mine:
    """What the choices of teams need to know: of who asks, and of the teams below the owner that was chosen."""
    owners = paths.with_below(access.organisation, wanted.owner) if wanted.owner and not wanted.direct else ()
    if wanted.whose == "nobody":
        return Mine(nobody=unknown_owners(access.organisation), owners=owners)
    if not wanted.whose:
        return Mine(owners=owners)
    with connection.cursor() as cursor:
        cursor.execute(_DIRECT, [access.organisation.pk, access.user.pk])
        direct = {str(row[0]) for row in cursor.fetchall()}
    me = All((In("kind", ("user",)), In("spec.profile.email", (access.user.email.lower(),))))
    numbers = find(access.organisation, me).numbers(10)
    refs = direct | set(entities_of(access.organisation).filter(num__in=numbers).values_list("ref", flat=True))
    return Mine(frozenset(refs), frozenset(refs | access.team_refs), owners=owners)


_DIRECT = """
SELECT t.ref FROM accounts_team t JOIN accounts_teammembership m ON m.team_id = t.id
WHERE t.organisation_id = %s AND m.user_id = %s
"""


def unknown_owners(organisation: Organisation) -> frozenset[str]:
    """Owners that something names and that are neither in the catalog nor a team: two statements, one where there are
    none."""
    named = dangling(organisation, KEYS["owner"])
    if not named:
        return named
    teams = Team.objects.for_tenant(organisation).filter(ref__in=named)
    return named - set(teams.values_list("ref", flat=True))


@dataclass
class _Asked:
    """One question to the index and what was asked with it."""

    question: IndexQuestion
    bits: int
    under: Mapping[str, int]
    values: Mapping[str, Values]
    order: Mapping[str, Any] = field(default_factory=dict)


class Listed:
    """One list, as one person sees it. Nothing is read before it is asked for, and the index but once."""

    def __init__(
        self, access: Access, wanted: ListChoice, columns: Sequence[str] = (), *, is_counted: bool = True
    ) -> None:
        """`columns` says what of the rows is shown: some of it is read only then. `is_counted`: whether anybody wants
        to know what else could be chosen."""
        self.access, self.wanted, self.columns, self.is_counted = access, wanted, columns, is_counted
        self.organisation = access.organisation

    @cached_property
    def badges(self) -> Mapping[str, str]:
        """uid as text -> badge, of everything that has one."""
        return status.badges(self.organisation.pk)

    @cached_property
    def mine(self) -> Mine:
        return mine_of(self.access, self.wanted)

    def _condition(self, wanted: ListChoice) -> Condition:
        node = node_of(wanted, self.mine)
        return all_of([node, text_node(wanted.text)]) if wanted.text else node

    @cached_property
    def _beside(self) -> Mapping[str, int]:
        """The sets that the index does not know, by the choice that asks for them."""
        wanted, found = self.wanted, dict[str, int]()
        if wanted.health:
            found["health"] = self._numbered([uid for uid, badge in self.badges.items() if badge == wanted.health])
        if wanted.starred:
            found["starred"] = self._numbered(starred_uids(self.organisation, self.access.user))
        if wanted.problems:
            with connection.cursor() as cursor:
                cursor.execute(_WITH_PROBLEMS, [self.organisation.pk, self.organisation.pk])
                found["problems"] = sets.of_numbers([row[0] for row in cursor.fetchall()])
        if wanted.unseen:
            stale = list(stale_sources(self.organisation).values_list("pk", flat=True))
            rows = entities_of(self.organisation).filter(Q(source=None) | Q(source__in=stale))
            found["unseen"] = sets.of_numbers(list(rows.values_list("num", flat=True)))
        return found

    def _numbered(self, uids: Sequence[UUID | str]) -> int:
        return sets.of_numbers(list(self._numbers(uids).values()))

    def _numbers(self, uids: Sequence[UUID | str]) -> dict[str, int]:
        with connection.cursor() as cursor:
            cursor.execute(_NUMBERS, [self.organisation.pk, [str(uid) for uid in uids]])
            return {str(uid): number for uid, number in cursor.fetchall()}

    def _within(self, bits: int) -> int:
        for beside in self._beside.values():
            bits &= beside
        return bits

    @cached_property
    def _asked(self) -> _Asked:
        question, wanted = IndexQuestion(self.organisation), self.wanted
        meant = question.filter(self._condition(wanted))
        chosen = [name for name in KEYS if self.is_counted and getattr(wanted, name)]
        under = {name: question.filter(self._condition(wanted.without(name))) for name in chosen}
        counted = [name for name in KEYS if self.is_counted and name != "system"]
        values = {name: question.values(KEYS[name], most=None if name == "kind" else COUNTED + 1) for name in counted}
        order = self._ask_order(question)
        question.ask()
        bits = self._within(meant.bits)
        unders = {name: self._within(under[name].bits) if name in under else bits for name in counted}
        return _Asked(question, bits, unders, values, order)

    @property
    def bits(self) -> int:
        return self._asked.bits

    @property
    def total(self) -> int:
        """How many there are."""
        return self.bits.bit_count()

    @cached_property
    def counts(self) -> dict[str, list[ListOption]]:
        """For each choice the commonest values under all other choices, the commonest first; kinds are all told."""
        found: dict[str, list[ListOption]] = {name: [] for name in KEYS}
        for name, known in self._asked.values.items():
            bits = self._asked.under[name]
            counted = known.count(None if bits == self._asked.question.live else bits)
            found[name] = _commonest(counted)
        return found

    def is_many(self, name: str) -> bool:
        """Whether there are more values of a choice than are offered at once."""
        known = self._asked.values[name]
        return len(known.rows) > COUNTED or len(self.counts[name]) > OFFERED

    def options(self, name: str, typed: str) -> list[ListOption]:
        """The commonest values of one choice that begin with this, under all other choices: one statement."""
        question = IndexQuestion(self.organisation)
        under = question.filter(self._condition(self.wanted.without(name)))
        starts = [typed.lower()]
        if name == "owner" and typed and ":" not in typed:
            starts = [ref_to(kind, typed.lower()) for kind in ("group", "user")]
        values = [question.values(KEYS[name], most=COUNTED, prefix=start) for start in starts]
        question.ask()
        bits = self._within(under.bits)
        return _commonest([pair for each in values for pair in each.count(bits)])[:OFFERED]

    # --- order and pages ---

    def _ask_order(self, question: IndexQuestion) -> dict[str, Any]:
        """What the order needs to know, asked with everything else."""
        name = self.wanted.order[0]
        if name in ("name", "health"):
            return {}
        if name == "tier":
            return {
                "tiers": [
                    question.values(KEYS["tag"], prefix=TIER_TAG),
                    *(question.values(key) for key in TIER_KEYS),
                ]
            }
        key = COLUMNS[name].key
        having, values = question.filter(Exists(key)), question.values(key, few=MOST_SEGMENTS)
        return {"known": Needed(having, values)}

    def page(self, *, size: int, after: str = "", before: str = "") -> ListedPage:
        """A page of the list, each row with `is_starred`, and `tier` where that is a column.

        Raises Invalid for a cursor of another list."""
        name, is_down = self.wanted.order
        place, is_back = _place(before or after, self.wanted.sort), bool(before)
        rows = Rows(self.organisation.pk, self.access.user.pk)
        if name == "name":
            chosen = page(self._found, Order("name", is_descending=is_down), size=size, is_backwards=is_back,
                          place=(place[1], "", place[2]) if place else None)  # fmt: skip
            shown, is_more = of_page(rows, chosen)
        elif (segments := self._segments(name, is_down=is_down)) is None:
            order = Order("key", COLUMNS[name].key, is_descending=is_down)
            chosen = page(self._found, order, size=size, is_backwards=is_back, known=self._asked.order["known"],
                          place=(place[0], place[1] or "", place[2]) if place else None)  # fmt: skip
            shown, is_more = of_page(rows, chosen)
        else:
            shown, is_more = in_segments(rows, self._found, segments, size, place, is_back=is_back)
        self._fill(shown)
        is_walked = name != "name" and segments is None
        ends = [_cursor(self.wanted.sort, row, is_walked=is_walked) for row in (shown[0], shown[-1])] if shown else []
        has_before = is_more if is_back else bool(after)
        has_after = is_back or is_more
        return ListedPage(shown, ends[1] if ends and has_after else "", ends[0] if ends and has_before else "")

    @property
    def _found(self) -> FoundSet:
        return FoundSet(self.organisation.pk, self.bits, self._asked.question.live)

    def _segments(self, name: str, *, is_down: bool) -> list[Segment] | None:
        """The values in their order, each with who stands there; None where there are too many to tell."""
        if name == "health":
            numbers, bits = self._numbers(list(self.badges)), dict.fromkeys(HEALTH, 0)
            for uid, badge in self.badges.items():
                if uid in numbers:
                    bits[badge] |= 1 << numbers[uid]
            runs = [(f"{place}", bits[word]) for place, word in enumerate(HEALTH)]
        elif name == "tier":
            found: dict[str, int] = {}
            for values in self._asked.order["tiers"]:
                for row in values.rows:
                    tier = row.value.removeprefix(TIER_TAG)
                    found[tier] = found.get(tier, 0) | row.set_of()
            runs = sorted(found.items())
        else:
            known: Needed = self._asked.order["known"]
            assert known.values is not None
            rows = known.values.rows
            if not rows and self._asked.order["known"].having.bits:
                return None
            runs = [(row.value, row.set_of()) for row in rows]
        return _cut(runs, self.bits, is_down=is_down)

    def _fill(self, rows: Sequence[Row]) -> None:
        if "tier" not in self.columns or not rows:
            return
        bodies = Body.objects.for_tenant(self.organisation).filter(entity__in=[row.pk for row in rows])
        documents = {pk: document_of(packed) for pk, packed in bodies.values_list("entity_id", "packed")}
        for row in rows:
            row.tier = tier_of(row.tags, documents.get(row.pk) or {})

    def uids(self, most: int) -> list[UUID]:
        """The uids of the first so many."""
        numbers = [number for number, _ in zip(sets.numbers_of(self.bits), range(most), strict=False)]
        return list(entities_of(self.organisation).filter(num__in=numbers).values_list("uid", flat=True))


_NUMBERS = "SELECT uid, num FROM catalog_entity WHERE organisation_id = %s AND uid = ANY(%s::uuid[])"
_WITH_PROBLEMS = """
SELECT DISTINCT e.num FROM catalog_problem p JOIN catalog_entity e ON e.organisation_id = %s AND e.ref = p.entity_ref
WHERE p.organisation_id = %s AND p.entity_ref <> ''
"""


def _commonest(counted: Sequence[tuple[str, int]]) -> list[ListOption]:
    found = [ListOption(value, count) for value, count in counted if value]
    return sorted(found, key=lambda option: (-option.count, option.value.lower()))


def _cut(runs: Sequence[tuple[str, int]], bits: int, *, is_down: bool) -> list[Segment]:
    """Each entity at the first of its values that the order comes to; what has none comes last in both directions."""
    found, left = dict[str, int](), bits
    for value, there in reversed(runs) if is_down else runs:
        here = there & left
        left &= ~here
        found[value] = found.get(value, 0) | here
    segments = [Segment(value, here) for value, here in found.items() if here]
    return [*segments, Segment(None, left)]


def _cursor(sort: str, row: Row, *, is_walked: bool) -> str:
    """The place of a row: [order, value, label or name, number]."""
    return seal([sort, row.order_value, row.order_label if is_walked else row.sort_name, row.num])


def _place(cursor: str, sort: str) -> tuple[str | None, str, int] | None:
    if not cursor:
        return None
    match unseal(cursor):
        case [str() as order, None | str() as value, str() as name, int() as number] if order == sort:
            return value, name, number
    raise Invalid("The cursor belongs to another list. Start again from the first page.", field="cursor")
