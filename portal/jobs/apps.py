"""The app's registration with Django."""

from django.apps import AppConfig


class JobsConfig(AppConfig):
    name = "portal.jobs"
    label = "jobs"

    def ready(self) -> None:
        from django.conf import settings

        from portal.jobs import panels
        from portal.kit.duties import Duty, register_duty

        panels.register()
        register_duty(Duty("jobs", turn="portal.jobs.sweeping.sweep_jobs", every=settings.SWEEP_SECONDS))
        register_duty(Duty("old jobs", turn="portal.jobs.sweeping.forget_jobs", every=60.0))
