"""How workloads are judged: deployments, replica, stateful and daemon sets, jobs and cron jobs."""

from __future__ import annotations

import re

from portal.clusters.health import cron
from portal.clusters.health.pods import EVENT_FRESH, judge_pod
from portal.clusters.health.terms import Around, Avail, Facts, Health, Note, clip, root_cause
from portal.clusters.structs import (
    CronJob,
    DaemonSet,
    Deployment,
    Job,
    KubeObject,
    Pod,
    ReplicaSet,
    StatefulSet,
    condition,
)

QUOTA = re.compile(r"exceeded quota: (\S+?), requested: (.+), used: (.+), limited: (.+)")
WEBHOOK = re.compile(r'admission webhook "([^"]+)" denied the request:? ?(.*)', re.DOTALL)


def _availability(available: int, wanted: int) -> Avail:
    if wanted == 0:
        return "Idle"
    if available >= wanted:
        return "Serving"
    return "Reduced" if available else "Down"


def _creation_trouble(message: str) -> tuple[str, Facts]:
    """Why pods could not even be created: a quota, an admission webhook, or the server's own words."""
    text = clip(message)
    quota = QUOTA.search(text)
    if quota:
        name, requested, used, limited = quota.groups()
        return "quota-exceeded", {"quota": name, "requested": requested, "used": used, "limited": limited}
    webhook = WEBHOOK.search(text)
    if webhook:
        return "admission-denied", {"webhook": webhook[1], "message": webhook[2]}
    return "create-failed", {"message": text}


def _refused(obj: KubeObject, pods: list[Pod], wanted: int, around: Around) -> tuple[str, Facts] | None:
    """Why pods that are wanted do not exist, where only an event says so: jobs, stateful and daemon sets."""
    if len(pods) >= wanted:
        return None
    for event in around.store.events_about(obj.metadata.uid):
        if event.reason == "FailedCreate" and around.seconds_since(event.seen_at) < EVENT_FRESH:
            return _creation_trouble(event.message or "")
    return None


def _pods_trouble(pods: list[Pod], around: Around) -> Health | None:
    """The root cause among a workload's pods, with how many of them share it."""
    healths = [judge_pod(pod, around) for pod in pods]
    cause = root_cause(healths)
    if cause is None:
        return None
    same = sum(1 for item in healths if item.code == cause.code)
    return Health(cause.avail, cause.rollout, cause.code, {**cause.facts, "affected": same, "pods": len(pods)})


def _newest_replica_set(deployment: Deployment, around: Around) -> ReplicaSet | None:
    sets = [obj for obj in around.store.linked("owner", deployment.metadata.uid) if isinstance(obj, ReplicaSet)]

    def age(item: ReplicaSet) -> tuple[int, float]:
        notes, born = item.metadata.annotations, item.metadata.creation_timestamp
        revision = notes.revision if notes else ""
        return int(revision) if revision.isdigit() else 0, born.timestamp() if born else 0.0

    return max(sets, key=age, default=None)


def new_pods(obj: KubeObject, around: Around) -> list[Pod]:
    """The pods that a workload's newest template made, which alone tell whether its rollout works."""
    if isinstance(obj, Deployment):
        newest = _newest_replica_set(obj, around)
        return around.store.pods_of(newest.metadata.uid) if newest else []
    return around.store.pods_of(obj.metadata.uid)


def _moving(avail: Avail, done: int, wanted: int, cause: Health | None, notes: tuple[Note, ...] = ()) -> Health:
    """A rollout that is under way, or stuck when a pod of it cannot get better by waiting."""
    progress: Facts = {"done": done, "wanted": wanted}
    if cause and cause.is_hard:
        return Health(avail, "Stuck", cause.code, {**cause.facts, **progress}, notes)
    if cause:
        return Health(avail, "Progressing", cause.code, {**cause.facts, **progress}, notes)
    return Health(avail, "Progressing", "starting" if avail == "Down" else "rolling-out", progress, notes)


def _steady(avail: Avail, cause: Health | None, wanted: int, notes: tuple[Note, ...] = ()) -> Health:
    """A finished rollout: serving, at rest, or serving with something to worry about."""
    if wanted == 0:
        return Health("Idle", "Stable", "scaled-to-zero", {}, notes)
    if cause and cause.code == "oom-restarts":
        return Health("Reduced", "Stable", cause.code, cause.facts, notes)
    return Health(avail, "Stable", "serving", {"wanted": wanted}, notes)


def judge_deployment(obj: Deployment, around: Around) -> Health:
    status, wanted = obj.status, obj.spec.replicas
    avail = _availability(status.available_replicas, wanted)
    if obj.spec.paused:
        return Health(avail, "Paused", "paused")
    if status.observed_generation < obj.metadata.generation:
        return Health(avail, "Progressing", "waiting-for-controller")
    failure = condition(status.conditions, "ReplicaFailure")
    if failure and failure.is_true:
        code, facts = _creation_trouble(failure.message or "")
        return Health(avail, "Stuck", code, {**facts, "done": status.available_replicas, "wanted": wanted})
    cause = _pods_trouble(new_pods(obj, around), around)
    progressing = condition(status.conditions, "Progressing")
    if progressing and progressing.reason == "ProgressDeadlineExceeded":
        code = cause.code if cause else "deadline-exceeded"
        facts = cause.facts if cause else {"message": clip(progressing.message)}
        return Health(avail, "Stuck", code, {**facts, "done": status.updated_replicas, "wanted": wanted})
    is_whole = status.updated_replicas >= wanted and status.replicas <= status.updated_replicas
    if is_whole and status.available_replicas >= status.updated_replicas:
        return _steady(avail, cause, wanted)
    return _moving(avail, min(status.updated_replicas, status.available_replicas), wanted, cause)


def judge_replica_set(obj: ReplicaSet, around: Around) -> Health:
    status, wanted = obj.status, obj.spec.replicas
    avail = _availability(status.available_replicas, wanted)
    failure = condition(status.conditions, "ReplicaFailure")
    if failure and failure.is_true:
        code, facts = _creation_trouble(failure.message or "")
        return Health(avail, "Stuck", code, facts)
    cause = _pods_trouble(around.store.pods_of(obj.metadata.uid), around)
    if status.available_replicas < wanted:
        return _moving(avail, status.available_replicas, wanted, cause)
    return _steady(avail, cause, wanted)


def _ordinal(pod: Pod) -> int:
    tail = pod.metadata.name.rpartition("-")[2]
    return int(tail) if tail.isdigit() else 0


def judge_stateful_set(obj: StatefulSet, around: Around) -> Health:
    status, wanted = obj.status, obj.spec.replicas
    avail = _availability(status.ready_replicas, wanted)
    pods = sorted(around.store.pods_of(obj.metadata.uid), key=_ordinal)
    # first, because a controller whose pods are refused may never come to write a status (1.20)
    if refused := _refused(obj, pods, wanted, around):
        return Health(avail, "Stuck", refused[0], {**refused[1], "done": status.ready_replicas, "wanted": wanted})
    if status.observed_generation == 0 or status.observed_generation < obj.metadata.generation:
        return Health(avail, "Progressing", "waiting-for-controller")
    strategy = obj.spec.update_strategy
    if status.ready_replicas < wanted:
        return _moving(avail, status.ready_replicas, wanted, _ordered_trouble(obj, pods, around))
    if strategy.type == "OnDelete":
        return _steady(avail, _pods_trouble(pods, around), wanted)
    partition = (strategy.rolling_update.partition or 0) if strategy.rolling_update else 0
    if partition:
        expected = max(wanted - partition, 0)
        if status.updated_replicas < expected:
            return _moving(avail, status.updated_replicas, expected, _ordered_trouble(obj, pods, around))
    elif status.update_revision != status.current_revision:
        return _moving(avail, status.updated_replicas, wanted, _ordered_trouble(obj, pods, around))
    return _steady(avail, _pods_trouble(pods, around), wanted)


def _ordered_trouble(obj: StatefulSet, pods: list[Pod], around: Around) -> Health | None:
    """With ordered pods only the lowest broken one matters: it blocks the rest, even its own repair."""
    if obj.spec.pod_management_policy != "OrderedReady":
        return _pods_trouble(pods, around)
    for pod in pods:
        health = judge_pod(pod, around)
        if health.is_trouble:
            blocked: Facts = {"affected": 1, "pods": len(pods), "blocks": pod.metadata.name}
            return Health(health.avail, health.rollout, health.code, {**health.facts, **blocked})
    return None


def judge_daemon_set(obj: DaemonSet, around: Around) -> Health:
    status, wanted = obj.status, obj.status.desired_number_scheduled
    is_observed = status.observed_generation >= obj.metadata.generation
    pods = around.store.pods_of(obj.metadata.uid)
    # while its pods are refused, an old controller does not even say how many are wanted (1.20)
    least = wanted if is_observed else max(wanted, 1)
    if refused := _refused(obj, pods, least, around):
        facts: Facts = {**refused[1], "done": status.number_available, "wanted": least}
        return Health(_availability(status.number_available, least), "Stuck", refused[0], facts)
    avail = _availability(status.number_available, wanted)
    if not is_observed:
        return Health(avail, "Progressing", "waiting-for-controller")
    missed = status.number_misscheduled
    notes = (Note("misscheduled", {"count": missed}),) if missed else ()
    if wanted == 0:
        return Health("Idle", "Stable", "no-pods-wanted", {}, notes)
    cause = _pods_trouble(pods, around)
    is_updated = obj.spec.update_strategy.type == "OnDelete" or status.updated_number_scheduled >= wanted
    if status.number_available < wanted or not is_updated:
        return _moving(avail, status.number_available, wanted, cause, notes)
    return _steady(avail, cause, wanted, notes)


def judge_job(obj: Job, around: Around) -> Health:
    conditions = obj.status.conditions
    failed = condition(conditions, "Failed")
    if failed and failed.is_true:
        facts: Facts = {"job": obj.metadata.name, "reason": failed.reason or "", "message": clip(failed.message)}
        cause = _pods_trouble(around.store.pods_of(obj.metadata.uid), around)
        if cause and "exit_code" in cause.facts:
            facts |= {name: cause.facts[name] for name in ("pod", "exit_code") if name in cause.facts}
        return Health("Down", "Stable", "job-failed", facts)
    complete = condition(conditions, "Complete")
    if complete and complete.is_true:
        return Health("Serving", "Stable", "completed")
    suspended = condition(conditions, "Suspended")
    if suspended and suspended.is_true:
        return Health("Idle", "Paused", "paused")
    pods = around.store.pods_of(obj.metadata.uid)
    if refused := _refused(obj, pods, 1, around):
        return Health("Reduced", "Stuck", refused[0], refused[1])
    cause = _pods_trouble(pods, around)
    if cause:
        return Health("Reduced", "Stuck" if cause.is_hard else "Progressing", cause.code, cause.facts)
    return Health("Serving", "Progressing", "job-running", {"active": obj.status.active})


def _last_job(obj: CronJob, around: Around) -> Job | None:
    jobs = [item for item in around.store.linked("owner", obj.metadata.uid) if isinstance(item, Job)]
    ended = [
        job
        for job in jobs
        if any(item.is_true for item in job.status.conditions or () if item.type in ("Failed", "Complete"))
    ]
    return max(ended, key=lambda job: -around.seconds_since(job.metadata.creation_timestamp), default=None)


def judge_cron_job(obj: CronJob, around: Around) -> Health:
    spec = obj.spec
    if spec.suspend:
        return Health("Idle", "Paused", "paused")
    last = _last_job(obj, around)
    if last:
        outcome = judge_job(last, around)
        if outcome.code == "job-failed":
            return Health("Reduced", "Stable", "last-run-failed", outcome.facts)
    since = obj.status.last_schedule_time or obj.metadata.creation_timestamp
    try:
        zone = spec.time_zone
        late = bool(since) and cron.missed(
            spec.schedule, since or around.now, around.now, 60 + (spec.starting_deadline_seconds or 0), zone
        )
    except cron.BadSchedule:
        return Health("Reduced", "Stable", "schedule-unreadable", {"schedule": clip(spec.schedule)})
    if late:
        facts: Facts = {"schedule": clip(spec.schedule)}
        if obj.status.last_schedule_time:
            facts["last"] = obj.status.last_schedule_time.isoformat()
        return Health("Reduced", "Stable", "schedule-missed", facts)
    return Health("Serving", "Stable", "serving", {"schedule": clip(spec.schedule)})
