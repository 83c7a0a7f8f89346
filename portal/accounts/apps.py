"""The app's registration with Django, and the checks that guard its walls."""

from django.apps import AppConfig


class AccountsConfig(AppConfig):
    name = "portal.accounts"
    label = "accounts"

    def ready(self) -> None:
        from portal.accounts import checks

        checks.register()
