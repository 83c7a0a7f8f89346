"""CronJobs: a Job whenever the schedule says so."""

from collections.abc import Hashable
from datetime import datetime, timedelta
from typing import Any

from portal.sandbox import clock, deletion
from portal.sandbox.controllers.base import WorkloadController, condition, key_of, owner_reference
from portal.sandbox.controllers.jobs import finished
from portal.sandbox.errors import ApiError
from portal.sandbox.kinds import CRON_JOB, JOB
from portal.sandbox.schedules import parse_schedule
from portal.sandbox.store import Object

_COMPONENT = "cronjob-controller"
_SCHEDULED = "batch.kubernetes.io/cronjob-scheduled-timestamp"


class CronJobs(WorkloadController):
    """Starts the Jobs of CronJobs and keeps a short history of them."""

    resource = CRON_JOB
    owns = (JOB,)

    def sync(self, key: Hashable) -> None:
        cron = self.current(key)
        if cron is None:
            return
        jobs = sorted(self.owned(cron, JOB), key=lambda item: str(item["metadata"]["creationTimestamp"]))
        status = self._observe(cron, jobs)
        if not cron["spec"].get("suspend"):
            self._run_due(cron, status, jobs)
            self._plan(cron)
        self._clean(cron, jobs)
        current = self.current(key)
        if current is not None:
            self.registry.set_status(CRON_JOB, current, status)

    def _observe(self, cron: Object, jobs: list[Object]) -> dict[str, Any]:
        """The status that follows from the jobs there are."""
        status = dict(cron.get("status") or {})
        known = {entry["uid"] for entry in status.get("active") or ()}
        status["active"] = [_reference(job) for job in jobs if not finished(job)]
        for job in jobs:
            if job["metadata"]["uid"] in known and finished(job):
                text = f"Saw completed job: {job['metadata']['name']}, condition: {finished(job)}"
                self.recorder.normal(cron, "SawCompletedJob", text, _COMPONENT)
        done = [job["status"].get("completionTime", "") for job in jobs if finished(job) == "Complete"]
        if done and max(done):
            status["lastSuccessfulTime"] = max([*done, status.get("lastSuccessfulTime", "")])
        if not status["active"]:
            status.pop("active")
        return status

    def _next(self, cron: Object, after: datetime) -> datetime | None:
        return parse_schedule(cron["spec"]["schedule"]).after(after, cron["spec"].get("timeZone") or "UTC")

    def _last(self, cron: Object, status: dict[str, Any]) -> datetime:
        return clock.parse(status.get("lastScheduleTime") or cron["metadata"]["creationTimestamp"])

    def _plan(self, cron: Object) -> None:
        due = self._next(cron, clock.now())
        if due:
            self.runtime.later((due - clock.now()).total_seconds() + 0.05, self, key_of(cron))

    def _run_due(self, cron: Object, status: dict[str, Any], jobs: list[Object]) -> None:
        due, latest = self._next(cron, self._last(cron, status)), None
        # Of the times that were missed only the last counts.
        for _ in range(100):
            if due is None or due > clock.now():
                break
            latest, due = due, self._next(cron, due)
        else:
            latest = clock.now()
        if latest is None:
            return
        deadline = cron["spec"].get("startingDeadlineSeconds")
        if deadline is not None and clock.now() - latest > timedelta(seconds=deadline):
            text = f"Missed scheduled time to start a job: {clock.stamp(latest)}"
            self.recorder.warning(cron, "MissSchedule", text, _COMPONENT)
            return
        policy = cron["spec"].get("concurrencyPolicy", "Allow")
        running = [job for job in jobs if not finished(job)]
        if running and policy == "Forbid":
            text = "Not starting job because prior execution is running and concurrency policy is Forbid"
            self.recorder.normal(cron, "JobAlreadyActive", text, _COMPONENT)
            return
        for job in running if policy == "Replace" else ():
            deletion.delete(self.registry, JOB, *key_of(job), {"propagationPolicy": "Background"})
        self._start(cron, status, latest)

    def _start(self, cron: Object, status: dict[str, Any], due: datetime) -> None:
        metadata, template = cron["metadata"], cron["spec"]["jobTemplate"]
        name = f"{metadata['name']}-{int(due.timestamp()) // 60}"
        if self.store.get(JOB, metadata["namespace"], name):
            name = f"{metadata['name']}-{int(due.timestamp())}"
        head = template.get("metadata") or {}
        annotations = (head.get("annotations") or {}) | {
            "batch.kubernetes.io/cronjob-scheduled-timestamp": clock.stamp(due)
        }
        body: Object = {
            "metadata": {
                "name": name,
                "labels": dict(head.get("labels") or {}),
                "annotations": annotations,
                "ownerReferences": [owner_reference(cron)],
            },
            "spec": {
                **template["spec"],
                "template": template["spec"]["template"]
                | {"metadata": dict(template["spec"]["template"].get("metadata") or {})},
            },
        }
        try:
            job = self.registry.make(JOB, metadata["namespace"], body)
        except ApiError as error:
            self.recorder.warning(cron, "FailedCreate", f"Error creating job: {error.message}", _COMPONENT)
            raise
        self.recorder.normal(cron, "SuccessfulCreate", f"Created job {name}", _COMPONENT)
        status["lastScheduleTime"] = clock.stamp(due)
        status["active"] = [*(status.get("active") or ()), _reference(job)]

    def _clean(self, cron: Object, jobs: list[Object]) -> None:
        """Only the latest finished jobs are kept."""
        limits = {
            "Complete": cron["spec"].get("successfulJobsHistoryLimit", 3),
            "Failed": cron["spec"].get("failedJobsHistoryLimit", 1),
        }
        for kind, limit in limits.items():
            ended = [job for job in jobs if finished(job) == kind and condition(job, kind)]
            for job in ended[: max(0, len(ended) - limit)]:
                deletion.delete(self.registry, JOB, *key_of(job), {"propagationPolicy": "Background"})
                text = f"Deleted job {job['metadata']['name']}"
                self.recorder.normal(cron, "SuccessfulDelete", text, _COMPONENT)


def _reference(job: Object) -> Object:
    metadata = job["metadata"]
    return {
        "kind": "Job",
        "namespace": metadata["namespace"],
        "name": metadata["name"],
        "uid": metadata["uid"],
        "apiVersion": "batch/v1",
        "resourceVersion": metadata["resourceVersion"],
    }
