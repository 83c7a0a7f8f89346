"""Which descriptors are admitted, and the sentences for those that are not."""

import json
from pathlib import Path

import pytest

from catalog.descriptors import rules
from catalog.descriptors.parsing import parse
from catalog.descriptors.placeholders import CannotRead

RECORDED = json.loads((Path(__file__).parent / "recorded" / "entities.json").read_text())

GOOD = """\
apiVersion: backstage.io/v1alpha1
kind: Component
metadata:
  name: payments
spec:
  type: service
  lifecycle: production
  owner: payments
"""


@pytest.mark.parametrize("case", RECORDED, ids=lambda case: json.dumps(case["document"])[40:110])
def test_admits_what_the_reference_implementation_admits(case):
    faults = rules.check(case["document"])
    assert (not faults) is case["admitted"], [fault.sentence for fault in faults]


def only_problem(text):
    parsed = parse(text, "catalog-info.yaml")
    assert not parsed.entities
    assert len(parsed.problems) == 1, parsed.problems
    return parsed.problems[0]


def test_a_good_descriptor_gets_the_default_namespace():
    parsed = parse(GOOD, "catalog-info.yaml")
    assert not parsed.problems
    assert str(parsed.entities[0].ref) == "component:default/payments"
    assert parsed.entities[0].document["metadata"]["namespace"] == "default"


@pytest.mark.parametrize(
    ("change", "line", "words"),
    [
        (("name: payments", "name: Payments Service"), 4, 'Write "Payments-Service"'),
        (("name: payments", "name: 42"), 4, 'Put it in quotes: "42"'),
        (("  name: payments", "  title: Payments"), 3, "`metadata.name` is missing"),
        (("kind: Component", "kind: Compnent"), 2, 'The kind "Compnent" is not known'),
        (("kind: Component", "kind: component"), 2, "Kinds are written with capitals: Component"),
        (("  owner: payments", ""), 5, "`spec.owner` is missing; every Component needs it"),
        (("owner: payments", "owner: [a]"), 8, "`spec.owner` is a list"),
        (("type: service", "type: yes: no"), 6, "not valid YAML"),
        (("lifecycle: production", "lifecycle: 1.10"), 7, "the number 1.1"),
        (("backstage.io/v1alpha1", "backstage.io/v2"), 1, "Write backstage.io/v1alpha1"),
        (("metadata:", "colour: red\nmetadata:"), 3, 'The field "colour" is not known here'),
        (("  name: payments", "  name: payments\n  tags: [Java]"), 5, 'Write "java"'),
        (("  name: payments", "  name: payments\n  labels: {a: 1}"), 5, 'Put it in quotes: "1"'),
        (("  name: payments", "  name: payments\n  annotations: {a: true}"), 5, 'Put it in quotes: "true"'),
        (("  name: payments", "  name: payments\n  links:\n  - url: wiki"), 6, "Write a whole address"),
        (("  owner: payments", "  owner: payments\n  dependsOn: [db]"), 9, "does not say its kind"),
        (("  owner: payments", "  owner: payments\n  providesApis: api"), 9, "must be a list"),
        (("  owner: payments", "  owner: payments\n  Owner: x"), 9, "differ only in upper and lower case"),
    ],
)
def test_each_fault_says_its_line_and_what_to_write(change, line, words):
    problem = only_problem(GOOD.replace(*change))
    assert words in problem.sentence
    assert problem.line == line
    assert problem.path == "catalog-info.yaml"


def test_one_bad_entity_does_not_hide_the_others():
    parsed = parse(
        f"{GOOD}---\nkind: Bogus\nmetadata: {{name: b}}\napiVersion: v1\n---\n{GOOD.replace('payments', 'orders')}", "x"
    )
    assert [str(entity.ref) for entity in parsed.entities] == ["component:default/payments", "component:default/orders"]
    assert parsed.broken == {"bogus:default/b"}
    assert parsed.is_whole


def test_a_part_that_cannot_be_read_makes_the_file_not_whole():
    assert not parse(f"{GOOD}---\na: [", "x").is_whole
    assert not parse("- a\n- b\n", "x").is_whole


@pytest.mark.parametrize(
    ("spec", "code"),
    [
        ("{type: mcp-server, lifecycle: p, owner: t, remotes: [{type: sse, url: 'https://a'}]}", None),
        ("{type: mcp-server, lifecycle: p, owner: t}", "missing"),
        ("{type: mcp-server, lifecycle: p, owner: t, remotes: []}", "shape"),
        ("{type: mcp-server, lifecycle: p, owner: t, remotes: [{type: sse}]}", "shape"),
        ("{type: openapi, lifecycle: p, owner: t}", "missing"),
    ],
)
def test_an_mcp_server_has_remotes_in_place_of_a_definition(spec, code):
    parsed = parse(f"apiVersion: backstage.io/v1alpha1\nkind: API\nmetadata: {{name: a}}\nspec: {spec}", "x")
    assert [problem.code for problem in parsed.problems] == ([code] if code else [])


@pytest.mark.parametrize(
    ("kind", "spec", "is_admitted"),
    [
        ("AiResource", "{type: skill, lifecycle: p, owner: t, dependsOn: [other]}", True),
        ("AiResource", "{type: rule, lifecycle: p, owner: t, category: c, rationale: r}", True),
        ("AiResource", "{type: rule, lifecycle: p, owner: t}", False),
        ("AiResource", "{type: plugin, lifecycle: p, owner: t, skills: [a]}", True),
        ("AiResource", "{type: marketplace, lifecycle: p, owner: t}", False),
    ],
)
def test_ai_resources_by_type(kind, spec, is_admitted):
    parsed = parse(f"apiVersion: backstage.io/v1alpha1\nkind: {kind}\nmetadata: {{name: a}}\nspec: {spec}", "x")
    assert bool(parsed.entities) is is_admitted


@pytest.mark.parametrize(
    ("version", "spec", "words"),
    [
        ("scaffolder.backstage.io/v1beta3", "{type: service, steps: [{id: a, action: debug:log}]}", ""),
        ("scaffolder.backstage.io/v1beta2", "{type: service, steps: []}", "Write scaffolder.backstage.io/v1beta3"),
        ("scaffolder.backstage.io/v1beta3", "{type: service}", "`spec.steps` is missing"),
        ("scaffolder.backstage.io/v1beta3", "{type: service, steps: [{id: a}]}", "Step 1 does not say its `action`"),
        ("scaffolder.backstage.io/v1beta3", "{type: service, steps: {}}", "must be a list of steps"),
    ],
)
def test_templates(version, spec, words):
    parsed = parse(f"apiVersion: {version}\nkind: Template\nmetadata: {{name: a}}\nspec: {spec}", "x")
    assert words in " ".join(problem.sentence for problem in parsed.problems)
    assert bool(parsed.entities) is not bool(words)


API = GOOD.replace("Component", "API").replace("service", "openapi")


@pytest.mark.parametrize(
    ("definition", "expected"),
    [
        ("{$text: ./a.txt}", "hello"),
        ("{$text: ./a.txt, other: 1}", None),
        ("{$open: ./a.txt}", None),
    ],
)
def test_placeholders_are_replaced_before_the_rules_look(definition, expected):
    parsed = parse(f"{API}  definition: {definition}", "x", {"./a.txt": "hello"}.__getitem__)
    assert [entity.document["spec"]["definition"] for entity in parsed.entities] == ([expected] if expected else [])


def test_json_and_yaml_placeholders_give_data():
    files = {"a.json": '{"x": [1]}', "b.yaml": "y: NO"}
    text = GOOD + "  a: {$json: a.json}\n  b: {$yaml: b.yaml}\n"
    spec = parse(text, "x", files.__getitem__).entities[0].document["spec"]
    assert (spec["a"], spec["b"]) == ({"x": [1]}, {"y": "NO"})


@pytest.mark.parametrize(
    ("placeholder", "words"),
    [
        ("{$yaml: two.yaml}", "holds 2 YAML documents"),
        ("{$json: bad.json}", "is not valid JSON"),
        ("{$json: nan.json}", "NaN is not allowed"),
        ("{$json: inf.json}", "1e999 is too large"),
        ("{$json: nul.json}", "not text"),
        ("{$json: half.json}", "not text"),
        ("{$json: deep.json}", "nested more than"),
        ("{$text: gone.txt}", "There is no gone.txt"),
        ("{$text: 4}", "must name a file"),
    ],
)
def test_a_placeholder_that_fails_is_one_problem_at_its_line(placeholder, words):
    files = {
        "two.yaml": "a: 1\n---\nb: 2",
        "bad.json": "{",
        "nan.json": "[NaN]",
        "inf.json": "1e999",
        "nul.json": '"\\u0000"',
        "half.json": '"\\ud800"',
        "deep.json": "[" * 100 + "]" * 100,
    }

    def read(name):
        if name not in files:
            raise CannotRead(f"There is no {name}.")
        return files[name]

    parsed = parse(f"{API}  definition: {placeholder}", "x", read)
    assert [(problem.line, problem.code) for problem in parsed.problems] == [(9, "placeholder")]
    assert words in parsed.problems[0].sentence
