"""The app's registration with Django."""

from django.apps import AppConfig


class ListsConfig(AppConfig):
    name = "catalog.lists"
    label = "lists"

    def ready(self) -> None:
        from catalog.lists import jobs

        jobs.register_kinds()
