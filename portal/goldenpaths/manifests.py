"""The Kubernetes manifests that a step would apply, read from a workspace; pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from portal.goldenpaths.documents import load_all
from portal.goldenpaths.files import File, safe_folder
from portal.goldenpaths.globs import select
from portal.kit.errors import Invalid

SUFFIXES = (".yaml", ".yml", ".json")
OPTIONAL = "slipway.io/optional"
CLUSTER_WIDE = frozenset(
    {"Namespace", "ClusterRole", "ClusterRoleBinding", "CustomResourceDefinition", "PersistentVolume", "StorageClass",
     "PriorityClass", "IngressClass", "Node", "APIService"}
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Manifest:
    """One object that would be applied, and the file and line that describe it."""

    api_version: str
    kind: str
    namespace: str
    name: str
    where: str
    line: int
    is_optional: bool

    @property
    def label(self) -> str:
        place = f" in {self.namespace}" if self.namespace else ""
        return f"{self.kind} {self.name}{place}"


def manifests_of(step_input: Mapping[str, Any], workspace: Mapping[str, File]) -> list[Manifest]:
    """Every object that a kubernetes:apply input means, from `manifests` and from the files below `path`.

    Raises Invalid (YamlError with file and line) for what is no manifest.
    """
    optional = select([path for path, _ in _files(step_input, workspace)], step_input.get("optional") or [])
    found = [
        _manifest(item, where, line, step_input, is_optional=where in optional)
        for item, where, line in _objects(step_input, workspace)
    ]
    if not found:
        raise Invalid("There are no manifests to apply at the step's path.", code="no-manifests")
    return found


def _files(step_input: Mapping[str, Any], workspace: Mapping[str, File]) -> list[tuple[str, File]]:
    if not step_input.get("path"):
        return []
    folder = safe_folder(str(step_input["path"]))
    prefix = f"{folder}/" if folder else ""
    return [
        (path, file)
        for path, file in sorted(workspace.items())
        if path == folder or (path.startswith(prefix) and path.endswith(SUFFIXES))
    ]


def _objects(step_input: Mapping[str, Any], workspace: Mapping[str, File]) -> Iterator[tuple[Any, str, int]]:
    for number, item in enumerate(step_input.get("manifests") or [], start=1):
        yield item, f"manifest {number}", 1
    for path, file in _files(step_input, workspace):
        text = file.text()
        if text is None:
            raise Invalid(f"{path} is not a text file, so it holds no manifest.", code="not-text")
        for document in load_all(text, path):
            items = document.data.get("items") if isinstance(document.data, dict) else None
            if isinstance(items, list) and str(document.data.get("kind", "")).endswith("List"):
                for index, item in enumerate(items):
                    yield item, path, document.line(("items", index))
            else:
                yield document.data, path, document.line(())


def _manifest(item: Any, where: str, line: int, step_input: Mapping[str, Any], *, is_optional: bool) -> Manifest:
    metadata = item.get("metadata") if isinstance(item, dict) else None
    if not isinstance(metadata, dict) or not all(isinstance(item.get(key), str) for key in ("apiVersion", "kind")):
        raise Invalid(
            f"{where}, line {line}: this is no manifest; it lacks apiVersion, kind or metadata.", code="not-a-manifest"
        )
    if not isinstance(metadata.get("name"), str):
        raise Invalid(f"{where}, line {line}: the {item['kind']} lacks metadata.name.", code="not-a-manifest")
    annotations = metadata.get("annotations") or {}
    says_so = isinstance(annotations, dict) and str(annotations.get(OPTIONAL, "")).lower() == "true"
    namespace = str(metadata.get("namespace") or step_input.get("namespace") or "default")
    return Manifest(
        api_version=item["apiVersion"],
        kind=item["kind"],
        namespace="" if item["kind"] in CLUSTER_WIDE else namespace,
        name=metadata["name"],
        where=where,
        line=line,
        is_optional=is_optional or says_so,
    )
