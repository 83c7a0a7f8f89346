"""The app's registration with Django."""

from django.apps import AppConfig


class OwnershipConfig(AppConfig):
    name = "catalog.ownership"
    label = "ownership"

    def ready(self) -> None:
        from portal.kit.navigation import NavEntry, register_entry

        register_entry(
            NavEntry(
                "teams", "Teams", "users-group", "people.view", 70, also=("team", "team-*"), words="groups owners"
            ),
        )
