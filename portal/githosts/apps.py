"""The app's registration with Django."""

from django.apps import AppConfig


class GithostsConfig(AppConfig):
    name = "portal.githosts"
    label = "githosts"

    def ready(self) -> None:
        from portal.githosts import connections
        from portal.jobs.registry import Kind, register

        register(Kind(connections.JOB, "Try a git host", connections.try_connection, lane="asking"))
