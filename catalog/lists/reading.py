"""The entities of a list: how many, which, in which order, and what else could be chosen.

What only live knows (health), what is wrong (problems) and what a person starred are sets of entities beside the
catalog's own facts; a list is what lies in all of them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any
from uuid import UUID

from django.core.exceptions import EmptyResultSet
from django.db import connection
from django.db.models import Case, Exists, F, Func, IntegerField, OuterRef, Q, TextField, Value, When

from catalog.asking.filters import All, In
from catalog.asking.paging import RowPage, seal, unseal
from catalog.asking.query import Entities, FactValue, entities_of, text_search, where
from catalog.lists.choosing import COLUMNS, HEALTH, KEYS, Mine, Wanted, node_of, tier_of
from catalog.lists.seen import starred_uids, with_star
from catalog.models import Problem
from portal.accounts.access import Access
from portal.accounts.models import Organisation, Team
from portal.clusters import status
from portal.kit.errors import Invalid

SHOWN = (
    "id", "uid", "organisation_id", "kind", "namespace", "name", "ref", "title", "description", "type", "lifecycle",
    "owner_ref", "system_ref", "tags", "sort_name",
)  # fmt: skip
# So many choices are offered at once; the others are found by typing.
OFFERED = 12
_FIELDS: Mapping[str, str] = {
    "kind": "kind", "type": "type", "lifecycle": "lifecycle", "owner": "owner_ref", "system": "system_ref",
    "namespace": "namespace", "name": "sort_name",
}  # fmt: skip


@dataclass(frozen=True)
class Option:
    """A value that could be chosen, and how many entities it would leave."""

    value: str
    count: int


def mine_of(access: Access, whose: str) -> Mine:
    """What the choice of this word needs to know of who asks."""
    if whose == "nobody":
        return Mine(nobody=_unknown_owners(access.organisation))
    if not whose:
        return Mine()
    with connection.cursor() as cursor:
        cursor.execute(_DIRECT, [access.organisation.pk, access.user.pk])
        direct = {str(row[0]) for row in cursor.fetchall()}
    me = All((In("kind", ("user",)), In("spec.profile.email", (access.user.email.lower(),))))
    described = set(entities_of(access.organisation).filter(where(me)).values_list("ref", flat=True))
    refs = direct | described
    return Mine(frozenset(refs), frozenset(refs | access.team_refs))


_DIRECT = """
SELECT t.ref FROM accounts_team t JOIN accounts_teammembership m ON m.team_id = t.id
WHERE t.organisation_id = %s AND m.user_id = %s
"""


def _unknown_owners(organisation: Organisation) -> frozenset[str]:
    """Owners that something names and that are neither in the catalog nor a team."""
    rows = entities_of(organisation)
    named = set(rows.exclude(owner_ref="").order_by().values_list("owner_ref", flat=True).distinct())
    there = set(rows.filter(ref__in=named).values_list("ref", flat=True))
    teams = Team.objects.for_tenant(organisation).filter(ref__in=named - there)
    return frozenset(named - there - set(teams.values_list("ref", flat=True)))


class Listed:
    """One list, as one person sees it. Nothing is read before it is asked for."""

    def __init__(self, access: Access, wanted: Wanted, columns: Sequence[str] = ()) -> None:
        """`columns` says what of the rows is shown: some of it is read only then."""
        self.access, self.wanted, self.columns = access, wanted, columns

    @cached_property
    def mine(self) -> Mine:
        return mine_of(self.access, self.wanted.whose)

    @cached_property
    def badges(self) -> Mapping[str, str]:
        """uid as text -> badge, of everything that has one."""
        return status.badges(self.access.organisation.pk)

    def _rows(self, wanted: Wanted) -> Entities:
        rows: Entities = entities_of(self.access.organisation).filter(where(node_of(wanted, self.mine)))
        if wanted.text:
            rows = rows.filter(text_search(wanted.text))
        if wanted.health:
            rows = rows.filter(uid__in=[uid for uid, badge in self.badges.items() if badge == wanted.health])
        if wanted.starred:
            rows = rows.filter(uid__in=starred_uids(self.access.organisation, self.access.user))
        if wanted.problems:
            wrong = Problem.objects.filter(organisation=OuterRef("organisation_id"), entity_ref=OuterRef("ref"))
            rows = rows.filter(Exists(wrong))
        return rows

    @cached_property
    def counts(self) -> dict[str, list[Option]]:
        """For each choice the commonest values under all other choices, one more than are offered; kinds are all told.

        One statement."""
        parts, parameters = [], list[Any]()
        for name, key in KEYS.items():
            if name == "system":
                continue
            try:
                sql, values = self._counting(name, key)
            except EmptyResultSet:  # the choices can hold for nobody
                continue
            parts.append(f"({sql})")
            parameters += values
        found: dict[str, list[Option]] = {name: [] for name in KEYS}
        if not parts:
            return found
        with connection.cursor() as cursor:
            cursor.execute(f"{' UNION ALL '.join(parts)} ORDER BY 1, 3 DESC, 2", parameters)
            for name, value, count in cursor.fetchall():
                found[name].append(Option(value, count))
        return found

    def _counting(self, name: str, key: str, prefix: str = "") -> tuple[str, list[Any]]:
        value: Any = Func("tags", function="unnest") if name == "tag" else F(_FIELDS[name])
        rows = self._rows(self.wanted.without(name)).order_by()
        named = rows.annotate(
            which=Value(name, output_field=TextField()),
            value=Func(value, template="%(expressions)s", output_field=TextField()),
        )
        sql, values = named.values_list("which", "value").query.sql_with_params()
        most = 100 if name == "kind" else OFFERED + 1
        text = (
            f"SELECT which, value, count(*) FROM ({sql}) AS rows (which, value)"  # noqa: S608
            f" WHERE value <> '' AND starts_with(lower(value), %s) GROUP BY 1, 2 ORDER BY 3 DESC, 2 LIMIT {most}"
        )
        return text, [*values, prefix]

    def options(self, name: str, prefix: str) -> list[Option]:
        """The commonest values of one choice that begin with this, under all other choices: one statement."""
        start = prefix.lower()
        if name in ("owner", "system") and start and ":" not in start:
            start = f"{'group' if name == 'owner' else 'system'}:default/{start}"
        try:
            sql, values = self._counting(name, KEYS[name], start)
        except EmptyResultSet:
            return []
        with connection.cursor() as cursor:
            cursor.execute(sql, values)
            return [Option(value, count) for _, value, count in cursor.fetchall()][:OFFERED]

    @cached_property
    def total(self) -> int:
        """How many there are."""
        return self._rows(self.wanted).count()

    def page(self, *, size: int, after: str = "", before: str = "") -> RowPage:
        """A page of the list, each row with `is_starred`, and `tier` where that is a column.

        Raises Invalid for a cursor of another list."""
        place = _place(before or after, self.wanted.sort)
        is_back = bool(before)
        name, is_down = self.wanted.order
        shown = (*SHOWN, "document") if "tier" in self.columns else SHOWN
        rows: Any = with_star(self._rows(self.wanted).only(*shown), self.access.user)
        rows = rows.annotate(order_value=self._order_value(name))
        if place:
            rows = rows.filter(_beyond(place, is_down=is_down, is_back=is_back))
        order = F("order_value")
        nulls: dict[str, Any] = {"nulls_first": True} if is_back else {"nulls_last": True}
        by_value = order.desc(**nulls) if is_down != is_back else order.asc(**nulls)
        ends = ("-sort_name", "-id") if is_back else ("sort_name", "id")
        found = list(rows.order_by(by_value, *ends)[: size + 1])
        is_more, page = len(found) > size, found[:size]
        if is_back:
            page.reverse()
        for row in page if "tier" in self.columns else ():
            row.tier = tier_of(row.tags, row.document)
        first, last = (self._cursor(page[0]), self._cursor(page[-1])) if page else ("", "")
        return RowPage(
            page,
            after=last if is_back or is_more else "",
            before=first if (is_more if is_back else after) else "",
        )

    def _order_value(self, name: str) -> Any:
        if name == "health":
            ranked = [
                When(uid__in=[uid for uid, badge in self.badges.items() if badge == word], then=Value(place))
                for place, word in enumerate(HEALTH)
            ]
            return Case(*ranked, default=None, output_field=IntegerField())
        if name in _FIELDS:
            return Func(F(_FIELDS[name]), Value(""), function="NULLIF", output_field=TextField())
        return FactValue(COLUMNS[name].key)

    def _cursor(self, row: Any) -> str:
        return seal([self.wanted.sort, row.order_value, row.sort_name, row.pk])

    def uids(self, most: int) -> list[UUID]:
        """The uids of the first so many."""
        return list(self._rows(self.wanted).order_by("sort_name", "id").values_list("uid", flat=True)[:most])


def _place(cursor: str, sort: str) -> list[Any]:
    if not cursor:
        return []
    content = unseal(cursor)
    fits = (
        isinstance(content, list) and len(content) == 4 and isinstance(content[2], str) and isinstance(content[3], int)
    )
    if not fits or content[0] != sort:
        raise Invalid("The cursor belongs to another list. Start again from the first page.", field="cursor")
    return list(content[1:])


def _beyond(place: list[Any], *, is_down: bool, is_back: bool) -> Q:
    """The rows behind the place, or before it; what has no value lies at the end in both directions."""
    value, name, ident = place
    if is_back:
        names = Q(sort_name__lt=name) | Q(sort_name=name, id__lt=ident)
    else:
        names = Q(sort_name__gt=name) | Q(sort_name=name, id__gt=ident)
    if value is None:
        same = Q(order_value=None) & names
        return same | Q(order_value__isnull=False) if is_back else same
    further = Q(order_value__lt=value) if is_down != is_back else Q(order_value__gt=value)
    same = Q(order_value=value) & names
    return further | same if is_back else further | same | Q(order_value=None)
