"""The documents are true: a path that one of them names is there."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
NAMED = re.compile(r"(?<![\w/.*-])(?:portal|catalog|tests|docs|static|templates|scripts|demo)/[\w./*-]*[\w*/]")
DOCUMENTS = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]


def is_there(named: str) -> bool:
    """A file or folder, or a module without its ending; with a star, anything that fits."""
    return any(any(ROOT.glob(form)) for form in (named.rstrip("/"), f"{named}.py"))


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_what_a_document_names_is_there(document: Path) -> None:
    text = document.read_text()
    gone = [
        f"line {number}: {named}"
        for number, line in enumerate(text.splitlines(), 1)
        for named in NAMED.findall(line)
        if not is_there(named)
    ]
    assert gone == []


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_where_a_document_leads_there_is_something(document: Path) -> None:
    led = re.findall(r"\]\(([^)#:\s]+)[^)]*\)", document.read_text())
    assert [target for target in led if not (document.parent / target).exists()] == []


def test_the_look_finds_what_it_looks_for() -> None:
    assert NAMED.findall("See `portal/nowhere.py` and [rooms](docs/adr/0005-rooms.md).") == [
        "portal/nowhere.py",
        "docs/adr/0005-rooms.md",
    ]
    assert not is_there("portal/nowhere.py")
