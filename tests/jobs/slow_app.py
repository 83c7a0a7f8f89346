"""The app that makes tests/jobs/slow.py known to a process."""

from django.apps import AppConfig


class SlowConfig(AppConfig):
    name = "tests.jobs"
    label = "slow_jobs"

    def ready(self) -> None:
        from portal.jobs.registry import JobKind, register
        from tests.jobs.slow import slow

        register(JobKind("slow", "Slow", slow))
