"""A filled database of the version before the index is brought forward: everything is found that was there.

The old rows are written by plain SQL into a database of its own that stands where that version left it.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import psycopg
import pytest

from tests.catalog.made_up import document
from tests.conftest import ROOT

COUNT = 300
NAME = "slipway_upgrade"
# A tombstone, and an entity whose source is gone.
GONE, ORPHAN = 17, 18
TARGET = "0002_configured_card"

ENTITY = """
INSERT INTO catalog_entity (id, organisation_id, uid, kind, namespace, name, ref, title, description, type, lifecycle,
    owner_ref, system_ref, tags, document, facts, labels, sort_name, words, source_id, path, line, raw, digest,
    created_at, updated_at, removed_at, removed_reason)
VALUES (%(id)s, %(organisation)s, gen_random_uuid(), %(kind)s, 'default', %(name)s::text, %(ref)s, '',
    %(description)s, '', '', %(owner)s, %(system)s, '{}', %(document)s, '{}', '{}', %(name)s::text, %(name)s::text,
    %(source)s, 'all.yaml', %(id)s, %(raw)s, %(digest)s, now() - interval '40 days', now() - interval '40 days',
    %(removed)s, '')
"""
RELATION = """
INSERT INTO catalog_relation (organisation_id, from_entity_id, source_ref, type, target_ref)
VALUES (%s, %s, %s, %s, %s) ON CONFLICT DO NOTHING
"""


@pytest.fixture
def old() -> Iterator[str]:
    """The address of a database as the version before the index left it, owned by its owner."""
    owner = os.environ["DATABASE_OWNER_URL"].replace("slipway_test", NAME)
    with psycopg.connect(os.environ["DATABASE_OWNER_URL"], autocommit=True) as connection:
        connection.execute(f"DROP DATABASE IF EXISTS {NAME} WITH (FORCE)")
        connection.execute(f"CREATE DATABASE {NAME}")
    try:
        yield owner
    finally:
        with psycopg.connect(os.environ["DATABASE_OWNER_URL"], autocommit=True) as connection:
            connection.execute(f"DROP DATABASE IF EXISTS {NAME} WITH (FORCE)")


def python(code: str, database: str) -> str:
    environment = {**os.environ, "DATABASE_URL": database, "DJANGO_SETTINGS_MODULE": "portal.settings"}
    environment.pop("DATABASE_OWNER_URL")
    ran = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, env=environment, capture_output=True, text=True, timeout=120
    )
    assert ran.returncode == 0, ran.stdout + ran.stderr[-3000:]
    return ran.stdout


def fill(connection: psycopg.Connection[Any], organisation: int) -> None:
    from catalog.descriptors import relations

    connection.execute("SELECT set_config('app.tenant', %s, false)", [str(organisation)])
    connection.execute(
        "INSERT INTO catalog_source (id, organisation_id, uid, kind, target, revision, path, schedule_minutes, state,"
        " state_text, failures, digest, read_revision, entity_count, problem_count, created_at, refreshed_at)"
        " VALUES (%(id)s, %(id)s, gen_random_uuid(), 'git', 'https://git.example/all', '', 'all.yaml', 30, 'ok', '',"
        " 0, '', '', 0, 1, now(), now())",
        {"id": organisation},
    )
    for number in range(COUNT):
        known = document(number, COUNT)
        name = known["metadata"]["name"]
        row = {
            "id": organisation * 1000 + number,
            "organisation": organisation,
            "kind": known["kind"],
            "name": name,
            "ref": f"{known['kind']}:default/{name}".lower(),
            "description": known["metadata"].get("description", ""),
            "owner": relations.owner_of(known),
            "system": relations.system_among(relations.outgoing(known)),
            "document": json.dumps(known),
            "raw": f"# {name}",
            "digest": f"{number:064x}",
            "source": None if number == ORPHAN else organisation,
            "removed": "2026-01-01" if number == GONE else None,
        }
        connection.execute(ENTITY, row)
        if number != GONE:
            for source, kind, target in relations.of(known):
                connection.execute(RELATION, [organisation, row["id"], source, kind, target])
    connection.execute(
        "INSERT INTO catalog_problem (organisation_id, source_id, path, line, entity_ref, code, sentence, seen_at)"
        " VALUES (%(id)s, %(id)s, 'all.yaml', 3, '', 'tag', 'A tag.', now())",
        {"id": organisation},
    )


CHECK = """
import json, django
django.setup()
from portal.accounts.models import Organisation
from portal.accounts.tenancy import tenant
from catalog.asking.filters import parse_filters
from catalog.index.reading import find
from catalog.models import Entity, Problem
from tests.catalog import whole_index
told = {}
for organisation in Organisation.objects.all():
    with tenant(organisation):
        whole_index.check(organisation)
        rows = Entity.objects.for_tenant(organisation).select_related("body")
        told[organisation.slug] = {
            "rows": {row.ref: [row.pk, row.raw, row.document["metadata"]["name"]] for row in rows},
            "gone": [row.ref for row in rows if row.removed_at],
            "pci": find(organisation, parse_filters(["metadata.tags=pci"])).total,
            "owned": find(organisation, parse_filters(["relations.ownedBy=group:default/team-1"])).total,
            "all": find(organisation, parse_filters([])).total,
            "problems": Problem.objects.for_tenant(organisation).count(),
        }
print(json.dumps(told))
"""


# Between filling and narrowing, a process of the version before goes on reading; what it writes would be lost.
BROUGHT_FORWARD = f"""
import django
django.setup()
from django.core.management import call_command
from django.db import IntegrityError, connection
from portal.accounts.tenancy import tenant
call_command("migrate", "catalog", "0019_body_fill", verbosity=0, skip_checks=True)
with tenant(1), connection.cursor() as cursor:
    cursor.execute("SELECT count(*) FROM catalog_entitybody WHERE document->'metadata'->>'name' <> '' AND raw <> ''")
    assert cursor.fetchone() == ({COUNT},)
try:
    with tenant(1), connection.cursor() as cursor:
        cursor.execute("UPDATE catalog_entitybody SET raw = 'late'")
    raise AssertionError("written where nobody reads")
except IntegrityError as error:
    assert "entitybody_moved" in str(error)
call_command("prepare")
"""


def test_a_filled_database_of_the_version_before_the_index_is_brought_forward(old: str) -> None:
    python(
        f"import django; django.setup(); from django.core.management import call_command as call;"
        f"call('migrate', 'catalog', '{TARGET}', verbosity=0, skip_checks=True)",
        old,
    )
    with psycopg.connect(old) as connection:
        for organisation, slug in enumerate(("acme", "rival"), 1):
            connection.execute(
                "INSERT INTO accounts_organisation (id, slug, name, created_at) VALUES (%s, %s, %s, now())",
                [organisation, slug, slug.title()],
            )
            fill(connection, organisation)
    assert "Bringing the database up to date" in python(BROUGHT_FORWARD, old)
    told = json.loads(python(CHECK, old).splitlines()[-1])
    known = [document(number, COUNT) for number in range(COUNT)]
    living = [each for number, each in enumerate(known) if number != GONE]
    for organisation, slug in enumerate(("acme", "rival"), 1):
        found = told[slug]
        assert len(found["rows"]) == COUNT
        for number, each in enumerate(known):
            name = each["metadata"]["name"]
            ref = f"{each['kind']}:default/{name}".lower()
            assert found["rows"][ref] == [organisation * 1000 + number, f"# {name}", name]
        assert found["gone"] == [f"{known[GONE]['kind']}:default/{known[GONE]['metadata']['name']}".lower()]
        assert found["all"] == COUNT - 1
        assert found["pci"] == sum("pci" in each["metadata"].get("tags", []) for each in living)
        assert found["owned"] == sum(each["spec"].get("owner") == "team-1" for each in living) > 0
        assert found["problems"] == 1
