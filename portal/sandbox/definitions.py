"""The published OpenAPI definitions of the served kinds: loading them, and making the data file again."""

import gzip
import json
import re
import sys
from functools import cache
from pathlib import Path
from typing import Any

import orjson

from portal.sandbox.kinds import RESOURCES

VERSION = "v1.34.0"
FILE = Path(__file__).parent / "data" / "definitions.json.gz"
_EXTRA = (
    "io.k8s.api.autoscaling.v1.Scale",
    "io.k8s.api.policy.v1.Eviction",
    "io.k8s.api.authorization.v1.SelfSubjectAccessReview",
    "io.k8s.api.authorization.v1.SelfSubjectRulesReview",
    "io.k8s.api.authentication.v1.SelfSubjectReview",
    "io.k8s.apimachinery.pkg.apis.meta.v1.Status",
    "io.k8s.apimachinery.pkg.apis.meta.v1.DeleteOptions",
    "io.k8s.apimachinery.pkg.apis.meta.v1.FieldsV1",
)


@cache
def definitions() -> dict[str, dict[str, Any]]:
    """Every definition by its full name, with `#/definitions/` references."""
    loaded: dict[str, dict[str, Any]] = orjson.loads(gzip.decompress(FILE.read_bytes()))
    return loaded


def _plain(value: Any) -> Any:
    """Undo what the JSON Schema conversion added: null types, own reference paths."""
    if isinstance(value, list):
        return [_plain(item) for item in value]
    if not isinstance(value, dict):
        return value
    out = {key: _plain(item) for key, item in value.items() if key != "$schema"}
    if isinstance(out.get("type"), list):
        out["type"] = next(kind for kind in out["type"] if kind != "null")
    if "$ref" in out and isinstance(out["$ref"], str):
        out["$ref"] = "#/definitions/" + out["$ref"].rsplit("/", 1)[1]
    return out


def extract(source: Path) -> dict[str, dict[str, Any]]:
    """The definitions that our kinds need, from a `_definitions.json` of kubernetes-validate."""
    raw: dict[str, Any] = json.loads(source.read_text())["$defs"]
    todo = [resource.definition for resource in RESOURCES] + list(_EXTRA)
    todo += [f"{resource.definition}List" for resource in RESOURCES]
    found: dict[str, dict[str, Any]] = {}
    while todo:
        name = todo.pop()
        if name in found:
            continue
        found[name] = _plain(raw[name])
        for key in ("apiVersion", "kind"):
            found[name].get("properties", {}).get(key, {}).pop("enum", None)
        todo += re.findall(r'#/definitions/([^"]+)"', json.dumps(found[name]))
    found["io.k8s.apimachinery.pkg.util.intstr.IntOrString"] = {"type": "string", "format": "int-or-string"}
    found["io.k8s.apimachinery.pkg.api.resource.Quantity"] = {"type": "string"}
    return dict(sorted(found.items()))


def main() -> None:
    import kubernetes_validate  # a development requirement: only this command needs it

    folder = Path(kubernetes_validate.__file__).parent / "kubernetes-json-schema" / f"{VERSION}-local"
    data = json.dumps(extract(folder / "_definitions.json"), separators=(",", ":")).encode()
    FILE.write_bytes(gzip.compress(data, 9, mtime=0))
    sys.stdout.write(f"{FILE}: {len(data)} bytes of definitions\n")


if __name__ == "__main__":
    main()
