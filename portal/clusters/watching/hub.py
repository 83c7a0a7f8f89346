"""The live process's half that watches clusters: leases, heartbeats, history. Everything else may go away and return.

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
from collections import deque
from collections.abc import Callable, Iterable
from uuid import uuid4

from django.conf import settings

from portal.clusters import rollouts
from portal.clusters.models import LIMITED, SYNCED
from portal.clusters.status import BINDINGS_TOPIC, CLUSTERS_TOPIC
from portal.clusters.watching import leases
from portal.clusters.watching.leases import Held, Noted
from portal.clusters.watching.publishing import FENCED, LOST, Publisher
from portal.clusters.watching.session import Session
from portal.clusters.watching.watch import Change
from portal.kit import away
from portal.kit.announcing import CHANNEL
from portal.kit.dbthread import DatabaseAway, DatabaseThread
from portal.kit.valkey import subscribed, valkey_async

log = logging.getLogger(__name__)

RENEW_EVERY = settings.CLUSTER_LEASE_SECONDS / 3
BEAT_EVERY = 2.0
CLERK_EVERY = 1.0
# bindings are announced; this is for announcements that were lost
REBIND_EVERY = 300.0
LISTS_AT_ONCE = 4
BROKER_PATIENCE = 3.0
AWAY_PAUSE = 1.0


class Watchers:
    """Every cluster that this process holds."""

    def __init__(self, on_workload: Callable[[int, str], None]) -> None:
        self.owner = f"{socket.gethostname()}:{os.getpid()}:{uuid4().hex[:8]}"[:80]
        self.on_workload = on_workload
        # leases must not wait behind a long history
        self.database, self.archive = DatabaseThread("leases"), DatabaseThread("history")
        self.broker = valkey_async(patience=BROKER_PATIENCE)
        self.publisher = Publisher(self.broker)
        self.lists = asyncio.Semaphore(LISTS_AT_ONCE)
        self.sessions: dict[Held, tuple[Session, asyncio.Task[None]]] = {}
        self.wake = asyncio.Event()
        self.heart = asyncio.Event()
        self.rebound: set[int] = set()
        self.rebind = asyncio.Event()

    async def keep(self) -> None:
        """Renews what is held, takes what is free, lets go of what was lost or forgotten."""
        is_away = False
        while True:
            self.wake.clear()
            try:
                await self._once()
                if is_away:
                    log.warning("leases are renewed again")
                is_away = False
            except DatabaseAway as error:
                if not is_away:
                    log.warning("leases cannot be renewed: %s", error)
                is_away = True
            await _either(self.wake, AWAY_PAUSE if is_away else RENEW_EVERY)

    async def _once(self) -> None:
        for held, (_, task) in list(self.sessions.items()):
            if task.done():
                _report(held, task)
                del self.sessions[held]
        synced = {held for held, (session, _) in self.sessions.items() if session.is_synced}
        ours, taken = await self.database(leases.keep, self.owner, list(self.sessions), synced)
        for held in [item for item in self.sessions if item not in ours]:
            _, task = self.sessions.pop(held)
            task.cancel()
        for held, cluster in taken:
            session = Session(held, cluster, self.publisher, self.lists, self.on_workload, self.heart.set)
            badges = await self.database(leases.last_badges, held)
            session.watch.badges = {uid: became for uid, (became, _) in badges.items()}
            session.watch.since = {uid: at for uid, (_, at) in badges.items()}
            self.sessions[held] = (session, asyncio.create_task(session.run(), name=f"cluster {cluster.slug}"))
            self._rebind(held.organisation_id)

    async def beat(self) -> None:
        """Says of every cluster that it is watched, all in one call."""
        while True:
            self.heart.clear()
            self._drop_fenced()
            sessions = [session for session, task in self.sessions.values() if not task.done()]
            found = await self.publisher.beat([session.beat() for session in sessions])
            for session, known in zip(sessions, found or (), strict=False):
                if known == FENCED:
                    session.fenced()
                elif known == LOST:
                    session.lost()
            await _either(self.heart, BEAT_EVERY)

    def _drop_fenced(self) -> None:
        for session, task in self.sessions.values():
            if session.is_fenced:
                task.cancel()

    async def keep_bindings(self) -> None:
        """Reads the bindings of an organisation once for all its clusters, when they have changed."""
        looked = time.monotonic()
        while True:
            self.rebind.clear()
            if time.monotonic() - looked > REBIND_EVERY:
                looked = time.monotonic()
                self.rebound |= {held.organisation_id for held in self.sessions}
            try:
                while self.rebound:
                    await self._bind(next(iter(self.rebound)))
                pause = REBIND_EVERY
            except DatabaseAway:
                pause = AWAY_PAUSE
            await _either(self.rebind, pause)

    async def _bind(self, organisation_id: int) -> None:
        found = await self.archive(leases.bounds, organisation_id)
        # what was announced meanwhile is read again
        self.rebound.discard(organisation_id)
        for held, (session, _) in self.sessions.items():
            if held.organisation_id == organisation_id:
                session.take_bounds([*found.get(leases.CLUSTER_ANYWHERE, ()), *found.get(session.cluster.slug, ())])

    def _rebind(self, organisation_id: int) -> None:
        self.rebound.add(organisation_id)
        self.rebind.set()

    async def keep_records(self) -> None:
        """Writes states and badge changes to PostgreSQL, each once, in batches; while it is away they wait."""
        while True:
            sessions = [session for session, _ in self.sessions.values()]
            with contextlib.suppress(DatabaseAway):
                for session in sessions:
                    await self._note(session)
                waiting = {session.held: list(session.watch.changes) for session in sessions if session.watch.changes}
                if waiting:
                    await self.archive(leases.write_changes, waiting)
                    for session in sessions:
                        _written(session.watch.changes, waiting.get(session.held, ()))
            await asyncio.sleep(CLERK_EVERY)

    async def _note(self, session: Session) -> None:
        state = session.state
        if state == session.noted:
            return
        if state != session.announced and not self.publisher.is_away:
            return  # pages go by what was announced: the row does not run ahead of it
        noted = Noted(state[0], state[1], session.watch.version, is_synced=state[0] in (SYNCED, LIMITED))
        await self.archive(leases.note_state, session.held, noted)
        session.noted = state

    async def listen(self) -> None:
        """Hears that clusters or bindings changed. After a gap everything is looked at again."""
        while True:
            try:
                async with subscribed(CHANNEL + "*") as messages:
                    self.wake.set()
                    for held in self.sessions:
                        self._rebind(held.organisation_id)
                    async for message in messages:
                        if message["data"] == CLUSTERS_TOPIC.encode():
                            self.wake.set()
                        elif message["data"] == BINDINGS_TOPIC.encode():
                            self._rebind(int(message["channel"][len(CHANNEL) :]))
            except away.BROKER as error:
                log.warning("announcements are away: %s", error)
            await asyncio.sleep(AWAY_PAUSE)

    async def close(self) -> None:
        """Stops watching and gives the leases back; what was not written yet is written."""
        tasks = [task for _, task in self.sessions.values()]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        with contextlib.suppress(DatabaseAway):
            left = {held: list(session.watch.changes) for held, (session, _) in self.sessions.items()}
            await self.archive(leases.write_changes, {held: changes for held, changes in left.items() if changes})
            await self.database(leases.release, self.owner, list(self.sessions))
        for database in (self.database, self.archive):
            await database.close()
        await self.broker.aclose()


def _written(changes: deque[Change], written: Iterable[Change]) -> None:
    """Takes out what was written, of what has not been pushed out meanwhile by newer ones."""
    for change in written:
        if changes and changes[0] is change:
            changes.popleft()


async def _either(event: asyncio.Event, seconds: float) -> None:
    """Until the event is set, but no longer than that."""
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            await event.wait()


def _report(held: Held, task: asyncio.Task[None]) -> None:
    """A watcher that ended by a bug is started again by the next claim; the bug is told."""
    if not task.cancelled() and (error := task.exception()):
        log.error("watching cluster %s ended: %s", held.pk, error, exc_info=error)


async def run_clusters(stop: asyncio.Event, on_workload: Callable[[int, str], None] = rollouts.tell) -> None:
    """Watches clusters until `stop`. on_workload(organisation id, key) hears of each change of a workload's health."""
    watchers = Watchers(on_workload)
    parts = (watchers.keep, watchers.beat, watchers.keep_bindings, watchers.keep_records, watchers.listen)
    tasks = [asyncio.create_task(part()) for part in parts]
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
