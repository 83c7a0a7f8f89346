"""Titles, names and descriptions that would show other than they are: told to their author, drawn by their number."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from catalog.models import Entity, Problem
from tests.catalog.test_ingest import add

pytestmark = pytest.mark.django_db

ODD = {"title": "\u202e", "description": "\u200b", "team": "\u2066", "link": "\U000e0041", "tier": "\u2060"}
TEXT = """\
apiVersion: backstage.io/v1alpha1
kind: Component
metadata:
  name: payroll
  title: "Pay{title}roll"
  description: "Pays{description}people, *in time*"
  annotations: {{note: "a{tier}b"}}
  links: [{{url: "https://acme.example", title: "Run{link}book"}}]
spec: {{type: service, lifecycle: production, owner: payers}}
---
apiVersion: backstage.io/v1alpha1
kind: Group
metadata: {{name: payers}}
spec: {{type: team, children: [], profile: {{displayName: "Pay{team}ers"}}}}
"""
PAGES = [
    "", "catalog/", "catalog/?kind=", "catalog/component/default/payroll/", "catalog/group/default/payers/",
    "catalog/problems/", "search/?q=payroll",
]  # fmt: skip


def test_no_page_draws_them_raw_and_programs_get_them_as_they_are(world: Any, client_for: Any, tmp_path: Path) -> None:
    (tmp_path / "catalog-info.yaml").write_text(TEXT.format(**ODD))
    with world.tenant():
        add(world, kind="folder", target=str(tmp_path))
        assert Entity.objects.for_tenant(world.acme).filter(ref="component:default/payroll", removed_at=None).exists()
        told = Problem.objects.for_tenant(world.acme).filter(code="hidden-characters")
        assert {problem.field for problem in told} == {
            "metadata.title", "metadata.description", "metadata.annotations.note", "metadata.links.0.title",
            "spec.profile.displayName",
        }  # fmt: skip
    client = client_for(world.dev)
    drawn = 0
    for page in PAGES:
        answer = client.get(f"/o/acme/{page}", follow=True)
        assert answer.status_code == 200, page
        body = answer.content.decode()
        for odd in ODD.values():
            assert odd not in body, (page, f"U+{ord(odd):04X}")
        drawn += body.count("U+202E")
    assert drawn > 3
    raw = client.get("/api/o/acme/catalog/entities/by-name/component/default/payroll").json()
    assert raw["metadata"]["title"] == f"Pay{ODD['title']}roll"
