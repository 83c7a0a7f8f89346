"""One pod's life: containers that start, fail, wait and start again, and the status that says so."""

import asyncio
import hashlib
import uuid
from typing import TYPE_CHECKING

from portal.sandbox import clock
from portal.sandbox.containers import Container, missing_object
from portal.sandbox.kinds import POD
from portal.sandbox.store import Object

if TYPE_CHECKING:
    from portal.sandbox.kubelet import Kubelets

_START, _INIT, _READY, _SLOW, _RUN, _FAIL, _PULL, _RETRY = 0.5, 0.4, 0.5, 20.0, 2.0, 1.0, 1.5, 10.0
_BACKOFF_FIRST, _BACKOFF_LONGEST = 10, 300


class Worker:
    """Drives one pod. Each container has at most one timer."""

    def __init__(self, kubelets: "Kubelets", pod: Object) -> None:
        self.kubelets = kubelets
        metadata = pod["metadata"]
        self.namespace, self.name, self.uid = metadata["namespace"], metadata["name"], metadata["uid"]
        self.node = pod["spec"]["nodeName"]
        self.pod = pod
        status = pod.get("status") or {}
        self.address = status.get("podIP") or kubelets.address(self.node)
        self.started = status.get("startTime") or clock.stamp()
        self.ending = False
        self.begun = False
        self.missing = False
        self.inits = [Container(spec, status, init=True) for spec in pod["spec"].get("initContainers", ())]
        self.mains = [Container(spec, status) for spec in pod["spec"]["containers"]]
        self.times: dict[str, tuple[str, str]] = {
            item["type"]: (item["status"], item["lastTransitionTime"])
            for item in status.get("conditions", ())
            if item.get("lastTransitionTime")
        }
        self._timers: dict[str, asyncio.TimerHandle] = {}
        self._dirty: asyncio.Handle | None = None

    # -- timers ---------------------------------------------------------------------------------------------------

    def _after(self, seconds: float, name: str, then: str, container: Container | None = None) -> None:
        """Call a method of this worker after so many seconds of the cluster's time."""
        method = getattr(self, then)
        wait = self.kubelets.pace.seconds(seconds)
        loop = asyncio.get_running_loop()
        self._cancel(name)
        self._timers[name] = loop.call_later(wait, method, container) if container else loop.call_later(wait, method)

    def _cancel(self, name: str) -> None:
        timer = self._timers.pop(name, None)
        if timer:
            timer.cancel()

    def cancel(self) -> None:
        for timer in self._timers.values():
            timer.cancel()
        self._timers.clear()

    # -- the pod --------------------------------------------------------------------------------------------------

    def begin(self, pod: Object) -> None:
        """Start a new pod, or go on with one whose images were changed or that comes from a snapshot."""
        self.pod = pod
        if not self.begun:
            self.begun = True
            if (pod.get("status") or {}).get("phase") in ("Succeeded", "Failed"):
                return
            if all(container.state == "running" for container in self.mains):
                self._resume()
                return
            self.write()
            slow = any(container.fault == "slow" for container in self.mains)
            # Spread by name, so that the pods of a workload do not all turn ready in the same instant.
            spread = hashlib.sha256(self.uid.encode()).digest()[0] / 640
            self._after((_SLOW if slow else _START) + spread, "pod", "_next_init")
            return
        if pod["spec"].get("readinessGates"):
            self.write()
        for container, spec in zip(self.mains, pod["spec"]["containers"], strict=True):
            if container.image != spec["image"]:
                self._replace_image(container, spec)

    def _resume(self) -> None:
        for container in self.mains:
            if container.fault in ("crash", "oom") or self.pod["spec"].get("restartPolicy") != "Always":
                self._after(_FAIL if container.fault else _RUN, container.name, "_exit", container)
            elif not container.ready and container.fault != "not-ready":
                self._after(_READY, f"{container.name}/ready", "_turn_ready", container)

    def _replace_image(self, container: Container, spec: Object) -> None:
        """An edited image ends the container; the new one starts in its place."""
        self._event("Normal", "Killing", f"Container {container.name} definition changed, will be restarted", container)
        container.take(spec)
        container.restarts += 1 if container.state == "running" else 0
        container.ready = False
        self._cancel(f"{container.name}/ready")
        self._after(_START, container.name, "_start", container)

    def retry_missing(self) -> None:
        """A ConfigMap or Secret has appeared."""
        self.missing = False
        self._next_init()

    def _next_init(self) -> None:
        lost = missing_object(self.kubelets.store, self.namespace, self.pod["spec"].get("volumes", ()), volumes=True)
        if lost:
            kind, name, volume = lost
            text = f'MountVolume.SetUp failed for volume "{volume}" : {kind} "{name}" not found'
            self.missing = True
            self._event("Warning", "FailedMount", text)
            return
        waiting = next((container for container in self.inits if not container.succeeded), None)
        if waiting:
            self._start(waiting)
            return
        for container in self.mains:
            if container.state == "waiting":
                self._start(container)

    # -- one container --------------------------------------------------------------------------------------------

    def _start(self, container: Container) -> None:
        if container.fault == "bad-image":
            self._pull_failed(container)
            return
        lost = missing_object(self.kubelets.store, self.namespace, [container.spec])
        if lost or container.fault == "config-error":
            kind, name, _ = lost or ("configmap", f"{container.name}-settings", "")
            self.missing = bool(lost)
            container.wait("CreateContainerConfigError", f'{kind} "{name}" not found')
            self._event("Warning", "Failed", f"Error: {container.message}", container)
            self._after(_RETRY, container.name, "_start", container)
            self.write()
            return
        text = f'Container image "{container.image}" already present on machine'
        self._event("Normal", "Pulled", text, container)
        self._event("Normal", "Created", f"Created container: {container.name}", container)
        self._event("Normal", "Started", f"Started container {container.name}", container)
        container.run(f"containerd://{uuid.uuid4().hex}{uuid.uuid4().hex}")
        # who has no readiness probe is ready as soon as it runs, however short that is
        container.ready = container.fault in ("crash", "oom") and "readinessProbe" not in container.spec
        self._plan(container)
        self.write()

    def _plan(self, container: Container) -> None:
        """What happens next to a container that runs."""
        if container.fault in ("crash", "oom"):
            self._after(_FAIL, container.name, "_exit", container)
        elif container.init and not container.sidecar:
            self._after(_INIT, container.name, "_exit", container)
        elif self.pod["spec"].get("restartPolicy", "Always") != "Always" and not container.sidecar:
            self._after(_RUN, container.name, "_exit", container)
        if container.sidecar:
            container.succeeded = container.ready = True
            self._after(0, "pod", "_next_init")
        elif not container.init and container.fault not in ("crash", "oom", "not-ready"):
            self._after(_READY, f"{container.name}/ready", "_turn_ready", container)
        elif container.fault == "not-ready":
            self._after(_READY * 4, f"{container.name}/ready", "_probe_failed", container)

    def _turn_ready(self, container: Container) -> None:
        container.ready = True
        self.write()

    def _probe_failed(self, container: Container) -> None:
        probe = container.spec.get("readinessProbe", {}).get("httpGet", {})
        where = f"http://{self.address}:{probe.get('port', 8080)}{probe.get('path', '/')}"
        if "readinessProbe" in container.spec:
            text = f'Readiness probe failed: Get "{where}": dial tcp {self.address}: connect: connection refused'
        else:
            text = "Readiness probe failed: HTTP probe failed with statuscode: 503"
        self._event("Warning", "Unhealthy", text, container)
        self._after(_RETRY * 3, f"{container.name}/ready", "_probe_failed", container)

    def _pull_failed(self, container: Container) -> None:
        image = container.image
        if container.reason == "ErrImagePull":
            container.pulls += 1
            container.wait("ImagePullBackOff", f'Back-off pulling image "{image}": ErrImagePull: {container.detail}')
            self._event("Normal", "BackOff", f'Back-off pulling image "{image}"', container)
            self._event("Warning", "Failed", "Error: ImagePullBackOff", container)
            wait = min(_BACKOFF_FIRST * 2 ** (container.pulls - 1), _BACKOFF_LONGEST)
        else:
            container.detail = (
                f'rpc error: code = NotFound desc = failed to pull and unpack image "{image}": failed to resolve '
                f'reference "{image}": {image}: not found'
            )
            container.wait("ErrImagePull", container.detail)
            self._event("Normal", "Pulling", f'Pulling image "{image}"', container)
            self._event("Warning", "Failed", f'Failed to pull image "{image}": {container.detail}', container)
            self._event("Warning", "Failed", "Error: ErrImagePull", container)
            wait = _PULL
        self._after(wait, container.name, "_start", container)
        self.write()

    def _exit(self, container: Container) -> None:
        """A running container ends."""
        self._cancel(f"{container.name}/ready")
        code = {"crash": 1, "oom": 137}.get(container.fault, 0)
        container.end(code, "OOMKilled" if container.fault == "oom" else "Error" if code else "Completed")
        if container.init and code == 0:
            container.succeeded = container.ready = True
            self.write()
            self._next_init()
            return
        policy = self.pod["spec"].get("restartPolicy", "Always")
        if policy == "Never" or (policy == "OnFailure" and code == 0):
            container.done = True
            self.write()
            return
        self.write()
        self._after(0.3, container.name, "_again", container)

    def _again(self, container: Container) -> None:
        """Start an ended container anew: the first time at once, later after a back-off."""
        if container.restarts == 0 or container.reason == "CrashLoopBackOff":
            container.restarts += 1
            self._start(container)
            return
        wait = min(_BACKOFF_FIRST * 2 ** (container.restarts - 1), _BACKOFF_LONGEST)
        text = f"restarting failed container={container.name} pod={self.name}_{self.namespace}({self.uid})"
        container.remember()
        shown = f"{wait}s" if wait < 60 else f"{wait // 60}m{wait % 60}s"
        container.wait("CrashLoopBackOff", f"back-off {shown} {text}")
        self._event(
            "Warning",
            "BackOff",
            f"Back-off restarting failed container {container.name} in pod {self.name}_{self.namespace}({self.uid})",
            container,
        )
        self._after(wait, container.name, "_again", container)
        self.write()

    # -- telling --------------------------------------------------------------------------------------------------

    def announce_end(self, pod: Object) -> None:
        """A kubelet says which containers it stops."""
        self.pod = pod
        for container in self.mains:
            if container.state == "running":
                self._event("Normal", "Killing", f"Stopping container {container.name}", container)

    def _event(self, kind: str, reason: str, message: str, container: Container | None = None) -> None:
        path = ""
        if container:
            path = f"spec.{'initContainers' if container.init else 'containers'}{{{container.name}}}"
        record = self.kubelets.recorder.warning if kind == "Warning" else self.kubelets.recorder.normal
        record(self.pod, reason, message, "kubelet", path, self.node)

    def write(self) -> None:
        """Write the status once for all that happens in this turn of the event loop."""
        if self._dirty is None:
            self._dirty = asyncio.get_running_loop().call_soon(self._write)

    def _write(self) -> None:
        self._dirty = None
        self.kubelets.write(self, self._status())

    def _phase(self) -> str:
        if all(container.done for container in self.mains):
            return "Failed" if any(container.code for container in self.mains) else "Succeeded"
        if any(container.init and container.done and container.code for container in self.inits):
            return "Failed"
        started = any(container.state != "waiting" or container.restarts for container in self.mains)
        return "Running" if started else "Pending"

    def _condition(self, kind: str, *, holds: bool, reason: str = "", message: str = "") -> Object:
        status = "True" if holds else "False"
        before = self.times.get(kind)
        since = before[1] if before and before[0] == status else clock.stamp()
        self.times[kind] = (status, since)
        out: Object = {"type": kind, "status": status, "lastProbeTime": None, "lastTransitionTime": since}
        if not holds and reason:
            out |= {"reason": reason, "message": message}
        elif holds and reason == "PodCompleted":
            out["reason"] = reason
        return out

    def _gates(self) -> dict[str, Object | None]:
        """The pod's readiness gates with what somebody else has written about each."""
        gates = [gate["conditionType"] for gate in self.pod["spec"].get("readinessGates") or ()]
        stored = self.kubelets.store.get(POD, self.namespace, self.name) if gates else None
        told = gate_conditions(stored) if stored else {}
        return {name: told.get(name) for name in gates}

    def _status(self) -> Object:
        phase = self._phase()
        initialized = all(container.succeeded for container in self.inits)
        ready = bool(self.mains) and all(container.ready for container in self.mains) and phase == "Running"
        gates = self._gates()
        closed = next((name for name, state in gates.items() if (state or {}).get("status") != "True"), "")
        unready = [container.name for container in self.mains if not container.ready]
        uninitialized = [container.name for container in self.inits if not container.succeeded]
        text = f"containers with unready status: [{' '.join(unready)}]"
        why = "PodCompleted" if phase == "Succeeded" else "PodFailed" if phase == "Failed" else "ContainersNotReady"
        first = f"containers with incomplete status: [{' '.join(uninitialized)}]"
        past_sandbox = any(
            container.state != "waiting" or container.reason != "PodInitializing" for container in self.mains
        )
        conditions = [
            self._condition("PodReadyToStartContainers", holds=past_sandbox and phase in ("Pending", "Running")),
            self._condition("Initialized", holds=initialized, reason="ContainersNotInitialized", message=first),
            self._condition(
                "Ready",
                holds=ready and not closed,
                reason="ReadinessGatesNotReady" if ready else why,
                message=f'corresponding condition of pod readiness gate "{closed}" does not exist.' if ready else text,
            ),
            self._condition("ContainersReady", holds=ready, reason=why, message=text),
            self._condition("PodScheduled", holds=True),
            *(state for state in gates.values() if state),
        ]
        status: Object = {
            "phase": phase,
            "conditions": conditions,
            "hostIP": f"172.18.0.{2 + int(self.node.rsplit('-', 1)[-1]) if self.node[-1:].isdigit() else 2}",
            "podIP": self.address,
            "podIPs": [{"ip": self.address}],
            "startTime": self.started,
            "qosClass": (self.pod.get("status") or {}).get("qosClass", "BestEffort"),
            "containerStatuses": [container.status(initialized=initialized) for container in self.mains],
        }
        if self.inits:
            status["initContainerStatuses"] = [container.status(initialized=True) for container in self.inits]
        return status


def gate_conditions(pod: Object) -> dict[str, Object]:
    """The conditions of a pod that its readiness gates ask for, as far as somebody has written them."""
    gates = {gate["conditionType"] for gate in pod["spec"].get("readinessGates") or ()}
    conditions = (pod.get("status") or {}).get("conditions") or ()
    return {item["type"]: item for item in conditions if item["type"] in gates}
