"""Which entities may be what somebody typed: few, and quickly; catalog/asking/ranking.py puts them in order."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from django.db import connection

from catalog.asking.filters import All, Node
from catalog.asking.operations import NamedOperation, operations_of
from catalog.asking.query import entities_of
from catalog.index import finding
from catalog.index.ordering import Order, page
from catalog.index.reading import find
from catalog.models import Body, Entity
from portal.accounts.models import Organisation
from portal.kit.searching import Sought

SHOWN = (
    "id", "uid", "num", "organisation_id", "kind", "namespace", "name", "ref", "title", "description", "type",
    "lifecycle", "owner_ref", "system_ref", "tags", "sort_name",
)  # fmt: skip
FEW = 12
# APIs whose definitions are read for their operations.
MOST_APIS = 5


def chosen(
    organisation: Organisation,
    asked: Sought,
    *,
    most: int,
    within: Node | None = None,
    mine: Collection[str] = (),
    few: int = FEW,
) -> list[Entity]:
    """Entities that have the words, then the letters, then words with small mistakes, then some of the words; all of
    `within` by name where there are no words. Of too many, what the owners in `mine` own is among those given.

    few  with fewer than this, names that only have the letters somewhere are looked for as well
    """
    if asked.words:
        numbers = _numbers(organisation, asked, most, within, mine, few)
    else:
        numbers = _by_name(organisation, within or All(()), most)
    return list(entities_of(organisation).filter(num__in=numbers).only(*SHOWN)) if numbers else []


def _numbers(
    organisation: Organisation, asked: Sought, most: int, within: Node | None, mine: Collection[str], few: int
) -> list[int]:
    words, whole = asked.words, asked.whole
    found = finding.candidates(organisation, words, whole, most=most, within=within, mine=mine)
    if len(found) < few:
        found += finding.alike(organisation, words, most=most - len(found), within=within)
    if found:
        return found
    meant = corrections(organisation, words)
    if meant != list(words):
        found = finding.candidates(organisation, meant, "".join(meant), most=most, within=within, mine=mine)
    if not found and len(words) > 1:
        found = finding.some_of(organisation, {*words, *meant}, most=most, within=within)
    return found or finding.alike(organisation, words, most=most, within=within, is_close=True)


def corrections(organisation: Organisation, words: Sequence[str]) -> list[str]:
    """Each word as names here use it, where it is a small mistake away from one. One statement."""
    known = finding.near(organisation, words)
    return [known[word][0] if known.get(word) else word for word in words]


def _by_name(organisation: Organisation, within: Node, most: int) -> list[int]:
    shown = page(find(organisation, within), Order(), size=most)
    with connection.cursor() as cursor:
        cursor.execute(shown.sql, shown.parameters)
        return [row[1] for row in cursor.fetchall()[:most]]


def operations(
    organisation: Organisation, asked: Sought, *, within: Node | None = None, mine: Collection[str] = ()
) -> list[tuple[Entity, NamedOperation]]:
    """Operations of APIs that have all the words, of few APIs."""
    numbers = finding.with_operations(organisation, asked.words, most=MOST_APIS, within=within, mine=mine)
    if not numbers:
        return []
    bodies = Body.objects.for_tenant(organisation).filter(entity__num__in=numbers, entity__removed_at=None)
    return [
        (body.entity, one)
        for body in bodies.select_related("entity").order_by("entity__num")
        for one in operations_of((body.document.get("spec") or {}).get("definition"))
        if one.has(asked.words)
    ]
