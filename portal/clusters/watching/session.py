"""One cluster while this process holds it: what comes in from it, and what goes out to Valkey."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from collections.abc import Callable
from dataclasses import dataclass, field

import msgspec

from portal.clusters.bindings import Bound, Matcher
from portal.clusters.errors import KubeError, KubeUnreachable
from portal.clusters.health.memory import Runs
from portal.clusters.kube import target_of
from portal.clusters.models import CONNECTING, LIMITED, SYNCED, Cluster
from portal.clusters.network import resolve
from portal.clusters.status import (
    CLUSTER_FIELD,
    EPOCH_FIELD,
    MEMORY_FIELD,
    ClusterRow,
    badges_key,
    badges_of,
    fresh_key,
    hash_key,
)
from portal.clusters.structs import WATCHED
from portal.clusters.watching import opening
from portal.clusters.watching.leases import Held
from portal.clusters.watching.publishing import FENCED, LOST, WRITTEN, Beat, Publisher
from portal.clusters.watching.reflector import AWAY, ApiConnection, Backoff, Reflector, unreachable
from portal.clusters.watching.turns import Turns
from portal.clusters.watching.watch import ClusterWatch, Following
from portal.kit.errors import Refusal
from portal.kit.memory import give_back

log = logging.getLogger(__name__)

ROW_EVERY = 1.0
RUNS = msgspec.json.Decoder(dict[str, Runs])
# what is due is said together, but not so late that it could be seen
BATCH, BATCH_SECONDS = 64, 0.02
BROKER_PAUSE = 1.0


class Fenced(Exception):
    """Another process watches the cluster now, in a later epoch."""


@dataclass
class Session:
    """One cluster. beat_soon() is called when what the heartbeat says has changed."""

    held: Held
    cluster: Cluster
    publisher: Publisher
    lists: asyncio.Semaphore
    on_workload: Callable[[int, str], None]
    beat_soon: Callable[[], None]
    watch: ClusterWatch = field(init=False)
    noted: tuple[str, str] = ("", "")
    is_fenced: bool = False
    _is_told: bool = False  # since this process took it over, or since the hash was lost
    _is_swept: bool = False
    _row: ClusterRow | None = None
    _row_at: float = float("-inf")
    _revision: int = -1
    announced: tuple[str, str] = ("", "")
    _bounds: list[Bound] | None = None
    _is_bound: bool = False
    _bounds_news: asyncio.Event = field(default_factory=asyncio.Event)
    _versions: dict[str, str | None] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.turns = Turns()
        self.watch = ClusterWatch(self.cluster.slug, on_rollout=self._rollout, rest=self.turns.rest)
        self.hash_key = hash_key(self.held.organisation_id, self.cluster.uid)
        self.badges_key = badges_key(self.held.organisation_id, self.cluster.uid)
        self.fresh_key = fresh_key(self.held.organisation_id, self.cluster.uid)

    def _rollout(self, key: str) -> None:
        self.on_workload(self.held.organisation_id, f"rollout:{self.cluster.slug}/{key}")

    async def run(self) -> None:
        """Watches until cancelled, or until another process does."""
        await self._recall()
        try:
            async with asyncio.TaskGroup() as tasks:
                for part in (self._bind, self._connect, self._tell):
                    tasks.create_task(part())
        except* Fenced:
            self.fenced()

    async def _recall(self) -> None:
        """Takes up what the watcher before this one remembered of pods, so that a restart makes nothing look well."""
        names = await self.publisher.fields(self.hash_key) or []
        wanted = [name for name in names if name.startswith(MEMORY_FIELD)]
        kept = await self.publisher.values(self.hash_key, wanted) or {}
        found = {}
        for name, value in kept.items():
            try:
                found[name.removeprefix(MEMORY_FIELD)] = RUNS.decode(value)
            except msgspec.DecodeError:
                log.info("%s: what was remembered of a pod is in another shape and is left", self.cluster.slug)
        self.watch.memory.restore(found)

    def fenced(self) -> None:
        """Another process watches it: nothing of what this one says is heard any more."""
        log.warning("%s: another process watches it now", self.cluster.slug)
        self.is_fenced = True
        self.beat_soon()

    # -- in ------------------------------------------------------------------------------------------------------------

    def take_bounds(self, bounds: list[Bound]) -> None:
        """The bindings that concern this cluster, as they are now."""
        if bounds != self._bounds:
            self._bounds = bounds
            self._bounds_news.set()

    async def _bind(self) -> None:
        while True:
            await self._bounds_news.wait()
            self._bounds_news.clear()
            await self.watch.rebind(Matcher(self._bounds or ()))
            self._is_bound = True
            self.watch.wake.set()
            # The bindings before these are free by now: tens of megabytes of a large catalog.
            await asyncio.to_thread(give_back)

    async def _connect(self) -> None:
        """Opens a session with the cluster and follows every kind; begins anew when what it serves has changed."""
        backoff = Backoff()
        while True:
            self.watch.rediscover.clear()
            try:
                target = target_of(self.cluster)
                endpoint = await asyncio.to_thread(resolve, target.server)
                async with opening.open_session(target, endpoint) as connection:
                    await self._follow(connection)
                continue
            except KubeError as error:
                refusal: Refusal = error
            except Refusal as error:
                refusal = error
            except AWAY as error:
                refusal = unreachable(error)
            log.info("%s: %s", self.cluster.slug, refusal)
            self._not_connected(refusal)
            await asyncio.sleep(backoff.next())

    def _not_connected(self, refusal: Refusal) -> None:
        error = refusal if isinstance(refusal, KubeError) else KubeUnreachable(refusal.text)
        if not self.watch.kinds:
            self.watch.kinds = {item.kind: Following(item.served_as[0]) for item in WATCHED}
        for kind in self.watch.kinds:
            self.watch.lost(kind, error)
        self.watch.rediscover.clear()

    async def _follow(self, connection: ApiConnection) -> None:
        connection.rest = self.turns.rest
        self.watch.version = await opening.version(connection)
        served = await opening.discover(connection)
        old = self.watch.kinds
        self.watch.kinds = {kind: old.get(kind, Following(version)) for kind, version in served.items()}
        for kind, version in served.items():
            self.watch.kinds[kind].served_as = version
        self.watch.unserved = tuple(item.kind for item in WATCHED if item.kind not in served)
        self.watch.silent(None)
        reflectors = [
            Reflector(connection, item, served[item.kind], self.watch, self.lists, version=self._versions.get(kind))
            for item in WATCHED
            if (kind := item.kind) in served
        ]
        try:
            async with asyncio.TaskGroup() as tasks:
                running = [tasks.create_task(item.run(), name=item.watched.kind) for item in reflectors]
                running.append(tasks.create_task(self._listen(connection), name="probe"))
                await self.watch.rediscover.wait()
                for task in running:
                    task.cancel()
        finally:
            self._versions = {item.watched.kind: item.version for item in reflectors}

    async def _listen(self, connection: ApiConnection) -> None:
        """Notices within seconds that a cluster says nothing any more, which no single stream could tell from peace."""
        while True:
            if not self.watch.silence:
                await opening.quiet(connection)
            was_silent = self.watch.silence is not None
            self.watch.silent(await opening.probe(connection))
            if self.watch.silence:
                await asyncio.sleep(opening.PROBE_AGAIN)
            elif was_silent:
                # streams that were open then may be dead without a word: begin again where they were
                self.watch.rediscover.set()
                return

    # -- out -----------------------------------------------------------------------------------------------------------

    @property
    def state(self) -> tuple[str, str]:
        """The cluster's state as it is published: in sync only once everything is told."""
        state = self.watch.state()
        return state if state[0] not in (SYNCED, LIMITED) or self._is_told else (CONNECTING, "")

    @property
    def is_synced(self) -> bool:
        """Whether its row says that it is in sync, and truly so."""
        return self.noted[0] in (SYNCED, LIMITED) and self.noted == self.state

    def beat(self) -> Beat:
        """What the heartbeat says."""
        return Beat(self.hash_key, self.fresh_key, self.held.epoch, self.state[0])

    def lost(self) -> None:
        """The hash is gone: everything has to be said again."""
        self._is_told, self._is_swept = False, True  # a fresh hash has nothing old in it
        self._row = None
        self.watch.say_again()

    async def _write(self, fields: dict[str, bytes], topics: list[str]) -> bool:
        """One fenced write with its announcements; False when it could not be done."""
        known = await self._publish(self.hash_key, fields, topics)
        if known == LOST:
            self.lost()
        return known is not None

    async def _write_badges(self, fields: dict[str, bytes]) -> bool:
        """The same for the small hash that lists are filtered by. One that is new holds everybody soon."""
        known = await self._publish(self.badges_key, fields, []) if fields else WRITTEN
        if known == LOST:
            self.watch.say_again()
        return known is not None

    async def _publish(self, key: str, fields: dict[str, bytes], topics: list[str]) -> int | None:
        known = await self.publisher.publish(key, self.held.epoch, self.held.organisation_id, fields, topics)
        if known == FENCED:
            raise Fenced(self.cluster.slug)
        return known

    async def _tell(self) -> None:
        """Works out what is due and publishes it, for ever; while Valkey is away everything stays due."""
        while True:
            self.watch.wake.clear()
            is_said = await self._say_entities() and await self._settle()
            later = self._wait() if is_said else BROKER_PAUSE
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(later):
                    await self.watch.wake.wait()

    async def _say_entities(self) -> bool:
        """Everything that is due now, in batches; False when it could not be written."""
        waiting: dict[str, bytes] = {}
        begun = time.perf_counter()
        while (said := self.watch.step()) is not None:
            waiting |= said
            if waiting and (len(waiting) >= BATCH or time.perf_counter() - begun > BATCH_SECONDS):
                if not await self._say(waiting):
                    return False
                waiting = {}
            if not waiting:
                begun = time.perf_counter()
            await self.turns.rest()
        return (not waiting or await self._say(waiting)) and await self._save()

    async def _save(self) -> bool:
        """Keeps what is remembered of pods beside the status that was made from it."""
        unsaved, self.watch.unsaved = self.watch.unsaved, {}
        fields = {f"{MEMORY_FIELD}{uid}": msgspec.json.encode(runs) if runs else b"" for uid, runs in unsaved.items()}
        if not fields or await self._write(fields, []):
            return True
        self.watch.unsaved = {**unsaved, **self.watch.unsaved}
        return False

    async def _say(self, said: dict[str, bytes]) -> bool:
        """Badges first: a list that is filtered by health is never behind the page of what it names."""
        is_said = await self._write_badges(badges_of(said))
        if is_said and await self._write(said, [f"workloads:{uid}" for uid in said]):
            return True
        self.watch.say_later(said)
        return False

    async def _settle(self) -> bool:
        """After everything due is said: sweep once, the cluster's own row, and the state that pages go by."""
        if self.watch.is_caught_up and self._is_bound:
            if not self._is_swept and not await self._sweep():
                return False
            if not self._is_told and await self._say_cluster():
                self._is_told = True
                self.beat_soon()
        if self._is_row_due() and not await self._say_cluster():
            return False
        return await self._announce_state()

    async def _sweep(self) -> bool:
        """After the first complete look: what an earlier owner left behind and is no longer true goes."""
        fields = await self.publisher.fields(self.hash_key)
        if fields is None:
            return False
        self.watch.forget_gone()
        remembered = (f"{MEMORY_FIELD}{uid}" for uid in self.watch.memory.everything())
        kept = {CLUSTER_FIELD, EPOCH_FIELD, *self.watch.entities(), *remembered}
        gone = {name: b"" for name in fields if name not in kept}
        topics = [f"workloads:{name}" for name in gone if not name.startswith("_")]
        left = await self.publisher.fields(self.badges_key)
        if left is None:
            return False
        old = {name: b"" for name in left if name not in kept}
        self._is_swept = await self._write_badges(old) and (not gone or await self._write(gone, topics))
        return self._is_swept

    def _is_row_due(self) -> bool:
        is_new = self._row is None or self.watch.revision != self._revision
        return is_new and time.monotonic() - self._row_at >= ROW_EVERY

    async def _say_cluster(self) -> bool:
        revision, self._row_at = self.watch.revision, time.monotonic()
        row = self.watch.row()
        if row == self._row:
            self._revision = revision
            return True
        if not await self._write({CLUSTER_FIELD: msgspec.json.encode(row)}, self._cluster_topics()):
            return False
        self._row, self._revision = row, revision
        return True

    def _cluster_topics(self) -> list[str]:
        return [f"cluster:{self.cluster.slug}", "clusters:all"]

    async def _announce_state(self) -> bool:
        """Whether what is said can be believed has changed: for the cluster, and for every entity in it."""
        state = self.state
        if state == self.announced:
            return True
        known = await self.publisher.beat([self.beat()])
        if known is None:
            return False
        if known == [FENCED]:
            raise Fenced(self.cluster.slug)
        topics = [*self._cluster_topics(), *(f"workloads:{uid}" for uid in self.watch.entities())]
        if known == [LOST] or not await self._write({}, topics):
            return False
        self.announced = state
        return True

    def _wait(self) -> float | None:
        """In how many seconds there is something to do again; None: only after news."""
        waits = [self.watch.wait()]
        if self._row is None or self.watch.revision != self._revision:
            waits.append(max(self._row_at + ROW_EVERY - time.monotonic(), 0.0))
        return min((wait for wait in waits if wait is not None), default=None)
