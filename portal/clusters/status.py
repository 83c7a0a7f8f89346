"""The current status of entities and clusters, as live wrote it to Valkey and web reads it.

One hash for each cluster: a field for each entity, `_cluster` for the cluster itself, `_epoch` to fence old writers;
and one small key that says in which state the cluster is watched, and that vanishes when nobody watches. Every
page goes by that key. Losing all of it loses nothing: live writes it again from what it watches. What is not there is
Unknown.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Mapping
from datetime import datetime
from typing import cast
from uuid import UUID

import msgspec
from django.db.models import QuerySet

from portal.clusters.health.judging import hint, note, roll_up, sentence, worst_badge
from portal.clusters.health.terms import Badge, Health, badge
from portal.clusters.models import LIMITED, SYNCED, Binding, Cluster
from portal.kit import away
from portal.kit.errors import NotFound
from portal.kit.statements import written_once
from portal.kit.valkey import valkey

log = logging.getLogger(__name__)

# how long a heartbeat is believed: three of them may be lost
FRESH_MILLISECONDS = 6_500
FRESH_STATES = frozenset({SYNCED.encode(), LIMITED.encode()})
CLUSTER_FIELD = "_cluster"
EPOCH_FIELD = "_epoch"
# what is remembered of a pod, by its uid: for live alone, so that a restart of it forgets nothing
MEMORY_FIELD = "_memory:"
# heard by live alone: no page has these topics
BINDINGS_TOPIC = "registry:bindings"
CLUSTERS_TOPIC = "registry:clusters"


class Judged(msgspec.Struct, frozen=True, kw_only=True):
    """Anything with a health; the words are made when they are read."""

    health: Health

    @property
    def badge(self) -> Badge:
        """One word."""
        return badge(self.health)

    @property
    def sentence(self) -> str:
        """What is the case."""
        return sentence(self.health)

    @property
    def hint(self) -> str:
        """What to do about it."""
        return hint(self.health)

    @property
    def notes(self) -> list[str]:
        """What else is worth saying."""
        return [note(item) for item in self.health.notes]


class ContainerRow(msgspec.Struct, frozen=True):
    """A container of a pod."""

    name: str
    is_ready: bool
    state: str
    restarts: int
    image: str = ""
    is_init: bool = False


class PodRow(Judged, frozen=True, kw_only=True):
    """A pod of a workload."""

    namespace: str
    name: str
    phase: str
    containers: tuple[ContainerRow, ...] = ()
    started_at: datetime | None = None
    node: str = ""
    warning: str = ""
    warned_at: datetime | None = None
    # The entity that the pod itself names: by Slipway's label, by Backstage's; see reach.LogReach.
    entity_label: str = ""
    kubernetes_id: str = ""

    @property
    def restarts(self) -> int:
        """Of all its containers."""
        return sum(item.restarts for item in self.containers)

    @property
    def ready(self) -> str:
        """How many of its containers are ready, as kubectl writes it."""
        serving = [item for item in self.containers if not item.is_init]
        return f"{sum(item.is_ready for item in serving)}/{len(serving)}"


class PodsBeside(msgspec.Struct, frozen=True):
    """Pods of a workload beyond those that are shown, by name: all that the right to their logs depends on.

    Those that wear the same labels and have the same containers stand together.
    """

    entity_label: str = ""
    kubernetes_id: str = ""
    containers: tuple[str, ...] = ()
    names: tuple[str, ...] = ()


class WorkloadRow(Judged, frozen=True, kw_only=True):
    """A workload, or another object, of an entity."""

    kind: str
    namespace: str
    name: str
    images: tuple[str, ...] = ()
    available: int | None = None
    wanted: int | None = None
    pods: tuple[PodRow, ...] = ()
    more_pods: int = 0
    beside: tuple[PodsBeside, ...] = ()
    warning: str = ""
    warned_at: datetime | None = None


class EntityRow(Judged, frozen=True, kw_only=True):
    """An entity in one cluster, as the hash holds it. `since`: since when its badge holds; `as_of`: all of it."""

    entity_ref: str
    as_of: datetime
    since: datetime | None = None
    workloads: tuple[WorkloadRow, ...] = ()


class NodeRow(Judged, frozen=True, kw_only=True):
    """A node; cpu in thousandths, memory in bytes."""

    name: str
    version: str = ""
    cpu: int = 0
    memory: int = 0
    pods: int = 0
    cpu_asked: int = 0
    memory_asked: int = 0
    pods_running: int = 0


class KindRow(msgspec.Struct, frozen=True):
    """How one kind is being followed."""

    kind: str
    served_as: str
    count: int
    is_followed: bool
    trouble: str = ""


class ClusterRow(msgspec.Struct, frozen=True, kw_only=True):
    """A cluster as live saw it last; `is_fresh` is filled in by whoever reads it: somebody is watching, right now."""

    state: str
    is_fresh: bool = False
    state_text: str = ""
    version: str = ""
    nodes: tuple[NodeRow, ...] = ()
    kinds: tuple[KindRow, ...] = ()
    namespaces: tuple[str, ...] = ()
    teams: dict[str, str] = {}  # of namespaces that say for which team they are: its slug
    listed: tuple[WorkloadRow, ...] = ()
    quarantined: int = 0
    workloads: int = 0
    pods: int = 0


class PlacedStatus(msgspec.Struct, frozen=True):
    """An entity's status in one cluster, with the cluster's name for the page."""

    cluster_slug: str
    cluster_name: str
    is_fresh: bool
    row: EntityRow


class Looked(msgspec.Struct, frozen=True):
    """A cluster in which an entity was looked for."""

    slug: str
    name: str


class EntityStatus(Judged, frozen=True, kw_only=True):
    """An entity across clusters: the worst of those that are being watched; Unknown when none of its own is.

    `silent` names the clusters of which there is no current view: it may have workloads there that nobody sees.
    `since`: since when the badge holds. `looked_in`: all clusters that were asked.
    """

    as_of: datetime | None = None
    since: datetime | None = None
    places: tuple[PlacedStatus, ...] = ()
    silent: tuple[str, ...] = ()
    looked_in: tuple[Looked, ...] = ()

    @property
    def is_seen(self) -> bool:
        """Whether anything is known of it now."""
        return any(place.is_fresh for place in self.places)

    @property
    def lost(self) -> list[str]:
        """The names of the clusters where it was seen, and of which there is no current view."""
        return list(dict.fromkeys(place.cluster_name for place in self.places if not place.is_fresh))

    @property
    def unknown_in(self) -> tuple[str, ...]:
        """The names of the clusters that keep anything from being known of it."""
        return () if self.is_seen else self.silent

    @property
    def workloads(self) -> list[WorkloadRow]:
        """Of all clusters."""
        return [workload for place in self.places for workload in place.row.workloads]


ENTITY = msgspec.json.Decoder(EntityRow)
CLUSTER = msgspec.json.Decoder(ClusterRow)
STALE = Health("Unknown", "Stable", "unknown")
UNSEEN = Judged(health=STALE)


def hash_key(organisation_id: int, cluster_uid: UUID | str) -> str:
    """The name of a cluster's hash."""
    return f"status:{organisation_id}:{cluster_uid}"


def badges_key(organisation_id: int, cluster_uid: UUID | str) -> str:
    """The name of the small hash beside it: a field for each entity, its badge. What filters by health reads."""
    return f"badges:{organisation_id}:{cluster_uid}"


def fresh_key(organisation_id: int, cluster_uid: UUID | str) -> str:
    """The name of the key that says whether a cluster is being watched."""
    return f"fresh:{organisation_id}:{cluster_uid}"


class View(msgspec.Struct, frozen=True):
    """What is known of one cluster: whether somebody is watching it right now, and the fields that were asked for."""

    is_fresh: bool
    values: list[bytes | None]


def look(clusters: list[Cluster], fields: list[str]) -> list[View]:
    """Whether each cluster can be believed, and the same fields of each one's hash, in one round trip.

    The only reader of freshness: every page goes by this. While Valkey is away nothing is known.
    """
    if not clusters:
        return []
    try:
        pipe = valkey().pipeline(transaction=False)
        pipe.mget([fresh_key(cluster.organisation_id, cluster.uid) for cluster in clusters])
        for cluster in clusters if fields else ():
            pipe.hmget(hash_key(cluster.organisation_id, cluster.uid), fields)
        states, *answers = pipe.execute()
    except away.BROKER as error:
        log.warning("status cannot be read: %s", error)
        return [View(False, [None] * len(fields)) for _ in clusters]
    if not fields:
        answers = [[] for _ in clusters]
    return [View(state in FRESH_STATES, values) for state, values in zip(states, answers, strict=True)]


BADGE_OF = msgspec.json.Decoder(Judged)


def badges_of(said: Mapping[str, bytes]) -> dict[str, bytes]:
    """The badges of entity rows as the big hash holds them; b"" for what is gone."""
    return {uid: BADGE_OF.decode(raw).badge.encode() if raw else b"" for uid, raw in said.items()}


def badges(organisation_id: int) -> dict[str, Badge]:
    """The badge of every entity that has one, by uid as text: one round trip, and two small statements.

    As `of_entities` tells it: the worst of the clusters that are watched; Unknown where none of its own is.
    """
    clusters = _clusters(organisation_id)
    if not clusters:
        return {}
    seen: dict[str, list[Badge]] = {}
    hidden: set[str] = set()
    is_all_seen = True
    for is_fresh, held in _look_at_badges(clusters):
        is_all_seen = is_all_seen and is_fresh
        for uid, word in held.items():
            if is_fresh:
                seen.setdefault(uid, []).append(cast(Badge, word))
            else:
                hidden.add(uid)
    if not is_all_seen:
        bound = Binding.objects.for_tenant(organisation_id).values_list("entity_uid", flat=True)
        hidden.update(str(uid) for uid in bound)
    found: dict[str, Badge] = dict.fromkeys(hidden, "Unknown")
    return found | {uid: worst_badge(words) for uid, words in seen.items()}


def _look_at_badges(clusters: list[Cluster]) -> list[tuple[bool, dict[str, str]]]:
    """Whether each cluster is watched, and the badges that were last told of it. While Valkey is away, nothing."""
    try:
        pipe = valkey().pipeline(transaction=False)
        pipe.mget([fresh_key(cluster.organisation_id, cluster.uid) for cluster in clusters])
        for cluster in clusters:
            pipe.hgetall(badges_key(cluster.organisation_id, cluster.uid))
        states, *answers = pipe.execute()
    except away.BROKER as error:
        log.warning("status cannot be read: %s", error)
        return [(False, {}) for _ in clusters]
    return [
        (state in FRESH_STATES, {uid.decode(): word.decode() for uid, word in held.items() if not uid.startswith(b"_")})
        for state, held in zip(states, answers, strict=True)
    ]


@written_once
def _clusters(organisation_id: int) -> QuerySet[Cluster]:
    columns = ("organisation_id", "uid", "slug", "name", "state", "state_text")
    return Cluster.objects.for_tenant(organisation_id).only(*columns)


def of_clusters(clusters: list[Cluster]) -> dict[int, ClusterRow | None]:
    """What live last said of each cluster, by primary key; None where it said nothing. Stale rows are not green."""
    rows: dict[int, ClusterRow | None] = {}
    for cluster, view in zip(clusters, look(clusters, [CLUSTER_FIELD]), strict=True):
        row = CLUSTER.decode(view.values[0]) if view.values[0] else None
        if row:
            row = msgspec.structs.replace(row, is_fresh=True) if view.is_fresh else _unknown(row)
        rows[cluster.pk] = row
    return rows


def _unknown(row: ClusterRow) -> ClusterRow:
    """A cluster that nobody watches: what it had is told, how it is nobody knows."""
    nodes = tuple(msgspec.structs.replace(item, health=STALE) for item in row.nodes)
    listed = tuple(msgspec.structs.replace(item, health=STALE) for item in row.listed)
    return msgspec.structs.replace(row, nodes=nodes, listed=listed)


def _everything(organisation_id: int, wanted: list[str]) -> dict[str, EntityStatus]:
    """The status of every entity that is asked for, those that have nothing to show included."""
    clusters = _clusters(organisation_id)
    places: dict[str, list[PlacedStatus]] = {uid: [] for uid in wanted}
    views = look(clusters, wanted)
    silent = tuple(cluster.name for cluster, view in zip(clusters, views, strict=True) if not view.is_fresh)
    for cluster, view in zip(clusters, views, strict=True):
        for uid, raw in zip(wanted, view.values, strict=True):
            if raw:
                places[uid].append(PlacedStatus(cluster.slug, cluster.name, view.is_fresh, ENTITY.decode(raw)))
    asked = tuple(Looked(cluster.slug, cluster.name) for cluster in clusters)
    return {uid: _together(found, silent, asked) for uid, found in places.items()}


def of_entities(organisation_id: int, uids: Iterable[UUID | str]) -> dict[str, EntityStatus]:
    """The status of each entity that has one, by uid as text. One round trip, however many.

    One that is bound to workloads and of which nothing is known while a cluster is out of view has one: Unknown.
    """
    return worth_telling(organisation_id, _everything(organisation_id, [str(uid) for uid in uids]))


def worth_telling(organisation_id: int, found: dict[str, EntityStatus]) -> dict[str, EntityStatus]:
    """Those of the statuses that are one: something was seen, or is bound and out of view. At most one statement."""
    unseen = [uid for uid, status in found.items() if not status.places and status.silent]
    bound: set[str] = set()
    if unseen:
        rows = Binding.objects.for_tenant(organisation_id).filter(entity_uid__in=unseen)
        bound = {str(uid) for uid in rows.values_list("entity_uid", flat=True)}
    return {uid: status for uid, status in found.items() if status.places or uid in bound}


def _together(places: list[PlacedStatus], silent: tuple[str, ...], looked_in: tuple[Looked, ...]) -> EntityStatus:
    """What is known stays known: the clusters that are lost are named, and decide only when they are all there is."""
    seen = [place.row for place in places if place.is_fresh]
    health = roll_up([row.health for row in seen]) if seen else STALE
    as_of = max((row.as_of for row in seen or [place.row for place in places]), default=None)
    worn = [row.since for row in seen if row.since and badge(row.health) == badge(health)]
    since = min(worn, default=None)
    return EntityStatus(
        health=health, as_of=as_of, since=since, places=tuple(places), silent=silent, looked_in=looked_in
    )


# (organisation, uid) -> whether the catalog has such an entity: said by the catalog, which stands above this room.
Knows = Callable[[int, UUID], bool]
_knows: list[Knows] = []


def entities_from(knows: Knows) -> None:
    """The catalog says here which entities there are."""
    _knows[:] = [knows]


def asked_of(organisation_id: int, uid: UUID) -> EntityStatus:
    """The status of an entity that somebody asks for by its uid; NotFound where neither the catalog nor any cluster
    knows it."""
    found = of_entity(organisation_id, uid)
    if not found.places and not any(knows(organisation_id, uid) for knows in _knows):
        raise NotFound("There is no such entity.")
    return found


def of_entity(organisation_id: int, uid: UUID | str) -> EntityStatus:
    """The status of one entity; Unknown without places when nothing is known."""
    return _everything(organisation_id, [str(uid)])[str(uid)]


def freshness(organisation_id: int) -> frozenset[str]:
    """The clusters that somebody is watching right now: what turns stale announces nothing."""
    clusters = _clusters(organisation_id)
    return frozenset(cluster.slug for cluster, view in zip(clusters, look(clusters, []), strict=True) if view.is_fresh)


class BoundPod(msgspec.Struct, frozen=True):
    """A pod as the entities that it is bound to know it: what it wears, its containers, and uid -> reference.

    namespace_team is the slug of the team that its namespace says it is for.
    """

    entity_label: str = ""
    kubernetes_id: str = ""
    containers: tuple[str, ...] = ()  # their names, main ones first
    entities: dict[str, str] = {}
    namespace_team: str = ""


def pod_of(cluster: Cluster, namespace: str, pod: str) -> BoundPod:
    """The pod and every entity whose status knows it; an empty one where none does."""
    try:
        found = cast(dict[bytes, bytes], valkey().hgetall(hash_key(cluster.organisation_id, cluster.uid)))
    except away.BROKER:
        return BoundPod()
    known, entities = BoundPod(), {}
    for field, raw in found.items():
        if field.startswith(b"_") or pod.encode() not in raw:
            continue
        entity = ENTITY.decode(raw)
        seen = next((one for row in entity.workloads if (one := _pod_in(row, namespace, pod)) is not None), None)
        if seen is not None:
            known, entities[field.decode()] = seen, entity.entity_ref
    row = found.get(CLUSTER_FIELD.encode())
    teams = CLUSTER.decode(row).teams if row is not None else {}
    return msgspec.structs.replace(known, entities=entities, namespace_team=teams.get(namespace, ""))


def _pod_in(workload: WorkloadRow, namespace: str, pod: str) -> BoundPod | None:
    """A pod of a workload, shown or not."""
    for row in workload.pods:
        if (row.namespace, row.name) == (namespace, pod):
            containers = tuple(item.name for item in sorted(row.containers, key=lambda item: item.is_init))
            return BoundPod(row.entity_label, row.kubernetes_id, containers)
    for group in workload.beside if workload.namespace == namespace else ():
        if pod in group.names:
            return BoundPod(group.entity_label, group.kubernetes_id, group.containers)
    return None
