"""The app's registration with Django, and the checks that guard its walls."""

from django.apps import AppConfig


class AccountsConfig(AppConfig):
    name = "portal.accounts"
    label = "accounts"

    def ready(self) -> None:
        from portal.accounts import checks, searching
        from portal.kit.navigation import NavEntry, register_entry

        checks.register()
        searching.register()
        register_entry(
            NavEntry(
                "people",
                "People",
                "users",
                "people.view",
                110,
                "Organisation",
                also=("people-*", "person", "invitation-*"),
                words="members invite roles",
            ),
            NavEntry(
                "tokens",
                "API tokens",
                "key",
                "tokens.own",
                130,
                "Organisation",
                also=("token-*", "tokens-*"),
                words="credentials personal access keys",
            ),
            NavEntry(
                "audit",
                "Audit log",
                "history",
                "audit.view",
                140,
                "Organisation",
                also=("audit-*",),
                words="events who did what",
            ),
            NavEntry(
                "settings",
                "Settings",
                "settings",
                "org.manage",
                160,
                "Organisation",
                also=("settings-*",),
                words="organisation rename",
            ),
        )
