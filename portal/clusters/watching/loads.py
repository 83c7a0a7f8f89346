"""What the pods on each node ask for, as running sums: a pod that comes, changes or goes adds and takes its own."""

from __future__ import annotations

from typing import NamedTuple

from portal.clusters.quantity import millicores, size
from portal.clusters.structs import Pod


class Load(NamedTuple):
    """Thousandths of a core, bytes, and pods."""

    cpu: int = 0
    memory: int = 0
    pods: int = 0


NOTHING = Load()


def load_of(pod: Pod) -> Load:
    """What a pod takes of its node; one that has ended takes nothing."""
    if pod.status.phase in ("Succeeded", "Failed"):
        return NOTHING
    asked = [(item.resources.requests if item.resources else None) or {} for item in pod.spec.containers]
    return Load(sum(millicores(item.get("cpu")) for item in asked), sum(size(item.get("memory")) for item in asked), 1)


class Loads:
    """The sums by node."""

    def __init__(self) -> None:
        self._of: dict[str, Load] = {}

    def of(self, node: str) -> Load:
        """The sum of a node."""
        return self._of.get(node, NOTHING)

    def change(self, old: Pod | None, new: Pod | None) -> list[str]:
        """A pod became another, came or went; answers the nodes whose sum is another now."""
        before, after = _share(old), _share(new)
        if before == after:
            return []
        for (node, load), sign in ((before, -1), (after, 1)):
            if node:
                self._add(node, load, sign)
        return [node for node in dict.fromkeys((before[0], after[0])) if node]

    def _add(self, node: str, load: Load, sign: int) -> None:
        was = self.of(node)
        now = Load(*(a + sign * b for a, b in zip(was, load, strict=True)))
        if now == NOTHING:
            self._of.pop(node, None)
        else:
            self._of[node] = now


def _share(pod: Pod | None) -> tuple[str, Load]:
    return (pod.spec.node_name, load_of(pod)) if pod and pod.spec.node_name else ("", NOTHING)
