"""kubernetes:wait: until what was applied is rolled out; holds no worker, gives up early where waiting cannot help."""

from collections.abc import Iterable
from datetime import timedelta
from typing import Any

import msgspec
from django.utils import timezone

from portal.accounts.tenancy import tenant
from portal.clusters.errors import KubeForbidden
from portal.clusters.health.judging import Around, Health, hint, judge, sentence
from portal.clusters.kube import Discovery, Kube
from portal.clusters.store import Store
from portal.clusters.structs import BY_KIND, KubeObject
from portal.goldenpaths.vocabulary import TEXT, Example, shape
from portal.kit.errors import Refusal
from portal.provisioning.acting.cluster import OBJECTS, cluster_of, connected
from portal.provisioning.acting.contract import Action, StepContext
from portal.provisioning.acting.manifests import seconds_of
from portal.provisioning.acting.outcomes import Done, Wait
from portal.provisioning.acting.pretence import Pretence
from portal.provisioning.models import Effect

ROLLOUTS = frozenset({"Deployment", "StatefulSet", "DaemonSet", "Job"})
# What the rules look at beside the workload itself.
SURROUNDINGS = ("ReplicaSet", "Pod", "PersistentVolumeClaim", "Event")
TIMEOUT = 300.0
# The live process wakes us; this is for the day it does not.
RECHECK = timedelta(seconds=5)


class RolloutFailed(Refusal):
    """The workload will not come up by waiting; the text says why and what to do."""

    status = 409
    code = "rollout-failed"


def run(ctx: StepContext, given: dict[str, Any]) -> Done | Wait:
    """Judge every workload once; done when all are, refused when one is stuck, otherwise wait to be woken."""
    cluster = given["cluster"]
    objects = _objects(ctx, given)
    if not objects:
        ctx.log("Nothing that was applied has a rollout to wait for.")
        return Done()
    kube = connected(ctx.organisation, cluster)
    now = timezone.now()
    around = Around(_store(kube, objects), now)
    ctx.failpoint("middle")
    healths = [(item, _health(around, item)) for item in objects]
    waiting = [(item, health) for item, health in healths if not _is_done(item, health)]
    if not waiting:
        for item, health in healths:
            ctx.log(f"{item['kind']} {item['name']}: {sentence(health)}")
        return Done()
    deadline = ctx.step_started_at + timedelta(seconds=seconds_of(given.get("timeout"), TIMEOUT))
    text = " ".join(f"{item['kind']} {item['name']}: {sentence(health)}" for item, health in waiting)
    if now >= deadline:
        raise RolloutFailed(f"Not ready in time. {text} {hint(waiting[0][1])}".strip(), code="rollout-timeout")
    if text != ctx.last_sentence:
        ctx.log(text)
    return Wait(min(now + RECHECK, deadline), tuple(_key(cluster, item) for item in objects), text)


def _key(cluster: str, item: dict[str, Any]) -> str:
    return f"rollout:{cluster}/{item['namespace']}/{item['kind']}/{item['name']}"


def _objects(ctx: StepContext, given: dict[str, Any]) -> list[dict[str, Any]]:
    """The workloads to wait for: those named, or those that this run applied to the cluster."""
    named = given.get("objects")
    if named is None:
        with tenant(ctx.organisation):
            effects = Effect.objects.for_tenant(ctx.organisation).filter(run_id=ctx.run_id, kind="object")
            named = [effect.reference for effect in effects if effect.reference.get("cluster") == given["cluster"]]
    space = given.get("namespace") or "default"
    chosen = [{**item, "namespace": item.get("namespace") or space} for item in named if item["kind"] in ROLLOUTS]
    return list({(item["kind"], item["namespace"], item["name"]): item for item in chosen}.values())


def _store(kube: Kube, objects: Iterable[dict[str, Any]]) -> Store:
    """The workloads and what surrounds them, as the rules want them."""
    store = Store()
    discovery = kube.discovery()
    namespaces = set()
    for item in objects:
        namespaces.add(item["namespace"])
        standing = kube.get(item["apiVersion"], item["kind"], item["namespace"], item["name"])
        if standing is not None:
            store.put(_decoded(item["kind"], standing))
    for namespace in sorted(namespaces):
        for kind in SURROUNDINGS:
            for standing in _around(kube, discovery, kind, namespace):
                store.put(_decoded(kind, standing))
    return store


def _around(kube: Kube, discovery: Discovery, kind: str, namespace: str) -> list[dict[str, Any]]:
    version = next((served for served in BY_KIND[kind].served_as if discovery.serves(served, kind)), None)
    if version is None:
        return []
    try:
        return kube.list(version, kind, namespace)
    except KubeForbidden:
        # The credential may see the workload and not, say, its events: judge with what there is.
        return []


def _decoded(kind: str, standing: dict[str, Any]) -> KubeObject:
    return msgspec.convert(standing, BY_KIND[kind].struct, strict=False)


def _health(around: Around, item: dict[str, Any]) -> Health:
    """The workload's health. Raises RolloutFailed when it is there no more."""
    found = [obj for obj in around.store.of_kind(item["kind"]) if obj.metadata.name == item["name"]]
    mine = [obj for obj in found if obj.metadata.namespace == item["namespace"]]
    if not mine:
        text = f"{item['kind']} {item['name']} is no longer in {item['namespace']}: somebody deleted it."
        raise RolloutFailed(text, code="object-gone")
    return judge(item["kind"], mine[0], around)


def _is_done(item: dict[str, Any], health: Health) -> bool:
    """Rolled out, or at rest on purpose. Raises RolloutFailed for what waiting cannot mend."""
    label = f"{item['kind']} {item['name']}"
    if health.rollout == "Stuck" or (health.rollout == "Stable" and health.avail == "Down"):
        raise RolloutFailed(f"{label}: {sentence(health)} {hint(health)}".strip(), detail={"reason": health.code})
    return health.rollout in ("Stable", "Paused")


def pretend(world: Pretence, given: dict[str, Any]) -> dict[str, Any]:
    """Nothing rolls out in a review: only that there is such a cluster, and that the time-out can be read."""
    cluster_of(world.organisation, given["cluster"])
    seconds_of(given.get("timeout"), TIMEOUT)
    return {}


ACTION = Action(
    id="kubernetes:wait",
    description="Waits until what was applied is rolled out, holding no worker meanwhile.",
    input_schema=shape(
        ("cluster",),
        cluster=TEXT,
        namespace=TEXT,
        objects=OBJECTS,
        timeout={"type": ["string", "integer"], "pattern": r"^[0-9]+(ms|s|m|h)?$"},
    ),
    examples=(
        Example("All that this run applied", {"cluster": "${{ parameters.cluster }}", "timeout": "5m"}),
        Example("What one step applied", {"cluster": "production", "objects": "${{ steps.apply.output.objects }}"}),
    ),
    run=run,
    pretend=pretend,
)
