"""How workloads are judged: deployments, replica, stateful and daemon sets, jobs and cron jobs."""

from __future__ import annotations

import re

from portal.clusters.health import cron
from portal.clusters.health.containers import ended_badly
from portal.clusters.health.memory import has_ended_ever
from portal.clusters.health.pods import EVENT_FRESH, is_over, judge_pod
from portal.clusters.health.terms import Around, Avail, Facts, Health, Note, Rollout, clip, root_cause
from portal.clusters.structs import (
    Condition,
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
ROLLOUT_SECONDS = 600  # Kubernetes' own default deadline: what breaks later than this is no rollout's doing
TRIES = 3
WAITING = frozenset(
    {"gate-pending", "claim-pending", "waiting-for-node"}
)  # no trouble yet, but worth more than "starting"
CRASHES = frozenset({"crash-loop", "crashed"})
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


def _living(pods: list[Pod], *, leaving: bool = False) -> list[Pod]:
    """The pods that count: one that is over, or (unless `leaving`) on its way out, has been replaced."""
    return [pod for pod in pods if not is_over(pod) and (leaving or not pod.metadata.deletion_timestamp)]


def _pods_trouble(pods: list[Pod], around: Around) -> Health | None:
    """The root cause among a workload's living pods, or what they wait for, with how many of them share it."""
    healths = [judge_pod(pod, around) for pod in pods]
    cause = root_cause(healths) or next((item for item in healths if item.code in WAITING), None)
    if cause is None:
        return None
    same = sum(1 for item in healths if item.code == cause.code)
    return Health(cause.avail, cause.rollout, cause.code, {**cause.facts, "affected": same, "pods": len(pods)})


def _available(told: int, replicas: int, pods: list[Pod], around: Around) -> int:
    """How many pods are there to stay: one that is between two crashes is not, whatever its workload's status counts.

    Bounded by all `replicas` rather than reduced by those that are ready: a workload's status comes a moment after its
    pods', and would otherwise count a pod as available in the moment of its next crash.
    """
    looping = sum(1 for pod in pods if has_ended_ever(pod) and judge_pod(pod, around).code in CRASHES)
    return min(told, max(replicas - looping, 0))


def _is_settled(pods: list[Pod], around: Around) -> bool:
    """Whether the newest of these pods is too old for its trouble to be a rollout's."""
    return all(around.seconds_since(pod.metadata.creation_timestamp) > ROLLOUT_SECONDS for pod in pods)


def _replica_sets(deployment: Deployment, around: Around) -> list[ReplicaSet]:
    return [obj for obj in around.store.linked("owner", deployment.metadata.uid) if isinstance(obj, ReplicaSet)]


def _newest_replica_set(deployment: Deployment, around: Around) -> ReplicaSet | None:
    def age(item: ReplicaSet) -> tuple[int, float]:
        notes, born = item.metadata.annotations, item.metadata.creation_timestamp
        revision = notes.revision if notes else ""
        return int(revision) if revision.isdigit() else 0, born.timestamp() if born else 0.0

    return max(_replica_sets(deployment, around), key=age, default=None)


def new_pods(obj: KubeObject, around: Around) -> list[Pod]:
    """The pods that a workload's newest template made, which alone tell whether its rollout works."""
    if isinstance(obj, Deployment):
        newest = _newest_replica_set(obj, around)
        return around.store.pods_of(newest.metadata.uid) if newest else []
    return around.store.pods_of(obj.metadata.uid)


def _moving(
    avail: Avail,
    done: int,
    wanted: int,
    cause: Health | None,
    notes: tuple[Note, ...] = (),
    *,
    is_over: bool = False,
) -> Health:
    """A rollout that is under way, or stuck when a pod of it cannot get better by waiting.

    Where the rollout `is_over` and something still serves, a broken pod makes the service less, and nothing stuck.
    """
    progress: Facts = {"done": done, "wanted": wanted}
    if cause:
        rollout: Rollout = "Stuck" if cause.is_hard else "Progressing"
        if is_over and avail != "Down" and cause.is_trouble:
            rollout = "Stable"
        return Health(avail, rollout, cause.code, {**cause.facts, **progress}, notes)
    return Health(avail, "Progressing", "starting" if avail == "Down" else "rolling-out", progress, notes)


def _steady(avail: Avail, cause: Health | None, wanted: int, notes: tuple[Note, ...] = ()) -> Health:
    """A finished rollout: serving, at rest, or serving with something to worry about."""
    if wanted == 0:
        return Health("Idle", "Stable", "scaled-to-zero", {}, notes)
    if cause and cause.code == "oom-restarts":
        return Health("Reduced", "Stable", cause.code, cause.facts, notes)
    return Health(avail, "Stable", "serving", {"wanted": wanted}, notes)


def _paused(avail: Avail, cause: Health | None, wanted: int) -> Health:
    """Paused on purpose; what ails its pods meanwhile is said all the same."""
    if cause and cause.is_trouble and avail in ("Down", "Reduced"):
        return Health(avail, "Paused", cause.code, {**cause.facts, "wanted": wanted})
    return Health(avail, "Paused", "paused")


def judge_deployment(obj: Deployment, around: Around) -> Health:
    status, wanted = obj.status, obj.spec.replicas
    pods = _living(new_pods(obj, around))
    every = [pod for item in _replica_sets(obj, around) for pod in around.store.pods_of(item.metadata.uid)]
    available = _available(status.available_replicas, status.replicas, _living(every), around)
    avail = _availability(available, wanted)
    cause = _pods_trouble(pods, around)
    if obj.spec.paused:
        return _paused(avail, cause, wanted)
    if status.observed_generation < obj.metadata.generation:
        return Health(avail, "Progressing", "waiting-for-controller")
    failure = condition(status.conditions, "ReplicaFailure")
    if failure and failure.is_true:
        code, facts = _creation_trouble(failure.message or "")
        return Health(avail, "Stuck", code, {**facts, "done": available, "wanted": wanted})
    progressing = condition(status.conditions, "Progressing")
    if progressing and progressing.reason == "ProgressDeadlineExceeded":
        code = cause.code if cause else "deadline-exceeded"
        facts = cause.facts if cause else {"message": clip(progressing.message)}
        return Health(avail, "Stuck", code, {**facts, "done": status.updated_replicas, "wanted": wanted})
    is_whole = status.updated_replicas >= wanted and status.replicas <= status.updated_replicas
    if is_whole and available >= status.updated_replicas:
        return _steady(avail, cause, wanted)
    is_over = is_whole and progressing is not None and progressing.reason == "NewReplicaSetAvailable"
    return _moving(avail, min(status.updated_replicas, available), wanted, cause, is_over=is_over)


def judge_replica_set(obj: ReplicaSet, around: Around) -> Health:
    status, wanted = obj.status, obj.spec.replicas
    pods = _living(around.store.pods_of(obj.metadata.uid))
    available = _available(status.available_replicas, status.replicas, pods, around)
    avail = _availability(available, wanted)
    failure = condition(status.conditions, "ReplicaFailure")
    if failure and failure.is_true:
        code, facts = _creation_trouble(failure.message or "")
        return Health(avail, "Stuck", code, facts)
    cause = _pods_trouble(pods, around)
    if available < wanted:
        is_over = len(pods) >= wanted and _is_settled(pods, around)
        return _moving(avail, available, wanted, cause, is_over=is_over)
    return _steady(avail, cause, wanted)


def _ordinal(pod: Pod) -> int:
    tail = pod.metadata.name.rpartition("-")[2]
    return int(tail) if tail.isdigit() else 0


def judge_stateful_set(obj: StatefulSet, around: Around) -> Health:
    status, wanted = obj.status, obj.spec.replicas
    pods = sorted(_living(around.store.pods_of(obj.metadata.uid), leaving=True), key=_ordinal)
    available = _available(obj.available, status.replicas, pods, around)
    avail = _availability(available, wanted)
    # first, because a controller whose pods are refused may never come to write a status (1.20)
    if refused := _refused(obj, pods, wanted, around):
        return Health(avail, "Stuck", refused[0], {**refused[1], "done": available, "wanted": wanted})
    if status.observed_generation == 0 or status.observed_generation < obj.metadata.generation:
        return Health(avail, "Progressing", "waiting-for-controller")
    strategy = obj.spec.update_strategy
    is_newest = status.update_revision == status.current_revision
    if available < wanted:
        cause = _ordered_trouble(obj, pods, around)
        return _moving(avail, available, wanted, cause, is_over=is_newest and status.replicas >= wanted)
    partition = (strategy.rolling_update.partition or 0) if strategy.rolling_update else 0
    expected = 0 if strategy.type == "OnDelete" else max(wanted - partition, 0)
    if not is_newest and status.updated_replicas < expected:
        return _moving(avail, status.updated_replicas, expected, _ordered_trouble(obj, pods, around))
    if not is_newest and strategy.type != "OnDelete" and not partition:
        return _moving(avail, status.updated_replicas, wanted, _ordered_trouble(obj, pods, around))
    return _steady(avail, _pods_trouble(pods, around), wanted, _old_pods(wanted, status.updated_replicas, is_newest))


def _old_pods(wanted: int, updated: int, is_newest: bool) -> tuple[Note, ...]:
    """Pods that keep the version before on purpose: until somebody deletes them, or behind a partition."""
    old = 0 if is_newest else wanted - updated
    return (Note("pods-old", {"count": old, "wanted": wanted}),) if old > 0 else ()


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
    pods = _living(around.store.pods_of(obj.metadata.uid), leaving=True)
    # while its pods are refused, an old controller does not even say how many are wanted (1.20)
    least = wanted if is_observed else max(wanted, 1)
    available = _available(status.number_available, wanted, pods, around)
    if refused := _refused(obj, pods, least, around):
        facts: Facts = {**refused[1], "done": available, "wanted": least}
        return Health(_availability(available, least), "Stuck", refused[0], facts)
    avail = _availability(available, wanted)
    if not is_observed:
        return Health(avail, "Progressing", "waiting-for-controller")
    missed = status.number_misscheduled
    notes = (Note("misscheduled", {"count": missed}),) if missed else ()
    if wanted == 0:
        return Health("Idle", "Stable", "no-pods-wanted", {}, notes)
    cause = _pods_trouble(pods, around)
    updated = status.updated_number_scheduled
    is_on_delete = obj.spec.update_strategy.type == "OnDelete"
    is_updated = is_on_delete or updated >= wanted
    if available < wanted or not is_updated:
        is_over = is_updated and len(pods) >= wanted and _is_settled(pods, around)
        return _moving(avail, available, wanted, cause, notes, is_over=is_over)
    return _steady(avail, cause, wanted, (*notes, *_old_pods(wanted, updated, not is_on_delete)))


def _is_set(obj: Job, *kinds: str) -> Condition | None:
    """The first of these conditions that holds."""
    found = (condition(obj.status.conditions, kind) for kind in kinds)
    return next((item for item in found if item and item.is_true), None)


def judge_job(obj: Job, around: Around) -> Health:
    pods = around.store.pods_of(obj.metadata.uid)
    # FailureTarget and SuccessCriteriaMet say how it will end while its last pods are still being stopped
    if failed := _is_set(obj, "Failed", "FailureTarget"):
        facts: Facts = {"job": obj.metadata.name, "reason": failed.reason or "", "message": clip(failed.message)}
        return Health("Down", "Stable", "job-failed", facts | _last_words(pods, around))
    if _is_set(obj, "Complete", "SuccessCriteriaMet"):
        return Health("Serving", "Stable", "completed")
    # what is asked for; the condition follows it or lingers, and tells only where the asking is not to be seen
    if obj.spec.suspend or (obj.spec.suspend is None and _is_set(obj, "Suspended")):
        return Health("Idle", "Paused", "paused")
    living = _living(pods)
    if refused := _refused(obj, living, 1, around):
        return Health("Reduced", "Stuck", refused[0], refused[1])
    cause = _pods_trouble(living, around)
    if cause and not cause.is_trouble:
        return Health("Serving", "Progressing", cause.code, cause.facts)
    if cause:
        return Health("Reduced", "Stuck" if cause.is_hard else "Progressing", cause.code, cause.facts)
    tries: Facts = {"job": obj.metadata.name, "active": obj.status.active, "failed": obj.status.failed}
    if obj.status.failed >= TRIES and obj.status.failed > obj.status.succeeded:
        return Health("Reduced", "Progressing", "job-retrying", tries | _last_words(pods, around))
    return Health("Serving", "Progressing", "job-running", tries)


def _last_words(pods: list[Pod], around: Around) -> Facts:
    """How the newest of a job's pods ended that ended badly."""
    ended = [(pod, end) for pod in pods if (end := ended_badly(pod))]
    if not ended:
        return {}
    pod, end = min(ended, key=lambda pair: around.seconds_since(pair[0].metadata.creation_timestamp))
    return {"pod": pod.metadata.name, "exit_code": end.exit_code}


def _jobs(obj: CronJob, around: Around, *, ended: bool) -> Job | None:
    """The newest of a cron job's runs that have ended, or that have not."""
    jobs = [item for item in around.store.linked("owner", obj.metadata.uid, "Job") if isinstance(item, Job)]
    found = [job for job in jobs if bool(_is_set(job, "Failed", "Complete")) is ended]
    return min(found, key=lambda job: around.seconds_since(job.metadata.creation_timestamp), default=None)


def judge_cron_job(obj: CronJob, around: Around) -> Health:
    """A cron job is what its present run is, and the end of the one before; then whether it comes in time."""
    spec = obj.spec
    current = _jobs(obj, around, ended=False)
    if current and (run := judge_job(current, around)).is_trouble:
        return Health("Reduced", run.rollout, run.code, {"job": current.metadata.name, **run.facts})
    if spec.suspend:
        return Health("Idle", "Paused", "paused")
    last = _jobs(obj, around, ended=True)
    if last and (run := judge_job(last, around)).code == "job-failed" and not _has_succeeded_since(obj, last):
        return Health("Reduced", "Stable", "last-run-failed", run.facts)
    return _in_time(obj, current, around)


def _has_succeeded_since(obj: CronJob, failed: Job) -> bool:
    """Whether a run that is no longer kept went well after the failed one."""
    succeeded, began = obj.status.last_successful_time, failed.metadata.creation_timestamp
    return bool(succeeded and began and succeeded > began)


def _in_time(obj: CronJob, current: Job | None, around: Around) -> Health:
    spec = obj.spec
    facts: Facts = {"schedule": clip(spec.schedule)}
    since = obj.status.last_schedule_time or obj.metadata.creation_timestamp or around.now
    grace = 60 + (spec.starting_deadline_seconds or 0)
    try:
        if cron.never(spec.schedule, around.now):
            return Health("Reduced", "Stable", "schedule-never", facts)
        is_late = cron.missed(spec.schedule, since, around.now, grace, spec.time_zone)
    except cron.BadSchedule:
        return Health("Reduced", "Stable", "schedule-unreadable", facts)
    if not is_late:
        return Health("Serving", "Stable", "serving", facts)
    if current and spec.concurrency_policy == "Forbid":
        began = current.metadata.creation_timestamp or since
        note = Note("run-going-on", {"job": current.metadata.name, "since": began.isoformat()})
        return Health("Serving", "Stable", "serving", facts, (note,))
    if obj.status.last_schedule_time:
        facts["last"] = obj.status.last_schedule_time.isoformat()
    return Health("Reduced", "Stable", "schedule-missed", facts)
