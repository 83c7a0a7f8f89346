"""`python -m tests.check_migrations`: models and migrations agree, and no migration is unsafe to roll out."""

import os
import sys


def main() -> int:
    os.environ["DJANGO_SETTINGS_MODULE"] = "tests.settings"
    import django

    django.setup()
    from django.core.management import call_command
    from django_migration_linter import MigrationLinter

    call_command("makemigrations", check=True, dry_run=True, verbosity=1)
    linter = MigrationLinter(
        path=os.getcwd(),
        # Initial migrations create their tables: nothing running reads them yet.
        include_apps=["accounts", "clusters", "githosts", "catalog", "ownership", "goldenpaths", "provisioning"],
        ignore_initial_migrations=True,
        quiet=["ok", "ignore"],
        no_cache=True,
    )
    linter.lint_all_migrations()
    linter.print_summary()
    return 1 if linter.has_errors else 0


if __name__ == "__main__":
    sys.exit(main())
