"""The app's registration with Django."""

from django.apps import AppConfig


class CatalogConfig(AppConfig):
    name = "catalog"
    label = "catalog"

    def ready(self) -> None:
        from catalog import ingest, teams

        ingest.AFTER_INGEST["teams"] = teams.after_ingest
