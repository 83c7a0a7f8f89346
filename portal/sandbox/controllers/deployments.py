"""Deployment: one ReplicaSet for each template, and the rolling from one to the next."""

import math
from collections.abc import Hashable
from datetime import timedelta
from typing import Any

from portal.sandbox import clock
from portal.sandbox.admission import template_hash
from portal.sandbox.controllers.base import (
    WorkloadController,
    condition,
    is_active,
    key_of,
    owner_reference,
    set_condition,
    without_condition,
)
from portal.sandbox.kinds import DEPLOYMENT, POD, REPLICA_SET
from portal.sandbox.store import Object

REVISION = "deployment.kubernetes.io/revision"
_DESIRED = "deployment.kubernetes.io/desired-replicas"
_MAXIMUM = "deployment.kubernetes.io/max-replicas"
_HASH = "pod-template-hash"
_COMPONENT = "deployment-controller"


def share(value: Any, replicas: int, *, up: bool) -> int:
    """`25%` of the replicas, or the number itself."""
    if isinstance(value, int):
        return value
    part = replicas * int(str(value).rstrip("%") or 0) / 100
    return math.ceil(part) if up else math.floor(part)


def bounds(spec: Object) -> tuple[int, int]:
    """How many pods there may be too many, and too few."""
    rolling = (spec.get("strategy") or {}).get("rollingUpdate") or {}
    replicas = spec.get("replicas", 1)
    surge = share(rolling.get("maxSurge", 0), replicas, up=True)
    unavailable = share(rolling.get("maxUnavailable", 0), replicas, up=False)
    if spec.get("strategy", {}).get("type") == "Recreate":
        return 0, replicas
    return (surge, unavailable) if surge or unavailable else (0, 1)


def _size(replica_set: Object) -> int:
    return int(replica_set["spec"].get("replicas", 0))


def _count(replica_set: Object, name: str) -> int:
    return int((replica_set.get("status") or {}).get(name, 0))


def _plain_template(replica_set: Object) -> Object:
    template: Object = replica_set["spec"]["template"]
    metadata = dict(template.get("metadata") or {})
    labels = {key: value for key, value in (metadata.get("labels") or {}).items() if key != _HASH}
    return template | {"metadata": metadata | {"labels": labels}}


def _revision(obj: Object) -> int:
    return int((obj["metadata"].get("annotations") or {}).get(REVISION, 0))


class Deployments(WorkloadController):
    """Keeps the ReplicaSets of Deployments."""

    resource = DEPLOYMENT
    owns = (REPLICA_SET,)

    def keys(self, change: Any) -> Any:
        if change.resource is POD and change.verb == "DELETED":
            # Recreate waits for the old pods to be gone.
            owner: Object = next(iter(change.obj["metadata"].get("ownerReferences") or ()), {})
            parent = self.store.get(REPLICA_SET, change.obj["metadata"]["namespace"], owner.get("name", ""))
            above = next(iter((parent or {"metadata": {}})["metadata"].get("ownerReferences") or ()), None)
            return [(change.obj["metadata"]["namespace"], above["name"])] if above else ()
        return super().keys(change)

    def sync(self, key: Hashable) -> None:
        deployment = self.current(key)
        if deployment is None:
            return
        self._adopt(deployment)
        sets = sorted(
            self.owned(deployment, REPLICA_SET),
            key=lambda item: (_revision(item), int(item["metadata"]["resourceVersion"])),
        )
        sets = [item for item in sets if not item["metadata"].get("deletionTimestamp")]
        template = deployment["spec"]["template"]
        new = next((item for item in sets if _plain_template(item) == _labelled(template)), None)
        old = [item for item in sets if item is not new]
        paused = deployment["spec"].get("paused", False)
        if new is None and not paused:
            new = self._create(deployment, old)
        elif new is not None:
            deployment, new = self._revise(deployment, new, old)
        if paused:
            if new is not None and not any(_size(item) for item in old):
                self._scale(deployment, new, deployment["spec"].get("replicas", 1))
        elif new is not None:
            self._roll(deployment, new, old)
        self._report(key)

    def _adopt(self, deployment: Object) -> None:
        """Take over ReplicaSets that an orphaning deletion left behind."""
        selector = (deployment["spec"]["selector"].get("matchLabels") or {}).items()
        for item in self.store.each(REPLICA_SET, deployment["metadata"]["namespace"]):
            if (
                not item["metadata"].get("ownerReferences")
                and selector <= (item["metadata"].get("labels") or {}).items()
            ):

                def own(obj: Object) -> None:
                    obj["metadata"]["ownerReferences"] = [owner_reference(deployment)]

                self.registry.change(REPLICA_SET, item, own)

    # -- the newest ReplicaSet ------------------------------------------------------------------------------------

    def _create(self, deployment: Object, old: list[Object]) -> Object:
        metadata, spec = deployment["metadata"], deployment["spec"]
        mark = template_hash(_labelled(spec["template"]))
        name = f"{metadata['name']}-{mark}"
        taken = self.store.get(REPLICA_SET, metadata["namespace"], name)
        if taken is not None:
            mark = template_hash([mark, metadata["uid"]])
            name = f"{metadata['name']}-{mark}"
        revision = str(max([_revision(item) for item in old], default=0) + 1)
        labels = dict((spec["template"].get("metadata") or {}).get("labels") or {}) | {_HASH: mark}
        selector = spec["selector"] | {"matchLabels": (spec["selector"].get("matchLabels") or {}) | {_HASH: mark}}
        template = spec["template"] | {"metadata": (spec["template"].get("metadata") or {}) | {"labels": labels}}
        body = {
            "metadata": {
                "name": name,
                "labels": labels,
                "annotations": self._annotations(deployment, revision),
                "ownerReferences": [owner_reference(deployment)],
            },
            "spec": {
                "replicas": 0,
                "selector": selector,
                "template": template,
                "minReadySeconds": spec.get("minReadySeconds", 0),
            },
        }
        made = self.registry.make(REPLICA_SET, metadata["namespace"], body)
        self._mark_revision(deployment, revision)
        self._progress(deployment, "NewReplicaSetCreated", f'Created new replica set "{name}"')
        return made

    @staticmethod
    def _annotations(deployment: Object, revision: str) -> dict[str, str]:
        skipped = ("kubectl.kubernetes.io/last-applied-configuration", REVISION)
        own = deployment["metadata"].get("annotations") or {}
        replicas = deployment["spec"].get("replicas", 1)
        surge, _ = bounds(deployment["spec"])
        kept = {key: value for key, value in own.items() if key not in skipped}
        return kept | {REVISION: revision, _DESIRED: str(replicas), _MAXIMUM: str(replicas + surge)}

    def _revise(self, deployment: Object, new: Object, old: list[Object]) -> tuple[Object, Object]:
        """The newest ReplicaSet bears the highest revision, also after a rollback."""
        highest = max([_revision(item) for item in old], default=0)
        revision = str(_revision(new) if _revision(new) > highest else highest + 1)

        def edit(obj: Object) -> None:
            obj["metadata"]["annotations"] = self._annotations(deployment, revision)
            if deployment["spec"].get("minReadySeconds"):
                obj["spec"]["minReadySeconds"] = deployment["spec"]["minReadySeconds"]

        new = self.registry.change(REPLICA_SET, new, edit)
        return self._mark_revision(deployment, revision), new

    def _mark_revision(self, deployment: Object, revision: str) -> Object:
        def edit(obj: Object) -> None:
            obj["metadata"].setdefault("annotations", {})[REVISION] = revision

        return self.registry.change(DEPLOYMENT, self.current(key_of(deployment)) or deployment, edit)

    # -- rolling --------------------------------------------------------------------------------------------------

    def _scale(self, deployment: Object, replica_set: Object, size: int) -> None:
        live = self.store.get(REPLICA_SET, *key_of(replica_set))
        if live is None or _size(live) == size:
            return
        before, replicas = _size(live), deployment["spec"].get("replicas", 1)
        surge, _ = bounds(deployment["spec"])

        def edit(obj: Object) -> None:
            obj["spec"]["replicas"] = size
            obj["metadata"].setdefault("annotations", {}).update(
                {_DESIRED: str(replicas), _MAXIMUM: str(replicas + surge)}
            )

        self.registry.change(REPLICA_SET, live, edit)
        word = "up" if size > before else "down"
        text = f"Scaled {word} replica set {live['metadata']['name']} from {before} to {size}"
        self.recorder.normal(deployment, "ScalingReplicaSet", text, _COMPONENT)

    def _roll(self, deployment: Object, new: Object, old: list[Object]) -> None:
        replicas = deployment["spec"].get("replicas", 1)
        surge, unavailable = bounds(deployment["spec"])
        running_old = [item for item in old if _size(item)]
        if deployment["spec"]["strategy"]["type"] == "Recreate":
            for item in running_old:
                self._scale(deployment, item, 0)
            if not any(
                is_active(pod) or pod["metadata"].get("deletionTimestamp")
                for item in old
                for pod in self.owned(item, POD)
            ):
                self._scale(deployment, new, replicas)
        else:
            self._grow(deployment, new, running_old, replicas, surge)
            self._shrink(deployment, new, running_old, replicas, unavailable)
        self._clean(deployment, old)

    def _grow(self, deployment: Object, new: Object, old: list[Object], replicas: int, surge: int) -> None:
        size = _size(new)
        total = size + sum(_size(item) for item in old)
        if size > replicas or not old:
            self._scale(deployment, new, replicas)
        elif size < replicas:
            self._scale(deployment, new, size + max(0, min(replicas - size, replicas + surge - total)))

    def _shrink(self, deployment: Object, new: Object, old: list[Object], replicas: int, unavailable: int) -> None:
        """Old pods go: first those that are no use, then as many as availability allows."""
        live_new = self.store.get(REPLICA_SET, *key_of(new)) or new
        least = replicas - unavailable
        total = _size(live_new) + sum(_size(item) for item in old)
        spare = total - least - (_size(live_new) - _count(live_new, "availableReplicas"))
        sizes = {item["metadata"]["name"]: _size(item) for item in old}
        for item in old:
            broken = min(_size(item) - _count(item, "availableReplicas"), spare)
            if broken > 0:
                sizes[item["metadata"]["name"]] -= broken
                spare -= broken
        available = _count(live_new, "availableReplicas") + sum(_count(item, "availableReplicas") for item in old)
        left = min(available - least, spare)
        for item in old:
            name = item["metadata"]["name"]
            taken = min(sizes[name], left)
            if taken > 0:
                sizes[name] -= taken
                left -= taken
        for item in old:
            self._scale(deployment, item, sizes[item["metadata"]["name"]])

    def _clean(self, deployment: Object, old: list[Object]) -> None:
        limit = deployment["spec"].get("revisionHistoryLimit", 10)
        idle = [item for item in old if not _size(item) and not _count(item, "replicas")]
        for item in sorted(idle, key=_revision)[: max(0, len(idle) - limit)]:
            self.store.remove(REPLICA_SET, *key_of(item))

    # -- status ---------------------------------------------------------------------------------------------------

    def _progress(self, deployment: Object, reason: str, message: str) -> None:
        live = self.current(key_of(deployment))
        if live is None:
            return
        status = dict(live.get("status") or {})
        status["conditions"] = set_condition(
            list(status.get("conditions") or ()), "Progressing", "True", reason, message
        )
        self.registry.set_status(DEPLOYMENT, live, status)

    def _report(self, key: Hashable) -> None:
        deployment = self.current(key)
        if deployment is None:
            return
        sets = self.owned(deployment, REPLICA_SET)
        template = _labelled(deployment["spec"]["template"])
        new = next((item for item in sets if _plain_template(item) == template), None)
        counts = self._counts(deployment, sets, new)
        conditions = list((deployment.get("status") or {}).get("conditions") or ())
        conditions = self._available(deployment, counts, conditions)
        conditions = self._progressing(key, deployment, new, counts, conditions)
        conditions = self._failure(sets, conditions)
        status: Object = {name: value for name, value in counts.items() if value}
        status["conditions"] = conditions
        self.registry.set_status(DEPLOYMENT, deployment, status)

    @staticmethod
    def _counts(deployment: Object, sets: list[Object], new: Object | None) -> dict[str, int]:
        available = sum(_count(item, "availableReplicas") for item in sets)
        return {
            "observedGeneration": deployment["metadata"]["generation"],
            "replicas": sum(_count(item, "replicas") for item in sets),
            "updatedReplicas": _count(new, "replicas") if new else 0,
            "readyReplicas": sum(_count(item, "readyReplicas") for item in sets),
            "availableReplicas": available,
            "unavailableReplicas": max(0, sum(_size(item) for item in sets) - available),
        }

    @staticmethod
    def _available(deployment: Object, counts: dict[str, int], conditions: list[Object]) -> list[Object]:
        replicas = deployment["spec"].get("replicas", 1)
        _, unavailable = bounds(deployment["spec"])
        if counts["availableReplicas"] >= replicas - min(unavailable, replicas):
            text = "Deployment has minimum availability."
            return set_condition(conditions, "Available", "True", "MinimumReplicasAvailable", text)
        text = "Deployment does not have minimum availability."
        return set_condition(conditions, "Available", "False", "MinimumReplicasUnavailable", text)

    def _progressing(
        self,
        key: Hashable,
        deployment: Object,
        new: Object | None,
        counts: dict[str, int],
        conditions: list[Object],
    ) -> list[Object]:
        if deployment["spec"].get("paused"):
            return set_condition(conditions, "Progressing", "Unknown", "DeploymentPaused", "Deployment is paused")
        if new is None:
            return conditions
        name, replicas = new["metadata"]["name"], deployment["spec"].get("replicas", 1)
        old = condition({"status": {"conditions": conditions}}, "Progressing")
        complete = counts["updatedReplicas"] == counts["replicas"] == counts["availableReplicas"] == replicas
        if complete:
            text = f'ReplicaSet "{name}" has successfully progressed.'
            return set_condition(conditions, "Progressing", "True", "NewReplicaSetAvailable", text)
        before = deployment.get("status") or {}
        moved = counts["updatedReplicas"] > before.get("updatedReplicas", 0) or (
            counts["availableReplicas"] > before.get("availableReplicas", 0)
        )
        if old and not moved and old["reason"] != "NewReplicaSetAvailable":
            return self._deadline(key, deployment, name, old, conditions)
        text = f'ReplicaSet "{name}" is progressing.'
        finished = old is not None and old["reason"] == "NewReplicaSetAvailable" and f'"{name}"' in old["message"]
        if finished and before.get("observedGeneration") == counts["observedGeneration"]:
            # A finished rollout stays finished while its pods come and go.
            return conditions
        made = {
            "type": "Progressing",
            "status": "True",
            "lastUpdateTime": clock.stamp(),
            "lastTransitionTime": old["lastTransitionTime"] if old and old["status"] == "True" else clock.stamp(),
            "reason": "ReplicaSetUpdated",
            "message": text,
        }
        conditions = [*without_condition(conditions, "Progressing"), made]
        self.runtime.later(deployment["spec"].get("progressDeadlineSeconds", 600) + 0.5, self, key)
        return conditions

    def _deadline(
        self, key: Hashable, deployment: Object, name: str, old: Object, conditions: list[Object]
    ) -> list[Object]:
        if old["reason"] == "ProgressDeadlineExceeded":
            return conditions
        due = clock.parse(old["lastUpdateTime"]) + timedelta(
            seconds=deployment["spec"].get("progressDeadlineSeconds", 600)
        )
        left = (due - clock.now()).total_seconds()
        if left > 0:
            self.runtime.later(left + 0.5, self, key)
            return conditions
        text = f'ReplicaSet "{name}" has timed out progressing.'
        return set_condition(conditions, "Progressing", "False", "ProgressDeadlineExceeded", text)

    @staticmethod
    def _failure(sets: list[Object], conditions: list[Object]) -> list[Object]:
        found = next((item for item in (condition(each, "ReplicaFailure") for each in sets) if item), None)
        if found is None:
            return without_condition(conditions, "ReplicaFailure")
        return set_condition(conditions, "ReplicaFailure", found["status"], found["reason"], found["message"])


def _labelled(template: Object) -> Object:
    """A template in the form in which it is compared with those of ReplicaSets."""
    metadata = dict(template.get("metadata") or {})
    labels = {key: value for key, value in (metadata.get("labels") or {}).items() if key != _HASH}
    return template | {"metadata": metadata | {"labels": labels}}
