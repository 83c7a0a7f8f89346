"""The app's registration with Django."""

from django.apps import AppConfig


class GoldenpathsConfig(AppConfig):
    name = "portal.goldenpaths"
    label = "goldenpaths"

    def ready(self) -> None:
        from catalog.intake import ingest
        from portal.goldenpaths import from_catalog

        ingest.AFTER_INGEST["goldenpaths"] = from_catalog.after_ingest
