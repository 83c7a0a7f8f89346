"""The app's registration with Django."""

from django.apps import AppConfig


class ProvisioningConfig(AppConfig):
    name = "portal.provisioning"
    label = "provisioning"

    def ready(self) -> None:
        from portal.provisioning import fragments, panels, steps

        steps.register()
        fragments.register()
        panels.register()
