"""Which entities may be what somebody typed: few, and quickly; catalog/asking/ranking.py puts them in order."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence

from django.contrib.postgres.search import SearchQuery
from django.db.models import Case, IntegerField, Q, Value, When
from django.db.models.functions import Length

from catalog.asking.filters import All, Node
from catalog.asking.query import Entities, entities_of, where
from catalog.asking.ranking import nearest
from catalog.models import Entity
from portal.accounts.models import Organisation
from portal.kit.searching import Sought

SHOWN = (
    "id", "uid", "organisation_id", "kind", "namespace", "name", "ref", "title", "description", "type", "lifecycle",
    "owner_ref", "system_ref", "tags", "sort_name",
)  # fmt: skip
# Names that are looked through for small mistakes.
MOST_NAMES = 5_000


def candidates(
    organisation: Organisation, asked: Sought, *, most: int, within: Node | None = None, mine: Collection[str] = ()
) -> list[Entity]:
    """Entities that have the words, then with small mistakes, then that have some of them; all of `within` by name
    where there are no words. Of too many, what the owners in `mine` own is among those that are given."""
    rows = entities_of(organisation).filter(where(within or All(()))).only(*SHOWN)
    if not asked.words:
        return list(rows.order_by("sort_name", "id")[:most])
    found = list(_nearest_first(rows.filter(_has(asked.words, asked.whole)), asked, mine)[:most])
    if not found:
        meant = list(corrections(organisation, asked.words))
        if meant != list(asked.words):
            found = list(_nearest_first(rows.filter(_has(meant, "".join(meant))), asked, mine)[:most])
        if not found and len(asked.words) > 1:
            found = list(_nearest_first(rows.filter(_any([*asked.words, *meant])), asked, mine)[:most])
    return found


def corrections(organisation: Organisation, words: Sequence[str]) -> list[str]:
    """Each word as it is used in names here, where it is a small mistake away from one."""
    names = entities_of(organisation).order_by("id").values_list("words", flat=True)[:MOST_NAMES]
    known = {word.lower() for text in names for word in text.split()}
    return [word if word in known else nearest(word, sorted(known)) or word for word in words]


def _nearest_first(rows: Entities, asked: Sought, mine: Collection[str]) -> Entities:
    exact = Case(
        When(name__iexact=asked.text, then=Value(0)),
        When(name__istartswith=asked.text, then=Value(1)),
        When(owner_ref__in=list(mine), then=Value(2)),
        default=Value(3),
        output_field=IntegerField(),
    )
    ordered: Entities = rows.order_by(exact, Length("name"), "sort_name", "id")
    return ordered


def _has(words: Iterable[str], whole: str) -> Q:
    every = " & ".join(f"{word}:*" for word in words)
    return Q(search=SearchQuery(f"({every}) | {whole}:*", search_type="raw", config="simple"))


def _any(words: Iterable[str]) -> Q:
    return Q(search=SearchQuery(" | ".join(f"{word}:*" for word in words), search_type="raw", config="simple"))
