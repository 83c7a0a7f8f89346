"""The app's registration with Django."""

from django.apps import AppConfig


class GithostsConfig(AppConfig):
    name = "portal.githosts"
    label = "githosts"

    def ready(self) -> None:
        from portal.githosts import connections
        from portal.jobs.registry import Kind, register
        from portal.kit.navigation import Entry, register_entry

        register_entry(
            Entry(
                "repos",
                "Repositories",
                "git-branch",
                "repos.view",
                60,
                also=("repo", "repo-*", "git-host*"),
                words="git code clone",
            ),
        )
        register(Kind(connections.JOB, "Try a git host", connections.try_connection, lane="asking"))
