"""Every word of a form's schema that publishing accepts acts; one that does nothing is said, and refuses nothing."""

from __future__ import annotations

import base64
import re
from collections.abc import Callable
from typing import Any

import pytest
import yaml
from django.test import Client
from django.urls import reverse

from portal.clusters.models import Cluster
from portal.goldenpaths import shipped_paths
from portal.goldenpaths.questions import keywords
from portal.goldenpaths.questions.confidence import secret_questions
from portal.kit.yamltext import load_all
from portal.provisioning.answering import shown_answers
from tests.conftest import World
from tests.goldenpaths.curation import refresh, waiting, write
from tests.goldenpaths.test_form_cases import cleaned, control, describe, entity, form, from_post, page
from tests.goldenpaths.test_takeover import shop

pytestmark = pytest.mark.django_db
SignIn = Callable[[Any], Client]
__all__ = ["shop"]

# keyword -> the question “a”, an answer that it takes, one that it does not.
RULES = {
    "type": "{type: integer}|1|x",
    "enum": "{type: string, enum: [one, two]}|one|three",
    "const": "{type: string, const: one}|one|two",
    "format": "{type: string, format: email}|a@b.example|x",
    "pattern": "{type: string, pattern: '^[a-z]+$'}|abc|ABC",
    "minLength": "{type: string, minLength: 3}|abc|ab",
    "maxLength": "{type: string, maxLength: 3}|abc|abcd",
    "minimum": "{type: integer, minimum: 3}|3|2",
    "maximum": "{type: integer, maximum: 3}|3|4",
    "exclusiveMinimum": "{type: integer, exclusiveMinimum: 3}|4|3",
    "exclusiveMaximum": "{type: integer, exclusiveMaximum: 3}|2|3",
    "multipleOf": "{type: integer, multipleOf: 5}|10|11",
    "items": "{type: array, items: {type: integer}}|[1]|[x]",
    "additionalItems": "{type: array, items: [{type: string}], additionalItems: false}|[a]|[a, b]",
    "minItems": "{type: array, minItems: 2, items: {type: string}}|[a, b]|[a]",
    "maxItems": "{type: array, maxItems: 1, items: {type: string}}|[a]|[a, b]",
    "uniqueItems": "{type: array, uniqueItems: true, items: {type: string}}|[a, b]|[a, a]",
    "contains": "{type: array, contains: {const: a}, items: {type: string}}|[a, b]|[b]",
    "required": "{type: array, items: {type: object, required: [x]}}|[{x: 1}]|[{y: 1}]",
    "additionalProperties": "{type: object, additionalProperties: {type: integer}}|{x: 1}|{x: y}",
    "minProperties": "{type: object, minProperties: 2}|{x: 1, y: 2}|{x: 1}",
    "maxProperties": "{type: object, maxProperties: 1}|{x: 1}|{x: 1, y: 2}",
    "dependencies": "{type: object, dependencies: {x: [y]}}|{x: 1, y: 2}|{x: 1}",
    "allOf": "{type: string, allOf: [{minLength: 3}]}|abc|ab",
    "anyOf": "{type: string, anyOf: [{minLength: 5}, {maxLength: 1}]}|abcde|abc",
    "oneOf": "{type: string, oneOf: [{minLength: 2}, {maxLength: 4}]}|abcde|abc",
    "not": "{type: string, not: {enum: [root]}}|me|root",
    "if": "{type: integer, if: {minimum: 5}, then: {multipleOf: 5}}|3|6",
    "then": "{type: integer, if: {minimum: 5}, then: {multipleOf: 5}}|10|6",
    "else": "{type: integer, if: {minimum: 5}, else: {maximum: 3}}|6|4",
}
# keyword -> (the question “a”, what its page then holds).
SHOWN = {
    "title": ("{type: string, title: A name of its own}", r"<label[^>]*>A name of its own</label>"),
    "description": ("{type: string, description: Some *words*.}", r"Some <em>words</em>"),
    "default": ("{type: string, default: given}", r'name="f\.a" value="given"'),
    "enumNames": ("{type: string, enum: [one], enumNames: [The first]}", r'<option value="one">The first</option>'),
    "errorMessage": ("{type: string, pattern: '^x$', errorMessage: {pattern: Only x will do.}}", ""),
}

# A page: its YAML, answers that it takes, answers that it does not.
GROUPS = {
    "type": ("{type: object, properties: {a: {type: string}}}", {"a": "x"}, {"a": 1}),
    "properties": ("{properties: {a: {type: integer}}}", {"a": 1}, {"b": 1}),
    "required": ("{required: [a], properties: {a: {type: string}}}", {"a": "x"}, {}),
    "additionalProperties": (
        "{properties: {g: {type: object, additionalProperties: true, properties: {a: {type: string}}},"
        " h: {type: object, properties: {a: {type: string}}}}}",
        {"g": {"a": "x", "more": 1}}, {"h": {"a": "x", "more": 1}},
    ),
    "dependencies": ("{properties: {a: {type: string}, b: {type: string}}, dependencies: {a: [b]}}", {}, {"a": "x"}),
    "allOf": ("{allOf: [{required: [a], properties: {a: {type: string}}}]}", {"a": "x"}, {}),
    "anyOf": (
        "{properties: {k: {type: string, enum: [x, y]}}, anyOf: [{properties: {k: {const: x}}},"
        " {required: [b], properties: {k: {const: y}, b: {type: string}}}]}",
        {"k": "x"}, {"k": "y"},
    ),
    "oneOf": (
        "{properties: {k: {type: string, enum: [x, y]}}, oneOf: [{properties: {k: {const: x}}},"
        " {required: [b], properties: {k: {const: y}, b: {type: string}}}]}",
        {"k": "x"}, {"k": "y"},
    ),
    "if": (
        "{properties: {k: {type: string}}, if: {required: [k], properties: {k: {const: y}}},"
        " then: {required: [b], properties: {b: {type: string}}}}",
        {"k": "x"}, {"k": "y"},
    ),
    "then": (
        "{properties: {k: {type: string}}, if: {required: [k], properties: {k: {const: y}}},"
        " then: {required: [b], properties: {b: {type: string}}}}",
        {"k": "y", "b": "x"}, {"k": "y"},
    ),
    "else": (
        "{properties: {k: {type: string}}, if: {required: [k], properties: {k: {const: y}}},"
        " else: {required: [b], properties: {b: {type: string}}}}",
        {"k": "y"}, {"k": "x"},
    ),
}  # fmt: skip
GROUPS_SHOWN = {
    "title": (
        "{g: {type: object, title: Group of its own, properties: {a: {type: string}}}}",
        r"<legend[^>]*>Group of",
    ),
    "description": ("{g: {type: object, description: About *it*, properties: {a: {type: string}}}}", "About <em>it"),
    "default": (
        "{g: {type: object, default: {a: given}, properties: {a: {type: string}}}}",
        r'"f\.g\.a" value="given"',
    ),
}

# ui:NAME -> (the question “a” with it beside, and with it under ui:options; what its page then holds).
UI = {
    "help": ("ui:help: Short words.", "Short words."),
    "placeholder": ("ui:placeholder: like this", 'placeholder="like this"'),
    "autofocus": ("ui:autofocus: true", r'name="f\.a"[^>]* autofocus'),
    "readonly": ("ui:readonly: true", r'name="f\.a"[^>]* readonly'),
    "disabled": ("ui:disabled: true", r'name="f\.a"[^>]* disabled'),
    "title": ("ui:title: Another title", "Another title"),
    "description": ("ui:description: Other words", "Other words"),
    "inputType": ("ui:inputType: tel", r'name="f\.a"[^>]* type="tel"'),
    "autocomplete": ("ui:autocomplete: given-name", r'name="f\.a"[^>]* autocomplete="given-name"'),
    "rows": ("ui:rows: 7, ui:widget: textarea", r'<textarea(?![^>]* rows="3")[^>]* name="f\.a"[^>]* rows="7"'),
    "enumNames": ("enum: [one], ui:enumNames: [The first]", ">The first</option>"),
    "widget": ("ui:widget: textarea", r'<textarea[^>]* name="f\.a"'),
}
WIDGETS = {
    "hidden": ("{type: string, ui:widget: hidden}", r'<input type="hidden" name="f\.a"'),
    "password": ("{type: string, ui:widget: password}", r'name="f\.a"[^>]* type="password"'),
    "textarea": ("{type: string, ui:widget: textarea}", r'<textarea[^>]* name="f\.a"'),
    "radio": ("{type: string, enum: [one], ui:widget: radio}", r'type="radio" name="f\.a"'),
    "select": ("{type: boolean, ui:widget: select}", r'<select[^>]* name="f\.a"'),
    "checkbox": ("{type: boolean, ui:widget: checkbox}", r'type="checkbox" name="f\.a"'),
    "checkboxes": (
        "{type: array, items: {type: string, enum: [one]}, ui:widget: checkboxes}", r'type="checkbox" name="f\.a"',
    ),
    "text": ("{type: string, ui:widget: text}", r'name="f\.a"[^>]* type="text"'),
}  # fmt: skip


def values_of(line: str) -> tuple[str, Any, Any]:
    question, good, bad = line.split("|")
    return question, yaml.safe_load(good), yaml.safe_load(bad)


def asked(world: World, question: str) -> Any:
    return form(world, f"a: {question}")


@pytest.mark.parametrize("word", RULES)
def test_a_rule_of_a_question_acts(world: World, word: str) -> None:
    question, good, bad = values_of(RULES[word])
    version = asked(world, question)
    assert cleaned(world, version, {"a": good}).errors == {}
    assert "a" in cleaned(world, version, {"a": bad}).errors


@pytest.mark.parametrize("word", SHOWN)
def test_what_is_said_of_a_question_is_shown(world: World, client_for: SignIn, word: str) -> None:
    question, there = SHOWN[word]
    version = asked(world, question)
    assert re.search(there, page(client_for(world.dev), version))
    if word == "errorMessage":
        assert cleaned(world, version, {"a": "y"}).errors == {"a": "Only x will do."}


@pytest.mark.parametrize("word", GROUPS)
def test_a_rule_of_a_page_or_group_acts(world: World, word: str) -> None:
    written, good, bad = GROUPS[word]
    schema = {"properties": {}, **yaml.safe_load(written)}
    version = form(world, yaml.safe_dump(schema.pop("properties")), **schema)
    assert cleaned(world, version, good).errors == {}
    assert cleaned(world, version, bad).errors


@pytest.mark.parametrize("word", GROUPS_SHOWN)
def test_what_is_said_of_a_group_is_shown(world: World, client_for: SignIn, word: str) -> None:
    written, there = GROUPS_SHOWN[word]
    assert re.search(there, page(client_for(world.dev), form(world, yaml.safe_dump(yaml.safe_load(written)))))


@pytest.mark.parametrize("word", UI)
def test_a_ui_word_acts_beside_the_question_and_under_its_options(world: World, client_for: SignIn, word: str) -> None:
    written, there = UI[word]
    version = asked(world, f"{{type: string, {written}}}")
    assert re.search(there, page(client_for(world.dev), version))
    if word != "widget":
        options = written.replace(f"ui:{word}", word)
        beside = re.sub(r",? ?ui:widget: \w+|enum: \[one\],? ?", "", options)
        more = ", ui:widget: textarea" if "textarea" in written else ", enum: [one]" if "enum: " in written else ""
        version = asked(world, f"{{type: string{more}, ui:options: {{{beside}}}}}")
        assert re.search(there, page(client_for(world.dev), version))


@pytest.mark.parametrize("word", WIDGETS)
def test_a_widget_acts(world: World, client_for: SignIn, word: str) -> None:
    question, there = WIDGETS[word]
    assert re.search(there, page(client_for(world.dev), asked(world, question)))


def order_acts(world: World, client: Client) -> None:
    version = form(world, "a: {type: string}", "b: {type: string}", **{"ui:order": ["b", "*"]})
    opened = page(client, version)
    assert opened.index('name="f.b"') < opened.index('name="f.a"')


def backstage_acts(world: World, client: Client) -> None:
    version = form(
        world,
        "a: {type: string, ui:backstage: {review: {name: Said}}}",
        "b: {type: string, ui:backstage: {review: {mask: xxx}}}",
        "c: {type: string, ui:backstage: {review: {show: false}}}",
    )
    rows = [row for one in shown_answers(version, {"a": "1", "b": "2", "c": "3"}) for row in one.rows]
    assert rows == [("Said", "1"), ("b", "xxx")]


def field_acts(world: World, client: Client) -> None:
    """As every one of FIELDS below; here, that it is read at all."""
    assert ' list="' in control(page(client, asked(world, "{type: string, ui:field: EntityPicker}")), "f.a")


def options_act(world: World, client: Client) -> None:
    """As every one of OPTIONS below; here, that a word stands under it."""
    opened = page(client, asked(world, "{type: string, ui:options: {placeholder: like this}}"))
    assert 'placeholder="like this"' in opened


OTHER_UI = {"order": order_acts, "backstage": backstage_acts, "field": field_acts, "options": options_act}


@pytest.mark.parametrize("word", OTHER_UI)
def test_another_ui_word_acts(world: World, client_for: SignIn, word: str) -> None:
    OTHER_UI[word](world, client_for(world.dev))


# Pickers, on two components: Dev's team owns one of them.


@pytest.fixture
def two(world: World) -> World:
    owned = "{type: service, lifecycle: x, owner: payments}"
    others = "{type: service, lifecycle: x, owner: somebody}"
    describe(world, entity("Component", "mine", owned), entity("Component", "theirs", others))
    describe(world, entity("API", "door", "{type: openapi, lifecycle: x, owner: payments, definition: x}"))
    return world


def offers(world: World, client: Client, question: str) -> set[str]:
    """What the page of the question “a” offers."""
    return set(re.findall(r'<option value="([^"]+)"', page(client, asked(world, question))))


MINE, THEIRS, DOOR = "component:default/mine", "component:default/theirs", "api:default/door"


def entities_are_picked(world: World, client: Client) -> None:
    assert offers(world, client, "{type: string, ui:field: EntityPicker}") >= {MINE, THEIRS, DOOR}


def own_entities_are_picked(world: World, client: Client) -> None:
    assert offers(world, client, "{type: string, ui:field: OwnedEntityPicker}") == {MINE, DOOR}


def many_are_picked(world: World, client: Client) -> None:
    question = "{type: array, items: {type: string}, ui:field: MultiEntityPicker}"
    assert offers(world, client, question) >= {MINE, THEIRS}
    assert from_post(world, asked(world, question), **{"f.a": f"{MINE} {THEIRS}"}).values == {"a": [MINE, THEIRS]}


def owners_are_picked(world: World, client: Client) -> None:
    version = asked(world, "{type: string, ui:field: OwnerPicker}")
    assert "group:default/payments" in page(client, version)
    assert cleaned(world, version, {"a": MINE}).errors


def own_groups_are_picked(world: World, client: Client) -> None:
    version = asked(world, "{type: string, ui:field: MyGroupsPicker}")
    assert cleaned(world, version, {"a": "group:default/payments"}).is_valid
    assert not cleaned(world, version, {"a": "group:default/payments"}, world.vic).is_valid


def clusters_are_picked(world: World, client: Client) -> None:
    with world.tenant():
        Cluster.objects.create(
            organisation=world.acme, slug="north", name="North", server="https://127.0.0.1:1",
            credential_kind="token", credential_fingerprint="x", sealed="x",
        )  # fmt: skip
    assert offers(world, client, "{type: string, ui:field: ClusterPicker}") == {"north"}


def tags_are_written_in_a_line(world: World, client: Client) -> None:
    version = asked(world, "{type: array, items: {type: string}, ui:field: EntityTagsPicker}")
    assert from_post(world, version, **{"f.a": "one two"}).values == {"a": ["one", "two"]}


def repositories_are_named(world: World, client: Client) -> None:
    version = asked(world, "{type: string, ui:field: RepoUrlPicker}")
    assert from_post(world, version, **{"f.a": "orders"}).values == {"a": "slipway?repo=orders"}


def names_are_plain(kind: str) -> Callable[[World, Client], None]:
    def proof(world: World, client: Client) -> None:
        assert 'spellcheck="false"' in control(page(client, asked(world, f"{{type: string, ui:field: {kind}}}")), "f.a")

    return proof


def taken_names_are_refused(world: World, client: Client) -> None:
    version = asked(world, "{type: string, ui:field: EntityNamePicker}")
    assert "is in the catalog already" in cleaned(world, version, {"a": "mine"}).errors["a"]
    assert cleaned(world, version, {"a": "new"}).is_valid


def secrets_are_asked_for_at_the_launch(world: World, client: Client) -> None:
    version = form(world, "a: {type: string, ui:field: Secret}", "b: {type: string}")
    assert 'name="f.a"' not in page(client, version)
    assert set(secret_questions(version.document)) == {"a"}


FIELDS = {
    "EntityPicker": entities_are_picked,
    "OwnedEntityPicker": own_entities_are_picked,
    "MultiEntityPicker": many_are_picked,
    "OwnerPicker": owners_are_picked,
    "MyGroupsPicker": own_groups_are_picked,
    "ClusterPicker": clusters_are_picked,
    "EntityTagsPicker": tags_are_written_in_a_line,
    "RepoUrlPicker": repositories_are_named,
    "RepoOwnerPicker": names_are_plain("RepoOwnerPicker"),
    "RepoBranchPicker": names_are_plain("RepoBranchPicker"),
    "EntityNamePicker": taken_names_are_refused,
    "Secret": secrets_are_asked_for_at_the_launch,
}


@pytest.mark.parametrize("name", FIELDS)
def test_a_field_acts(two: World, client_for: SignIn, name: str) -> None:
    FIELDS[name](two, client_for(two.dev))


def narrowed(setting: str) -> Callable[[World, Client], None]:
    def proof(world: World, client: Client) -> None:
        question = f"{{type: string, ui:field: EntityPicker, ui:options: {{{setting}}}}}"
        assert offers(world, client, question) == {DOOR}

    return proof


def completed(setting: str, value: str) -> Callable[[World, Client], None]:
    def proof(world: World, client: Client) -> None:
        strict = "allowArbitraryValues: false"
        said = asked(world, f"{{type: string, ui:field: EntityPicker, ui:options: {{{setting}, {strict}}}}}")
        assert cleaned(world, said, {"a": value}).is_valid
        plain = form(world, f"a: {{type: string, ui:field: EntityPicker, ui:options: {{{strict}}}}}")
        assert not cleaned(world, plain, {"a": value}).is_valid

    return proof


def in_a_namespace(world: World, client: Client) -> None:
    describe(world, entity("Component", "far", more=", namespace: shops"))
    completed("defaultNamespace: shops", "far")(world, client)


def others_are_refused(world: World, client: Client) -> None:
    question = "{type: string, ui:field: EntityPicker, ui:options: {allowArbitraryValues: false}}"
    version = asked(world, question)
    assert cleaned(world, version, {"a": MINE}).is_valid
    assert not cleaned(world, version, {"a": "component:default/nothing"}).is_valid


def names_of_another_kind(world: World, client: Client) -> None:
    version = asked(world, "{type: string, ui:field: EntityNamePicker, ui:options: {kind: API}}")
    assert cleaned(world, version, {"a": "mine"}).is_valid
    assert not cleaned(world, version, {"a": "door"}).is_valid


OPTIONS = {
    "catalogFilter": narrowed("catalogFilter: {kind: API}"),
    "allowedKinds": narrowed("allowedKinds: [API]"),
    "defaultKind": completed("defaultKind: API", "door"),
    "defaultNamespace": in_a_namespace,
    "allowArbitraryValues": others_are_refused,
    "kind": names_of_another_kind,
}


@pytest.mark.parametrize("name", OPTIONS)
def test_an_option_acts(two: World, client_for: SignIn, name: str) -> None:
    OPTIONS[name](two, client_for(two.dev))


def test_what_is_accepted_is_what_is_proved() -> None:
    assert set(RULES) | set(SHOWN) == keywords.QUESTION
    assert set(GROUPS) | set(GROUPS_SHOWN) == keywords.GROUP
    assert set(UI) | set(OTHER_UI) == keywords.UI
    assert set(OPTIONS) == keywords.OPTIONS
    assert set(FIELDS) == keywords.FIELDS
    assert set(WIDGETS) == keywords.WIDGETS


# What does nothing.

NOTHING = {
    "a: {type: object, patternProperties: {'^x': {type: string}}}": "a: “patternProperties” does nothing here.",
    "a: {type: object, propertyNames: {pattern: '^x'}}": "a: “propertyNames” does nothing here.",
    "a: {type: object, minProperties: 1, properties: {b: {type: string}}}": "a: “minProperties” does nothing here.",
    "a: {type: string, readOnly: true}": "a: “readOnly” does nothing here.",
    "a: {type: string, format: data-url}": "a: there is no format “data-url”; any text is taken.",
    "a: {type: string, errorMessage: {minLength: x}}": "a: “errorMessage” knows “pattern” only, not “minLength”.",
    "a: {type: string, ui:tooltip: x}": "a: “ui:tooltip” does nothing here.",
    "a: {type: string, ui:widget: updown}": "a: there is no widget “updown”; it gets the control of its type.",
    "a: {type: string, ui:options: {widget: color}}": "a: there is no widget “color”",
    "a: {type: string, ui:field: RepoUrlPicker, ui:options: {allowedHosts: [x]}}": (
        "a: “allowedHosts” under ui:options does nothing here."
    ),
    "a: {type: string, ui:field: JiraPicker}": "a: there is no field “JiraPicker”; it is asked for as if",
    "a: {type: array, items: {type: string, ui:field: JiraPicker}}": "the entries of a: there is no field “JiraPicker”",
    "a: {type: object, properties: {b: {type: string, ui:tooltip: x}}}": "b: “ui:tooltip” does nothing here.",
}


@pytest.mark.parametrize("question", NOTHING)
def test_what_does_nothing_is_said_and_refuses_nothing(world: World, client_for: SignIn, question: str) -> None:
    version = form(world, question)
    [said] = keywords.ignored(version.document)
    assert said.startswith(NOTHING[question])
    assert "f.a" in page(client_for(world.dev), version)


def test_a_field_that_nobody_knows_is_a_plain_text_field(world: World, client_for: SignIn) -> None:
    version = form(world, "a: {type: string, title: Ticket, ui:field: JiraPicker}")
    assert 'type="text"' in control(page(client_for(world.dev), version), "f.a")
    assert cleaned(world, version, {"a": "ABC-1"}).values == {"a": "ABC-1"}


def test_nothing_is_said_of_what_acts(world: World) -> None:
    for question, _, _ in map(values_of, RULES.values()):
        assert keywords.ignored(asked(world, question).document) == []
    for name in shipped_paths.names():
        [document] = load_all(shipped_paths.read(name)["template.yaml"].text() or "", name)
        assert keywords.ignored(document.data) == []


TEMPLATE = """apiVersion: scaffolder.backstage.io/v1beta3
kind: Template
metadata: {name: asker, title: Asker}
spec:
  type: service
  parameters: {properties: {ticket: {type: string, ui:field: JiraPicker}}}
  steps: [{id: say, action: "debug:log", input: {message: hi}}]
"""
SAID = "ticket: there is no field “JiraPicker”"


def test_a_program_that_publishes_is_told(world: World, client_for: SignIn) -> None:
    body = {"files": [{"path": "template.yaml", "base64Content": base64.b64encode(TEMPLATE.encode()).decode()}]}
    said = client_for(world.ada).post("/api/o/acme/paths/", body, content_type="application/json")
    assert said.status_code == 201
    assert [one[: len(SAID)] for one in said.json()["warnings"]] == [SAID]


def test_whoever_decides_on_a_candidate_is_told(world: World, shop: Any, client_for: SignIn) -> None:
    source = shop.register(world.ada)
    write(shop.clone, {"catalog-info.yaml": TEMPLATE})
    shop.push({})
    refresh(source)
    [candidate] = waiting(world)
    client, where = client_for(world.ada), {"org": "acme", "uid": candidate.uid}
    seen = client.get(reverse("candidate", kwargs=where)).content.decode()
    assert "Some of its form does nothing here" in seen
    assert SAID in seen
    told = client.get(reverse("api-candidate", kwargs=where)).json()["warnings"]
    assert [one[: len(SAID)] for one in told] == [SAID]
    published = client.post(reverse("candidate-publish", kwargs=where), {"digest": candidate.digest})
    assert published.status_code == 302
