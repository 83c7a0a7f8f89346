"""Kubernetes manifests between a workspace and a cluster: found, put in order, named and labelled; all pure."""

import copy
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

from portal.clusters import labels, objectnames
from portal.clusters.claims import Claimant, marked
from portal.clusters.restoring import SERVERS_OWN
from portal.goldenpaths.files import File, safe_folder, within
from portal.goldenpaths.globs import select
from portal.kit.errors import Invalid
from portal.kit.paths import visible
from portal.kit.yamltext import load_all

Manifest = dict[str, Any]
SUFFIXES = (".yaml", ".yml", ".json")
OPTIONAL = "slipway.io/optional"
IF_ABSENT = "slipway.io/if-absent"
RUN_LABEL = labels.RUN
ENTITY_LABEL = labels.ENTITY
MAX_OBJECTS = 100

# What must exist before what: the rest goes in between, in the order its author wrote it.
FIRST = (
    "Namespace", "ResourceQuota", "LimitRange", "ServiceAccount", "Secret", "ConfigMap", "PersistentVolumeClaim",
    "Role", "RoleBinding", "NetworkPolicy", "PodDisruptionBudget", "Service",
)  # fmt: skip
LAST = ("Deployment", "StatefulSet", "DaemonSet", "Job", "CronJob", "HorizontalPodAutoscaler", "Ingress")
# Where a kind keeps the labels of the pods it makes.
POD_METADATA: dict[str, tuple[str, ...]] = {
    "Deployment": ("spec", "template", "metadata"),
    "StatefulSet": ("spec", "template", "metadata"),
    "DaemonSet": ("spec", "template", "metadata"),
    "Job": ("spec", "template", "metadata"),
    "ReplicaSet": ("spec", "template", "metadata"),
    "ReplicationController": ("spec", "template", "metadata"),
    "CronJob": ("spec", "jobTemplate", "spec", "template", "metadata"),
}


@dataclass(frozen=True)
class PlacedManifest:
    """A manifest with where it was written (file and line) and whether a cluster may do without it."""

    manifest: Manifest
    where: str
    is_optional: bool = False
    line: int = 1

    @property
    def api_version(self) -> str:
        return str(self.manifest["apiVersion"])

    @property
    def kind(self) -> str:
        return str(self.manifest["kind"])

    @property
    def name(self) -> str:
        return str(self.manifest["metadata"]["name"])

    @property
    def namespace(self) -> str:
        return str(self.manifest["metadata"].get("namespace") or "")

    @property
    def is_if_absent(self) -> bool:
        """Whether what stands there already is to be left exactly as it is."""
        annotations = self.manifest["metadata"].get("annotations") or {}
        return isinstance(annotations, dict) and str(annotations.get(IF_ABSENT, "")).lower() == "true"

    @property
    def target(self) -> str:
        """Its name among everything in one cluster."""
        return f"{self.api_version}/{self.kind}/{self.namespace}/{self.name}"

    @property
    def label(self) -> str:
        """What a person reads."""
        place = f" in {self.namespace}" if self.namespace else ""
        return f"{self.kind} {self.name}{place}"


def gather(given: Mapping[str, Any], workspace: Mapping[str, File]) -> list[PlacedManifest]:
    """The manifests that a kubernetes:apply step means, from its `manifests` and from files below its `path`."""
    found: list[_Found] = [(item, f"manifest {number}", 1) for number, item in enumerate(_given(given), start=1)]
    if given.get("path"):
        for path, file in _files(str(given["path"]), workspace).items():
            found += _documents(file, path)
    optional = select({where for _, where, _ in found}, [str(one) for one in given.get("optional") or []])
    placed = [_checked(item, where, line, is_optional=where in optional) for item, where, line in found]
    if not placed:
        raise Invalid("There are no manifests to apply at the step's path.", code="no-manifests")
    if len(placed) > MAX_OBJECTS:
        raise Invalid(f"The step applies {len(placed)} objects; at most {MAX_OBJECTS} fit one step.", code="too-many")
    return placed


_Found = tuple[Any, str, int]


def _given(given: Mapping[str, Any]) -> Iterator[Any]:
    for item in given.get("manifests") or []:
        yield from item["items"] if _is_list(item) else [item]


def _files(path: str, workspace: Mapping[str, File]) -> dict[str, File]:
    folder = safe_folder(path)
    if folder in workspace:
        return {folder: workspace[folder]}
    prefix = f"{folder}/" if folder else ""
    return {
        f"{prefix}{name}": file for name, file in sorted(within(workspace, folder).items()) if name.endswith(SUFFIXES)
    }


def _documents(file: File, path: str) -> Iterator[_Found]:
    text = file.text()
    if text is None:
        raise Invalid(f"{path} is not a text file, so it holds no manifest.", code="not-text")
    for document in load_all(text, path):
        if _is_list(document.data):
            for index, item in enumerate(document.data["items"]):
                yield item, path, document.line(("items", index))
        else:
            yield document.data, path, document.line(())


def _is_list(item: Any) -> bool:
    """Whether it is a `kind: List` (or ConfigMapList and the like) of manifests."""
    return isinstance(item, dict) and str(item.get("kind", "")).endswith("List") and isinstance(item.get("items"), list)


def _checked(item: Any, where: str, line: int, *, is_optional: bool) -> PlacedManifest:
    metadata = item.get("metadata") if isinstance(item, dict) else None
    if not isinstance(metadata, dict) or not all(isinstance(item.get(key), str) for key in ("apiVersion", "kind")):
        raise Invalid(
            f"{where}, line {line}: this is no manifest; it lacks apiVersion, kind or metadata.", code="not-a-manifest"
        )
    if metadata.get("generateName"):
        text = f"{where}, line {line}: the {item['kind']} has generateName: each retry would make another one. Name it."
        raise Invalid(text, code="not-a-manifest")
    if told := sorted(SERVERS_OWN & metadata.keys()):
        text = f"{where}, line {line}: metadata.{told[0]} is written by the cluster alone. Leave it out."
        raise Invalid(text, code="not-a-manifest")
    if not isinstance(metadata.get("name"), str):
        raise Invalid(f"{where}, line {line}: the {item['kind']} lacks metadata.name.", code="not-a-manifest")
    _check_names(item, f"{where}, line {line}")
    annotations = metadata.get("annotations") or {}
    says_so = isinstance(annotations, dict) and str(annotations.get(OPTIONAL, "")).lower() == "true"
    return PlacedManifest(item, where, is_optional or says_so, line)


def _check_names(item: Manifest, place: str) -> None:
    name, namespace = item["metadata"]["name"], item["metadata"].get("namespace")
    if fault := objectnames.fault(item["apiVersion"], item["kind"], name):
        raise _misnamed(f"{place}: the {item['kind']}'s name “{visible(name[:80])}” {fault}.")
    if namespace not in (None, ""):
        _check_namespace(namespace, f"{place}: ")


def _check_namespace(name: Any, place: str = "") -> None:
    if not isinstance(name, str) or (fault := objectnames.namespace_fault(name)):
        said = fault if isinstance(name, str) else "is no text"
        raise _misnamed(f"{place}The namespace “{visible(str(name)[:80])}” {said}.")


def _misnamed(text: str) -> Invalid:
    return Invalid(text, code="bad-name")


def ordered(placed: list[PlacedManifest]) -> list[PlacedManifest]:
    """Namespaces first, workloads after what they mount and serve under; otherwise as written."""
    middle = len(FIRST)

    def rank(item: PlacedManifest) -> int:
        if item.kind in FIRST:
            return FIRST.index(item.kind)
        return middle + 1 + LAST.index(item.kind) if item.kind in LAST else middle

    return sorted(placed, key=rank)


def in_namespace(
    placed: list[PlacedManifest], namespace: str, is_namespaced: Callable[[str, str], bool]
) -> list[PlacedManifest]:
    """Each namespaced manifest with its namespace written out: its own, or the step's, or `default`."""
    if namespace:
        _check_namespace(namespace)
    result = []
    for item in placed:
        manifest = copy.deepcopy(item.manifest)
        if is_namespaced(item.api_version, item.kind):
            manifest["metadata"]["namespace"] = item.namespace or namespace or "default"
        else:
            manifest["metadata"].pop("namespace", None)
        result.append(replace(item, manifest=manifest))
    return result


def labelled(item: PlacedManifest, claimant: Claimant, *, run: str, entity: str) -> Manifest:
    """The manifest as it goes in: who manages it, whose it is, which run made it, which entity it belongs to."""
    return marked(item.manifest, claimant, run=run, entity=entity, pods=POD_METADATA.get(item.kind, ()))


SECONDS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "": 1.0}


def seconds_of(timeout: str | int | None, default: float) -> float:
    """A time-out such as `5m`, `90s` or `90` in seconds."""
    if timeout is None:
        return default
    hit = re.fullmatch(r"([0-9]+)(ms|s|m|h)?", str(timeout))
    if hit is None:
        raise Invalid(f"{timeout!r} is no time-out; write it like 90s or 5m.", code="bad-timeout", field="timeout")
    return int(hit[1]) * SECONDS[hit[2] or ""]
