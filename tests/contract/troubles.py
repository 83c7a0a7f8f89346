"""The trouble list: what goes wrong with a service, how a cluster tells it, what has to be said, what mends it.

A trouble is made by `make`, has happened when `happened` sees it in what the API server itself answers, and is over
when `is_over` does. Who watches compares these moments with those at which the portal's status says so.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from tests.contract.manifests import Object, deployment
from tests.contract.planes import ClusterUnderTest
from tests.sandbox.process import Api

LABEL = "backstage.io/kubernetes-id"
GATE = "example.com/in-rotation"
IMAGES = {  # what the sandbox orders by an image's tag, the fake nodes of a real control plane by annotation
    "CrashLoopBackOff": "crash",
    "OOMKilled": "oom",
    "ImagePullBackOff": "bad-image",
    "NotReady": "not-ready",
}


@dataclass
class Place:
    """A namespace on a cluster, and what is in it at one moment."""

    cluster: ClusterUnderTest
    namespace: str
    node: str
    bounded: str = ""

    @property
    def api(self) -> Api:
        return self.cluster.api

    @property
    def elsewhere(self) -> Place:
        """The namespace that has a quota; one that bounds every pod there."""
        return Place(self.cluster, self.bounded, self.node)

    @cached_property
    def cron_jobs(self) -> str:
        return self.cluster.newest("CronJob", "batch/v1", "batch/v1beta1")

    def path(self, plural: str, name: str = "") -> str:
        root = {"deployments": "/apis/apps/v1", "jobs": "/apis/batch/v1", "cronjobs": self.cron_jobs}.get(
            plural, "/api/v1"
        )
        return f"{root}/namespaces/{self.namespace}/{plural}" + (f"/{name}" if name else "")

    def look(self) -> Seen:
        kinds = ("pods", "events", "deployments", "persistentvolumeclaims", "cronjobs")
        found = {kind: self.api.json(self.path(kind))["items"] for kind in kinds}
        for kind in kinds[:3] if self.bounded else ():
            found[kind] += self.api.json(self.elsewhere.path(kind))["items"]
        return Seen(found, self.api.json("/api/v1/nodes")["items"])

    def workload(self, name: str, fault: str = "", **more: Any) -> Object:
        """A deployment of one pod that is bound to the entity of that name."""
        body = deployment(name, replicas=1)
        template = body["spec"]["template"]
        for labels in (body["metadata"]["labels"], template["metadata"]["labels"]):
            labels[LABEL] = name
        template["spec"]["nodeSelector"] = {"kubernetes.io/hostname": self.node}
        container = template["spec"]["containers"][0]
        container["image"] = "registry.example/web:1"
        if fault and self.cluster.name == "sandbox":
            container["image"] = f"registry.example/web:{IMAGES[fault]}"
        elif fault:
            template["metadata"]["annotations"] = {"sim.kubelet/fault": fault}
        container |= more.pop("container", {})
        template["spec"] |= more
        return body

    def apply(self, plural: str, body: Object) -> None:
        self.api.create(self.path(plural), body)

    def mend(self, name: str) -> None:
        """A new revision, without what was wrong."""
        good = self.workload(name)["spec"]["template"]
        good["metadata"]["labels"]["mended"] = "yes"
        change = [{"op": "replace", "path": "/spec/template", "value": good}]
        answer = self.api.patch(self.path("deployments", name), change, "json")
        assert answer.status_code == 200, answer.text


@dataclass
class Seen:
    """What the API server answered."""

    lists: dict[str, list[Object]]
    nodes: list[Object]

    def pods(self, name: str) -> list[Object]:
        return [pod for pod in self.lists["pods"] if (pod["metadata"].get("labels") or {}).get(LABEL) == name]

    def waits(self, name: str, *reasons: str) -> bool:
        return any(
            (status.get("state", {}).get("waiting") or {}).get("reason") in reasons
            for pod in self.pods(name)
            for status in pod.get("status", {}).get("containerStatuses") or ()
        )

    def warned(self, name: str, reason: str) -> bool:
        uids = {pod["metadata"]["uid"] for pod in self.pods(name)}
        return any(
            event["reason"] == reason and event["type"] == "Warning" and event["involvedObject"].get("uid") in uids
            for event in self.lists["events"]
        )

    def condition(self, name: str, kind: str, status: str) -> bool:
        return any(_holds(pod, kind, status) for pod in self.pods(name))

    def deployment(self, name: str) -> Object | None:
        return next((item for item in self.lists["deployments"] if item["metadata"]["name"] == name), None)

    def serves(self, name: str) -> bool:
        """Whether a deployment's newest revision is the only one, and available."""
        found = self.deployment(name)
        status = (found or {}).get("status", {})
        return bool(
            found
            and status.get("observedGeneration") == found["metadata"]["generation"]
            and status.get("replicas") == status.get("updatedReplicas") == status.get("availableReplicas") == 1
        )


def _holds(obj: Object, kind: str, status: str) -> bool:
    return any(
        item["type"] == kind and item["status"] == status for item in obj.get("status", {}).get("conditions") or ()
    )


def _turned(obj: Object, kind: str) -> str:
    """When a condition last became what it is, as the server writes it; such moments compare as text."""
    found = (item for item in obj.get("status", {}).get("conditions") or () if item["type"] == kind)
    return next((str(item.get("lastTransitionTime")) for item in found), "")


@dataclass
class Trouble:
    """One line of the list. `codes` and `words` are what has to be said; `holds` for how many seconds it must stay."""

    name: str
    codes: tuple[str, ...]
    words: str
    make: Callable[[Place], None]
    happened: Callable[[Seen], bool]
    mend: Callable[[Place], None]
    is_over: Callable[[Seen], bool]
    well: tuple[str, ...] = ("Healthy",)
    holds: float = 0.0
    is_slow: bool = False
    only: str = ""
    # what came of it, in seconds of time.monotonic()
    happened_at: float = 0.0
    told_at: float = 0.0
    told: str = ""
    mended_at: float = 0.0
    over_at: float = 0.0
    well_at: float = 0.0
    badges: list[str] = field(default_factory=list)


def _plain(name: str, fault: str, codes: tuple[str, ...], words: str, happened: Any, **more: Any) -> Trouble:
    body = more.pop("body", {})
    return Trouble(
        name,
        codes,
        words,
        lambda place: place.apply("deployments", place.workload(name, fault, **body)),
        happened,
        lambda place: place.mend(name),
        lambda seen: seen.serves(name),
        **more,
    )


def _missing(name: str, plural: str, body: Object, codes: tuple[str, ...], words: str, happened: Any) -> Trouble:
    """Something that the pod needs is not there; it is mended by making it."""
    return Trouble(
        name,
        codes,
        words,
        lambda place: place.apply("deployments", place.workload(name, **body)),
        happened,
        lambda place: place.apply(plural, {"metadata": {"name": name}}),
        lambda seen: seen.serves(name),
    )


def _quota() -> Trouble:
    """A quota that no pod fits into, in a namespace of its own."""
    name = "quota"

    def make(place: Place) -> None:
        there = place.elsewhere
        there.apply("resourcequotas", {"metadata": {"name": name}, "spec": {"hard": {"pods": "0"}}})
        quota = there.path("resourcequotas", name)
        place.api.until(quota, lambda obj: "pods" in obj.get("status", {}).get("used", {}))
        there.apply("deployments", there.workload(name))

    def happened(seen: Seen) -> bool:
        found = seen.deployment(name)
        return bool(found and _holds(found, "ReplicaFailure", "True"))

    def mend(place: Place) -> None:
        place.api.delete(place.elsewhere.path("resourcequotas", name))
        place.elsewhere.mend(name)

    return Trouble(
        name, ("quota-exceeded",), "quota quota is used up", make, happened, mend, lambda seen: seen.serves(name)
    )


def _claim() -> Trouble:
    name = "claim"

    def make(place: Place) -> None:
        spec = {
            "accessModes": ["ReadWriteOnce"],
            "storageClassName": f"missing-{place.namespace}",
            "resources": {"requests": {"storage": "1Gi"}},
        }
        place.apply("persistentvolumeclaims", {"metadata": {"name": name}, "spec": spec})
        volumes = [{"name": "data", "persistentVolumeClaim": {"claimName": name}}]
        place.apply("deployments", place.workload(name, volumes=volumes))

    return Trouble(
        name,
        ("claim-pending", "claim-failed"),
        "Volume claim claim",
        make,
        lambda seen: seen.condition(name, "PodScheduled", "False"),
        lambda place: place.mend(name),
        lambda seen: seen.serves(name),
    )


def _gate() -> Trouble:
    name = "gate"

    def mend(place: Place) -> None:
        for pod in place.look().pods(name):
            patch = {"status": {"conditions": [{"type": GATE, "status": "True"}]}}
            path = place.path("pods", pod["metadata"]["name"]) + "/status"
            answer = place.api.patch(path, patch, "strategic-merge")
            assert answer.status_code == 200, answer.text

    return Trouble(
        name,
        ("gate-pending", "readiness-gate"),
        f"readiness gate {GATE}",
        lambda place: place.apply("deployments", place.workload(name, readinessGates=[{"conditionType": GATE}])),
        lambda seen: seen.condition(name, "ContainersReady", "True"),
        mend,
        lambda seen: seen.serves(name),
    )


def _finalizer() -> Trouble:
    name = "finalizer"

    def make(place: Place) -> None:
        body = place.workload(name)
        body["metadata"]["finalizers"] = ["example.com/backup"]
        place.apply("deployments", body)
        place.api.delete(place.path("deployments", name), {"propagationPolicy": "Background"})

    def happened(seen: Seen) -> bool:
        found = seen.deployment(name)
        return bool(found and found["metadata"].get("deletionTimestamp"))

    def mend(place: Place) -> None:
        patch = {"metadata": {"finalizers": None}}
        assert place.api.patch(place.path("deployments", name), patch).status_code == 200

    return Trouble(
        name,
        ("terminating", "finalizer-stuck"),
        "waits for its finalizer example.com/backup",
        make,
        happened,
        mend,
        lambda seen: seen.deployment(name) is None and not seen.pods(name),
        well=("Unknown",),
    )


def _node_down() -> Trouble:
    name = "node-down"

    def node(place: Place) -> str:
        return str(place.api.json("/api/v1/nodes")["items"][-1]["metadata"]["labels"]["kubernetes.io/hostname"])

    def make(place: Place) -> None:
        body = place.workload(name, nodeSelector={"kubernetes.io/hostname": node(place)})
        place.apply("deployments", body)
        place.api.until(
            place.path("deployments", name), lambda obj: obj.get("status", {}).get("availableReplicas") == 1
        )
        patch = {"metadata": {"annotations": {"sim.kubelet/down": "true"}}}
        assert place.api.patch(f"/api/v1/nodes/{node(place)}", patch).status_code == 200

    def mend(place: Place) -> None:
        patch = {"metadata": {"annotations": {"sim.kubelet/down": None}}}
        assert place.api.patch(f"/api/v1/nodes/{node(place)}", patch).status_code == 200

    def is_up(seen: Seen) -> bool:
        return all(_holds(item, "Ready", "True") for item in seen.nodes)

    return Trouble(
        name,
        ("node-not-ready",),
        "is not ready",
        make,
        lambda seen: bool(seen.pods(name)) and not is_up(seen) and not seen.serves(name),
        mend,
        lambda seen: is_up(seen) and seen.serves(name),
        is_slow=True,
        only="real",  # the sandbox has no controller that judges nodes
    )


def _healed() -> Trouble:
    """A loop that ends in the same pod, as when a database has come back: its probe passes for the first time."""
    name = "healed"
    # later than it crashes
    probe = {"httpGet": {"path": "/ready", "port": 8000}, "initialDelaySeconds": 3}

    def mend(place: Place) -> None:
        for pod in place.look().pods(name):
            patch = {"metadata": {"annotations": {"sim.kubelet/fault": None}}}
            assert place.api.patch(place.path("pods", pod["metadata"]["name"]), patch).status_code == 200

    return Trouble(
        name,
        ("crash-loop",),
        "keeps crashing: exit code 1",
        lambda place: place.apply(
            "deployments", place.workload(name, "CrashLoopBackOff", container={"readinessProbe": probe})
        ),
        lambda seen: seen.waits(name, "CrashLoopBackOff"),
        mend,
        lambda seen: seen.serves(name) and len(seen.pods(name)) == 1,
        holds=8,
        only="real",  # a pod of the sandbox keeps the fault that its image's tag orders
    )


def _evicted() -> Trouble:
    """What was evicted and replaced stays in the list of pods, and explains nothing."""
    name = "evicted"

    def make(place: Place) -> None:
        place.apply("deployments", place.workload(name))
        place.api.until(
            place.path("deployments", name), lambda obj: obj.get("status", {}).get("availableReplicas") == 1
        )
        pod = place.look().pods(name)[0]["metadata"]["name"]
        gone = {"phase": "Failed", "reason": "Evicted", "message": "The node was low on resource: memory. "}
        answer = place.api.patch(place.path("pods", pod) + "/status", {"status": gone}, "strategic-merge")
        assert answer.status_code == 200, answer.text

    def happened(seen: Seen) -> bool:
        is_left = any(pod["status"].get("reason") == "Evicted" for pod in seen.pods(name))
        living = [
            pod for pod in seen.pods(name) if pod["status"]["phase"] == "Running" and _holds(pod, "Ready", "True")
        ]
        # the deployment's count comes a moment after its pods': it must have been written since the new one was ready
        turned = max((_turned(pod, "Ready") for pod in living if _holds(pod, "Ready", "True")), default="")
        found = seen.deployment(name)
        return bool(is_left and turned and found and seen.serves(name) and _turned(found, "Available") >= turned)

    return Trouble(
        name,
        ("serving",),
        "The one pod is available.",
        make,
        happened,
        lambda place: None,
        lambda seen: seen.serves(name),
        holds=3,
    )


def _cron_job() -> Trouble:
    name = "cron"

    def make(place: Place) -> None:
        template = place.workload(name)["spec"]["template"]
        template["spec"]["restartPolicy"] = "OnFailure"
        template["spec"]["containers"][0]["envFrom"] = [{"secretRef": {"name": name}}]
        spec = {
            "schedule": "@every 10s",
            "concurrencyPolicy": "Forbid",
            "jobTemplate": {"spec": {"template": template}},
        }
        place.apply("cronjobs", {"metadata": {"name": name, "labels": {LABEL: name}}, "spec": spec})

    def runs(seen: Seen) -> bool:
        return any(pod["status"]["phase"] in ("Running", "Succeeded") for pod in seen.pods(name)) and not seen.waits(
            name, "CreateContainerConfigError"
        )

    return Trouble(
        name,
        ("config-missing",),
        'secret "cron" not found',
        make,
        lambda seen: seen.waits(name, "CreateContainerConfigError"),
        lambda place: place.apply("secrets", {"metadata": {"name": name}}),
        runs,
        is_slow=True,
    )


def troubles() -> list[Trouble]:
    """The whole list, anew."""
    probe = {"readinessProbe": {"httpGet": {"path": "/ready", "port": 8000}}}
    crash = ("crash-loop",)
    return [
        _plain("image", "ImagePullBackOff", ("image-not-found",), "does not exist in its registry",
               lambda seen: seen.waits("image", "ErrImagePull", "ImagePullBackOff"), holds=5),
        _plain("crash", "CrashLoopBackOff", crash, "keeps crashing: exit code 1",
               lambda seen: seen.waits("crash", "CrashLoopBackOff"), holds=20),
        _plain("crash-probed", "CrashLoopBackOff", crash, "keeps crashing: exit code 1",
               lambda seen: seen.waits("crash-probed", "CrashLoopBackOff"), holds=20, body={"container": probe}),
        _plain("oom", "OOMKilled", crash, "keeps crashing: it ", lambda seen: seen.waits("oom", "CrashLoopBackOff"),
               holds=10),
        _quota(),
        _missing("secret", "secrets", {"container": {"envFrom": [{"secretRef": {"name": "secret"}}]}},
                 ("config-missing",), 'secret "secret" not found',
                 lambda seen: seen.waits("secret", "CreateContainerConfigError")),
        _missing("config", "configmaps", {"volumes": [{"name": "config", "configMap": {"name": "config"}}]},
                 ("mount-failed",), 'configmap "config" not found', lambda seen: seen.warned("config", "FailedMount")),
        _claim(),
        _plain("room", "", ("unschedulable",), "No node has room for pod room-",
               lambda seen: seen.condition("room", "PodScheduled", "False"),
               body={"container": {"resources": {"requests": {"cpu": "900"}}}}),
        _plain("readiness", "NotReady", ("readiness-failing",), "fails its readiness probe",
               lambda seen: seen.warned("readiness", "Unhealthy"), body={"container": probe}),
        _gate(),
        _finalizer(),
        _node_down(),
        _healed(),
        _evicted(),
        _cron_job(),
    ]  # fmt: skip
