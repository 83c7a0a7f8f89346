"""The kit stands below every room: it names no kind of the catalog and no page of a room."""

import ast
import re
from pathlib import Path

import pytest
from django.urls import URLPattern, URLResolver, get_resolver

from catalog.descriptors.kinds import KINDS
from portal.kit import navigation

ROOT = Path(__file__).resolve().parents[2]
KIT = sorted((ROOT / "portal" / "kit").rglob("*.py"))
# Words that mean something else to Django than to the catalog: request.user, and the template module.
DJANGO_WORDS = {"user", "template", "system", "api"}


def names_of(patterns):
    for pattern in patterns:
        if isinstance(pattern, URLResolver):
            yield from names_of(pattern.url_patterns)
        elif isinstance(pattern, URLPattern) and pattern.name:
            yield pattern.name


def texts(path):
    return [
        (node.lineno, node.value)
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Constant) and isinstance(node.value, str)
    ]


@pytest.mark.parametrize("path", KIT, ids=lambda path: str(path.relative_to(ROOT)))
def test_the_kit_names_no_kind(path):
    kinds = {name.lower() for name in KINDS} - DJANGO_WORDS
    reference = re.compile(rf"\b({'|'.join(name.lower() for name in KINDS)}):[a-z]", re.IGNORECASE)
    said = [(line, text) for line, text in texts(path) if text.lower() in kinds or reference.search(text)]
    assert said == []


@pytest.mark.parametrize("path", KIT, ids=lambda path: str(path.relative_to(ROOT)))
def test_the_kit_leads_to_no_page_of_a_room(path):
    pages = set(names_of(get_resolver().url_patterns))
    calls = [
        node.args[0].value
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Call)
        and getattr(node.func, "id", getattr(node.func, "attr", "")) in ("reverse", "redirect", "NavEntry")
        and node.args
        and isinstance(node.args[0], ast.Constant)
    ]
    assert [name for name in calls if name in pages] == []


def test_the_kits_templates_lead_to_no_page_of_a_room():
    for path in (ROOT / "templates" / "kit").rglob("*.html"):
        assert not re.search(r"{%\s*url\s+[\"']", path.read_text()), path


def test_every_entry_of_the_menu_is_a_page(world, client_for):
    html = client_for(world.ada).get("/o/acme/").content.decode()
    labels = re.findall(r"<nav[^>]*aria-label=\"Main\".*?</nav>", html, re.DOTALL)
    shown = labels[0] if labels else html
    places = [shown.index(f">{entry.label}<") for entry in navigation.in_order() if entry.in_menu]
    assert places == sorted(places)
    assert len(places) > 10


def test_all_rooms_have_said_where_they_are():
    pages = set(names_of(get_resolver().url_patterns))
    assert {entry.name for entry in navigation.in_order()} <= pages
