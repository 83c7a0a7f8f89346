"""The app's registration with Django."""

from django.apps import AppConfig


class GithostsConfig(AppConfig):
    name = "portal.githosts"
    label = "githosts"

    def ready(self) -> None:
        from portal.accounts.teams import BEFORE_DELETE
        from portal.githosts import actions, connections, searching
        from portal.jobs.registry import JobKind, register
        from portal.kit.navigation import NavEntry, register_entry

        BEFORE_DELETE["githosts"] = actions.before_team_goes
        searching.register()
        register_entry(
            NavEntry(
                "repos",
                "Repositories",
                "git-branch",
                "repos.view",
                60,
                also=("repo", "repo-*", "git-host*"),
                words="git code clone",
            ),
        )
        register(JobKind(connections.JOB, "Try a git host", connections.try_connection, lane="asking"))
