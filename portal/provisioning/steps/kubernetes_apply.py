"""kubernetes:apply: manifests into a cluster by server-side apply, each one an effect of its own."""

from typing import Any

from portal.clusters.errors import KubeConflict, KubeNotServed
from portal.clusters.kube import Kube
from portal.clusters.models import Cluster
from portal.goldenpaths.discovery import Served
from portal.goldenpaths.vocabulary import TEXT, TEXTS, Example, shape
from portal.kit.errors import Refusal
from portal.provisioning.acting.cluster import OBJECTS, cluster_of, connected, entity_label
from portal.provisioning.acting.contract import (
    Action,
    Intent,
    LeftBehind,
    StepContext,
    Target,
    UndoContext,
    Undone,
)
from portal.provisioning.acting.manifests import RUN_LABEL, Placed, gather, in_namespace, labelled, ordered
from portal.provisioning.acting.outcomes import Done
from portal.provisioning.acting.pretence import LATER, Pretence, PreviewManifest
from portal.provisioning.models import Effect

KIND = "object"
# Kinds whose presence means that a namespace is in use; what a cluster puts there by itself is not among them.
RESIDENTS = (
    ("apps/v1", "Deployment"), ("apps/v1", "StatefulSet"), ("apps/v1", "DaemonSet"), ("batch/v1", "Job"),
    ("batch/v1", "CronJob"), ("v1", "Service"), ("v1", "PersistentVolumeClaim"),
)  # fmt: skip


def run(ctx: StepContext, given: dict[str, Any]) -> Done:
    """Ask the cluster what it serves, note what stands there, write the intents, then apply in order."""
    kube = connected(ctx.organisation, given["cluster"])
    placed = _served(ctx, kube, gather(given, ctx.workspace), given["cluster"])
    discovery = kube.discovery()
    placed = ordered(
        in_namespace(placed, str(given.get("namespace") or ""), lambda *kind: discovery.resource(*kind).is_namespaced)
    )
    entity = entity_label(ctx.workspace)
    intents = ctx.intend(KIND, [_target(kube, given["cluster"], item) for item in placed])
    objects = []
    for number, (item, intent) in enumerate(zip(placed, intents, strict=True), start=1):
        objects.append(_apply(ctx, kube, item, intent, entity))
        ctx.failpoint(f"after-object-{number}")
    ctx.failpoint("after-effect")
    return Done({"objects": objects})


def _target(kube: Kube, cluster: str, item: Placed) -> Target:
    address = {
        "cluster": cluster,
        "apiVersion": item.api_version,
        "kind": item.kind,
        "namespace": item.namespace,
        "name": item.name,
    }
    return Target(f"{cluster}/{item.target}", item.label, _before(kube, item), address)


def _served(ctx: StepContext, kube: Kube, placed: list[Placed], cluster: str) -> list[Placed]:
    """Without the optional ones that this cluster does not know; a missing one that is needed stops the step."""
    discovery = kube.discovery()
    kept = []
    for item in placed:
        if discovery.serves(item.api_version, item.kind):
            kept.append(item)
        elif item.is_optional:
            ctx.log(f"Skipped {item.label}: {cluster} does not serve {item.api_version} {item.kind}.", "warning")
        else:
            raise KubeNotServed(
                f"Cluster {cluster} does not serve {item.api_version} {item.kind}, which {item.where} asks for. "
                "Nothing was applied. Use a version it serves, or mark the manifest with the annotation "
                "slipway.io/optional: true."
            )
    return kept


def _before(kube: Kube, item: Placed) -> dict[str, Any] | None:
    standing = kube.get(item.api_version, item.kind, item.namespace or None, item.name)
    if standing is None:
        return None
    metadata = standing["metadata"]
    return {"uid": metadata.get("uid", ""), "resourceVersion": metadata.get("resourceVersion", "")}


def _apply(ctx: StepContext, kube: Kube, item: Placed, intent: Intent, entity: str) -> dict[str, Any]:
    ctx.check()
    if item.is_if_absent and intent.before is not None:
        return _left_alone(ctx, item, intent)
    manifest = labelled(item, run_id=ctx.run_id, entity=entity)
    try:
        standing = kube.apply(manifest)
    except KubeConflict as conflict:
        for field in conflict.fields:
            ctx.log(f"{item.label}: {field['field']} belongs to {field['manager']}.", "error")
        raise
    except Refusal as refusal:
        ctx.log(f"{item.label}: {refusal.text}", "error")
        raise
    outcome = _outcome(intent, standing)
    made = {**intent.reference, "uid": standing["metadata"].get("uid", "")}
    intent.confirm(outcome, made)
    ctx.log(f"{item.label}: {outcome}.")
    return {key: value for key, value in made.items() if key != "cluster"}


def _left_alone(ctx: StepContext, item: Placed, intent: Intent) -> dict[str, Any]:
    """What was there before this run and is only wanted if absent: noted, and not touched."""
    made = {**intent.reference, "uid": (intent.before or {}).get("uid", "")}
    intent.confirm("unchanged", made)
    ctx.log(f"{item.label}: there already, left as it is.")
    return {key: value for key, value in made.items() if key != "cluster"}


def _outcome(intent: Intent, standing: dict[str, Any]) -> str:
    if intent.before is None:
        return "created"
    same = intent.before.get("resourceVersion") == standing["metadata"].get("resourceVersion")
    return "unchanged" if same else "updated"


def pretend(world: Pretence, given: dict[str, Any]) -> dict[str, Any]:
    """The objects that would be applied, as far as the cluster says that it serves them."""
    placed = gather(given, world.workspace)
    cluster = cluster_of(world.organisation, given["cluster"])
    answer = world.ask(cluster, [(one.api_version, one.kind) for one in placed])
    placed = ordered(
        in_namespace(placed, str(given.get("namespace") or ""), lambda *kind: kind not in answer.cluster_wide)
    )
    if answer.trouble:
        world.problem(answer.trouble, blocks=answer.is_down)
    shown = [_shown(world, one, cluster, answer) for one in placed]
    world.preview.manifests += shown
    return {"objects": [_expected(one) for one in shown if one.is_served is not False]}


def _shown(world: Pretence, one: Placed, cluster: Cluster, answer: Served) -> PreviewManifest:
    kind = (one.api_version, one.kind)
    is_served = None if answer.trouble else answer.kinds.get(kind, False)
    if is_served is False:
        world.problem(_unserved(one, cluster, answer), blocks=not one.is_optional)
    elif kind in answer.cluster_wide and one.kind != "Namespace":
        world.problem(_wide(one, cluster), blocks=False)
    return PreviewManifest(
        api_version=one.api_version,
        kind=one.kind,
        namespace=one.namespace,
        name=one.name,
        where=one.where,
        line=one.line,
        is_optional=one.is_optional,
        cluster=cluster.slug,
        is_served=is_served,
    )


def _unserved(one: Placed, cluster: Cluster, answer: Served) -> str:
    newest = answer.newest.get(one.kind, "")
    instead = f" It serves {one.kind} as {newest}." if newest else ""
    optional = " The manifest is optional, so it is left out." if one.is_optional else ""
    what = f"{one.kind} as {one.api_version} ({one.where})"
    return f"The cluster {cluster.name} does not serve {what}.{instead}{optional}"


def _wide(one: Placed, cluster: Cluster) -> str:
    """An object in no namespace reaches everybody on the cluster; a namespace itself is the one that paths need."""
    return (
        f"{one.kind} {one.name} ({one.where}) lies in no namespace: "
        f"it is for the whole cluster {cluster.name}, and applied only if the portal’s credential there may do so."
    )


def _expected(one: PreviewManifest) -> dict[str, Any]:
    return {
        "apiVersion": one.api_version,
        "kind": one.kind,
        "namespace": one.namespace,
        "name": one.name,
        "uid": LATER,
    }


def undo(ctx: UndoContext, effect: Effect) -> Undone | LeftBehind:
    """Delete what the run created, if it is still the same object; leave what stood there before."""
    if effect.before is not None:
        return LeftBehind(f"{effect.label} stood there before this run; it stays as it is now.")
    at = effect.reference
    api_version, kind, namespace, name = at["apiVersion"], at["kind"], at["namespace"], at["name"]
    kube = connected(ctx.organisation, at["cluster"])
    standing = kube.get(api_version, kind, namespace or None, name)
    if standing is None:
        return Undone(f"{effect.label} is gone already.")
    metadata = standing["metadata"]
    if (metadata.get("labels") or {}).get(RUN_LABEL) != str(ctx.run_id):
        return LeftBehind(f"{effect.label} belongs to somebody else by now; it stays.")
    if at.get("uid") not in (None, metadata.get("uid")):
        return LeftBehind(f"{effect.label} was made anew since the run; it stays.")
    if kind == "Namespace" and (resident := _resident(kube, name, ctx.run_id)):
        return LeftBehind(f"{effect.label} holds {resident}, which this run did not make; it stays.")
    kube.delete(api_version, kind, namespace or None, name, uid=metadata["uid"])
    return Undone(f"Deleted {effect.label}.")


def _resident(kube: Kube, namespace: str, run_id: int) -> str:
    """Something in the namespace that is not this run's, or nothing."""
    discovery = kube.discovery()
    for api_version, kind in RESIDENTS:
        if not discovery.serves(api_version, kind):
            continue
        for item in kube.list(api_version, kind, namespace):
            metadata = item["metadata"]
            is_ours = (metadata.get("labels") or {}).get(RUN_LABEL) == str(run_id)
            if not is_ours and not metadata.get("ownerReferences"):
                return f"{kind} {metadata['name']}"
    return ""


ACTION = Action(
    id="kubernetes:apply",
    description="Applies Kubernetes manifests to a cluster by server-side apply.",
    input_schema=shape(
        ("cluster",),
        cluster=TEXT,
        namespace=TEXT,
        path=TEXT,
        manifests={"type": "array", "items": {"type": "object"}},
        optional=TEXTS,
    )
    | {"anyOf": [{"required": ["path"]}, {"required": ["manifests"]}]},
    output_schema=shape(("objects",), objects=OBJECTS),
    examples=(
        Example("A folder of the workspace", {"cluster": "${{ parameters.cluster }}", "path": "deploy/"}),
        Example(
            "One object, written out",
            {
                "cluster": "production",
                "namespace": "shop",
                "manifests": [{"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "greeting"}}],
            },
        ),
    ),
    run=run,
    pretend=pretend,
    undo={KIND: undo},
)
