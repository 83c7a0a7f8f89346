"""Kubernetes objects for tests, decoded from YAML exactly as the reflector decodes them from the wire."""

import json
from pathlib import Path
from typing import Any

import msgspec
import yaml

from portal.clusters.structs import BY_KIND, KubeObject

MANIFESTS = Path(__file__).parent.parent / "manifests"


def decode(document: dict[str, Any]) -> KubeObject:
    """One object from its plain dict."""
    return msgspec.json.decode(json.dumps(document, default=str).encode(), type=BY_KIND[document["kind"]].struct)


def load(path: Path) -> tuple[dict[str, Any], list[KubeObject]]:
    """A case: what is expected, and the objects in the order of the file."""
    head, *documents = yaml.safe_load_all(path.read_text())
    return head, [decode(document) for document in documents]
