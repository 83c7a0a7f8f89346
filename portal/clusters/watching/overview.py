"""What a cluster's page shows, kept as it changes: its nodes, and its workloads with the troubled ones first."""

from __future__ import annotations

from bisect import bisect_left, insort
from collections.abc import Callable

from portal.clusters.health.terms import BADGE_ORDER, Health, badge
from portal.clusters.status import NodeRow, WorkloadRow
from portal.clusters.store import Key

MOST_LISTED = 200


class ClusterOverview:
    """Nodes by name, and the places of workloads in the list. Nothing here is ever sorted anew."""

    def __init__(self) -> None:
        self._nodes: dict[str, NodeRow] = {}
        self._node_order: list[tuple[int, str]] = []
        self._places: dict[Key, tuple[int, Key]] = {}
        self._order: list[tuple[int, Key]] = []

    def place(self, key: Key, health: Health | None) -> bool:
        """Puts a workload where its badge belongs, or takes it out (None); whether what is shown may have changed."""
        old = self._places.get(key)
        new = (BADGE_ORDER.index(badge(health)), key) if health else None
        if old == new:
            return new is not None
        if old:
            del self._order[bisect_left(self._order, old)]
            del self._places[key]
        if new:
            insort(self._order, new)
            self._places[key] = new
        return True

    def node(self, name: str, row: NodeRow | None) -> bool:
        """Takes a node's row, or that it is gone; whether that is news."""
        old = self._nodes.get(name)
        if old == row:
            return False
        if old:
            del self._node_order[bisect_left(self._node_order, (BADGE_ORDER.index(old.badge), name))]
            del self._nodes[name]
        if row:
            self._nodes[name] = row
            insort(self._node_order, (BADGE_ORDER.index(row.badge), name))
        return True

    def nodes(self) -> tuple[NodeRow, ...]:
        """Every node, the troubled ones first."""
        return tuple(self._nodes[name] for _, name in self._node_order)

    def listed(self, row_of: Callable[[Key], WorkloadRow | None]) -> tuple[WorkloadRow, ...]:
        """The first workloads of the list."""
        rows = (row_of(key) for _, key in self._order[:MOST_LISTED])
        return tuple(row for row in rows if row)
