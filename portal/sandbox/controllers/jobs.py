"""Jobs: pods that end, counted until enough have."""

from collections.abc import Hashable
from datetime import timedelta

from portal.sandbox import clock, deletion
from portal.sandbox.controllers.base import (
    WorkloadController,
    condition,
    is_active,
    is_ready,
    key_of,
    phase,
    pod_from_template,
    set_condition,
)
from portal.sandbox.errors import ApiError
from portal.sandbox.kinds import JOB, POD
from portal.sandbox.store import Object

_COMPONENT = "job-controller"


def finished(job: Object) -> str:
    """`Complete`, `Failed` or nothing."""
    for kind in ("Complete", "Failed"):
        found = condition(job, kind)
        if found and found["status"] == "True":
            return kind
    return ""


class Jobs(WorkloadController):
    """Runs the pods of Jobs."""

    resource = JOB
    owns = (POD,)

    def sync(self, key: Hashable) -> None:
        job = self.current(key)
        if job is None:
            return
        if finished(job):
            self._expire(job)
            return
        status = dict(job.get("status") or {})
        suspended = bool(job["spec"].get("suspend"))
        if not suspended and not status.get("startTime"):
            status["startTime"] = clock.stamp()
        pods = self.owned(job, POD)
        active = [pod for pod in pods if is_active(pod)]
        succeeded = sum(phase(pod) == "Succeeded" for pod in pods)
        failed = sum(phase(pod) == "Failed" for pod in pods)
        restarts = sum(entry["restartCount"] for pod in active for entry in pod["status"].get("containerStatuses", ()))
        conditions = list(status.get("conditions") or ())
        verdict = self._verdict(job, status, succeeded, failed + restarts)
        if verdict:
            self._end(job, active, verdict)
            active = []
            conditions = self._ended(conditions, verdict)
            if verdict[0] == "Complete":
                status["completionTime"] = clock.stamp()
        elif suspended:
            conditions = self._suspend(job, active, conditions)
            status.pop("startTime", None)
            active = []
        else:
            if condition(job, "Suspended"):
                conditions = _set(conditions, "Suspended", "False", "JobResumed", "Job resumed")
            active = self._start(job, active, succeeded, key)
        status |= {"active": len(active), "succeeded": succeeded, "failed": failed, "conditions": conditions}
        status["ready"] = sum(is_ready(pod) for pod in active)
        status["terminating"] = sum(bool(pod["metadata"].get("deletionTimestamp")) for pod in pods)
        status["uncountedTerminatedPods"] = {}
        kept = {
            name: value
            for name, value in status.items()
            if value or name in ("ready", "uncountedTerminatedPods", "terminating")
        }
        self.registry.set_status(JOB, self.current(key) or job, kept)

    def _verdict(self, job: Object, status: Object, succeeded: int, failed: int) -> tuple[str, str, str] | None:
        """How the job ended, if it has: condition, reason, message."""
        spec = job["spec"]
        wanted = spec.get("completions") or 1
        if succeeded >= wanted:
            return "Complete", "CompletionsReached", "Reached expected number of succeeded pods"
        if failed > spec.get("backoffLimit", 6):
            return "Failed", "BackoffLimitExceeded", "Job has reached the specified backoff limit"
        deadline = spec.get("activeDeadlineSeconds")
        if deadline and status.get("startTime"):
            due = clock.parse(status["startTime"]) + timedelta(seconds=deadline)
            left = (due - clock.now()).total_seconds()
            if left <= 0:
                return "Failed", "DeadlineExceeded", "Job was active longer than specified deadline"
            self.runtime.later(left + 0.1, self, key_of(job))
        return None

    def _end(self, job: Object, active: list[Object], verdict: tuple[str, str, str]) -> None:
        for pod in active:
            deletion.delete(self.registry, POD, *key_of(pod), {})
        if verdict[0] == "Complete":
            self.recorder.normal(job, "Completed", "Job completed", _COMPONENT)
        else:
            self.recorder.warning(job, verdict[1], verdict[2], _COMPONENT)

    @staticmethod
    def _ended(conditions: list[Object], verdict: tuple[str, str, str]) -> list[Object]:
        kind, reason, message = verdict
        first = "SuccessCriteriaMet" if kind == "Complete" else "FailureTarget"
        return _set(_set(conditions, first, "True", reason, message), kind, "True", reason, message)

    def _suspend(self, job: Object, active: list[Object], conditions: list[Object]) -> list[Object]:
        for pod in active:
            deletion.delete(self.registry, POD, *key_of(pod), {})
        if not (found := condition(job, "Suspended")) or found["status"] != "True":
            self.recorder.normal(job, "Suspended", "Job suspended", _COMPONENT)
        return _set(conditions, "Suspended", "True", "JobSuspended", "Job suspended")

    def _start(self, job: Object, active: list[Object], succeeded: int, key: Hashable) -> list[Object]:
        """Start as many pods as may run at a time and are still needed."""
        spec, metadata = job["spec"], job["metadata"]
        wanted = min(spec.get("parallelism", 1), max(0, (spec.get("completions") or 1) - succeeded))
        made = list(active)
        while len(made) < wanted:
            pod = pod_from_template(job, spec["template"], generateName=f"{metadata['name']}-")
            try:
                new = self.registry.make(POD, metadata["namespace"], pod)
            except ApiError as error:
                self.recorder.warning(job, "FailedCreate", f"Error creating: {error.message}", _COMPONENT)
                self.runtime.retry(self, key)
                break
            made.append(new)
            self.recorder.normal(job, "SuccessfulCreate", f"Created pod: {new['metadata']['name']}", _COMPONENT)
        for pod in made[max(wanted, 0) :]:
            deletion.delete(self.registry, POD, *key_of(pod), {})
        return made[: max(wanted, 0)]

    def _expire(self, job: Object) -> None:
        keep = job["spec"].get("ttlSecondsAfterFinished")
        ended = condition(job, finished(job))
        if keep is None or ended is None:
            return
        left = (clock.parse(ended["lastTransitionTime"]) + timedelta(seconds=keep) - clock.now()).total_seconds()
        if left > 0:
            self.runtime.later(left + 0.1, self, key_of(job))
        else:
            deletion.delete(self.registry, JOB, *key_of(job), {"propagationPolicy": "Background"})


def _set(conditions: list[Object], kind: str, status: str, reason: str, message: str) -> list[Object]:
    made = set_condition(conditions, kind, status, reason, message)
    return [
        {("lastProbeTime" if name == "lastUpdateTime" else name): value for name, value in item.items()}
        for item in made
    ]
