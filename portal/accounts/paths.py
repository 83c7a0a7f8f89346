"""The tree of teams as a table of paths: who is above and below whom, in one look-up however deep.

The database keeps the table (migration 0016); nothing here writes it.
"""

from __future__ import annotations

from collections.abc import Collection

from django.db import connection

from portal.accounts.models import Organisation, Team, TeamPath
from portal.accounts.tenancy import TenantQuerySet


def above(team: Team) -> list[Team]:
    """The team and every team above it, nearest first. One statement."""
    rows = Team.objects.raw(
        "SELECT t.* FROM accounts_teampath p JOIN accounts_team t ON t.id = p.above_id"
        " WHERE p.organisation_id = %s AND p.below_id = %s ORDER BY p.depth",
        [team.organisation_id, team.pk],
    )
    return list(rows)


def paths_of(organisation: Organisation | int) -> TenantQuerySet[TeamPath]:
    """Every path, for sub-queries: `above_id`, `below_id`, `depth` (0: the team itself), `stands`."""
    return TeamPath.objects.for_tenant(organisation)


def below(organisation: Organisation | int, refs: Collection[str]) -> dict[str, list[str]]:
    """For each of these references that is a team: its own and those of all teams below it. One statement.

    Owning counts through all of them, rights or not; what gives rights is Access.team_refs.
    """
    found: dict[str, list[str]] = {}
    if not refs:
        return found
    organisation_id = organisation if isinstance(organisation, int) else organisation.pk
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT a.ref, b.ref FROM accounts_team a"
            " JOIN accounts_teampath p ON p.organisation_id = %s AND p.above_id = a.id"
            " JOIN accounts_team b ON b.organisation_id = %s AND b.id = p.below_id"
            " WHERE a.organisation_id = %s AND a.ref = ANY(%s) ORDER BY p.depth, b.ref",
            [organisation_id, organisation_id, organisation_id, list(refs)],
        )
        for team, inner in cursor.fetchall():
            found.setdefault(team, []).append(inner)
    return found


def with_below(organisation: Organisation | int, ref: str) -> tuple[str, ...]:
    """A reference with those of all teams below it; alone where it is no team. One statement."""
    return tuple(below(organisation, [ref]).get(ref) or [ref])
