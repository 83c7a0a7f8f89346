"""Recognises an entity under a new name: the same file of the same source, and a document that says the same."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from django.utils.timezone import now

from catalog.descriptors.kinds import KINDS
from catalog.index import writing
from catalog.intake.reading import FoundEntity
from catalog.models import Entity, FormerName, Source
from portal.accounts.actor import Actor
from portal.accounts.audit import record

# From this likeness on two documents are one entity under two names; 1 is the same but for the name.
ALIKE = 0.75
NAMES = ("name", "title", "uid", "etag")


def renamed(source: Source, fresh: Sequence[FoundEntity], files: Mapping[str, set[str]]) -> dict[str, Entity]:
    """By new reference, the rows that these new entities are, under another name. Writes nothing.

    fresh  entities whose references no row has
    files  what each of their files describes now, by path
    A name that its file no longer describes becomes the name beside which it is not described: when the document bears
    its uid, or when one entity went and one like it came.
    """
    new = [each for each in fresh if _may_move(each)]
    paths = sorted({each.path for each in new})
    if not paths or source.pk is None:
        return {}
    rows = Entity.objects.for_tenant(source.organisation_id).filter(source=source, path__in=paths, removed_at=None)
    there = set[str]().union(*files.values())
    gone = [row for row in rows.select_related("body", "source") if row.ref not in there]
    if not gone:
        return {}
    found = {each.ref: row for each in new for row in gone if _says_uid(each) == str(row.uid)}
    taken = {row.pk for row in found.values()}
    by_place = defaultdict[tuple[str, str], tuple[list[FoundEntity], list[Entity]]](lambda: ([], []))
    for each in new:
        if each.ref not in found:
            by_place[each.path, each.entity.ref.kind.lower()][0].append(each)
    for row in gone:
        if row.pk not in taken:
            by_place[row.path, row.kind.lower()][1].append(row)
    for came, went in by_place.values():
        if len(came) == len(went) == 1 and likeness(came[0].entity.document, went[0].body.document) >= ALIKE:
            found[came[0].ref] = went[0]
    return found


def _may_move(found: FoundEntity) -> bool:
    """A team has an identity of its own: catalog/teams.py."""
    kind = KINDS.get(found.entity.ref.kind)
    return kind is not None and not kind.is_team


def _says_uid(found: FoundEntity) -> str:
    return str(found.entity.document["metadata"].get("uid") or "").lower()


def likeness(one: Mapping[str, Any], other: Mapping[str, Any]) -> float:
    """How much two documents say the same, from 0 to 1, their names left out: what both say, of all that is said."""
    first, second = _told(one), _told(other)
    return 2 * len(first & second) / (len(first) + len(second))


def _told(document: Mapping[str, Any]) -> set[str]:
    metadata = {key: value for key, value in document["metadata"].items() if key not in NAMES}
    return set(_leaves({**document, "metadata": metadata}, ""))


def _leaves(value: Any, path: str) -> Iterator[str]:
    if isinstance(value, dict):
        for key, inner in value.items():
            yield from _leaves(inner, f"{path}.{key}")
    elif isinstance(value, list):
        # Where in a list something stands says nothing of what it is.
        for inner in value:
            yield from _leaves(inner, f"{path}[]")
    else:
        yield f"{path}={value!r}"


def rename(row: Entity, found: FoundEntity, commit: str) -> None:
    """Gives the row its new name; what it says is written afterwards. Its key, uid, history and owners stay."""
    before, now_called = row.ref, found.entity.ref
    organisation_id = row.organisation_id
    writing.bury(organisation_id, [row.pk], f"It is now called {found.ref}.")
    Entity.objects.for_tenant(organisation_id).filter(pk=row.pk).update(
        ref=found.ref, kind=now_called.kind, namespace=now_called.namespace, name=now_called.name
    )
    row.ref = found.ref
    FormerName.objects.for_tenant(organisation_id).filter(ref=found.ref).delete()
    FormerName.objects.update_or_create(
        organisation_id=organisation_id,
        ref=before,
        defaults={"entity_id": row.pk, "renamed_at": now(), "commit": commit[:100]},
    )
    record(
        organisation=organisation_id,
        actor=Actor.slipway(),
        verb="entity.renamed",
        subject=row,
        subject_label=found.ref,
        summary=f"Found {before} under its new name, {found.ref}",
        data={"was": before, "is": found.ref, "commit": commit},
    )
