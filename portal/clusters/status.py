"""The current status of entities and clusters, as live wrote it to Valkey and web reads it.

One hash for each cluster: a field for each entity, `_cluster` for the cluster itself, `_epoch` to fence old writers.
Losing it loses nothing: live writes it again from what it watches. What is not there is Unknown.
"""

from __future__ import annotations

import logging
import time
from collections import Counter
from collections.abc import Iterable
from datetime import datetime
from typing import cast
from uuid import UUID

import msgspec
from redis.exceptions import ConnectionError as BrokerAway
from redis.exceptions import TimeoutError as BrokerSlow

from portal.clusters.health.judging import hint, note, roll_up, sentence
from portal.clusters.health.terms import Badge, Health, badge
from portal.clusters.models import LIMITED, SYNCED, Cluster
from portal.kit.live import valkey

log = logging.getLogger(__name__)

FRESH_SECONDS = 20.0
CLUSTER_FIELD = "_cluster"
EPOCH_FIELD = "_epoch"
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
    warning: str = ""
    warned_at: datetime | None = None


class EntityRow(Judged, frozen=True, kw_only=True):
    """An entity in one cluster: what the hash holds."""

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
    """A cluster as live sees it."""

    beat: float
    state: str
    state_text: str = ""
    version: str = ""
    nodes: tuple[NodeRow, ...] = ()
    kinds: tuple[KindRow, ...] = ()
    namespaces: tuple[str, ...] = ()
    listed: tuple[WorkloadRow, ...] = ()
    quarantined: int = 0
    workloads: int = 0
    pods: int = 0

    @property
    def is_fresh(self) -> bool:
        """Whether somebody is watching, right now."""
        return self.state in (SYNCED, LIMITED) and time.time() - self.beat < FRESH_SECONDS


class Placed(msgspec.Struct, frozen=True):
    """An entity's status in one cluster, with the cluster's name for the page."""

    cluster_slug: str
    cluster_name: str
    is_fresh: bool
    row: EntityRow


class EntityStatus(Judged, frozen=True, kw_only=True):
    """An entity across clusters: the worst of them; Unknown where a cluster is stale or nothing is known.

    `since` is the moment from which it has worn its badge: other facts, such as a count of restarts, do not move it.
    `silent` names the clusters of which there is no current view: it may have workloads there that nobody sees.
    """

    as_of: datetime | None = None
    since: datetime | None = None
    places: tuple[Placed, ...] = ()
    silent: tuple[str, ...] = ()

    @property
    def workloads(self) -> list[WorkloadRow]:
        """Of all clusters."""
        return [workload for place in self.places for workload in place.row.workloads]


class Summary(msgspec.Struct, frozen=True):
    """An organisation's entities by badge."""

    by_badge: dict[str, int]

    @property
    def total(self) -> int:
        """Entities that have workloads."""
        return sum(self.by_badge.values())


ENTITY = msgspec.json.Decoder(EntityRow)
CLUSTER = msgspec.json.Decoder(ClusterRow)
JUDGED = msgspec.json.Decoder(Judged)
STALE = Health("Unknown", "Stable", "unknown")


def hash_key(organisation_id: int, cluster_uid: UUID | str) -> str:
    """The name of a cluster's hash."""
    return f"status:{organisation_id}:{cluster_uid}"


def _read(clusters: list[Cluster], fields: list[str]) -> list[list[bytes | None]]:
    """The same fields of every cluster's hash in one round trip; all missing while Valkey is away."""
    if not clusters or not fields:
        return [[None] * len(fields) for _ in clusters]
    try:
        pipe = valkey().pipeline(transaction=False)
        for cluster in clusters:
            pipe.hmget(hash_key(cluster.organisation_id, cluster.uid), fields)
        answers: list[list[bytes | None]] = pipe.execute()
    except (BrokerAway, BrokerSlow) as error:
        log.warning("status cannot be read: %s", error)
        return [[None] * len(fields) for _ in clusters]
    return answers


def _clusters(organisation_id: int) -> list[Cluster]:
    columns = ("organisation_id", "uid", "slug", "name", "state", "state_text")
    return list(Cluster.objects.for_tenant(organisation_id).only(*columns))


def of_clusters(clusters: list[Cluster]) -> dict[int, ClusterRow | None]:
    """What live last said of each cluster, by primary key; None where it said nothing."""
    answers = _read(clusters, [CLUSTER_FIELD])
    return {
        cluster.pk: CLUSTER.decode(values[0]) if values[0] else None
        for cluster, values in zip(clusters, answers, strict=True)
    }


def _everything(organisation_id: int, wanted: list[str]) -> dict[str, EntityStatus]:
    """The status of every entity that is asked for, those that have nothing to show included."""
    clusters = _clusters(organisation_id)
    places: dict[str, list[Placed]] = {uid: [] for uid in wanted}
    silent = []
    for cluster, values in zip(clusters, _read(clusters, [CLUSTER_FIELD, *wanted]), strict=True):
        head = CLUSTER.decode(values[0]) if values[0] else None
        is_fresh = bool(head and head.is_fresh)
        if not is_fresh:
            silent.append(cluster.name)
        for uid, raw in zip(wanted, values[1:], strict=True):
            if raw:
                places[uid].append(Placed(cluster.slug, cluster.name, is_fresh, ENTITY.decode(raw)))
    return {uid: _together(found, tuple(silent)) for uid, found in places.items()}


def of_entities(organisation_id: int, uids: Iterable[UUID | str]) -> dict[str, EntityStatus]:
    """The status of each entity that has one, by uid as text. One query and one round trip, however many."""
    found = _everything(organisation_id, [str(uid) for uid in uids])
    return {uid: status for uid, status in found.items() if status.places}


def _together(places: list[Placed], silent: tuple[str, ...]) -> EntityStatus:
    healths = [place.row.health if place.is_fresh else STALE for place in places]
    as_of = min((place.row.as_of for place in places), default=None)
    health = roll_up(healths)
    # the whole wears its badge since the first of those places that give it to it
    since = min((p.row.since for p in places if p.row.since and (p.row.badge == badge(health))), default=None)
    return EntityStatus(health=health, as_of=as_of, since=since, places=tuple(places), silent=silent)


def of_entity(organisation_id: int, uid: UUID | str) -> EntityStatus:
    """The status of one entity; Unknown without places when nothing is known."""
    return _everything(organisation_id, [str(uid)])[str(uid)]


def freshness(organisation_id: int) -> frozenset[str]:
    """The clusters that somebody is watching right now: what turns stale announces nothing."""
    clusters = _clusters(organisation_id)
    answers = _read(clusters, [CLUSTER_FIELD])
    return frozenset(
        cluster.slug for cluster, (raw,) in zip(clusters, answers, strict=True) if raw and CLUSTER.decode(raw).is_fresh
    )


class BoundPod(msgspec.Struct, frozen=True):
    """A pod as the entities that it is bound to show it: uid -> reference."""

    row: PodRow | None = None
    entities: dict[str, str] = {}

    @property
    def containers(self) -> list[str]:
        """The names of its containers, main ones first."""
        rows = sorted(self.row.containers, key=lambda row: row.is_init) if self.row else []
        return [row.name for row in rows]


def pod_of(cluster: Cluster, namespace: str, pod: str) -> BoundPod:
    """The pod and every entity whose status knows it; an empty one where none does."""
    try:
        found = cast(dict[bytes, bytes], valkey().hgetall(hash_key(cluster.organisation_id, cluster.uid)))
    except (BrokerAway, BrokerSlow):
        return BoundPod()
    known: PodRow | None = None
    entities = {}
    for field, raw in found.items():
        if field.startswith(b"_") or pod.encode() not in raw:
            continue
        entity = ENTITY.decode(raw)
        pods = (item for workload in entity.workloads for item in workload.pods)
        row = next((item for item in pods if (item.namespace, item.name) == (namespace, pod)), None)
        if row is not None:
            known, entities[field.decode()] = row, entity.entity_ref
    return BoundPod(known, entities)


def summary(organisation_id: int) -> Summary:
    """How many entities wear which badge."""
    worn: dict[str, list[Health]] = {}
    clusters = _clusters(organisation_id)
    try:
        pipe = valkey().pipeline(transaction=False)
        for cluster in clusters:
            pipe.hgetall(hash_key(organisation_id, cluster.uid))
        hashes: list[dict[bytes, bytes]] = pipe.execute()
    except (BrokerAway, BrokerSlow) as error:
        log.warning("status cannot be read: %s", error)
        return Summary({})
    for found in hashes:
        head = found.get(CLUSTER_FIELD.encode())
        is_fresh = bool(head and CLUSTER.decode(head).is_fresh)
        for field, raw in found.items():
            if not field.startswith(b"_"):
                health = JUDGED.decode(raw).health if is_fresh else STALE
                worn.setdefault(field.decode(), []).append(health)
    return Summary(dict(Counter(badge(roll_up(healths)) for healths in worn.values())))
