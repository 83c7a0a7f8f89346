"""The live process's half that watches clusters: leases, sessions, publishing. Everything else may go away and return.

Without PostgreSQL it goes on watching and publishing with the epoch it has: whoever takes the cluster over gets a
higher one, and the broker then refuses ours. Without Valkey it goes on watching, and says everything again when Valkey
is back.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import socket
import time
from collections.abc import AsyncIterator, Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any, TypeVar, cast
from uuid import uuid4

import aiohttp
import msgspec
import redis.asyncio
from django.db import connection, connections
from django.db.utils import InterfaceError, OperationalError
from redis.exceptions import ConnectionError as BrokerAway
from redis.exceptions import TimeoutError as BrokerSlow

from portal.clusters import rollouts
from portal.clusters.bindings import Matcher
from portal.clusters.errors import KubeError, KubeNotServed, KubeUnreachable
from portal.clusters.kube import target_of
from portal.clusters.kubeconfig import Target
from portal.clusters.models import LIMITED, SYNCED, Cluster
from portal.clusters.network import Endpoint, resolve, tls_context
from portal.clusters.status import (
    BINDINGS_TOPIC,
    CLUSTER_FIELD,
    CLUSTERS_TOPIC,
    EPOCH_FIELD,
    ClusterRow,
    hash_key,
)
from portal.clusters.structs import WATCHED
from portal.clusters.watching import leases
from portal.clusters.watching.leases import Held
from portal.clusters.watching.reflector import Backoff, Connection, Reflector, check, unreachable, whole
from portal.clusters.watching.watch import ClusterWatch, Following
from portal.kit.errors import Refusal
from portal.kit.live import CHANNEL, valkey_async

log = logging.getLogger(__name__)
_T = TypeVar("_T")

RENEW_EVERY = 5.0
REBIND_EVERY = 30.0
BEAT_EVERY = 5.0
LOOK_AGAIN_EVERY = 10.0
LOOK_AT_ALL_EVERY = 60.0
SYNC_NOTED_EVERY = 30.0
LISTS_AT_ONCE = 4
BROKER_PATIENCE = 5.0

# One call: refused when a newer owner has written; says whether the hash had been lost.
# KEYS[1] the hash. ARGV: epoch, channel, number of fields, field, value (empty: delete), …, topic, …
PUBLISH = """
local known = redis.call('HGET', KEYS[1], '_epoch')
if known and tonumber(known) > tonumber(ARGV[1]) then return -1 end
redis.call('HSET', KEYS[1], '_epoch', ARGV[1])
local last = 3 + 2 * tonumber(ARGV[3])
for i = 4, last, 2 do
  if ARGV[i + 1] == '' then redis.call('HDEL', KEYS[1], ARGV[i])
  else redis.call('HSET', KEYS[1], ARGV[i], ARGV[i + 1]) end
end
for i = last + 1, #ARGV do redis.call('PUBLISH', ARGV[2], ARGV[i]) end
return known and 1 or 0
"""


class DatabaseAway(Exception):
    """PostgreSQL does not answer."""


class Fenced(Exception):
    """Another process watches the cluster now, in a later epoch."""


class Database:
    """Django's synchronous database in one thread of its own, with its one connection."""

    def __init__(self) -> None:
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="clusters-db")

    async def __call__(self, work: Callable[..., _T], *arguments: Any) -> _T:
        """Runs the function there. Raises DatabaseAway."""
        return await asyncio.get_running_loop().run_in_executor(self._thread, self._run, work, arguments)

    @staticmethod
    def _run(work: Callable[..., _T], arguments: tuple[Any, ...]) -> _T:
        try:
            return work(*arguments)
        except (OperationalError, InterfaceError) as error:
            connection.close()
            raise DatabaseAway(str(error)) from error

    def close(self) -> None:
        """Ends the thread and its connection."""
        self._thread.submit(connections.close_all)
        self._thread.shutdown()


@dataclass
class Session:
    """One cluster while this process holds it."""

    held: Held
    cluster: Cluster
    database: Database
    broker: redis.asyncio.Redis
    lists: asyncio.Semaphore
    on_workload: Callable[[int, str], None]
    watch: ClusterWatch = field(init=False)
    rebind: asyncio.Event = field(default_factory=asyncio.Event)
    _row: ClusterRow | None = None
    _noted: tuple[str, str] = ("", "")
    _told: tuple[str, str] = ("", "")
    _revision: int = -1
    _is_swept: bool = False

    def __post_init__(self) -> None:
        self.watch = ClusterWatch(self.cluster.slug, on_rollout=self._rollout)
        self._publish = self.broker.register_script(PUBLISH)
        self._hash = hash_key(self.held.organisation_id, self.cluster.uid)

    def _rollout(self, key: str) -> None:
        self.on_workload(self.held.organisation_id, f"rollout:{self.cluster.slug}/{key}")

    async def run(self) -> None:
        """Watches until cancelled."""
        with contextlib.suppress(DatabaseAway):
            for uid, (worn, at) in (await self.database(leases.last_badges, self.held)).items():
                self.watch.badges[uid], self.watch.since[uid] = worn, at
        parts = (self._bindings, self._connect, self._tell, self._beat, self._history, self._look_again)
        try:
            async with asyncio.TaskGroup() as tasks:
                for part in parts:
                    tasks.create_task(part())
        except* Fenced:
            log.warning("%s: another process watches it now", self.cluster.slug)

    # -- in ------------------------------------------------------------------------------------------------------------

    async def _bindings(self) -> None:
        while True:
            self.rebind.clear()
            with contextlib.suppress(DatabaseAway):
                found = await self.database(leases.bounds, self.held.organisation_id)
                mine = [*found.get(leases.CLUSTER_ANYWHERE, ()), *found.get(self.cluster.slug, ())]
                self.watch.rebind(Matcher(mine))
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(REBIND_EVERY):
                    await self.rebind.wait()

    async def _connect(self) -> None:
        """Opens a session with the cluster and follows every kind; begins anew when what it serves has changed."""
        backoff = Backoff()
        while True:
            self.watch.rediscover.clear()
            try:
                target = target_of(self.cluster)
                endpoint = await asyncio.to_thread(resolve, target.server)
                async with _open(target, endpoint) as connection_:
                    await self._follow(connection_)
                continue
            except KubeError as error:
                refusal: Refusal = error
            except Refusal as error:
                refusal = error
            except (aiohttp.ClientError, OSError) as error:
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

    async def _follow(self, connection_: Connection) -> None:
        self.watch.version = await _version(connection_)
        served = await _discover(connection_)
        old = self.watch.kinds
        self.watch.kinds = {kind: old.get(kind, Following(version)) for kind, version in served.items()}
        for kind, version in served.items():
            self.watch.kinds[kind].served_as = version
        self.watch.unserved = tuple(item.kind for item in WATCHED if item.kind not in served)
        async with asyncio.TaskGroup() as tasks:
            running = [
                tasks.create_task(
                    Reflector(connection_, item, served[item.kind], self.watch, self.lists).run(), name=item.kind
                )
                for item in WATCHED
                if item.kind in served
            ]
            await self.watch.rediscover.wait()
            for task in running:
                task.cancel()

    async def _look_again(self) -> None:
        last = time.monotonic()
        while True:
            await asyncio.sleep(LOOK_AGAIN_EVERY)
            at_all = time.monotonic() - last > LOOK_AT_ALL_EVERY
            last = time.monotonic() if at_all else last
            self.watch.look_again(at_all=at_all)

    # -- out -----------------------------------------------------------------------------------------------------------

    async def _write(self, fields: dict[str, bytes], topics: list[str]) -> bool:
        """One fenced write with its announcements; False when it could not be done. A lost hash is filled again."""
        flat: list[Any] = [part for pair in fields.items() for part in pair]
        channel = f"{CHANNEL}{self.held.organisation_id}"
        try:
            known = await self._publish(keys=[self._hash], args=[self.held.epoch, channel, len(fields), *flat, *topics])
        except (BrokerAway, BrokerSlow, OSError) as error:
            log.warning("%s: status cannot be published: %s", self.cluster.slug, error)
            return False
        if known == -1:
            raise Fenced(self.cluster.slug)
        if known == 0:
            self._is_swept = True  # a fresh hash has nothing old in it
            self._row = None
            self.watch.say_again()
        return True

    async def _tell(self) -> None:
        """Judges what is due and publishes it, for ever; while Valkey is away everything stays due."""
        while True:
            self.watch.wake.clear()
            said, later = self.watch.due()
            if said:
                topics = [f"workloads:{uid}" for uid in said]
                if not await self._write(said, topics):
                    self.watch.say_later(said)
                    later = 1.0
            if self.watch.is_caught_up and not self._is_swept:
                await self._sweep()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(later):
                    await self.watch.wake.wait()

    async def _sweep(self) -> None:
        """After the first complete look: what an earlier owner left behind and is no longer true goes."""
        try:
            fields = cast(list[bytes], await self.broker.hkeys(self._hash))
        except (BrokerAway, BrokerSlow, OSError):
            return
        kept = {CLUSTER_FIELD, EPOCH_FIELD, *self.watch.entities()}
        gone = {name.decode(): b"" for name in fields if name.decode() not in kept}
        if not gone or await self._write(gone, [f"workloads:{uid}" for uid in gone]):
            self._is_swept = True

    async def _beat(self) -> None:
        """Says that it is watching, and what the cluster looks like when that changed."""
        beaten = synced = 0.0
        while True:
            now = time.monotonic()
            state = self.watch.state()
            is_new = self.watch.revision != self._revision or state != self._told or self._row is None
            if is_new or now - beaten > BEAT_EVERY:
                beaten = now
                await self._say_cluster(state, is_new=is_new)
            is_synced = state[0] in (SYNCED, LIMITED)
            if state != self._noted or (is_synced and now - synced > SYNC_NOTED_EVERY):
                with contextlib.suppress(DatabaseAway):
                    await self.database(self._note_state, state, is_synced)
                    self._noted, synced = state, now
            await asyncio.sleep(1.0)

    def _note_state(self, state: tuple[str, str], is_synced: bool) -> None:
        leases.note_state(self.held, state=state[0], text=state[1], version=self.watch.version, is_synced=is_synced)

    async def _say_cluster(self, state: tuple[str, str], *, is_new: bool) -> None:
        revision = self.watch.revision
        row = self.watch.row() if is_new or self._row is None else msgspec.structs.replace(self._row, beat=time.time())
        topics: list[str] = []
        if self._row is None or msgspec.structs.replace(row, beat=0.0) != msgspec.structs.replace(self._row, beat=0.0):
            topics = [f"cluster:{self.cluster.slug}", "clusters:all"]
        if state != self._told:
            # whether it can be believed has changed for every entity
            topics += [f"workloads:{uid}" for uid in self.watch.entities()]
        if await self._write({CLUSTER_FIELD: msgspec.json.encode(row)}, topics):
            self._row, self._revision, self._told = row, revision, state

    async def _history(self) -> None:
        """Writes badge changes to PostgreSQL once a second; while it is away the newest ten thousand wait."""
        while True:
            await asyncio.sleep(1.0)
            waiting = list(self.watch.changes)
            if not waiting:
                continue
            with contextlib.suppress(DatabaseAway):
                await self.database(leases.write_changes, self.held, waiting)
                for _ in waiting:
                    self.watch.changes.popleft()


@contextlib.asynccontextmanager
async def _open(target: Target, endpoint: Endpoint) -> AsyncIterator[Connection]:
    """A session whose address is resolved and judged already, and that takes no proxy from the environment."""
    headers = {"Host": endpoint.authority, "User-Agent": "slipway", "Accept": "application/json"}
    if target.token:
        headers["Authorization"] = f"Bearer {target.token}"
    connector = aiohttp.TCPConnector(ssl=tls_context(target) if endpoint.is_tls else True, limit=0)
    async with aiohttp.ClientSession(connector=connector, headers=headers, trust_env=False) as session:
        server_name = (target.tls_server_name or endpoint.host) if endpoint.is_tls else None
        yield Connection(session, endpoint.url, server_name)


async def _json(connection_: Connection, path: str) -> dict[str, Any]:
    async with connection_.get(path, {}, read=10.0) as response:
        if response.status == 404:
            raise KubeNotServed(f"The cluster does not serve {path}.")
        await check(response)
        try:
            answer = msgspec.json.decode(await whole(response))
        except msgspec.DecodeError as error:
            raise KubeUnreachable("The cluster's answer cannot be read.") from error
    if not isinstance(answer, dict):
        raise KubeUnreachable("The cluster's answer cannot be read.")
    return answer


async def _version(connection_: Connection) -> str:
    return str((await _json(connection_, "/version")).get("gitVersion") or "")[:60]


async def _discover(connection_: Connection) -> dict[str, str]:
    """The newest version that the cluster serves each kind in, among those that Slipway can read."""
    kinds: dict[str, set[str]] = {}
    for version in dict.fromkeys(version for item in WATCHED for version in item.served_as):
        path = f"/api/{version}" if "/" not in version else f"/apis/{version}"
        try:
            found = (await _json(connection_, path)).get("resources") or []
        except KubeNotServed:
            found = []
        kinds[version] = {str(item.get("kind")) for item in found}
    served = {}
    for item in WATCHED:
        newest = next((version for version in item.served_as if item.kind in kinds[version]), None)
        if newest:
            served[item.kind] = newest
    return served


class Watchers:
    """Every cluster that this process holds."""

    def __init__(self, on_workload: Callable[[int, str], None]) -> None:
        self.owner = f"{socket.gethostname()}:{os.getpid()}:{uuid4().hex[:8]}"[:80]
        self.on_workload = on_workload
        self.database = Database()
        self.broker = valkey_async(patience=BROKER_PATIENCE)
        self.lists = asyncio.Semaphore(LISTS_AT_ONCE)
        self.sessions: dict[Held, tuple[Session, asyncio.Task[None]]] = {}
        self.wake = asyncio.Event()

    async def keep(self) -> None:
        """Renews what is held, takes what is free, lets go of what was lost or forgotten."""
        while True:
            self.wake.clear()
            try:
                await self._once()
            except DatabaseAway as error:
                log.warning("leases cannot be renewed: %s", str(error).strip().splitlines()[0] if str(error) else error)
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(RENEW_EVERY):
                    await self.wake.wait()

    async def _once(self) -> None:
        for held, (_, task) in list(self.sessions.items()):
            if task.done():
                _report(held, task)
                del self.sessions[held]
        ours = await self.database(leases.renew, self.owner, list(self.sessions))
        for held in [item for item in self.sessions if item not in ours]:
            _, task = self.sessions.pop(held)
            task.cancel()
        for held, cluster in await self.database(leases.claim, self.owner):
            session = Session(held, cluster, self.database, self.broker, self.lists, self.on_workload)
            self.sessions[held] = (session, asyncio.create_task(session.run(), name=f"cluster {cluster.slug}"))

    async def listen(self) -> None:
        """Hears that clusters or bindings changed. A lost message costs the seconds until the next look."""
        while True:
            client = valkey_async()
            try:
                channel = client.pubsub()
                await channel.psubscribe(CHANNEL + "*")
                async for message in channel.listen():
                    if message["type"] != "pmessage":
                        continue
                    if message["data"] == CLUSTERS_TOPIC.encode():
                        self.wake.set()
                    elif message["data"] == BINDINGS_TOPIC.encode():
                        self._rebind(int(message["channel"][len(CHANNEL) :]))
            except (BrokerAway, BrokerSlow, OSError) as error:
                log.warning("announcements are away: %s", error)
            finally:
                await client.aclose()
            await asyncio.sleep(1.0)

    def _rebind(self, organisation_id: int) -> None:
        for held, (session, _) in self.sessions.items():
            if held.organisation_id == organisation_id:
                session.rebind.set()

    async def close(self) -> None:
        """Stops watching and gives the leases back."""
        tasks = [task for _, task in self.sessions.values()]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        with contextlib.suppress(DatabaseAway):
            await self.database(leases.release, self.owner, list(self.sessions))
        await asyncio.to_thread(self.database.close)
        await self.broker.aclose()


def _report(held: Held, task: asyncio.Task[None]) -> None:
    """A watcher that ended by a bug is started again by the next claim; the bug is told."""
    if not task.cancelled() and (error := task.exception()):
        log.error("watching cluster %s ended: %s", held.pk, error, exc_info=error)


async def run_clusters(stop: asyncio.Event, on_workload: Callable[[int, str], None] = rollouts.tell) -> None:
    """Watches clusters until `stop`. on_workload(organisation id, key) hears of each change of a workload's health."""
    watchers = Watchers(on_workload)
    tasks = [asyncio.create_task(watchers.keep()), asyncio.create_task(watchers.listen())]
    ended = asyncio.create_task(stop.wait())
    try:
        await asyncio.wait([ended, *tasks], return_when=asyncio.FIRST_COMPLETED)
        for part in tasks:
            if part.done():
                part.result()
    finally:
        for part in tasks:
            part.cancel()
        ended.cancel()
        await asyncio.gather(*tasks, ended, return_exceptions=True)
        await watchers.close()
