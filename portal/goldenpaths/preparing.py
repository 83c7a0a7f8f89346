"""A path on its way to be published: examined, with the files that would be stored and their digest."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from catalog.descriptors.findings import Finding
from portal.goldenpaths.files import File, Workspace, checked, tree_digest, within
from portal.goldenpaths.questions import schemas
from portal.goldenpaths.templates import examine, folder_of


@dataclass(frozen=True, slots=True)
class Prepared:
    """A path that has been examined: the files that would be stored, their digest, and what is wrong with them."""

    bundle: Workspace
    digest: str
    document: dict[str, Any] | None
    findings: list[Finding]


def prepare(files: Mapping[str, File], template_path: str = "template.yaml") -> Prepared:
    """Examine a path. Starts renderers and waits for them: call it outside of transactions. Raises Refusal for trees
    that cannot be kept at all."""
    tree = checked(files)
    examined = examine(tree, template_path)
    bundle = within(tree, folder_of(template_path))
    document = examined.document
    if document is not None and not examined.findings:
        document = _in_order(document)
    return Prepared(bundle, tree_digest(bundle), document, examined.findings)


def _in_order(document: dict[str, Any]) -> dict[str, Any]:
    """The document with the order of every form's fields written out: the database keeps no order of keys."""
    for page in schemas.pages_of(document):
        _write_order(page)
    return document


def _write_order(schema: dict[str, Any]) -> None:
    names = schemas.declared(schema)
    if names:
        schema.setdefault("ui:order", [*names, "*"])
    for child in names.values():
        if isinstance(child, dict):
            _write_order(child)
