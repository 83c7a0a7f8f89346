"""The database after a test that really committed: empty again, in milliseconds.

Django's own way truncates every table at once, which makes some four hundred files anew whatever was in them, and
fills its list of content types again. Here only what holds rows is emptied, as the engine's superuser: the product's
role sees no rows but its organisation's, and has no right to truncate.
"""

from __future__ import annotations

import os
from functools import cache
from typing import Any

import psycopg
from psycopg import sql

# Written by migrations alone, and the same for every test.
KEPT = ("django_migrations", "django_content_type", "auth_permission")
# Deleting row by row is quick for a few; a table that has grown is truncated, which leaves nothing to be vacuumed.
GROWN = 256 * 1024
# With `session_replication_role` no trigger runs: neither the keys' checks, nor the guards of rows kept for good.
EMPTY = """
CREATE FUNCTION pg_temp.empty_all() RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    place record;
    filled bool;
BEGIN
    FOR place IN
        SELECT oid::regclass AS name, pg_relation_size(oid) AS size FROM pg_class
        WHERE relnamespace = 'public'::regnamespace AND relkind = 'r' AND NOT relname = ANY({kept})
    LOOP
        CONTINUE WHEN place.size = 0;
        EXECUTE format('SELECT EXISTS (SELECT FROM %s)', place.name) INTO filled;
        IF place.size > {grown} THEN
            EXECUTE format('TRUNCATE %s CASCADE', place.name);
        ELSIF filled THEN
            EXECUTE format('DELETE FROM %s', place.name);
        END IF;
    END LOOP;
END $$
"""


@cache
def _superuser() -> psycopg.Connection[Any]:
    """A connection of this process that stays open for all tests."""
    from portal.embedded import OWNER

    address = os.environ["DATABASE_OWNER_URL"].replace(f"//{OWNER}@", "//postgres@", 1)
    connection = psycopg.connect(address, autocommit=True)
    connection.execute("SET session_replication_role = replica")
    # A transaction that somebody left open is told, not waited for.
    connection.execute("SET lock_timeout = '60s'")
    connection.execute(sql.SQL(EMPTY).format(kept=sql.Literal(list(KEPT)), grown=sql.Literal(GROWN)))
    return connection


def empty_database() -> None:
    """Empties every table but those that migrations fill. Sequences go on, so that no number comes back."""
    _superuser().execute("SELECT pg_temp.empty_all()")
