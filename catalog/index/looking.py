"""What PostgreSQL knows of the tables, brought up to date while a catalog is filled for the first time.

Its own turn comes within a minute, and only when enough of a table has changed: too late for an organisation that fills
a table in the meantime, and never for a small one beside large ones.
"""

from __future__ import annotations

from catalog.index.bulk import run
from portal.accounts.tenancy import tenant

# After so many new entities of one reading, and again when there are so many times as many.
FIRST, TIMES = 1_000, 6


class TableLook:
    """Counts what a reading adds, and has the tables looked at when there is much more than at the last time."""

    def __init__(self, organisation_id: int) -> None:
        self.organisation_id = organisation_id
        self._next = FIRST

    def added(self, count: int) -> None:
        """So many were added since the beginning. Called between two transactions: a look is one of its own."""
        if count < self._next:
            return
        while self._next <= count:
            self._next *= TIMES
        with tenant(self.organisation_id):
            run("SELECT catalog_look_at_tables()")
