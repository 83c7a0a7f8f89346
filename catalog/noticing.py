"""What is nobody's act and yet to be told: what became of what is followed, sources that fail, teams that wait.

Looked at once a minute, set by set. What differs from how it was seen last is told; each thing has a key by which it is
told once, however often it is looked at.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from uuid import UUID

from django.db.models import Q
from django.utils.timezone import now

from catalog.asking.filters import In
from catalog.asking.within import OWNED_BY
from catalog.following import CHANGED, FAILED, HEALTH
from catalog.index.reading import find
from catalog.lists.models import FollowedEntity, Star
from catalog.models import Entity, Source
from catalog.problems import open_of
from portal.accounts.models import AuditEvent, Organisation, Team
from portal.accounts.tenancy import tenant
from portal.clusters.models import Transition
from portal.kit.refs import name_of
from portal.notices.models import FollowedTeam
from portal.notices.telling import Telling, tell

# So many entities of an organisation are followed at most.
MOST = 20_000
# A change of health is looked for so far back: a live process that was away that long tells nothing stale.
LATELY = timedelta(minutes=15)
DOWN, HEALTHY = "Down", "Healthy"
# The acts by which a person changes what is looked at here.
ACTS = (
    "entity.changed", "entity.written", "entity.removed", "entity.restored", "source.removed", "source.moved",
    "source.refreshed", "repository.pushed", "problem.mended",
)  # fmt: skip


def sweep() -> int:
    """Tells what is to be told of every organisation; returns how many things. For the live process."""
    return sum(_look(organisation) for organisation in Organisation.objects.order_by("pk"))


def _look(organisation: Organisation) -> int:
    with tenant(organisation):
        uids = followed(organisation)
        things = [
            *_health(organisation, uids),
            *_differences(organisation, uids),
            *_sources(organisation),
            *_teams(organisation),
        ]
        tell(organisation, things)
    return len(things)


def followed(organisation: Organisation) -> set[UUID]:
    """The entities that anybody follows: starred, or owned by a team that somebody follows."""
    stars = Star.objects.for_tenant(organisation).values_list("entity_uid", flat=True).distinct()
    found = set(stars[:MOST])
    refs = FollowedTeam.objects.for_tenant(organisation).values_list("team__ref", flat=True).distinct()
    if teams := tuple(refs):
        numbers = find(organisation, In(OWNED_BY, teams)).numbers(MOST)
        found |= set(Entity.objects.for_tenant(organisation).filter(num__in=numbers).values_list("uid", flat=True))
    return found


# ---- health ---------------------------------------------------------------------------------------------------------


def _health(organisation: Organisation, uids: set[UUID]) -> Iterable[Telling]:
    """Going down, and coming back after having been down: what flickers in between is told once."""
    if not uids:
        return
    recent = Transition.objects.for_tenant(organisation).filter(at__gte=now() - LATELY)
    rows = recent.filter(entity_uid__in=uids, became__in=[DOWN, HEALTHY]).select_related("cluster")
    found = list(rows.order_by("at", "pk"))
    owners = _owners(organisation, {row.entity_uid for row in found})
    for row in found:
        before = Transition.objects.for_tenant(organisation).filter(
            Q(at__lt=row.at) | Q(at=row.at, pk__lt=row.pk), entity_uid=row.entity_uid, cluster=row.cluster_id
        )
        last = before.filter(became__in=[DOWN, HEALTHY]).order_by("-at", "-pk").values_list("became", flat=True).first()
        if row.became == last or (row.became == HEALTHY and last is None):
            continue
        called, is_down = name_of(row.entity_ref), row.became == DOWN
        yield Telling(
            kind=HEALTH,
            key=f"transition:{row.pk}",
            summary=f"{called} is {'down' if is_down else 'healthy again'} in {row.cluster}",
            at=row.at,
            subject_kind="entity",
            subject_id=str(row.entity_uid),
            subject_label=row.entity_ref,
            data={"owner": owners.get(row.entity_uid, ""), "text": row.sentence if is_down else ""},
        )


def _owners(organisation: Organisation, uids: set[UUID]) -> dict[UUID, str]:
    rows = Entity.objects.for_tenant(organisation).filter(uid__in=uids) if uids else Entity.objects.none()
    return dict(rows.values_list("uid", "owner_ref"))


# ---- what differs from how it was seen last -------------------------------------------------------------------------


def _differences(organisation: Organisation, uids: set[UUID]) -> list[Telling]:
    seen = {row.entity_uid: row for row in FollowedEntity.objects.for_tenant(organisation)}
    if not uids and not seen:
        return []
    rows = Entity.objects.for_tenant(organisation).filter(uid__in=uids).select_related("source")
    slim = rows.only(
        "pk", "organisation_id", "uid", "ref", "title", "name", "lifecycle", "owner_ref", "removed_at",
        "removed_reason", "path", "source__id", "source__kind", "source__target",
    )  # fmt: skip
    entities = {row.uid: row for row in slim}
    broken = _broken(organisation, list(entities.values()))
    who = _Acts(organisation)
    told, fresh, changed = list[Telling](), list[FollowedEntity](), list[FollowedEntity]()
    for uid, row in entities.items():
        is_now = FollowedEntity(
            organisation=organisation, entity_uid=uid, lifecycle=row.lifecycle, is_there=row.removed_at is None,
            is_broken=uid in broken,
        )  # fmt: skip
        was = seen.get(uid)
        if was is None:
            fresh.append(is_now)
        elif _said(was) != _said(is_now):
            told += _told(row, was, is_now, who)
            was.lifecycle, was.is_there, was.is_broken = _said(is_now)
            changed.append(was)
    FollowedEntity.objects.bulk_create(fresh, batch_size=1000, ignore_conflicts=True)
    FollowedEntity.objects.bulk_update(changed, ["lifecycle", "is_there", "is_broken"], batch_size=1000)
    gone = [row.pk for uid, row in seen.items() if uid not in entities]
    FollowedEntity.objects.for_tenant(organisation).filter(pk__in=gone).delete()
    return told


def _said(row: FollowedEntity) -> tuple[str, bool, bool]:
    return row.lifecycle, row.is_there, row.is_broken


def _told(row: Entity, was: FollowedEntity, is_now: FollowedEntity, who: _Acts) -> Iterable[Telling]:
    """What of the difference is worth telling, the weightiest alone."""
    called, text = row.display_name, ""
    if was.is_there and not is_now.is_there:
        said, text = f"{called} was removed", row.removed_reason
    elif not was.is_there and is_now.is_there:
        said = f"{called} is back"
    elif was.lifecycle != is_now.lifecycle and is_now.is_there:
        said = f"{called} is now {is_now.lifecycle or 'without a lifecycle'}"
        text = f"Before it was {was.lifecycle}." if was.lifecycle else ""
    elif is_now.is_broken and not was.is_broken:
        said, text = f"The file of {called} is broken", "What is known of it stays until the file can be read again."
    else:
        return
    person, name = who.did(row)
    yield Telling(
        kind=CHANGED,
        key=f"{row.uid}:{now().isoformat()}",
        summary=said,
        by=person,
        by_name=name,
        subject_kind="entity",
        subject_id=str(row.uid),
        subject_label=row.ref,
        data={"owner": row.owner_ref, "text": text},
    )


def _broken(organisation: Organisation, rows: Sequence[Entity]) -> set[UUID]:
    """Those in whose file something keeps an entity out of the catalog."""
    errors = (
        open_of(organisation)
        .filter(severity=0)
        .filter(
            Q(entity_ref__in=[row.ref for row in rows])
            | Q(entity_ref="", path__in={row.path for row in rows if row.path})
        )
    )
    told = set(errors.values_list("source_id", "path", "entity_ref")) if rows else set()
    return {row.uid for row in rows if {(row.source_id, row.path, row.ref), (row.source_id, row.path, "")} & told}


@dataclass
class _Acts:
    """Who has lately changed what: read once, when something differs."""

    organisation: Organisation
    _events: list[AuditEvent] | None = None

    def did(self, row: Entity) -> tuple[int | None, str]:
        """The person who changed the entity by hand, by its source or by a push; (None, "") for nobody."""
        if self._events is None:
            rows = AuditEvent.objects.for_tenant(self.organisation).filter(at__gte=now() - LATELY, verb__in=ACTS)
            self._events = list(rows.order_by("-at", "-pk")[:500])
        for event in self._events:
            if self._is_about(event, row):
                return event.actor_id, event.actor_label
        return None, ""

    def _is_about(self, event: AuditEvent, row: Entity) -> bool:
        if event.subject_kind == "entity":
            return event.subject_id == str(row.pk) or event.subject_label == row.ref
        if event.subject_kind == "repository":
            source = row.source
            return source is not None and source.kind == Source.Kind.REPOSITORY and event.subject_label == source.target
        if event.subject_kind == "source":
            is_its = row.source is not None and event.subject_id == str(row.source.pk)
            return is_its or (event.verb == "source.removed" and event.subject_label in row.removed_reason)
        return False


# ---- sources and teams ----------------------------------------------------------------------------------------------


def _sources(organisation: Organisation) -> Iterable[Telling]:
    """Those that cannot be read: once for each time that it begins."""
    rows = Source.objects.for_tenant(organisation).filter(state=Source.State.FAILED, failures__gte=1)
    for row in rows.order_by("pk")[:1000]:
        yield Telling(
            kind=FAILED,
            key=f"{row.uid}:{row.refreshed_at.isoformat() if row.refreshed_at else 'never'}",
            summary=f"{row.label} cannot be read",
            subject_kind="source",
            subject_id=str(row.pk),
            subject_label=row.label,
            data={"created_by": row.created_by_id, "text": row.state_text},
        )


def _teams(organisation: Organisation) -> Iterable[Telling]:
    """Those that wait for somebody to confirm them; who made one waits, too, and knows it."""
    waiting = list(Team.objects.for_tenant(organisation).exclude(waits_since=None).order_by("pk")[:1000])
    made = AuditEvent.objects.for_tenant(organisation).filter(
        verb="team.created", subject_kind="team", subject_id__in=[str(team.pk) for team in waiting]
    )
    by = {event.subject_id: event for event in made} if waiting else {}
    for team in waiting:
        event = by.get(str(team.pk))
        yield Telling(
            kind="team.waits",
            key=f"{team.pk}:{team.waits_since.isoformat() if team.waits_since else ''}",
            summary=f"The team {team} waits to be confirmed",
            at=team.waits_since,
            by=event.actor_id if event else None,
            by_name=event.actor_label if event else "",
            subject_kind="team",
            subject_id=str(team.pk),
            subject_label=team.name,
        )
