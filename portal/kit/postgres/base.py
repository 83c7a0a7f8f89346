"""Django's connection, made of one that tells a silent server from a slow statement."""

from __future__ import annotations

from typing import Any

from django.db.backends.postgresql import base
from django.utils.asyncio import async_unsafe
from psycopg import Connection, IsolationLevel

from portal.kit.postgres.waiting import BoundedConnection


class DatabaseWrapper(base.DatabaseWrapper):
    """As Django's; without its pool, which nothing of ours uses: each thread keeps its connection."""

    @async_unsafe
    def get_new_connection(self, conn_params: dict[str, Any]) -> Connection[Any]:
        """A connection by these parameters of libpq. Raises OperationalError at once while the server is silent."""
        wanted = self.settings_dict["OPTIONS"].get("isolation_level")
        self.isolation_level = IsolationLevel(wanted) if wanted is not None else IsolationLevel.READ_COMMITTED
        connection = BoundedConnection.connect(**conn_params)
        if wanted is not None:
            connection.isolation_level = self.isolation_level
        return connection
