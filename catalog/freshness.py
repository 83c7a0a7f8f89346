"""How fresh what is shown is: when an entity was seen last, since when it is so, and what was not seen for long."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.db.models import Q
from django.utils.timezone import now

from catalog.asking.paging import seal, unseal
from catalog.models import Entity, Problem, Source
from portal.accounts.tenancy import TenantQuerySet
from portal.kit.errors import Invalid

# What was not seen for so long may be gone for all we know.
STALE = timedelta(days=30)
PAGE = 100


@dataclass(frozen=True)
class Freshness:
    """seen_at   when its description was read last and was good; None where its source is gone
    changed_at   since when it says what it says
    broken_at    since when its file says something that is not admitted, while this is what was known before
    """

    seen_at: datetime | None
    changed_at: datetime
    broken_at: datetime | None = None

    @property
    def is_stale(self) -> bool:
        """Whether nobody has seen it for thirty days."""
        return self.seen_at is None or now() - self.seen_at > STALE


def of_entity(entity: Entity, problems: list[Problem]) -> Freshness:
    """`problems` are the entity's. What is written in the portal is seen whenever it is looked at."""
    source = entity.source
    if source is not None and source.kind == Source.Kind.PORTAL:
        return Freshness(now(), entity.updated_at)
    own = [each for each in problems if each.source_id == entity.source_id and each.finding.is_error]
    broken = min((each.first_seen_at for each in own), default=None)
    seen = source.refreshed_at if source is not None else None
    if broken is not None and seen is not None:
        seen = min(seen, broken)
    return Freshness(seen, entity.updated_at, broken)


def stale_sources(organisation: Any) -> TenantQuerySet[Source]:
    """Sources that have entities and were not read for thirty days, longest first."""
    rows = Source.objects.for_tenant(organisation).exclude(kind=Source.Kind.PORTAL).filter(entity_count__gt=0)
    return rows.filter(Q(refreshed_at=None) | Q(refreshed_at__lt=now() - STALE)).order_by("refreshed_at", "id")


@dataclass(frozen=True)
class PlacePage:
    """Entities in the order of their places; `after` is the cursor of the next page, "" at the end."""

    rows: list[Entity]
    after: str = ""


def entities_at(rows: Any, after: str = "") -> PlacePage:
    """A page of the entities of one source, by file and line. Raises Invalid for a cursor that is not ours."""
    if after:
        path, line, ident = _place(after, str, int, int)
        rows = rows.filter(
            Q(path__gt=path) | Q(path=path, line__gt=line) | Q(path=path, line=line, id__gt=ident), path__gte=path
        )
    found = list(rows.order_by("path", "line", "id")[: PAGE + 1])
    last = found[PAGE - 1] if len(found) > PAGE else None
    return PlacePage(found[:PAGE], seal([last.path, last.line, last.pk]) if last else "")


def removed(rows: Any, after: str = "") -> PlacePage:
    """A page of tombstones, the newest first."""
    rows = rows.filter(removed_at__isnull=False)
    if after:
        at, ident = _place(after, datetime.fromisoformat, int)
        rows = rows.filter(Q(removed_at__lt=at) | Q(removed_at=at, id__lt=ident), removed_at__lte=at)
    found = list(rows.order_by("-removed_at", "-id")[: PAGE + 1])
    last = found[PAGE - 1] if len(found) > PAGE else None
    return PlacePage(found[:PAGE], seal([last.removed_at.isoformat(), last.pk]) if last and last.removed_at else "")


def _place(cursor: str, *types: Any) -> list[Any]:
    content = unseal(cursor)
    try:
        return [kind(part) for kind, part in zip(types, content, strict=True)]
    except (TypeError, ValueError) as error:
        raise Invalid("The cursor belongs to another list. Start again from the first page.", field="after") from error
