"""The vocabulary of health: two axes, reason codes with their weight, and the badge that they add up to."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal

import msgspec

from portal.clusters.health.memory import Memory
from portal.clusters.store import Store
from portal.clusters.structs import KubeObject

Avail = Literal["Serving", "Reduced", "Down", "Idle", "Unknown"]
Rollout = Literal["Stable", "Progressing", "Stuck", "Paused", "Terminating"]
Severity = Literal["ok", "info", "warning", "error"]
Badge = Literal["Healthy", "Progressing", "Reduced", "Stuck", "Down", "Paused", "Idle", "Unknown"]
Fact = str | int
Facts = dict[str, Fact]

MAX_TEXT = 600  # a cluster is hostile input: no message of it is kept longer than this


@dataclass(frozen=True)
class Code:
    """What a reason code weighs: which of several is the root cause, how bad it is, whether waiting can mend it."""

    rank: int
    severity: Severity
    is_hard: bool = False


CODES: dict[str, Code] = {
    # the platform
    "node-not-ready": Code(0, "error"),
    "evicted": Code(0, "warning"),
    "disrupted": Code(0, "warning"),
    # what the namespace refuses
    "quota-exceeded": Code(1, "error", True),
    "admission-denied": Code(1, "error", True),
    "create-failed": Code(1, "error", True),
    # storage and room
    "claim-lost": Code(2, "error", True),
    "claim-failed": Code(2, "error", True),
    "claim-pending": Code(2, "info"),
    "claim-missing": Code(2, "error", True),
    "unschedulable": Code(3, "error", True),
    "waiting-for-node": Code(3, "info"),
    "scheduling-gated": Code(3, "warning"),
    # configuration and image
    "config-missing": Code(4, "error", True),
    "image-not-found": Code(4, "error", True),
    "image-unauthorized": Code(4, "error", True),
    "image-tls": Code(4, "error", True),
    "image-rate-limited": Code(4, "error", True),
    "image-timeout": Code(4, "error", True),
    "image-name-invalid": Code(4, "error", True),
    "image-pull-failed": Code(4, "error", True),
    "container-create-failed": Code(4, "error", True),
    "mount-failed": Code(4, "error", True),
    "mount-slow": Code(4, "warning"),
    "creating-slow": Code(4, "warning"),
    # the process itself
    "crash-loop": Code(5, "error", True),
    "crashed": Code(5, "warning"),
    "oom-restarts": Code(5, "warning"),
    "job-failed": Code(5, "error"),
    "job-retrying": Code(5, "warning"),
    "last-run-failed": Code(5, "warning"),
    # probes
    "liveness-failing": Code(6, "error", True),
    "startup-failing": Code(6, "warning"),
    "readiness-failing": Code(6, "warning"),
    "readiness-gate": Code(6, "warning"),
    # what follows from the above
    "deadline-exceeded": Code(7, "error", True),
    "no-endpoints": Code(7, "error"),
    "backend-down": Code(7, "error"),
    "load-balancer-stuck": Code(7, "error", True),
    "finalizer-stuck": Code(7, "error", True),
    "namespace-stuck": Code(7, "error", True),
    "schedule-missed": Code(7, "warning"),
    "schedule-unreadable": Code(7, "warning"),
    "schedule-never": Code(7, "warning"),
    "autoscaler-failing": Code(7, "warning"),
    "node-pressure": Code(7, "warning"),
    # in motion, or at rest
    "load-balancer-pending": Code(8, "info"),
    "address-pending": Code(8, "info"),
    "waiting-for-controller": Code(8, "info"),
    "gate-pending": Code(8, "info"),
    "finishing": Code(8, "info"),
    "starting": Code(8, "info"),
    "rolling-out": Code(8, "info"),
    "job-running": Code(8, "info"),
    "terminating": Code(8, "info"),
    "paused": Code(8, "info"),
    "cordoned": Code(8, "info"),
    "scaled-to-zero": Code(9, "info"),
    "no-pods-wanted": Code(9, "info"),
    "claim-unused": Code(9, "info"),
    "no-selector": Code(9, "info"),
    "leftover": Code(9, "info"),
    "completed": Code(9, "ok"),
    "serving": Code(10, "ok"),
    "unknown": Code(10, "warning"),
    # notes: said beside a health, never its cause
    "autoscaler-at-maximum": Code(10, "info"),
    "address-unpublished": Code(10, "info"),
    "misscheduled": Code(10, "info"),
    "pods-old": Code(10, "info"),
    "run-going-on": Code(10, "info"),
}


class Note(msgspec.Struct, frozen=True):
    """Something worth saying beside a health that does not decide it."""

    code: str
    facts: Facts = {}


class Health(msgspec.Struct, frozen=True):
    """A judgement: is it there (`avail`), is it changing (`rollout`), why (`code` and `facts`). No text in it."""

    avail: Avail
    rollout: Rollout
    code: str
    facts: Facts = {}
    notes: tuple[Note, ...] = ()

    @property
    def severity(self) -> Severity:
        """How much it asks for attention."""
        return CODES[self.code].severity

    @property
    def is_hard(self) -> bool:
        """Whether waiting will not mend it."""
        return CODES[self.code].is_hard

    @property
    def is_trouble(self) -> bool:
        """Whether a person should look."""
        return self.severity in ("warning", "error")

    @property
    def weight(self) -> tuple[int, int]:
        """Sorts causes: the smallest is the root of the others."""
        return CODES[self.code].rank, 0 if self.is_hard else 1


@dataclass(frozen=True)
class Around:
    """Everything a rule may look at beside the object itself."""

    store: Store
    now: datetime
    memory: Memory = field(default_factory=Memory)

    def kept(self, obj: KubeObject, rule: Callable[[Any, Around], Health]) -> Health:
        """What the rule says of the object; whoever watches keeps the answer until what it was made from changes."""
        return rule(obj, self)

    def seconds_since(self, moment: datetime | None) -> float:
        """Age in seconds; an unknown moment is now."""
        return (self.now - moment).total_seconds() if moment else 0.0


UNKNOWN = Health("Unknown", "Stable", "unknown")
SERVING = Health("Serving", "Stable", "serving")
BADGE_ORDER: tuple[Badge, ...] = (
    "Unknown",
    "Down",
    "Stuck",
    "Reduced",
    "Progressing",
    "Paused",
    "Idle",
    "Healthy",
)


def badge(health: Health) -> Badge:
    """One word for both axes. What moves without trouble reads Progressing, even while nothing or too little serves."""
    if health.avail == "Unknown":
        return "Unknown"
    if health.rollout == "Progressing" and health.severity == "info":
        return "Progressing"
    if health.rollout == "Terminating":
        return "Progressing"
    if health.avail == "Down":
        return "Down"
    if health.rollout == "Stuck":
        return "Stuck"
    if health.avail == "Reduced":
        return "Reduced"
    if health.rollout == "Progressing":
        return "Progressing"
    if health.rollout == "Paused":
        return "Paused"
    return "Idle" if health.avail == "Idle" else "Healthy"


def root_cause(healths: list[Health]) -> Health | None:
    """The health that best explains the others: node, quota, storage, image, crash, probe, in that order."""
    troubled = [health for health in healths if health.is_trouble]
    return min(troubled, key=lambda health: health.weight, default=None)


def clip(text: str | None) -> str:
    """A message from a cluster, on one line and no longer than MAX_TEXT."""
    flat = " ".join((text or "").split())
    return flat if len(flat) <= MAX_TEXT else flat[: MAX_TEXT - 1] + "…"
