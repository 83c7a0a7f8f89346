"""The kit as an app, so that its template tags are found, and the place where Celery's app becomes the current one."""

from django.apps import AppConfig


class KitConfig(AppConfig):
    name = "portal.kit"
    label = "kit"

    def ready(self) -> None:
        # Every process that may enqueue needs the configured app, not Celery's default.
        from portal.celery import app

        app.set_default()

        from portal.kit import showing

        showing.install()
