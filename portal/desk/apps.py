"""The app's registration with Django."""

from django.apps import AppConfig


class InsightsConfig(AppConfig):
    name = "portal.desk"
    label = "insights"

    def ready(self) -> None:
        from portal.desk.finding import places
        from portal.kit.navigation import NavEntry, register_entry

        places.register()
        register_entry(
            NavEntry("home", "Home", "home", "org.view", 10, words="start mine"),
            NavEntry("api-docs", "API docs", "api", "org.view", 150, "Organisation", words="openapi reference rest"),
        )
