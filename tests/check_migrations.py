"""`python -m tests.check_migrations`: models and migrations agree, and no migration of ours is unsafe to roll out."""

import os
import sys
from typing import Any

# Migrations that the linter calls unsafe and somebody has judged, with the reason.
JUDGED = {
    "0008_index_ready": "the tables it locks hold an organisation's catalog: some seconds at 100,000 entities; code of "
    "the version before does not know the number that an entity has from here on",
    "0013_index_narrow": "drops what the index replaces, after it is filled: 0006 widens, 0007 fills",
    "0020_body_narrow": "drops what 0019 has packed into its new table, and what nobody could write since",
}


def ours() -> list[str]:
    """The labels of the apps that live in this repository."""
    from django.apps import apps

    return [app.label for app in apps.get_app_configs() if app.name.split(".")[0] in {"portal", "catalog"}]


def lint(labels: list[str]) -> Any:
    """A linter that has looked at every migration of these apps, first ones included; it prints what is wrong."""
    from django_migration_linter import MigrationLinter

    linter = MigrationLinter(
        path=os.getcwd(), include_apps=labels, ignore_name=list(JUDGED), quiet=["ok", "ignore"], no_cache=True
    )
    for label in labels:
        linter.lint_all_migrations(app_label=label)
    return linter


def main() -> int:
    os.environ["DJANGO_SETTINGS_MODULE"] = "tests.settings"
    import django

    django.setup()
    from django.core.management import call_command

    call_command("makemigrations", check=True, dry_run=True, verbosity=1)
    linter = lint(ours())
    looked_at = linter.nb_total - linter.nb_ignored
    print(
        f"Looked at {looked_at} migrations of ours: {linter.nb_erroneous} unsafe, {linter.nb_warnings} with warnings."
    )
    return 1 if linter.has_errors or not looked_at else 0


if __name__ == "__main__":
    sys.exit(main())
