"""Names that several sources describe: who has one, what the others say, and what an admin chose."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping

from catalog.descriptors.parsing import ParsedEntity
from catalog.intake.reading import FoundEntity
from catalog.models import Entity, NameChoice, NameClaim, Source
from portal.accounts.tenancy import TenantQuerySet

BATCH = 500


def claims_of(organisation_id: int) -> TenantQuerySet[NameClaim]:
    """Every description that has lost its name."""
    return NameClaim.objects.for_tenant(organisation_id)


def chosen(organisation_id: int, refs: Iterable[str]) -> dict[str, int]:
    """The source that an admin gave each of these names to, where one did."""
    wanted = list(refs)
    if not wanted:
        return {}
    rows = NameChoice.objects.for_tenant(organisation_id).filter(ref__in=wanted)
    return dict(rows.values_list("ref", "source_id"))


def keep(source: Source, found: Iterable[FoundEntity]) -> None:
    """Keeps what the source says of names that others have. Inside the tenant; writes what is new or changed."""
    told = {each.ref: each for each in found}
    if not told:
        return
    rows = claims_of(source.organisation_id).filter(source=source, ref__in=told)
    known = dict(rows.values_list("ref", "digest"))
    fresh = [each for ref, each in told.items() if known.get(ref) != each.digest]
    NameClaim.objects.bulk_create(
        [_row(source, each) for each in fresh],
        batch_size=BATCH,
        update_conflicts=True,
        unique_fields=["organisation", "ref", "source"],
        update_fields=["path", "line", "digest", "document", "raw", "raw_line"],
    )


def drop(source: Source, refs: Collection[str]) -> None:
    """The source claims these names no longer."""
    if refs:
        claims_of(source.organisation_id).filter(source=source, ref__in=refs).delete()


def give_up(rows: Iterable[Entity], texts: Mapping[int, FoundEntity]) -> None:
    """Entities change their source: what the one before said of them stays as its claim."""
    for row in rows:
        if row.source is not None and row.pk in texts:
            keep(row.source, [texts[row.pk]])


def _row(source: Source, found: FoundEntity) -> NameClaim:
    entity = found.entity
    return NameClaim(
        organisation_id=source.organisation_id,
        source=source,
        ref=found.ref,
        path=found.path[:1000],
        line=entity.line,
        digest=found.digest,
        document=entity.document,
        raw=entity.raw,
        raw_line=entity.raw_line,
    )


def found_in(claim: NameClaim) -> FoundEntity:
    """The description as it was read."""
    entity = ParsedEntity(claim.document, claim.line, claim.raw, claim.raw_line)
    return FoundEntity(entity, claim.path, claim.digest)
