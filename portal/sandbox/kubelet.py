"""Pretend kubelets: carry bound pods through their lives with the statuses and events of real ones."""

import asyncio
from collections.abc import Hashable, Iterable

from portal.sandbox import clock
from portal.sandbox.clock import Pace
from portal.sandbox.kinds import CONFIG_MAP, POD, SECRET
from portal.sandbox.podworker import Worker, gate_conditions
from portal.sandbox.recorder import Recorder
from portal.sandbox.registry import Registry
from portal.sandbox.runtime import Runtime
from portal.sandbox.store import Change, Object

Key = tuple[str, str]
_STOP_SECONDS = 0.4


class Kubelets:
    """The kubelets of all nodes."""

    def __init__(self, registry: Registry, runtime: Runtime, recorder: Recorder, pace: Pace) -> None:
        self.registry, self.runtime, self.recorder, self.pace = registry, runtime, recorder, pace
        self.store = registry.store
        self.workers: dict[str, Worker] = {}
        self._addresses: dict[str, int] = {}

    def keys(self, change: Change) -> Iterable[Hashable]:
        if change.resource is POD:
            pod = change.obj
            if change.verb == "DELETED":
                worker = self.workers.pop(pod["metadata"]["uid"], None)
                if worker:
                    worker.cancel()
            elif pod["spec"].get("nodeName"):
                fresh = pod["metadata"]["uid"] not in self.workers
                if fresh or pod["metadata"].get("deletionTimestamp") or self._edited(change) or _is_let_through(change):
                    return [(pod["metadata"]["namespace"], pod["metadata"]["name"])]
        elif change.resource in (CONFIG_MAP, SECRET) and change.verb == "ADDED":
            return [
                (worker.namespace, worker.name)
                for worker in self.workers.values()
                if worker.missing and worker.namespace == change.obj["metadata"]["namespace"]
            ]
        return []

    @staticmethod
    def _edited(change: Change) -> bool:
        return (
            change.before is not None
            and change.before["spec"] is not change.obj["spec"]
            and (change.before["spec"] != change.obj["spec"])
        )

    def restore(self) -> None:
        """Take over the pods of a snapshot."""
        for pod in self.store.each(POD):
            if pod["spec"].get("nodeName"):
                self.runtime.add(self, (pod["metadata"]["namespace"], pod["metadata"]["name"]))

    def sync(self, key: Hashable) -> None:
        assert isinstance(key, tuple)
        pod = self.store.get(POD, *key)
        if pod is None or not pod["spec"].get("nodeName"):
            return
        uid = pod["metadata"]["uid"]
        worker = self.workers.get(uid)
        if worker is None:
            worker = self.workers[uid] = Worker(self, pod)
        if pod["metadata"].get("deletionTimestamp"):
            self._end(worker, pod)
        elif worker.missing:
            worker.retry_missing()
        else:
            worker.begin(pod)

    def _end(self, worker: Worker, pod: Object) -> None:
        """Stop the containers, then let the pod go."""
        if worker.ending:
            return
        worker.ending = True
        worker.cancel()
        worker.announce_end(pod)
        grace = pod["metadata"].get("deletionGracePeriodSeconds", 0)
        wait = self.pace.seconds(min(_STOP_SECONDS, grace))
        asyncio.get_running_loop().call_later(
            wait, self._gone, pod["metadata"]["namespace"], pod["metadata"]["name"], worker.uid
        )

    def _gone(self, namespace: str, name: str, uid: str) -> None:
        pod = self.store.get(POD, namespace, name)
        if pod is None or pod["metadata"]["uid"] != uid:
            return
        if not pod["metadata"].get("finalizers"):
            self.store.remove(POD, namespace, name)
            return

        def stopped(obj: Object) -> None:
            obj["metadata"]["deletionGracePeriodSeconds"] = 0

        self.registry.change(POD, pod, stopped)

    def address(self, node: str) -> str:
        """The next pod address on a node."""
        number = self._addresses[node] = self._addresses.get(node, 1) + 1
        subnet = int(node.rsplit("-", 1)[-1]) if node.rsplit("-", 1)[-1].isdigit() else 0
        return f"10.244.{(subnet + number // 250) % 256}.{number % 250 + 2}"

    def write(self, worker: Worker, status: Object) -> None:
        """Write a pod's status if the pod is still the same one."""
        pod = self.store.get(POD, worker.namespace, worker.name)
        if pod is None or pod["metadata"]["uid"] != worker.uid:
            return
        self.registry.set_status(POD, pod, status)

    @staticmethod
    def time() -> str:
        return clock.stamp()


def _is_let_through(change: Change) -> bool:
    """Whether somebody has opened or closed one of a pod's readiness gates."""
    return change.before is not None and gate_conditions(change.before) != gate_conditions(change.obj)
