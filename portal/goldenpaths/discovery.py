"""Which kinds a cluster serves, asked by a worker: the web process cannot open a cluster's credential."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, field

from portal.clusters.kube import connect
from portal.clusters.models import Cluster
from portal.kit.errors import Refusal

Kind = tuple[str, str]  # apiVersion, kind


@dataclass(frozen=True, slots=True)
class Served:
    """A cluster's answer. `newest` names where a kind that was asked for is served, "" when nowhere; `cluster_wide` are
    those whose objects lie in no namespace.

    `trouble` is a sentence when the cluster could not be asked; `is_down` says that it is the cluster that failed.
    """

    kinds: dict[Kind, bool] = field(default_factory=dict)
    newest: dict[str, str] = field(default_factory=dict)
    cluster_wide: frozenset[Kind] = frozenset()
    trouble: str = ""
    is_down: bool = False


def served(cluster: Cluster, kinds: Collection[Kind]) -> Served:
    """Ask which of these kinds the cluster serves. Waits for the cluster: for workers, outside any transaction."""
    asked = sorted(set(kinds))
    try:
        known = connect(cluster).discovery()
        return Served(
            {kind: known.serves(*kind) for kind in asked},
            {kind: known.newest(kind) or "" for version, kind in asked if not known.serves(version, kind)},
            frozenset(kind for kind in asked if known.serves(*kind) and not known.resource(*kind).is_namespaced),
        )
    except Refusal as refusal:
        return Served(trouble=refusal.text, is_down=True)
