"""kubernetes:apply: manifests into a cluster by server-side apply, each one an effect of its own."""

from dataclasses import dataclass, replace
from typing import Any

from portal.accounts.tenancy import tenant
from portal.clusters import labels, writing
from portal.clusters.claims import Claimant
from portal.clusters.errors import KubeConflict, KubeForbidden, KubeNotServed
from portal.clusters.kube import Kube, connect
from portal.clusters.models import Cluster
from portal.clusters.writing import Guard, KeptObject, Seen, Written
from portal.goldenpaths.discovery import Served
from portal.goldenpaths.vocabulary import TEXT, TEXTS, Example, shape
from portal.kit.errors import Refusal
from portal.provisioning.acting import claiming
from portal.provisioning.acting.claiming import Doer, OutOfReach
from portal.provisioning.acting.cluster import OBJECTS, cluster_of, connected, entity_of
from portal.provisioning.acting.contract import (
    Action,
    EffectTarget,
    Intent,
    LeftBehind,
    StepContext,
    UndoContext,
    Undone,
)
from portal.provisioning.acting.manifests import Manifest, PlacedManifest, gather, in_namespace, labelled, ordered
from portal.provisioning.acting.outcomes import Done
from portal.provisioning.acting.pretence import LATER, Pretence, PreviewManifest
from portal.provisioning.acting.standing import looked
from portal.provisioning.models import Effect, Run

KIND = "object"
# What a cluster puts into every namespace by itself: kinds that only tell of others, and two objects by name.
TOLD_BY_CLUSTER = frozenset({"Event", "Endpoints", "EndpointSlice", "PodMetrics"})
MADE_BY_CLUSTER = frozenset({("ServiceAccount", "default"), ("ConfigMap", "kube-root-ca.crt")})
OF_AN_ACCOUNT = "kubernetes.io/service-account-token"
MOST_NAMED = 5


class _LeaveAsItIs(Exception):
    """The object is wanted only if it is absent, and it is there by now."""


@dataclass(frozen=True)
class Wanted:
    """A manifest of the step and how it goes in."""

    item: PlacedManifest
    manifest: Manifest


def run(ctx: StepContext, given: dict[str, Any]) -> Done:
    """Ask the cluster what it serves and what stands there, write the intents, then apply in order."""
    cluster = cluster_of(ctx.organisation, given["cluster"])
    kube = connect(cluster)
    doer = _doer(ctx)
    guard = claiming.guard_of(doer, cluster)
    wanted = wanted_of(kube, guard, doer, _served(ctx, kube, gather(given, ctx.workspace), cluster.slug), given)
    if out := writing.refusals(kube, guard, [one.manifest for one in wanted]):
        raise OutOfReach(f"{' '.join(out[:5])} Nothing was applied.")
    seen = [writing.look(kube, guard, one.manifest) for one in wanted]
    adoptions = _adoptions(ctx)
    _refuse_claimed(kube, guard, doer, cluster.slug, wanted, seen, adoptions)
    intents = ctx.intend(KIND, [_target(cluster.slug, one, look) for one, look in zip(wanted, seen, strict=True)])
    apply = _Apply(ctx, kube, guard, doer, cluster.slug, adoptions)
    objects = []
    for number, (one, intent) in enumerate(zip(wanted, intents, strict=True), start=1):
        objects.append(apply(one, intent))
        ctx.failpoint(f"after-object-{number}")
    ctx.failpoint("after-effect")
    return Done({"objects": objects})


def _doer(ctx: StepContext) -> Doer:
    return Doer(
        ctx.organisation, ctx.actor, ctx.version.path.slug, ctx.owner_ref, entity_of(ctx.workspace), str(ctx.run_id)
    )


def wanted_of(
    kube: Kube, guard: Guard, doer: Doer, placed: list[PlacedManifest], given: dict[str, Any]
) -> list[Wanted]:
    """The manifests in the order in which they go in, each with its namespace and its marks."""
    discovery = kube.discovery()
    spaced = in_namespace(
        placed, str(given.get("namespace") or ""), lambda *kind: discovery.resource(*kind).is_namespaced
    )
    entity = labels.label_value(doer.entity_ref)
    return [Wanted(item, labelled(item, guard.claimant, run=doer.lineage, entity=entity)) for item in ordered(spaced)]


def _adoptions(ctx: StepContext) -> list[dict[str, Any]]:
    """What people confirmed to take over, as it stands now: a retry may have added some."""
    with tenant(ctx.organisation):
        found = Run.objects.for_tenant(ctx.organisation).filter(pk=ctx.run_id).values_list("adoptions", flat=True)
        return list(found.get())


def _refuse_claimed(
    kube: Kube,
    guard: Guard,
    doer: Doer,
    cluster: str,
    wanted: list[Wanted],
    seen: list[Seen],
    adoptions: list[dict[str, Any]],
) -> None:
    """Raises Claimed for everything in the way that nobody adopted, before anything is touched."""
    in_the_way = [
        one
        for one, look in zip(wanted, seen, strict=True)
        if not one.item.is_if_absent and _adopter(doer, cluster, look, adoptions) is None
    ]
    if in_the_way:
        raise _refusal(kube, guard, doer, cluster, in_the_way, adoptions)


def _adopter(doer: Doer, cluster: str, seen: Seen, adoptions: list[dict[str, Any]]) -> Doer | None:
    """In whose name what stands there is written over: the doer, where nothing is in the way, or whoever has confirmed
    exactly this and may; None where nobody has."""
    claim = claiming.claim_on(doer, cluster, seen)
    if claim is None:
        return doer
    adopter = claiming.adopter_of(adoptions, doer, claim)
    theirs = claiming.claim_on(adopter, cluster, seen) if adopter is not None else None
    return adopter if theirs is not None and theirs.is_adoptable else None


def _refusal(
    kube: Kube, guard: Guard, doer: Doer, cluster: str, wanted: list[Wanted], adoptions: list[dict[str, Any]]
) -> Refusal:
    """Everything in the way, with what an adoption would change: a retry may confirm it."""
    found = [
        claiming.claim_on(doer, cluster, writing.look(kube, guard, one.manifest, with_diff=True)) for one in wanted
    ]
    if claims := [claim for claim in found if claim is not None]:
        return claiming.refuse(claims, adoptions)
    return KubeConflict("What stood in the way has just gone. Try again.", status=503)


def _target(cluster: str, one: Wanted, seen: Seen) -> EffectTarget:
    address = {
        "cluster": cluster,
        "apiVersion": one.item.api_version,
        "kind": one.item.kind,
        "namespace": one.item.namespace,
        "name": one.item.name,
    }
    before = None
    if seen.found is not None:
        metadata = seen.found["metadata"]
        before = {"uid": metadata.get("uid", ""), "resourceVersion": metadata.get("resourceVersion", "")}
    return EffectTarget(f"{cluster}/{one.item.target}", one.item.label, before, address)


def _served(ctx: StepContext, kube: Kube, placed: list[PlacedManifest], cluster: str) -> list[PlacedManifest]:
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


@dataclass(frozen=True)
class _Apply:
    """Writes one object after another, each with its ledger row."""

    ctx: StepContext
    kube: Kube
    guard: Guard
    doer: Doer
    cluster: str
    adoptions: list[dict[str, Any]]

    def __call__(self, one: Wanted, intent: Intent) -> dict[str, Any]:
        self.ctx.check()
        item = one.item
        if item.is_if_absent and intent.before is not None:
            return self._left_alone(item, intent, intent.before.get("uid", ""))
        try:
            written = writing.write(
                self.kube,
                self.guard,
                one.manifest,
                confirmed=lambda seen: self._confirmed(one, seen),
                remember_before=lambda found: self._remember(intent, found),
            )
        except _LeaveAsItIs:
            return self._left_alone(item, intent, "")
        except KubeConflict as conflict:
            for field in conflict.fields:
                self.ctx.log(f"{item.label}: {field['field']} belongs to {field['manager']}.", "error")
            raise
        except Refusal as refusal:
            self.ctx.log(f"{item.label}: {refusal.text}", "error")
            raise
        return self._written(item, intent, written)

    def _confirmed(self, one: Wanted, seen: Seen) -> None:
        """The last look before the write: somebody may have made or changed the object since the first."""
        if one.item.is_if_absent:
            raise _LeaveAsItIs
        adopter = _adopter(self.doer, self.cluster, seen, self.adoptions)
        if adopter is None:
            raise _refusal(self.kube, self.guard, self.doer, self.cluster, [one], self.adoptions)
        with self.ctx.fenced():
            claiming.record_adoption(adopter, self.ctx.run_id, seen)

    def _remember(self, intent: Intent, found: Manifest) -> None:
        """Keep the object as it stood before the run's first change of it, so that Undo can put it back."""
        before = intent.before or {}
        is_this_runs = found["metadata"].get("labels", {}).get(labels.RUN) == str(self.ctx.run_id)
        if "kept" in before or is_this_runs:
            return
        metadata = found["metadata"]
        self._keep(intent, KeptObject(found), metadata.get("uid", ""), metadata.get("resourceVersion", ""))

    def _keep(self, intent: Intent, kept: KeptObject, uid: str, version: str) -> None:
        sealed = claiming.sealed_kept(self.ctx.organisation.pk, intent.key, kept)
        intent.keep({"uid": uid, "resourceVersion": version, "kept": sealed})

    def _written(self, item: PlacedManifest, intent: Intent, written: Written) -> dict[str, Any]:
        before = intent.before
        if before and "kept" in before:
            kept = claiming.opened_kept(self.ctx.organisation.pk, intent.key, before["kept"])
            self._keep(intent, KeptObject(kept.before, written.now), before["uid"], before["resourceVersion"])
        outcome = "created" if before is None else written.outcome
        made = {**intent.reference, "uid": written.now["metadata"].get("uid", "")}
        intent.confirm(outcome, made)
        stays = "; its number of replicas stays, an autoscaler decides it" if written.is_scaled else ""
        self.ctx.log(f"{item.label}: {outcome}{stays}.")
        return {key: value for key, value in made.items() if key != "cluster"}

    def _left_alone(self, item: PlacedManifest, intent: Intent, uid: str) -> dict[str, Any]:
        """What was there before this run and is only wanted if absent: noted, and not touched."""
        made = {**intent.reference, "uid": uid}
        intent.confirm("unchanged", made)
        self.ctx.log(f"{item.label}: there already, left as it is.")
        return {key: value for key, value in made.items() if key != "cluster"}


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
    _look(world, cluster, [one for one, row in zip(placed, shown, strict=True) if row.is_served is not False])
    return {"objects": [_expected(one) for one in shown if one.is_served is not False]}


def _look(world: Pretence, cluster: Cluster, placed: list[PlacedManifest]) -> None:
    """The same rules as in a run: where it may write at all, and whose is what stands there."""
    if world.doer is None or not placed:
        return
    found = looked(replace(world.doer, entity_ref=entity_of(world.workspace)), cluster, placed)
    if found.trouble:
        world.problem(found.trouble, blocks=False)
    for sentence in found.refusals:
        world.problem(sentence)
    for claim in found.claims:
        world.problem(f"{claim.sentence} {claim.why_not}".strip(), blocks=not claim.is_adoptable)
    world.preview.claims += found.claims


def _shown(world: Pretence, one: PlacedManifest, cluster: Cluster, answer: Served) -> PreviewManifest:
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


def _unserved(one: PlacedManifest, cluster: Cluster, answer: Served) -> str:
    newest = answer.newest.get(one.kind, "")
    instead = f" It serves {one.kind} as {newest}." if newest else ""
    optional = " The manifest is optional, so it is left out." if one.is_optional else ""
    what = f"{one.kind} as {one.api_version} ({one.where})"
    return f"The cluster {cluster.name} does not serve {what}.{instead}{optional}"


def _wide(one: PlacedManifest, cluster: Cluster) -> str:
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
    """Delete what the run created, if it is still the same object; give back what it changed."""
    at = effect.reference
    api_version, kind, namespace, name = at["apiVersion"], at["kind"], at["namespace"], at["name"]
    if effect.before is not None and "kept" not in effect.before:
        return LeftBehind(f"{effect.label} stood there before this run; it stays as it is now.")
    kube = connected(ctx.organisation, at["cluster"])
    for _ in range(writing.TRIES):
        standing = kube.get(api_version, kind, namespace or None, name)
        if standing is None and effect.before is not None:
            return LeftBehind(f"{effect.label} was deleted since the run; it is not made again.")
        if standing is None:
            return Undone(f"{effect.label} is gone already.")
        verdict = _put_back(ctx, kube, effect, standing) if effect.before else _delete(ctx, kube, effect, standing)
        if verdict is not None:
            return verdict
    raise KubeConflict(f"{effect.label} changes faster than it can be taken back. Try again.", status=503)


def _put_back(ctx: UndoContext, kube: Kube, effect: Effect, standing: Manifest) -> Undone | LeftBehind | None:
    before = effect.before or {}
    if standing["metadata"].get("uid") != before["uid"]:
        return LeftBehind(f"{effect.label} was made anew since the run; it stays.")
    worn = standing["metadata"].get("labels") or {}
    if worn.get(labels.RUN, str(ctx.run_id)) != str(ctx.run_id):
        return LeftBehind(f"{effect.label} was taken over by run {worn[labels.RUN]} since; it stays as that made it.")
    kept = claiming.opened_kept(ctx.organisation.pk, effect.key, before["kept"])
    with tenant(ctx.organisation):
        kept = KeptObject(claiming.before_undone(ctx.organisation, kept.before), kept.after)
    done = writing.put_back(kube, _claimant(ctx), kept, standing)
    if done is None:
        return None
    others = f" Left as others have changed it since: {', '.join(done.kept[:10])}." if done.kept else ""
    if done.kept and not done.returned:
        return LeftBehind(f"{effect.label} was changed by others since the run; it stays.{others}")
    return Undone(f"{effect.label} is again what it was before this run.{others}")


def _claimant(ctx: UndoContext) -> Claimant:
    organisation = ctx.organisation
    return Claimant(labels.mark_of(organisation.pk, organisation.created_at), frozenset(), str(ctx.run_id))


def _delete(ctx: UndoContext, kube: Kube, effect: Effect, standing: Manifest) -> Undone | LeftBehind | None:
    """Delete that very object as it was looked at; None when it changed meanwhile."""
    metadata, at = standing["metadata"], effect.reference
    if (metadata.get("labels") or {}).get(labels.RUN) != str(ctx.run_id):
        return LeftBehind(f"{effect.label} belongs to somebody else by now; it stays.")
    if at.get("uid") not in (None, metadata.get("uid")):
        return LeftBehind(f"{effect.label} was made anew since the run; it stays.")
    if metadata.get("deletionTimestamp"):
        return Undone(f"{effect.label} is being deleted already.")
    if at["kind"] == "Namespace" and (why := _in_use(kube, at["name"], ctx.run_id)):
        return LeftBehind(f"{effect.label} {why}; it stays.")
    try:
        kube.delete(
            at["apiVersion"], at["kind"], at["namespace"] or None, at["name"], uid=metadata["uid"],
            version=metadata["resourceVersion"],
        )  # fmt: skip
    except KubeConflict:
        return None
    if waits := metadata.get("finalizers"):
        return Undone(f"{effect.label} is being deleted; it goes when {', '.join(waits)} lets it.")
    return Undone(f"Deleted {effect.label}.")


def _in_use(kube: Kube, namespace: str, run_id: int) -> str:
    """Why the namespace is not this run's alone to delete; "" when it is. All that lies in it would go with it."""
    hidden, residents = [], []
    for resource in kube.discovery().in_namespaces():
        if resource.kind in TOLD_BY_CLUSTER:
            continue
        try:
            items = kube.list(resource.api_version, resource.kind, namespace)
        except KubeForbidden:
            hidden.append(resource.kind)
            continue
        residents += [f"{resource.kind} {item['metadata']['name']}" for item in items if _is_anothers(item, run_id)]
    if residents:
        more = f" and {len(residents) - MOST_NAMED} more" if len(residents) > MOST_NAMED else ""
        return f"holds {', '.join(residents[:MOST_NAMED])}{more}, which this run did not make"
    if hidden:
        return f"may hold what Slipway may not see there ({', '.join(hidden[:MOST_NAMED])})"
    return ""


def _is_anothers(item: Manifest, run_id: int) -> bool:
    """Whether an object in a namespace is neither the run's, nor a controller's, nor there in every namespace."""
    metadata = item["metadata"]
    if (metadata.get("labels") or {}).get(labels.RUN) == str(run_id) or metadata.get("ownerReferences"):
        return False
    return (item["kind"], metadata["name"]) not in MADE_BY_CLUSTER and item.get("type") != OF_AN_ACCOUNT


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
