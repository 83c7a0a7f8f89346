"""The app's registration with Django."""

from django.apps import AppConfig


class InsightsConfig(AppConfig):
    name = "portal.desk"
    label = "insights"

    def ready(self) -> None:
        from portal.kit.navigation import Entry, register_entry

        register_entry(
            Entry("home", "Home", "home", "org.view", 10, words="start mine"),
            Entry("api-docs", "API docs", "api", "org.view", 150, "Organisation", words="openapi reference rest"),
        )
