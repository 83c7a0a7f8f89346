"""Who may touch what stands in a cluster: decided from an object's own marks; pure.

An object is the run's own when it wears the organisation's mark and the run's lineage, or when the ledger remembers
that this lineage made it (objects of before the marks). Everything else is somebody's: a person with the right to may
adopt what no other organisation claims and no controller keeps.
"""

from __future__ import annotations

import copy
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from portal.clusters import labels

Manifest = dict[str, Any]
Kind = Literal["free", "own", "lineage", "entity", "foreign", "controlled", "leaving", "stranger"]
# Kinds of standing that a confirmation can turn into the run's own.
ADOPTABLE: frozenset[Kind] = frozenset({"lineage", "entity", "foreign"})

# Labels and annotations by which others say that an object is theirs; "" stands for no name.
SIGNS: tuple[tuple[str, str, str], ...] = (
    ("annotations", "meta.helm.sh/release-name", "Helm release {}"),
    ("annotations", "argocd.argoproj.io/tracking-id", "Argo CD application {}"),
    ("labels", "argocd.argoproj.io/instance", "Argo CD application {}"),
    ("labels", "kustomize.toolkit.fluxcd.io/name", "Flux kustomization {}"),
    ("labels", "helm.toolkit.fluxcd.io/name", "Flux release {}"),
    ("labels", "olm.owner", "operator {}"),
    ("labels", labels.MANAGED_BY, "{}"),
)
KUBECTL = "kubectl.kubernetes.io/last-applied-configuration"
# Managers that write into everything and made nothing.
BYSTANDERS = ("kube-controller-manager", "kube-scheduler", "kubelet", "kube-apiserver")


@dataclass(frozen=True)
class Claimant:
    """Whoever wants to write: the organisation's mark, the entity's label values (none: no entity), the lineage.

    team is the slug of the team that answers for what is made, "" for none.
    """

    organisation: str
    entities: frozenset[str]
    lineage: str
    team: str = ""

    @property
    def manager(self) -> str:
        """The field manager to apply as."""
        return labels.manager_of(self.organisation)


@dataclass(frozen=True)
class Standing:
    """What stands where the claimant wants to write, and whose it is.

    holder is a person's word for the maker (Helm release x), entity a label's value, lineage a run's number as text.
    """

    kind: Kind
    label: str
    holder: str = ""
    entity: str = ""
    lineage: str = ""

    @property
    def is_clear(self) -> bool:
        """Whether the claimant may go on without asking."""
        return self.kind in ("free", "own")

    @property
    def is_adoptable(self) -> bool:
        """Whether a confirmation of somebody who may can help."""
        return self.kind in ADOPTABLE


@dataclass(frozen=True)
class Remembered:
    """What the organisation's ledger knows of an object by its uid: the lineage that made it."""

    lineage: str


def label_of(manifest: Mapping[str, Any]) -> str:
    """What a person reads: Deployment web in namespace shop."""
    metadata = manifest.get("metadata") or {}
    place = f" in namespace {metadata['namespace']}" if metadata.get("namespace") else ""
    return f"{manifest.get('kind', 'Object')} {metadata.get('name', '')}{place}"


def standing_of(found: Manifest | None, wanted: Manifest, claimant: Claimant, ledger: Remembered | None) -> Standing:
    """Whose is the object at the place of `wanted`? `ledger` is asked only for objects without an organisation mark."""
    label = label_of(wanted)
    if found is None:
        return Standing("free", label)
    metadata = found.get("metadata") or {}
    if metadata.get("deletionTimestamp"):
        return Standing("leaving", label, holder=", ".join(metadata.get("finalizers") or ()))
    worn = _texts(metadata, "labels")
    mark, entity, lineage = worn.get(labels.ORGANISATION, ""), worn.get(labels.ENTITY, ""), _lineage(worn)
    if mark and mark != claimant.organisation:
        return Standing("stranger", label)
    if mark:
        return _of_ours(label, entity, lineage, claimant)
    if worn.get(labels.MANAGED_BY) == labels.SLIPWAY or labels.RUN in worn:
        # made before the marks: only the ledger knows which organisation's run it was
        return _of_ours(label, entity, ledger.lineage, claimant) if ledger else Standing("stranger", label)
    controller = next((owner for owner in metadata.get("ownerReferences") or () if owner.get("controller")), None)
    if controller:
        return Standing("controlled", label, holder=f"{controller.get('kind')} {controller.get('name')}")
    return Standing("foreign", label, holder=maker_of(found), entity=entity)


def _of_ours(label: str, entity: str, lineage: str, claimant: Claimant) -> Standing:
    if lineage == claimant.lineage:
        return Standing("own", label, entity=entity, lineage=lineage)
    same = entity in claimant.entities if entity else not claimant.entities
    return Standing("lineage" if same else "entity", label, entity=entity, lineage=lineage)


def _lineage(worn: Mapping[str, str]) -> str:
    return worn.get(labels.LINEAGE) or worn.get(labels.RUN) or ""


def _texts(metadata: Mapping[str, Any], key: str) -> dict[str, str]:
    found = metadata.get(key)
    return {str(name): str(value) for name, value in found.items()} if isinstance(found, dict) else {}


def maker_of(found: Mapping[str, Any]) -> str:
    """The maker of an object in words, from labels, annotations and managers: Helm release x, kubectl, somebody."""
    metadata = found.get("metadata") or {}
    for where, key, words in SIGNS:
        if value := _texts(metadata, where).get(key, ""):
            return words.format(value.partition(":")[0][:100])
    managers = [str(entry.get("manager") or "") for entry in metadata.get("managedFields") or ()]
    if KUBECTL in _texts(metadata, "annotations") or any(name.startswith("kubectl") for name in managers):
        return "kubectl"
    return next((name[:100] for name in managers if name and not name.startswith(BYSTANDERS)), "somebody")


def sentence(standing: Standing, *, entity: str = "", owner: str = "") -> str:
    """Why the claimant may not write there, in words; "" when it may.

    entity and owner are the names behind the standing's label, where the organisation knows them
    (component:default/orders, Team Payments); nothing is ever said of another organisation.
    """
    what = standing.label
    if standing.is_clear:
        return ""
    if standing.kind == "stranger":
        return f"{what} belongs to another organisation on this cluster. Choose another name or namespace."
    if standing.kind == "leaving":
        wait = f"; it waits for {standing.holder}" if standing.holder else ""
        return f"{what} is being deleted{wait}. Try again when it is gone."
    if standing.kind == "controlled":
        return f"{what} is controlled by {standing.holder}. Change that instead."
    known = entity or standing.entity
    whose = f" It belongs to {known}{f', owned by {owner}' if owner else ''}." if known else ""
    if standing.kind == "foreign":
        return f"{what} stands there already and is made by {standing.holder}, not by Slipway.{whose}"
    if standing.kind == "entity" and known:
        return f"{what} stands there already, made by run {standing.lineage} for {known}{_owned(owner)}."
    return f"{what} stands there already, made by run {standing.lineage}{_owned(owner)}."


def _owned(owner: str) -> str:
    return f", owned by {owner}" if owner else ""


def marked(
    manifest: Manifest, claimant: Claimant, *, run: str, pods: Collection[str] = (), entity: str = ""
) -> Manifest:
    """The manifest as it goes in: who manages it, whose it is, which run and lineage made it.

    pods is the path of the pods' metadata within the manifest. Run and lineage are never written there: another number
    would restart every pod. A manifest may name another entity of the organisation; never another organisation,
    nor the team that a namespace is for.
    """
    made = copy.deepcopy(manifest)
    worn = mapping(made["metadata"], "labels")
    worn |= {
        labels.MANAGED_BY: labels.SLIPWAY,
        labels.ORGANISATION: claimant.organisation,
        labels.LINEAGE: claimant.lineage,
        labels.RUN: run,
    }
    worn.pop(labels.TEAM, None)
    if made.get("kind") == "Namespace" and claimant.team:
        worn[labels.TEAM] = claimant.team
    inner = _inner(made, tuple(pods))
    if inner is not None:
        # pods say whose they are whether or not an entity is known: another organisation's selector may catch them
        mapping(inner, "labels")[labels.ORGANISATION] = claimant.organisation
    if entity:
        worn.setdefault(labels.ENTITY, entity)
        if inner is not None:
            mapping(inner, "labels").setdefault(labels.ENTITY, entity)
    return made


def mapping(parent: dict[str, Any], key: str) -> dict[str, Any]:
    """The mapping below a key, made if need be."""
    if not isinstance(parent.get(key), dict):
        parent[key] = {}
    inner: dict[str, Any] = parent[key]
    return inner


def _inner(manifest: Manifest, path: tuple[str, ...]) -> dict[str, Any] | None:
    here: Any = manifest
    for part in path[:-1]:
        here = here.get(part) if isinstance(here, dict) else None
    return mapping(here, path[-1]) if path and isinstance(here, dict) else None
