"""References: what is built is read back, in any case; and nobody else takes them apart."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from catalog.descriptors.kinds import KINDS, owner_ref
from portal.kit.refs import BadRef, Ref, completed, kind_of, name_of, normal, parse_ref, ref_of, ref_to

ROOT = Path(__file__).parents[2]
KIND = st.from_regex(r"[A-Za-z][A-Za-z0-9]{0,20}", fullmatch=True)
NAME = st.from_regex(r"[A-Za-z0-9]([A-Za-z0-9_.-]{0,30}[A-Za-z0-9])?", fullmatch=True)


@given(KIND, NAME, NAME)
def test_what_is_built_is_read_back(kind: str, namespace: str, name: str) -> None:
    built = ref_to(kind, name, namespace)
    assert parse_ref(built) == Ref(kind.lower(), namespace.lower(), name.lower())
    assert normal(built.upper()) == built
    assert (kind_of(built), name_of(built)) == (kind.lower(), name.lower())
    assert completed(parse_ref(built).short, kind=kind) == built
    assert ref_of({"kind": kind, "metadata": {"name": name, "namespace": namespace}}) == Ref(kind, namespace, name)


@given(KIND, NAME, NAME)
def test_short_forms_are_completed(kind: str, namespace: str, name: str) -> None:
    assert normal(name, kind=kind) == ref_to(kind, name)
    assert normal(name, kind=kind, namespace=namespace) == ref_to(kind, name, namespace)
    assert normal(f"{namespace}/{name}", kind=kind) == ref_to(kind, name, namespace)
    assert owner_ref(name, namespace=namespace) == ref_to("group", name, namespace)


@given(st.text(max_size=40))
def test_any_text_is_a_reference_or_none(text: str) -> None:
    try:
        found = parse_ref(text, kind="component")
    except BadRef:
        return
    assert "" not in (found.kind, found.namespace, found.name)
    assert parse_ref(f"{found.kind}:{found.namespace}/{found.name}") == found


@pytest.mark.parametrize("text", ["", ":", "/", "group:", "group:/x", "group:x/", ":x", "/x", "x/"])
def test_what_lacks_a_part_is_none(text: str) -> None:
    assert (completed(text, kind="component"), kind_of(text), name_of(text)) == ("", "", "")


# Taking a reference apart or putting one together by hand: a receiver that is called a reference, or the form itself.
CUT = re.compile(r"(^|[^a-z])(ref|refs|reference)(_of)?(\(.*\)|\[.*\])?$", re.IGNORECASE)
FORM = re.compile(rf"({{}}|{'|'.join(KINDS).lower()}):({{}}|[a-z]+)/({{}}|[a-z]+-{{}})")
CUTTERS = {"partition", "rpartition", "split", "rsplit", "removeprefix", "startswith", "find", "index"}


def by_hand(tree: ast.AST) -> Iterator[int]:
    """The lines where it is done."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in CUTTERS:
            said = [str(each.value) for each in node.args if isinstance(each, ast.Constant)]
            if CUT.search(ast.unparse(node.func.value)) and any(":" in each or each == "/" for each in said):
                yield node.lineno
        elif isinstance(node, ast.JoinedStr):
            form = "".join(str(part.value) if isinstance(part, ast.Constant) else "{}" for part in node.values)
            if FORM.fullmatch(form):
                yield node.lineno


def test_nobody_else_takes_references_apart() -> None:
    found = [
        f"{path.relative_to(ROOT)}:{line}"
        for room in ("portal", "catalog")
        for path in sorted((ROOT / room).rglob("*.py"))
        if not {"sandbox", "shipped", "migrations"} & set(path.parts) and path.name != "refs.py"
        for line in by_hand(ast.parse(path.read_text()))
    ]
    assert found == []


@pytest.mark.parametrize(
    "source",
    [
        'kind = row.entity_ref.partition(":")[0]',
        'name = ref.rpartition("/")[2]',
        'team.ref.removeprefix("group:default/")',
        'reference_of(document).partition(":")',
        'f"{kind}:{namespace}/{name}"',
        'f"group:default/{slug}"',
    ],
)
def test_the_look_finds_what_it_looks_for(source: str) -> None:
    assert list(by_hand(ast.parse(source))) == [1]
