"""The app's registration with Django."""

from django.apps import AppConfig


class HandingConfig(AppConfig):
    name = "catalog.handing"
    label = "handing"

    def ready(self) -> None:
        from catalog.handing import following, kinds, panels, suggesting
        from catalog.owners.telling import AFTER_STATING
        from portal.kit.duties import Duty, register_duty
        from portal.kit.navigation import NavEntry, register_entry

        AFTER_STATING["repositories"] = following.after_stated
        suggesting.register_looking()
        kinds.register()
        panels.register()
        register_duty(Duty("transfers", turn="catalog.handing.sweeping.sweep_transfers", every=60.0))
        register_duty(Duty("suggestions", turn="catalog.handing.suggesting.sweep_suggestions", every=3600.0))
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
            NavEntry(
                "reorganisations",
                "Reorganisations",
                "hierarchy",
                "catalog.view",
                74,
                also=("reorganisation", "reorganisation-*"),
                words="split merge rename move teams",
                in_menu=False,
            ),
            NavEntry(
                "suggestions",
                "Suggested owners",
                "bulb",
                "catalog.view",
                73,
                also=("suggestions-*",),
                words="nobody unowned claim orphans",
                in_menu=False,
            ),
        )
