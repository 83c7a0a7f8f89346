"""Many new entities at once are written without reading what stands: the index is the same as if they came singly."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from catalog import actions
from catalog.index import arriving, bulk, sets
from catalog.index.parts import fact_in, line_of, lines_of
from catalog.intake import ingest
from tests.catalog.whole_index import check, facts_kept
from tests.conftest import by

ODD = "a\tb\\c\nd\re \\N \\."


def document(name: str, **more: Any) -> dict[str, Any]:
    """One of many that have much in common; `more` goes into its metadata."""
    metadata = {"name": name, "tags": ["shared"], **more}
    spec = {"type": "service", "lifecycle": "production", "owner": "payments", "dependsOn": ["component:n-0"]}
    spec["a\tb\\c"] = {"x\ny": [ODD, "\\N"]}
    return {"apiVersion": "backstage.io/v1alpha1", "kind": "Component", "metadata": metadata, "spec": spec}


def write(folder: Path, name: str, documents: list[dict[str, Any]]) -> None:
    (folder / name).write_text("\n---\n".join(map(json.dumps, documents)))


@pytest.fixture
def together(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Five are many here, and from a list of eight on a fact is kept in blocks; gives how many facts came at a time."""
    monkeypatch.setattr(bulk, "FEW", 5)
    monkeypatch.setattr(sets, "MOST_LISTED", 8)
    came, arrive = list[int](), arriving.arrive

    def counted(organisation_id: int, facts: Any, many: set[str]) -> None:
        came.append(len(facts))
        arrive(organisation_id, facts, many)

    monkeypatch.setattr(arriving, "arrive", counted)
    return came


def test_what_comes_together_is_told_as_what_comes_singly(world: Any, tmp_path: Path, together: list[int]) -> None:
    odd = {"note": ODD, "backstage.io/managed-by-origin-location": "own"}
    write(tmp_path, "1.yaml", [document(f"n-{number}") for number in range(6)])
    write(tmp_path, "2.yaml", [document("odd", labels={"One": "a", "two": "b"}, UID="written", title="Zwölf")])
    with world.tenant():
        source = actions.add_source(
            organisation=world.acme, actor=by(world.ada), kind="folder", target=str(tmp_path), path="*.yaml"
        )
        check(world.acme)
        # More of them continue lists, make blocks and go on with blocks; n-0 gets relations that others say.
        for start in (6, 14, 30):
            more = [document(f"n-{number}", annotations=odd) for number in range(start, start + 6)]
            write(tmp_path, f"{start}.yaml", [*more, document(f"word{start}")])
            assert ingest.ingest(source).added == 7
            check(world.acme)
        assert len(facts_kept(world.acme)["=named", "shared", ""]) == 28
        # And one file of which some are there already.
        write(tmp_path, "7.yaml", [document(f"n-{number}") for number in range(8, 24)])
        assert ingest.ingest(source).added > 0
        check(world.acme)
    assert len(together) >= 4


def test_a_line_holds_any_text() -> None:
    for fact in (("k", "v", ""), (ODD, ODD, "\\t"), ("", "", "\\\\N")):
        assert fact_in(line_of(fact)) == fact
        assert lines_of([fact, ("a", "b", "c")]) == [line_of(fact), "a\tb\tc"]
