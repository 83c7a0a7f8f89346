"""The app's registration with Django."""

from django.apps import AppConfig


class ClustersConfig(AppConfig):
    name = "portal.clusters"
    label = "clusters"

    def ready(self) -> None:
        from portal.clusters import panels

        panels.register()
