"""The app's registration with Django."""

from django.apps import AppConfig


class GoldenpathsConfig(AppConfig):
    name = "portal.goldenpaths"
    label = "goldenpaths"

    def ready(self) -> None:
        from catalog import fetched
        from catalog.intake import ingest
        from catalog.sourcefacts import SOURCE_FACTS
        from portal.accounts.teams import BEFORE_DELETE
        from portal.goldenpaths import jobs, searching
        from portal.goldenpaths.curation import bringing, deciding, trusting
        from portal.goldenpaths.language.rendering import render_text
        from portal.kit.navigation import NavEntry, register_entry

        fetched.speak(render_text)
        ingest.ALSO_READ["goldenpaths"] = bringing.take
        ingest.ALSO_STORE["goldenpaths"] = bringing.store
        ingest.ALSO_CHECK["goldenpaths"] = bringing.look
        ingest.AFTER_REMOVAL["goldenpaths"] = bringing.after_removal
        ingest.ON_MOVE["goldenpaths"] = trusting.on_move
        BEFORE_DELETE["goldenpaths"] = trusting.before_team_goes
        SOURCE_FACTS["trust"] = trusting.fact
        jobs.register_kinds()
        searching.register()
        register_entry(
            NavEntry(
                "paths",
                "Golden paths",
                "route",
                "paths.view",
                30,
                also=("path", "path-*", "candidate", "candidates"),
                words="launch new create service template scaffold",
                count=deciding.navigation_count,
            ),
        )
