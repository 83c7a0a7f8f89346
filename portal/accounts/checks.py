"""System checks: the database role must not be able to climb over the tenant wall."""

from collections.abc import Sequence
from typing import Any

from django.core import checks
from django.db import connections


def database_role(app_configs: Any, databases: Sequence[str] | None = None, **kwargs: Any) -> list[checks.CheckMessage]:
    """Error when the application's role is a superuser or has BYPASSRLS: PostgreSQL would not enforce the wall."""
    found: list[checks.CheckMessage] = []
    for alias in databases or []:
        with connections[alias].cursor() as cursor:
            cursor.execute("SELECT rolname, rolsuper, rolbypassrls FROM pg_roles WHERE rolname = current_user")
            name, is_super, bypasses = cursor.fetchone() or ("?", False, False)
        if is_super or bypasses:
            found.append(
                checks.Error(
                    f"The database role {name} can see past row-level security.",
                    hint="Point DATABASE_URL at a role made with NOSUPERUSER NOBYPASSRLS; see docs/configuration.md.",
                    id="accounts.E001",
                )
            )
    return found


def register() -> None:
    """Registers the checks under Django's `database` tag (run by migrate and by `check --database default`)."""
    checks.register(database_role, checks.Tags.database)
