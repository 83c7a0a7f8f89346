"""The app's registration with Django."""

from django.apps import AppConfig


class HandingConfig(AppConfig):
    name = "catalog.handing"
    label = "handing"

    def ready(self) -> None:
        from catalog.handing import following, kinds, panels
        from catalog.owners.telling import AFTER_STATING
        from portal.kit.duties import Duty, register_duty
        from portal.kit.navigation import NavEntry, register_entry

        AFTER_STATING["repositories"] = following.after_stated
        kinds.register()
        panels.register()
        register_duty(Duty("transfers", turn="catalog.handing.sweeping.sweep_transfers", every=60.0))
        register_entry(
            NavEntry(
                "transfers",
                "Transfers",
                "transfer",
                "catalog.view",
                72,
                also=("transfer", "transfer-*"),
                words="hand over owner accept decline",
            ),
        )
