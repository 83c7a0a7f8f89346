"""The state of one container, and the objects that it cannot start without."""

from collections.abc import Iterable
from typing import Any

from portal.sandbox import clock, faults
from portal.sandbox.kinds import CONFIG_MAP, SECRET
from portal.sandbox.store import Object, Store


class Container:
    """A container as a kubelet reports it; taken up from a status when the sandbox comes back."""

    def __init__(self, spec: Object, status: Object, *, init: bool = False) -> None:
        self.init = init
        self.state, self.reason, self.message, self.detail = "waiting", "", "", ""
        self.started = self.finished = self.id = ""
        self.code = self.restarts = self.pulls = 0
        self.ready = self.succeeded = self.done = False
        self.last: Object = {}
        self.take(spec)
        listed = status.get("initContainerStatuses" if init else "containerStatuses") or ()
        known = next((item for item in listed if item["name"] == self.name), None)
        if known:
            self._resume(known)

    def take(self, spec: Object) -> None:
        """Use this spec from now on."""
        self.spec = spec
        self.name, self.image = spec["name"], spec["image"]
        self.fault = faults.of_image(self.image)
        self.sidecar = self.init and spec.get("restartPolicy") == "Always"

    def _resume(self, known: Object) -> None:
        self.restarts = known.get("restartCount", 0)
        self.last = (known.get("lastState") or {}).get("terminated") or {}
        state = known.get("state") or {}
        if "running" in state:
            self.state, self.started = "running", state["running"]["startedAt"]
            self.id, self.ready = known.get("containerID", ""), bool(known.get("ready"))
        elif "terminated" in state:
            ended = state["terminated"]
            self.state, self.code, self.reason = "terminated", ended.get("exitCode", 0), ended.get("reason", "")
            self.started, self.finished = ended.get("startedAt", ""), ended.get("finishedAt", "")
            self.succeeded = self.ready = self.init and self.code == 0
        if self.state == "terminated" and not self.succeeded:
            self.state = "waiting"

    def wait(self, reason: str, message: str = "") -> None:
        self.state, self.reason, self.message, self.ready = "waiting", reason, message, False

    def run(self, container_id: str) -> None:
        if self.state == "terminated":
            self.remember()
        self.state, self.reason, self.message, self.id = "running", "", "", container_id
        self.started, self.pulls = clock.stamp(), 0

    def end(self, code: int, reason: str) -> None:
        self.state, self.code, self.reason, self.ready = "terminated", code, reason, False
        self.finished = clock.stamp()

    def remember(self) -> None:
        """The run that ended becomes the previous one."""
        if self.state == "terminated":
            self.last = self._terminated()

    def _terminated(self) -> Object:
        return {
            "exitCode": self.code,
            "reason": self.reason,
            "startedAt": self.started,
            "finishedAt": self.finished,
            "containerID": self.id,
        }

    def status(self, *, initialized: bool) -> Object:
        """A ContainerStatus."""
        state: Object
        if self.state == "running":
            state = {"running": {"startedAt": self.started}}
        elif self.state == "terminated":
            state = {"terminated": self._terminated()}
        else:
            reason = self.reason or ("ContainerCreating" if initialized and not self.init else "PodInitializing")
            state = {"waiting": {"reason": reason} | ({"message": self.message} if self.message else {})}
        out: Object = {
            "name": self.name,
            "image": self.image,
            "imageID": f"sandbox.invalid/{self.image.split('@')[0]}" if self.id else "",
            "ready": self.ready,
            "started": self.state == "running",
            "restartCount": self.restarts,
            "state": state,
            "lastState": {"terminated": self.last} if self.last else {},
        }
        return out | {"containerID": self.id} if self.id else out


def _references(spec: Any) -> Iterable[tuple[Any, str, Any]]:
    """ConfigMaps and Secrets that a container's environment needs."""
    for source in spec.get("envFrom", ()):
        yield CONFIG_MAP, "configMapRef", source
        yield SECRET, "secretRef", source
    for variable in spec.get("env", ()):
        yield CONFIG_MAP, "configMapKeyRef", variable.get("valueFrom", {})
        yield SECRET, "secretKeyRef", variable.get("valueFrom", {})


def missing_object(
    store: Store, namespace: str, specs: Iterable[Object], *, volumes: bool = False
) -> tuple[str, str, str] | None:
    """Kind, name and volume of the first ConfigMap or Secret that is needed and not there."""
    for spec in specs:
        found = [(CONFIG_MAP, "configMap", spec), (SECRET, "secret", spec)] if volumes else list(_references(spec))
        for resource, key, holder in found:
            reference = holder.get(key)
            if not reference or reference.get("optional"):
                continue
            name = reference.get("name") or reference.get("secretName", "")
            if store.get(resource, namespace, name) is None:
                return resource.singular, name, spec["name"]
    return None
