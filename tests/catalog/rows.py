"""Entities put into the catalog as they are, without a descriptor: for tests of what stands on the catalog."""

from __future__ import annotations

from typing import Any

from catalog.index import writing
from catalog.models import Body, Entity, Source


def entity_row(organisation: Any, name: str, *, source: Source | None = None, **more: Any) -> Entity:
    """A component that is not saved; its document names it and says no more."""
    document = {"apiVersion": "backstage.io/v1alpha1", "kind": "Component", "metadata": {"name": name}, "spec": {}}
    ref = f"component:default/{name}".lower()
    shared = {"kind": "Component", "namespace": "default", "digest": "x", "sort_name": name.lower(), "path": name}
    row = Entity(organisation=organisation, name=name, ref=ref, source=source, **{**shared, **more})
    row.body = Body.of(organisation.pk, document, "")
    return row


def put(organisation: Any, *rows: Entity) -> Entity:
    """Writes the rows; gives the first. Must run inside the tenant."""
    writing.put(organisation.pk, rows)
    return rows[0]
