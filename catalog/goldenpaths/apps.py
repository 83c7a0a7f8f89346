"""The app's registration with Django."""

from django.apps import AppConfig


class GoldenpathsConfig(AppConfig):
    name = "catalog.goldenpaths"
    label = "goldenpaths"

    def ready(self) -> None:
        from catalog import ingest
        from catalog.goldenpaths import from_catalog

        ingest.AFTER_INGEST["goldenpaths"] = from_catalog.after_ingest
