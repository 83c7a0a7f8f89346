"""Questions to the catalog as SQL: filters of the API, the list page's choices, keyset pages, facets."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from django.contrib.postgres.fields import ArrayField
from django.contrib.postgres.search import SearchQuery
from django.core.exceptions import EmptyResultSet
from django.db import connection
from django.db.models import Exists as SqlExists
from django.db.models import Func, Lookup, OuterRef, Q, TextField, Value

from catalog.asking.filters import All, Either, Exists, In, Node, Not, Prefix
from catalog.models import Entity, Relation
from portal.accounts.models import Organisation
from portal.accounts.tenancy import TenantQuerySet

Entities = TenantQuerySet[Entity]


@ArrayField.register_lookup
class HasPrefix(Lookup):
    """`facts__hasprefix="kind=comp"`: some element starts with the text; no wildcards, so nothing to escape."""

    lookup_name = "hasprefix"
    prepare_rhs = False

    def get_prep_lookup(self) -> Any:
        return self.rhs

    def get_db_prep_lookup(self, value: Any, connection: Any) -> tuple[str, tuple[Any, ...]]:
        return "%s", (value,)

    def as_sql(self, compiler: Any, connection: Any) -> tuple[str, tuple[Any, ...]]:
        column, values = self.process_lhs(compiler, connection)
        return f"EXISTS (SELECT 1 FROM unnest({column}) AS fact WHERE starts_with(fact, %s))", (*values, self.rhs)  # noqa: S608


@ArrayField.register_lookup
class HasSubstring(HasPrefix):
    """`facts__hassubstring=("metadata.name=", "pay")`: an element of the key has the text somewhere in its value."""

    lookup_name = "hassubstring"

    def as_sql(self, compiler: Any, connection: Any) -> tuple[str, tuple[Any, ...]]:
        column, values = self.process_lhs(compiler, connection)
        start, text = self.rhs
        return (
            f"EXISTS (SELECT 1 FROM unnest({column}) AS fact WHERE starts_with(fact, %s)"  # noqa: S608
            " AND strpos(substr(fact, %s), %s) > 0)",
            (*values, start, len(start) + 1, text),
        )


def entities_of(organisation: Organisation | int) -> Entities:
    """The entities that are there: tombstones left out."""
    rows: Entities = Entity.objects.for_tenant(organisation)
    return rows.filter(removed_at=None)


def where(node: Node) -> Q:
    """The condition that means the same as `filters.matches`."""
    if isinstance(node, All):
        return _joined(node.parts, empty=True, connector=Q.AND)
    if isinstance(node, Either):
        return _joined(node.parts, empty=False, connector=Q.OR)
    if isinstance(node, Not):
        return ~where(node.part)
    if node.key.startswith("relations."):
        return _relation(node)
    if isinstance(node, Exists):
        return Q(facts__contains=[node.key])
    if isinstance(node, In):
        return Q(facts__overlap=[f"{node.key}={value}" for value in node.values]) if node.values else _NOTHING
    return Q(facts__hasprefix=f"{node.key}={node.text}")


_NOTHING = Q(pk__in=[])
_EVERYTHING = ~_NOTHING


def _joined(parts: Iterable[Node], *, empty: bool, connector: str) -> Q:
    conditions = [where(part) for part in parts]
    if not conditions:
        return _EVERYTHING if empty else _NOTHING
    return Q(*conditions, _connector=connector)


def _relation(node: Exists | In | Prefix) -> Q:
    """Relations are asked of their own table: the other end may have made them."""
    rows = Relation.objects.filter(
        organisation=OuterRef("organisation"),
        source_ref=OuterRef("ref"),
        type__iexact=node.key.removeprefix("relations."),
    )
    if isinstance(node, In):
        rows = rows.filter(target_ref__in=node.values)
    elif isinstance(node, Prefix):
        rows = rows.filter(target_ref__startswith=node.text)
    return Q(SqlExists(rows))


# Quotes and minus signs are meant as search engines mean them: then only the whole words count.
_OPERATORS = re.compile(r'"|(^|\s)-\w|\sor\s', re.IGNORECASE)


def text_search(words: str) -> Q:
    """Free text: what people type in a search engine, or the beginnings of words."""
    words = words.replace("\0", "").strip()[:200]
    beginnings = " & ".join(f"{word}:*" for word in re.findall(r"\w+", words))
    whole = Q(search=SearchQuery(words, search_type="websearch", config="simple"))
    if not beginnings or _OPERATORS.search(words):
        return whole
    return whole | Q(search=SearchQuery(beginnings, search_type="raw", config="simple"))


@dataclass(frozen=True)
class Choice:
    """What a list shows: empty means any."""

    kind: str = ""
    type: str = ""
    owner: str = ""
    lifecycle: str = ""
    tag: str = ""
    text: str = ""

    def conditions(self, *, without: str = "") -> Q:
        """All choices together, but for one: what the choices of that one are counted under."""
        chosen = Q()
        for name, column in COLUMNS.items():
            value = getattr(self, name)
            if value and name != without:
                chosen &= Q(tags__contains=[value]) if name == "tag" else Q(**{_ANYHOW.get(name, column): value})
        return chosen & text_search(self.text) if self.text else chosen


COLUMNS: Mapping[str, str] = {
    "kind": "kind",
    "type": "type",
    "owner": "owner_ref",
    "lifecycle": "lifecycle",
    "tag": "tags",
}


# Values are compared without regard to case, as the API does; kinds, owners and tags come in their one spelling.
_ANYHOW: Mapping[str, str] = {"type": "type__iexact", "lifecycle": "lifecycle__iexact"}


def counts(organisation: Organisation, choice: Choice) -> dict[str, dict[str, int]]:
    """How many entities each value of each column would show, given all other choices: one query."""
    parts, parameters = [], list[Any]()
    for name, column in COLUMNS.items():
        value: str | Func[Any] = column
        if name == "tag":
            value = Func("tags", function="unnest", output_field=TextField())
        rows = entities_of(organisation).filter(choice.conditions(without=name)).order_by()
        named = rows.annotate(which=Value(name, output_field=TextField()), value=_as_text(value))
        sql, values = named.values_list("which", "value").query.sql_with_params()
        parts.append(f"SELECT which, value, count(*) FROM ({sql}) AS rows (which, value) GROUP BY which, value")  # noqa: S608
        parameters += values
    found: dict[str, dict[str, int]] = {name: {} for name in COLUMNS}
    with connection.cursor() as cursor:
        cursor.execute(f"{' UNION ALL '.join(parts)} ORDER BY 1, 2", parameters)
        for which, chosen, count in cursor.fetchall():
            if chosen:
                found[which][chosen] = count
    return found


def _as_text(value: str | Func[Any]) -> Func[Any]:
    if isinstance(value, Func):
        return value
    return Func(value, function="", template="%(expressions)s", output_field=TextField())


class FactValue(Func):
    """The least value that an entity has for a key, or NULL: what it is ordered by."""

    output_field = TextField()
    arity = 1

    def __init__(self, key: str) -> None:
        super().__init__("facts")
        self.key = key

    def as_sql(self, compiler: Any, connection: Any, *args: Any, **extra: Any) -> tuple[str, tuple[Any, ...]]:
        column, values = compiler.compile(self.source_expressions[0])
        start = f"{self.key.lower()}="
        return (
            f"(SELECT min(substr(fact, {len(start) + 1:d}))"  # noqa: S608
            f" FROM unnest({column}) AS fact WHERE starts_with(fact, %s))",
            (*values, start),
        )


def facets(rows: Entities, keys: Sequence[str]) -> dict[str, list[dict[str, Any]]]:
    """For each key as asked: its values in their own case with how many entities have them, ordered by value."""
    try:
        return {key: _relation_facet(rows, key) if _is_relation(key) else _facet(rows, key) for key in keys}
    except EmptyResultSet:  # the condition can hold for nobody
        return {key: [] for key in keys}


def _is_relation(key: str) -> bool:
    return key.lower().startswith("relations.")


def _facet(rows: Entities, key: str) -> list[dict[str, Any]]:
    start = f"{key.lower()}="
    sql, values = rows.order_by().values("id", "labels").query.sql_with_params()
    with connection.cursor() as cursor:
        cursor.execute(
            f"SELECT substr(label, %s), count(DISTINCT id) FROM ({sql}) AS rows (id, labels),"  # noqa: S608
            " unnest(labels) AS label"
            " WHERE starts_with(label, %s) GROUP BY 1 ORDER BY 1",
            [len(start) + 1, *values, start],
        )
        return [{"value": value, "count": count} for value, count in cursor.fetchall()]


def _relation_facet(rows: Entities, key: str) -> list[dict[str, Any]]:
    sql, values = rows.order_by().values("organisation_id", "ref").query.sql_with_params()
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT target_ref, count(DISTINCT source_ref) FROM catalog_relation"  # noqa: S608
            f" JOIN ({sql}) AS rows (organisation, ref) ON organisation_id = organisation AND source_ref = ref"
            " WHERE lower(type) = %s GROUP BY 1 ORDER BY 1",
            [*values, key.lower().removeprefix("relations.")],
        )
        return [{"value": value, "count": count} for value, count in cursor.fetchall()]
