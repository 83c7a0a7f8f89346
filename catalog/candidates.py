"""Which entities may be what somebody typed: few, and quickly; catalog/asking/ranking.py puts them in order."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from catalog.asking.filters import All, Node
from catalog.index import finding
from catalog.index.rows import first, numbered
from catalog.models import Entity
from portal.accounts.models import Organisation
from portal.kit.searching import Sought


def candidates(
    organisation: Organisation, asked: Sought, *, most: int, within: Node | None = None, mine: Collection[str] = ()
) -> list[Entity]:
    """Entities that have the words, then with small mistakes, then that have some of them; all of `within` by name
    where there are no words. Of too many, what the owners in `mine` own is among those that are given."""
    if not asked.words:
        return first(organisation, within or All(()), most)[0]
    found = finding.candidates(organisation, asked.words, asked.text, most=most, within=within, mine=mine)
    if not found:
        meant = corrections(organisation, asked.words)
        if meant != list(asked.words):
            found = finding.candidates(organisation, meant, " ".join(meant), most=most, within=within, mine=mine)
        if not found and len(asked.words) > 1:
            found = finding.some_of(organisation, dict.fromkeys([*asked.words, *meant]), most=most, within=within)
    return numbered(organisation, found)


def corrections(organisation: Organisation, words: Sequence[str]) -> list[str]:
    """Each word as it is used in names here, where it is a small mistake away from one: one statement."""
    near = finding.near(organisation, set(words))
    return [near[word][0] if word in near else word for word in words]
