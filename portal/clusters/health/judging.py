"""How every kind is judged: one pure function a kind, from slim objects to two axes, a reason code and facts."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable
from typing import Any

from portal.clusters.health.pods import deletion, judge_pod
from portal.clusters.health.resources import (
    judge_autoscaler,
    judge_claim,
    judge_ingress,
    judge_namespace,
    judge_node,
    judge_service,
)
from portal.clusters.health.terms import BADGE_ORDER, SERVING, UNKNOWN, Around, Badge, Health, badge, root_cause
from portal.clusters.health.words import hint, note, sentence
from portal.clusters.health.workloads import (
    judge_cron_job,
    judge_daemon_set,
    judge_deployment,
    judge_job,
    judge_replica_set,
    judge_stateful_set,
    new_pods,
)
from portal.clusters.store import Key
from portal.clusters.structs import KubeObject, Pod

__all__ = [
    "Around",
    "Badge",
    "Health",
    "badge",
    "hint",
    "judge",
    "judge_key",
    "new_pods",
    "note",
    "roll_up",
    "sentence",
    "worst_badge",
]


log = logging.getLogger(__name__)

# a service without endpoints is news only while nothing behind it explains the lack
CONSEQUENCES = frozenset({"no-endpoints", "backend-down"})


def judge(kind: str, obj: KubeObject, around: Around) -> Health:
    """The health of an object; a kind without a rule is judged by its existence, and what defies its rule is Unknown.

    A cluster is hostile input: one odd object must never stop the watching of the others.
    """
    try:
        return _judge(kind, obj, around)
    except (ArithmeticError, LookupError, TypeError, ValueError):
        log.warning("%s %s/%s defies its rule", kind, obj.metadata.namespace, obj.metadata.name, exc_info=True)
        return UNKNOWN


def _judge(kind: str, obj: KubeObject, around: Around) -> Health:
    if kind == "Pod":
        assert isinstance(obj, Pod)
        return judge_pod(obj, around)
    return around.kept(obj, _by_rule)


def _by_rule(obj: KubeObject, around: Around) -> Health:
    kind = type(obj).__name__
    leaving = deletion(obj.metadata, around)
    if leaving and kind != "Namespace":
        return leaving
    rule = RULES.get(kind)
    return rule(obj, around) if rule else SERVING


def worst_badge(badges: Iterable[Badge]) -> Badge:
    """The badge of a service whose parts wear these: `roll_up` for whoever has no more than the badges."""
    known = set(badges)
    found = min(known, key=BADGE_ORDER.index)
    # At rest on purpose: that hides nothing that serves.
    return "Healthy" if found in ("Idle", "Paused") and "Healthy" in known else found


def roll_up(healths: list[Health]) -> Health:
    """One health for a service: the worst badge among its objects, told by the root cause of all of them."""
    if not healths:
        return UNKNOWN
    causes = [item for item in healths if item.code not in CONSEQUENCES]
    if any(badge(item) != "Healthy" for item in causes):
        healths = causes
    worst = min(healths, key=lambda item: (BADGE_ORDER.index(badge(item)), item.weight))
    if badge(worst) in ("Idle", "Paused"):  # at rest on purpose: that hides nothing that serves
        worst = next((item for item in healths if badge(item) == "Healthy"), worst)
    cause = root_cause(healths)
    if cause is None or not worst.is_trouble:
        return worst
    return Health(worst.avail, worst.rollout, cause.code, cause.facts, worst.notes)


RULES: dict[str, Callable[[Any, Around], Health]] = {
    "Deployment": judge_deployment,
    "ReplicaSet": judge_replica_set,
    "StatefulSet": judge_stateful_set,
    "DaemonSet": judge_daemon_set,
    "Job": judge_job,
    "CronJob": judge_cron_job,
    "Service": judge_service,
    "Ingress": judge_ingress,
    "PersistentVolumeClaim": judge_claim,
    "HorizontalPodAutoscaler": judge_autoscaler,
    "Node": judge_node,
    "Namespace": judge_namespace,
}


def judge_key(key: Key, around: Around) -> Health:
    """The health of the object of that key; one that is not there is Unknown."""
    obj = around.store.get(key)
    return judge(key.kind, obj, around) if obj else UNKNOWN
