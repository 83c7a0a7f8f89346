"""One name, one meaning: two public classes of the house do not share a name."""

import ast
from collections import defaultdict
from pathlib import Path

ROOT = Path(__file__).parents[2]
SHARED = {
    "Command": "Django finds a management command by this name",
    "Job": "Kubernetes' own kind, whose class in clusters/structs has its name, and a row of portal/jobs",
}


def test_a_class_name_means_one_thing() -> None:
    places = defaultdict(list)
    for room in ("portal", "catalog"):
        for path in sorted((ROOT / room).rglob("*.py")):
            # The sandbox is a world of its own that imports nothing of ours; what is shipped is text to us.
            if {"sandbox", "shipped", "migrations"} & set(path.parts):
                continue
            for node in ast.parse(path.read_text()).body:
                if isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
                    places[node.name].append(str(path.relative_to(ROOT)))
    shared = {name: paths for name, paths in places.items() if len(paths) > 1}
    assert {name: paths for name, paths in shared.items() if name not in SHARED} == {}
    assert set(SHARED) == set(shared), "the list of shared names has one that is not shared any more"
