"""What entities say for a key, read from themselves: their documents, their relations, their rows."""

# ruff: noqa: S608  # the pieces of SQL that are put together here are all our own constants
from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from django.db import connection

from catalog.asking import facts
from catalog.asking.owned import OWNER_HOW
from catalog.descriptors.kinds import REVERSE
from catalog.index import sets
from catalog.index.edges import NUMBERS, TYPES
from catalog.index.parts import fact_of, relation_facts
from catalog.packing import document_of

# (value in lower case, as written, "" where that is the same), as facts have it
Told = tuple[str, str]

_RELATION = "relations."
_TYPE_OF = {f"{_RELATION}{kind}".lower(): kind for kind in TYPES}
_UID = "metadata.uid"
# What no document says: it is made of the source, of the row.
_ELSEWHERE = ("metadata.annotations.backstage.io/managed-by-", f"metadata.annotations.{OWNER_HOW}")

# Both ends of a relation are told of each: what the entity says, and what others say of it.
_RELATED = (
    "(SELECT jsonb_agg(y.target) FROM (SELECT x.target FROM catalog_edge x"
    "  WHERE x.organisation_id = %s AND x.num = e.num AND x.type = ANY(%s::int[])"
    " UNION ALL SELECT o.ref FROM catalog_edge x JOIN catalog_entity o ON o.organisation_id = %s AND o.num = x.num"
    "  WHERE x.organisation_id = %s AND x.target = e.ref AND x.type = ANY(%s::int[])) y)"
)


def is_told(key: str) -> bool:
    """Whether entities themselves tell what they have for a key."""
    return not key.startswith(_ELSEWHERE)


class SaidOf:
    """Columns that hold what the entity `e` says for some keys, the joins that they need, and their parameters, those
    of the columns first."""

    def __init__(self, organisation_id: int, keys: Sequence[str]) -> None:
        self.keys = list(keys)
        written = [key for key in keys if not key.startswith(_RELATION) and key != _UID]
        self.columns, self.joins, self.parameters = "b.packed" if written else "NULL", "", list[Any]()
        for key in self.keys:
            kind = _TYPE_OF.get(key)
            if kind is not None:
                mirrors = [NUMBERS[other] for other, mirror in REVERSE.items() if mirror == kind]
                self.columns += f", {_RELATED}"
                self.parameters += [organisation_id, [NUMBERS[kind]], organisation_id, organisation_id, mirrors]
            else:
                self.columns += ", e.uid::text" if key == _UID else ", NULL"
        if written:
            self.joins = " JOIN catalog_body b ON b.organisation_id = %s AND b.entity_id = e.id"
            self.behind = [organisation_id]
        else:
            self.behind = []

    def told(self, columns: Sequence[Any]) -> list[list[Told]]:
        """For each key what the entity has for it, the least first."""
        packed, *beside = columns
        known = None if packed is None else document_of(packed)
        return [
            sorted({(value, label) for named, value, label in self._facts(key, known, mine) if named == key})
            for key, mine in zip(self.keys, beside, strict=True)
        ]

    def _facts(self, key: str, document: Any, beside: Any) -> Iterator[tuple[str, str, str]]:
        if key in _TYPE_OF:
            yield from relation_facts((_TYPE_OF[key], target) for target in _json(beside) or ())
        elif key == _UID:
            yield from fact_of(key, beside)
        elif document is not None:
            for path, value in facts.rows(document, only=key):
                yield from fact_of(path.lower(), value)


def _json(text: Any) -> Any:
    return json.loads(text) if isinstance(text, str | bytes) else text


def read(organisation_id: int, bits: int, keys: Sequence[str]) -> Iterable[tuple[int, list[list[Told]]]]:
    """(number, for each key what it has, the least first) of the entities of the set: one statement."""
    said = SaidOf(organisation_id, keys)
    with connection.cursor() as cursor:
        cursor.execute(
            f"SELECT e.num, {said.columns} FROM catalog_entity e{said.joins}"
            " WHERE e.organisation_id = %s AND e.num = ANY(%s::int[])",
            [*said.parameters, *said.behind, organisation_id, sets.written(sets.numbers_of(bits))],
        )
        return [(number, said.told(columns)) for number, *columns in cursor.fetchall()]
