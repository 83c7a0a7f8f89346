"""The app's registration with Django."""

from django.apps import AppConfig


class InsightsConfig(AppConfig):
    name = "portal.desk"
    label = "insights"
