"""The app's registration with Django."""

from django.apps import AppConfig


class NoticesConfig(AppConfig):
    name = "portal.notices"
    label = "notices"

    def ready(self) -> None:
        from django.conf import settings

        from portal.kit.duties import Duty, register_duty
        from portal.kit.navigation import NavEntry, register_entry
        from portal.notices import kinds, panels

        kinds.register()
        panels.register()
        register_duty(Duty("notices", turn="portal.notices.consuming.turn", every=settings.SWEEP_SECONDS))
        register_duty(Duty("old notices", turn="portal.notices.consuming.forget", every=600.0))
        register_entry(
            NavEntry(
                "notices",
                "Notices",
                "bell",
                "org.view",
                15,
                also=("notices-*", "notice-preferences"),
                words="notifications bell unread told inbox",
                in_menu=False,
            ),
            NavEntry(
                "notice-preferences",
                "How notices come",
                "bell",
                "notices.own",
                16,
                words="notifications preferences mail digest quiet hours mute unsubscribe",
                in_menu=False,
            ),
            NavEntry(
                "destinations",
                "Notices",
                "send",
                "notices.manage",
                126,
                "Organisation",
                also=("destination-*", "notice-defaults"),
                words="slack teams webhook destinations undelivered notifications channel",
            ),
        )
