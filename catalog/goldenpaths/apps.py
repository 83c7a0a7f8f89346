"""The app's registration with Django."""

from django.apps import AppConfig


class GoldenpathsConfig(AppConfig):
    name = "catalog.goldenpaths"
    label = "goldenpaths"
