"""The app's registration with Django."""

from django.apps import AppConfig


class GithostsConfig(AppConfig):
    name = "portal.githosts"
    label = "githosts"
