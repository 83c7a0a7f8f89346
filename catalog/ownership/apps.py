"""The app's registration with Django."""

from django.apps import AppConfig


class OwnershipConfig(AppConfig):
    name = "catalog.ownership"
    label = "ownership"
