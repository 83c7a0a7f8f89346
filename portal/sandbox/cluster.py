"""The whole cluster put together: store, registry, controllers, nodes, and its snapshot file."""

import asyncio
import os
from collections.abc import Callable
from pathlib import Path

from portal.sandbox.auth import Tokens
from portal.sandbox.clock import Pace
from portal.sandbox.controllers.autoscalers import Autoscalers
from portal.sandbox.controllers.base import WorkloadController
from portal.sandbox.controllers.cronjobs import CronJobs
from portal.sandbox.controllers.daemonsets import DaemonSets
from portal.sandbox.controllers.deployments import Deployments
from portal.sandbox.controllers.garbage import Garbage
from portal.sandbox.controllers.jobs import Jobs
from portal.sandbox.controllers.namespaces import Namespaces
from portal.sandbox.controllers.policies import Budgets, Claims, Ingresses, Quotas
from portal.sandbox.controllers.replicasets import ReplicaSets
from portal.sandbox.controllers.services import Services
from portal.sandbox.controllers.statefulsets import StatefulSets
from portal.sandbox.discovery import VERSION
from portal.sandbox.kinds import NAMESPACE, NODE, POD_DISRUPTION_BUDGET, SERVICE, STORAGE_CLASS
from portal.sandbox.kubelet import Kubelets
from portal.sandbox.logs import Logs
from portal.sandbox.nodes import new_node
from portal.sandbox.recorder import Recorder
from portal.sandbox.registry import Registry
from portal.sandbox.runtime import Controller, Runtime
from portal.sandbox.scheduler import Scheduler
from portal.sandbox.selectors import labels_match, selector_requirements
from portal.sandbox.store import Change, Object, Store

_SNAPSHOT_SECONDS = 2.0
_NAMESPACES = ("default", "kube-system", "kube-public", "kube-node-lease")


class Cluster:
    """A cluster in memory."""

    def __init__(
        self, *, tokens: Tokens, authority: str, nodes: int, pace: Pace, state: Path | None, history: int = 20_000
    ) -> None:
        self.tokens, self.state, self.pace = tokens, state, pace
        self.store = Store(history)
        self.registry = Registry(self.store)
        self.runtime = Runtime()
        self.recorder = Recorder(self.store)
        self.logs = Logs(self.store)
        self.stopping = asyncio.Event()
        self.scheduler = Scheduler(self.registry, self.runtime, self.recorder)
        self.kubelets = Kubelets(self.registry, self.runtime, self.recorder, pace)
        self.namespaces = Namespaces(self.registry, self.runtime, authority)
        self._wanted_nodes = nodes
        self._saving: asyncio.TimerHandle | None = None
        self._work: asyncio.Task[None] | None = None
        workloads: list[type[WorkloadController]] = [
            Deployments,
            ReplicaSets,
            StatefulSets,
            DaemonSets,
            Jobs,
            CronJobs,
            Autoscalers,
            Budgets,
            Quotas,
            Claims,
            Ingresses,
        ]
        made: list[Controller] = [kind(self.registry, self.runtime, self.recorder, pace) for kind in workloads]
        self.runtime.controllers = [
            self.namespaces,
            *made,
            self.scheduler,
            self.kubelets,
            Services(self.registry, self.runtime),
            Garbage(self.registry, self.runtime),
        ]

    # -- starting and stopping ------------------------------------------------------------------------------------

    def start(self) -> None:
        """Load the snapshot, furnish what is missing, begin to work."""
        if self.state and self.state.exists():
            self.store.load(self.state.read_bytes())
        self.store.listeners += [self._furnish, self.runtime.observe, self._touch]
        for controller in self.runtime.controllers:
            restore: Callable[[], None] | None = getattr(controller, "restore", None)
            if restore:
                restore()
        self._furnish_cluster()
        self._work = asyncio.get_running_loop().create_task(self.runtime.run())

    async def stop(self) -> None:
        self.stopping.set()
        if self._work:
            self._work.cancel()
        self.runtime.stop()
        for worker in self.kubelets.workers.values():
            worker.cancel()
        if self._saving:
            self._saving.cancel()
        self.save()

    def _furnish(self, change: Change) -> None:
        """A namespace has its service account before the request that made it is answered."""
        if change.resource is NAMESPACE and change.verb == "ADDED":
            self.namespaces.furnish(change.obj["metadata"]["name"])

    def _furnish_cluster(self) -> None:
        for name in _NAMESPACES:
            if self.store.get(NAMESPACE, "", name) is None:
                self.registry.make(NAMESPACE, "", {"metadata": {"name": name}})
        for number in range(1, self._wanted_nodes + 1):
            if self.store.get(NODE, "", f"sandbox-{number}") is None:
                self.store.put(NODE, new_node(number, VERSION["gitVersion"]))
        if self.store.get(STORAGE_CLASS, "", "standard") is None:
            annotations = {"storageclass.kubernetes.io/is-default-class": "true"}
            body = {
                "metadata": {"name": "standard", "annotations": annotations},
                "provisioner": "sandbox.slipway.io/memory",
            }
            body |= {"reclaimPolicy": "Delete", "volumeBindingMode": "Immediate"}
            self.registry.make(STORAGE_CLASS, "", body)
        if self.store.get(SERVICE, "default", "kubernetes") is None:
            labels = {"component": "apiserver", "provider": "kubernetes"}
            ports = [{"name": "https", "port": 443, "protocol": "TCP", "targetPort": 6443}]
            body = {
                "metadata": {"name": "kubernetes", "labels": labels},
                "spec": {"ports": ports, "clusterIP": "10.96.0.1"},
            }
            self.registry.make(SERVICE, "default", body)

    # -- the snapshot ---------------------------------------------------------------------------------------------

    def _touch(self, change: Change) -> None:
        if self.state and self._saving is None and not self.stopping.is_set():
            self._saving = asyncio.get_running_loop().call_later(_SNAPSHOT_SECONDS, self._save_due)

    def _save_due(self) -> None:
        self._saving = None
        self.save()

    def save(self) -> None:
        """Write the snapshot beside the file, then put it in its place."""
        if not self.state:
            return
        self.state.parent.mkdir(parents=True, exist_ok=True)
        part = self.state.with_name(f"{self.state.name}.part")
        descriptor = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(descriptor, "wb") as file:
            file.write(self.store.dump())
        part.replace(self.state)

    # -- questions ------------------------------------------------------------------------------------------------

    def disruptions_left(self, pod: Object) -> str | None:
        """Why a pod may not be evicted; None when it may."""
        for budget in self.store.each(POD_DISRUPTION_BUDGET, pod["metadata"]["namespace"]):
            if not labels_match(selector_requirements(budget["spec"].get("selector")), pod):
                continue
            status = budget.get("status") or {}
            if status.get("disruptionsAllowed", 0) < 1:
                name, healthy = budget["metadata"]["name"], status.get("currentHealthy", 0)
                desired = status.get("desiredHealthy", 0)
                return f"The disruption budget {name} needs {desired} healthy pods and has {healthy} currently"
        return None
