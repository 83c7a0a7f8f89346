"""Every code that anything finds is known, documented, and says one thing; a mend does what it promises."""

import ast
import re
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest

from catalog.descriptors.findings import Edit, Excerpt, Finding, StaleEdit, edited, excerpt_of, patch_of
from catalog.descriptors.parsing import parse
from catalog.descriptors.problemkinds import PROBLEM_KINDS, kind_of_problem

ROOT = Path(__file__).resolve().parents[2]
FOUND_IN = [
    "catalog/descriptors/rules.py",
    "catalog/descriptors/placeholders.py",
    "catalog/intake/reading.py",
    "catalog/intake/ingest.py",
    "catalog/problems.py",
    "catalog/cards.py",
    "portal/kit/yamltext.py",
    "portal/goldenpaths/shape.py",
    "portal/provisioning/acting/pretence.py",
]
# The place of the code among the arguments of what makes a finding.
MAKERS = {"BrokenRule": 1, "Unreadable": 2, "Finding": 2, "finding_at": 1, "_problem": 2}

BASE = """\
apiVersion: backstage.io/v1alpha1
kind: Component
metadata:
  name: a
spec:
  type: service
  lifecycle: production
  owner: payments
"""


def codes_in(path: str) -> set[str]:
    """The codes that a module writes out: as arguments, and as the names CODE and UNREAD."""
    found: set[str] = set()
    for node in ast.walk(ast.parse((ROOT / path).read_text())):
        if isinstance(node, ast.Call):
            name = getattr(node.func, "id", getattr(node.func, "attr", ""))
            place = MAKERS.get(name)
            given = node.args[place] if place is not None and len(node.args) > place else None
            found |= {each.value for each in ast.walk(given) if isinstance(each, ast.Constant)} if given else set()
            found |= {
                each.value.value
                for each in node.keywords
                if name in MAKERS and each.arg == "code" and isinstance(each.value, ast.Constant)
            }
        if isinstance(node, ast.Assign) and getattr(node.targets[0], "id", "") in ("CODE", "UNREAD"):
            found |= {node.value.value} if isinstance(node.value, ast.Constant) else set()
    return {each for each in found if isinstance(each, str)}


def test_what_is_found_is_a_known_kind():
    found = {code for path in FOUND_IN for code in codes_in(path)}
    assert len(found) > 25
    assert found <= set(PROBLEM_KINDS), found - set(PROBLEM_KINDS)


def test_every_kind_is_documented_under_its_code():
    documented = set(re.findall(r"^### `([a-z-]+)`", (ROOT / "docs" / "problems.md").read_text(), re.MULTILINE))
    assert documented == set(PROBLEM_KINDS)


def test_a_code_of_another_version_has_a_name():
    assert kind_of_problem("left-handed").title == "Left handed"
    assert kind_of_problem("left-handed").severity == "error"


MENDABLE = {
    "tag": (BASE.replace("  name: a", "  name: a\n  tags: [ok, Java]"), "tags: [ok, java]"),
    "tag that is a number": (BASE.replace("  name: a", "  name: a\n  tags: [5]"), 'tags: ["5"]'),
    "name": (BASE.replace("name: a", 'name: "my service"'), "name: my-service"),
    "name in a comment": (BASE.replace("name: a", "name: my service # the best"), "name: my-service # the best"),
    "kind": (BASE.replace("kind: Component", "kind: component"), "kind: Component"),
    "version": (BASE.replace("v1alpha1", "v1"), "apiVersion: backstage.io/v1alpha1"),
    "no version": (BASE.partition("\n")[2], "apiVersion: backstage.io/v1alpha1\nkind: Component"),
    "annotation": (BASE.replace("  name: a", "  name: a\n  annotations: {a: true}"), '{a: "true"}'),
    "label": (BASE.replace("  name: a", "  name: a\n  labels:\n    tier: 1"), 'tier: "1"'),
    "link": (BASE.replace("  name: a", "  name: a\n  links:\n  - url: example.com/x"), "url: https://example.com/x"),
    "list": (f"{BASE}  dependsOn: component:default/b\n", '["component:default/b"]'),
    "text": (BASE.replace("type: service", "type: 5"), 'type: "5"'),
    "field in capitals": (BASE.replace("metadata:", "Metadata:"), "metadata:"),
    "colon": (BASE.replace("  name: a", "  name: a\n  description: this: that"), 'description: "this: that"'),
    "tab": (BASE.replace("  type: service", "\ttype: service"), "  type: service"),
    "second document": (f"{BASE}---\n# two\n{BASE.replace('name: a', 'name: b b')}", "name: b-b"),
}


@pytest.mark.parametrize("name", MENDABLE)
def test_a_mend_takes_its_problem_away_and_touches_nothing_else(name):
    text, wanted = MENDABLE[name]
    problems = parse(text, "catalog-info.yaml").problems
    edits = [problem.edit for problem in problems if problem.edit]
    assert edits, problems
    after = edited(text, edits)
    assert parse(after, "catalog-info.yaml").problems == []
    assert wanted in after
    changed = [(old, new) for old, new in zip(text.splitlines(), after.splitlines(), strict=False) if old != new]
    assert len(changed) <= max(len(edits), 1) or name == "no version"


@pytest.mark.parametrize(
    "text",
    [
        BASE.replace("  owner: payments\n", ""),  # nobody but a person knows the owner
        BASE.replace("owner: payments", "owner: ':'"),
        BASE.replace("name: a", "name: '***'"),
        BASE.replace("  name: a", "  name: &x a\n  tags: [*x, &y Java]"),
    ],
)
def test_what_only_a_person_knows_is_not_guessed(text):
    problems = parse(text, "a.yaml").problems
    assert problems
    assert not any(problem.edit for problem in problems)


def test_an_edit_of_a_file_that_has_changed_is_refused():
    edit = Edit("a.yaml", 4, 8, "a", "b")
    assert edited(BASE, [edit]) == BASE.replace("name: a", "name: b")
    with pytest.raises(StaleEdit, match="line 4"):
        edited(BASE.replace("name: a", "name: c"), [edit])
    with pytest.raises(StaleEdit):
        edited("", [edit])


def test_the_excerpt_shows_the_line_in_its_file_with_a_caret():
    [problem] = parse(f"{BASE}---\n{BASE.replace('name: a', 'name: -a-')}", "a.yaml").problems
    assert problem.line == 13
    assert problem.excerpt is not None
    assert problem.excerpt.text().splitlines() == [
        "  11 | kind: Component",
        "  12 | metadata:",
        "> 13 |   name: -a-",
        "     |         ^^^",
        "  14 | spec:",
        "  15 |   type: service",
    ]
    assert problem.owner_ref == "group:default/payments"
    assert problem.field == "metadata.name"


def test_an_excerpt_holds_nothing_that_a_database_or_a_page_cannot():
    excerpt = excerpt_of(["a\0b\x1b[31m", "\t\tx: y" + "z" * 500], 2)
    assert excerpt == Excerpt(1, ("a\ufffdb\ufffd[31m", ("\t\tx: y" + "z" * 500)[:160]), 2)
    assert excerpt.caret.startswith("  ^")
    assert excerpt.numbered[1][1].startswith("→→x: y")
    assert excerpt_of(["one"], 2) is None


def test_a_patch_is_one_that_git_takes(tmp_path):
    text, _ = MENDABLE["tag"]
    [problem] = parse(text, "catalog/info.yaml").problems
    (tmp_path / "catalog").mkdir()
    (tmp_path / "catalog" / "info.yaml").write_text(text)
    patch = patch_of("catalog/info.yaml", text, edited(text, [problem.edit]))
    subprocess.run(["git", "apply", "-"], cwd=tmp_path, input=patch.encode(), check=True)
    assert parse((tmp_path / "catalog" / "info.yaml").read_text(), "").problems == []


def test_two_findings_are_one_when_they_say_the_same():
    finding = Finding("a.yaml", 1, "tag", "No.")
    assert {finding, replace(finding, excerpt=excerpt_of(["a"], 1), owner_ref="group:default/x")} == {finding}
    assert str(finding) == "a.yaml, line 1: No."
    assert finding.plain()["severity"] == "error"
