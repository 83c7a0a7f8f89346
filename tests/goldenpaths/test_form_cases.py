"""Forms that went wrong somewhere, and their brothers: driven as people and programs drive them."""

from __future__ import annotations

import html
import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml
from django.test import Client
from django.urls import reverse

from catalog import actions as catalog_actions
from portal.accounts.access import enter
from portal.accounts.actor import Way
from portal.goldenpaths import actions
from portal.goldenpaths.files import File
from portal.goldenpaths.models import Version
from portal.goldenpaths.questions.forms import Cleaned, clean
from portal.goldenpaths.templates import InvalidTemplate
from tests.conftest import World, by

pytestmark = pytest.mark.django_db
CASES = Path(__file__).parent / "cases"
SignIn = Callable[[Any], Client]


def published(world: World, name: str) -> Version:
    """The case as a path of acme."""
    return published_text(world, (CASES / f"template-{name}.yaml").read_text())


def published_text(world: World, text: str) -> Version:
    with world.tenant():
        return actions.publish(
            organisation=world.acme, actor=by(world.ada), files={"template.yaml": File(text.encode())}
        )


def form(world: World, *properties: str, **page: Any) -> Version:
    """A path with one page of these properties, each a line of YAML."""
    schema = {"title": "Pick", "properties": yaml.safe_load("\n".join(properties)), **page}
    step = {"id": "say", "action": "debug:log", "input": {"message": "hi"}}
    document = {
        "apiVersion": "scaffolder.backstage.io/v1beta3", "kind": "Template", "metadata": {"name": "case"},
        "spec": {"type": "service", "parameters": [schema], "steps": [step]},
    }  # fmt: skip
    return published_text(world, yaml.safe_dump(document, sort_keys=False))


def page(client: Client, version: Version, **answers: Any) -> str:
    """The form as it answers to a button; without answers as it opens."""
    where = reverse("path", kwargs={"org": "acme", "path": version.path.slug})
    answer = client.post(where, answers) if answers else client.get(where)
    return answer.content.decode()


def cleaned(world: World, version: Version, values: dict[str, Any], person: Any = None) -> Cleaned:
    with world.tenant():
        return clean(version, values, enter(person or world.dev, "acme", way=Way.PAGE, address=None))


def from_post(world: World, version: Version, **answers: Any) -> Cleaned:
    """What a posted form comes to."""
    from django.http import QueryDict

    from portal.goldenpaths.questions.answers import posted

    post = QueryDict(mutable=True)
    for name, value in answers.items():
        post.setlist(name, value if isinstance(value, list) else [value])
    return cleaned(world, version, posted(version.document, post))


def by_api(client: Client, version: Version, values: dict[str, Any]) -> Any:
    where = reverse("api-path-preview", kwargs={"org": "acme", "path": version.path.slug})
    return client.post(where, json.dumps({"values": values}), "application/json")


def control(text: str, name: str) -> str:
    """The tag of the control that sends `name`."""
    found = re.findall(rf"<(?:input|select|textarea)[^>]*name=\"{re.escape(name)}\"[^>]*>", text)
    assert found, f"no control sends {name}"
    return str(found[-1])


def describe(world: World, *documents: str) -> None:
    for text in documents:
        with world.tenant():
            catalog_actions.write_entity(organisation=world.acme, actor=by(world.dev), text=text)


def entity(kind: str, name: str, spec: str = "{type: service, lifecycle: x, owner: payments}", more: str = "") -> str:
    return f"apiVersion: backstage.io/v1alpha1\nkind: {kind}\nmetadata: {{name: {name}{more}}}\nspec: {spec}\n"


def test_a_default_that_quotes_another_answer_is_refused_at_publishing(world: World) -> None:
    with pytest.raises(InvalidTemplate, match=r"line 11: A form takes this as it stands"):
        published(world, "default-from-other-answer")


@pytest.mark.parametrize("line", ["a: {type: string, enum: ['${{ parameters.b }}']}", "a: {const: '${{ user.ref }}'}"])
def test_so_are_its_brothers(world: World, line: str) -> None:
    with pytest.raises(InvalidTemplate, match="A form takes this as it stands"):
        form(world, line)


def test_a_question_on_a_later_page_follows_an_answer_on_an_earlier_one(world: World, client_for: SignIn) -> None:
    version = published(world, "dependency-across-pages")
    client = client_for(world.dev)
    assert "f.c" in page(client, version, **{"f.a": ["", "on"], "page": "1", "go": "next"})
    assert 'name="f.c"' not in page(client, version, **{"f.a": "", "page": "1", "go": "next"})
    ticked = from_post(world, version, **{"f.a": ["", "on"], "f.c": "see"})
    assert (ticked.values, ticked.errors) == ({"a": True, "c": "see"}, {})
    assert from_post(world, version, **{"f.a": ["", "on"]}).errors == {"c": "“C” needs an answer."}
    assert from_post(world, version, **{"f.a": ""}).values == {"a": False, "c": None}
    assert cleaned(world, version, {"a": True, "c": "x"}).is_valid


def test_a_hidden_boolean_keeps_its_value(world: World, client_for: SignIn) -> None:
    version = published(world, "hidden-boolean")
    opened = page(client_for(world.dev), version)
    assert control(opened, "f.a") == '<input type="hidden" name="f.a" value="true">'
    assert from_post(world, version, **{"f.a": "true", "f.b": "x"}).values == {"a": True, "b": "x"}


@pytest.mark.parametrize(
    ("line", "shown", "value"),
    [
        ("a: {type: integer, default: 0, ui:widget: hidden}", 'value="0"', 0),
        ("a: {type: boolean, default: false, ui:widget: hidden}", 'value="false"', False),
        ("a: {type: array, items: {type: string}, default: [x, y], ui:widget: hidden}", 'value="x"', ["x", "y"]),
        ("a: {type: string, default: fixed, ui:options: {widget: hidden}}", 'value="fixed"', "fixed"),
    ],
)
def test_whatever_is_hidden_comes_back_as_it_was(
    world: World, client_for: SignIn, line: str, shown: str, value: Any
) -> None:
    version = form(world, line)
    opened = page(client_for(world.dev), version)
    assert f'<input type="hidden" name="f.a" {shown}>' in opened
    sent = re.findall(r'<input type="hidden" name="f.a" value="([^"]*)">', opened)
    assert from_post(world, version, **{"f.a": sent}).values == {"a": value}


def test_a_question_that_appears_later_starts_with_its_default(world: World, client_for: SignIn) -> None:
    version = published(world, "form-branch-default")
    client = client_for(world.dev)
    java = page(client, version, **{"f.kind": "java", "page": "1", "go": "refresh"})
    assert 'value="org.example"' in control(java, "f.artifact")
    node = page(client, version, **{"f.kind": "node", "f.artifact": "org.example", "page": "1", "go": "refresh"})
    assert 'value="npm"' in control(node, "f.registry")
    assert cleaned(world, version, {"kind": "java"}).values["artifact"] == "org.example"
    # What was emptied on purpose stays empty.
    assert from_post(world, version, **{"f.kind": "java", "f.artifact": ""}).values["artifact"] is None


def test_a_boolean_default_of_true_is_not_lost(world: World, client_for: SignIn) -> None:
    version = published(world, "form-dep-bool-type")
    shown = page(client_for(world.dev), version, **{"f.use": ["", "on"], "page": "1", "go": "refresh"})
    assert " checked" in control(shown, "f.flag")
    assert 'value="3"' in control(shown, "f.count")
    assert from_post(world, version, **{"f.use": ["", "on"]}).values == {"use": True, "count": 3, "flag": True}
    off = from_post(world, version, **{"f.use": ["", "on"], "f.count": "2", "f.flag": ""})
    assert off.values == {"use": True, "count": 2, "flag": False}


def test_a_default_of_a_default_appears_too(world: World) -> None:
    version = form(
        world,
        "a: {type: string, enum: [x, y], default: x}",
        dependencies={"a": {"oneOf": [
            {"properties": {"a": {"enum": ["x"]}, "b": {"type": "boolean", "default": True}}},
            {"properties": {"a": {"enum": ["y"]}, "b": {"type": "boolean", "default": False}}},
        ]}},
    )  # fmt: skip
    assert cleaned(world, version, {}).values == {"a": "x", "b": True}
    assert cleaned(world, version, {"a": "y"}).values == {"a": "y", "b": False}


def test_lists_act_in_form_and_api(world: World, client_for: SignIn) -> None:
    version = published(world, "form-arrays")
    describe(
        world,
        entity("Component", "shop"),
        entity("API", "pay", "{type: openapi, lifecycle: x, owner: payments, definition: x}"),
    )
    client = client_for(world.dev)
    opened = page(client, version)
    assert '<option value="group:default/payments">' in opened
    assert '<option value="component:default/shop">' in opened
    assert "api:default/pay" not in opened
    sound = {
        "envs": ["prod"],
        "owners": ["group:default/payments"],
        "links": [{"url": "https://a.example", "title": "A"}],
        "many": ["component:default/shop"],
    }
    assert by_api(client, version, sound).status_code in (200, 201, 202)
    wrong = {
        "owners": ["group:default/nobody"],
        "links": [{"url": "http://a.example", "title": "A"}, {"url": "https://b.example"}],
        "many": ["api:default/pay"],
        "envs": ["prod", "prod"],
    }
    errors = cleaned(world, version, wrong).errors
    assert errors == {
        "envs": "Environments has the same entry twice.",
        "owners": "There is no team or person “group:default/nobody” in the catalog.",
        "links.0.url": "URL does not have the expected form (^https://).",
        "links.1.title": "“Title” needs an answer.",
        "many": "“api:default/pay” is not among the choices for “Many”.",
    }
    answer = by_api(client, version, wrong)
    assert answer.status_code == 400
    assert "links.0.url" in answer.content.decode()


def test_objects_in_lists_are_groups_that_come_and_go(world: World, client_for: SignIn) -> None:
    version = published(world, "form-arrays")
    client = client_for(world.dev)
    added = page(client, version, **{"f.links.~count": "0", "page": "1", "go": "add:links"})
    assert control(added, "f.links.0.url")
    two = {
        "f.links.~count": "2",
        "f.links.0.url": "https://a.example",
        "f.links.0.title": "A",
        "f.links.1.url": "https://b.example",
        "f.links.1.title": "B",
    }
    less = page(client, version, **two, page="1", go="remove:links.0")
    assert 'value="https://b.example"' in control(less, "f.links.0.url")
    assert "f.links.1.url" not in less
    assert from_post(world, version, **two).values["links"] == [
        {"url": "https://a.example", "title": "A"},
        {"url": "https://b.example", "title": "B"},
    ]
    # A group that was added and left alone is no entry; one that was half answered is.
    blank = {**two, "f.links.1.url": "", "f.links.1.title": ""}
    assert from_post(world, version, **blank).values["links"] == [{"url": "https://a.example", "title": "A"}]
    half = from_post(world, version, **{**two, "f.links.1.url": ""})
    assert half.errors == {"links.1.url": "“URL” needs an answer."}
    said = page(client, version, **{**two, "f.links.1.url": "", "page": "1", "go": "next"})
    assert 'href="#field-links-1-url"' in said


def test_a_filter_on_an_annotation_with_dots_offers_who_has_it(world: World, client_for: SignIn) -> None:
    version = published(world, "form-entity-annotation-filter")
    has = ", annotations: {backstage.io/kubernetes-id: shop}"
    describe(world, entity("Component", "shop", more=has), entity("Component", "plain"),
             entity("Component", "library", "{type: library, lifecycle: x, owner: payments}"))  # fmt: skip
    opened = page(client_for(world.dev), version)
    one, two = opened.partition('name="f.two"')[::2]
    assert ("component:default/shop" in one, "component:default/plain" in one) == (True, False)
    assert ("component:default/plain" in two, "component:default/library" in two) == (True, False)
    assert cleaned(world, version, {"one": "component:default/shop"}).is_valid
    assert cleaned(world, version, {"one": "component:default/plain", "two": "component:default/library"}).errors == {
        "one": "“component:default/plain” is not among the choices for “One”.",
        "two": "“component:default/library” is not among the choices for “Two”.",
    }


def test_an_owner_is_one_that_the_filter_offers(world: World, client_for: SignIn) -> None:
    version = published(world, "form-owner-filter")
    describe(world, entity("Group", "sales", "{type: department, children: []}"),
             entity("Group", "crew", "{type: team, children: []}"))  # fmt: skip
    opened = page(client_for(world.dev), version)
    assert '<option value="group:default/sales"' in opened
    assert "group:default/crew" not in opened
    assert "group:default/payments" not in opened
    assert cleaned(world, version, {"owner": "group:default/sales"}).is_valid
    assert cleaned(world, version, {"owner": "sales"}).is_valid
    for other in ("group:default/crew", "group:default/payments"):
        assert not cleaned(world, version, {"owner": other}).is_valid


def test_a_long_list_is_searched_while_somebody_types(world: World, client_for: SignIn) -> None:
    for n in range(45):
        describe(world, entity("Component", f"part-{n:02}"))
    version = form(world, "a: {type: string, title: A, ui:field: EntityPicker, ui:options: "
                          "{allowArbitraryValues: false, catalogFilter: {kind: Component}}}")  # fmt: skip
    client = client_for(world.dev)
    opened = page(client, version)
    assert 'list="field-a-options"' in control(opened, "f.a")
    assert opened.count('<option value="component:default/part-') == 40
    where = reverse("path-options", kwargs={"org": "acme", "path": "case"})
    found = client.get(where, {"field": "a", "f.a": "part-4"}).content.decode()
    assert re.findall(r'value="component:default/(part-\d+)"', found) == [f"part-4{n}" for n in range(5)]
    assert client.get(where, {"field": "b"}).content.strip() == b""
    assert cleaned(world, version, {"a": "component:default/part-44"}).is_valid
    assert not cleaned(world, version, {"a": "component:default/part-99"}).is_valid


def test_markdown_in_descriptions_is_rendered_and_sanitised(world: World, client_for: SignIn) -> None:
    opened = page(client_for(world.dev), published(world, "form-markdown-description"))
    assert "<em><strong>Take care.</strong></em>" in opened
    assert 'href="https://rules.example/"' in opened
    assert "<li>one</li>" in opened
    assert 'href="https://names.example/"' in opened
    assert "<code>code</code>" in opened
    bad = form(world, "a: {type: string, description: '<script>alert(1)</script> [x](javascript:alert(1))'}")
    shown = page(client_for(world.dev), bad)
    assert "<script>alert" not in shown
    assert 'href="javascript' not in shown


def test_widgets_and_their_like_act(world: World, client_for: SignIn) -> None:
    version = published(world, "form-misc")
    opened = page(client_for(world.dev), version)
    assert 'type="email"' in control(opened, "f.mail")
    assert 'placeholder="a@b.example"' in control(opened, "f.mail")
    assert '<option value="gp2">General purpose</option>' in opened
    assert re.search(r'type="radio" name="f.bool_names" value="true"[^>]*>\s*<span>Yes please</span>', opened)
    assert re.search(r'type="radio" name="f.bool_names" value="false"[^>]*>\s*<span>No thanks</span>', opened)
    assert 'value="0"' in control(opened, "f.zero")
    assert ">a\nb</textarea>" in opened
    assert " readonly" in control(opened, "f.ro")
    assert " disabled" in control(opened, "f.dis")
    assert cleaned(world, version, {}).values == {
        "team": None, "disk": None, "mail": None, "bool_names": None, "zero": 0, "empty_default": ["a", "b"],
        "ro": "fixed", "dis": "off",
    }  # fmt: skip
    assert cleaned(world, version, {"ro": "other", "dis": "on"}).errors == {
        "ro": "Read only cannot be changed.",
        "dis": "Disabled cannot be changed.",
    }
    assert from_post(world, version, **{"f.team": "", "f.bool_names": ["", "false"]}).values["bool_names"] is False


def test_a_choice_of_forms_shows_one_at_a_time(world: World, client_for: SignIn) -> None:
    version = published(world, "form-object-oneof")
    client = client_for(world.dev)
    opened = page(client, version)
    assert '<option value="0" selected>Queue</option>' in opened
    assert control(opened, "f.detail.host")
    assert 'name="f.detail.topic"' not in opened
    other = page(client, version, **{"f.detail.~form": "1", "f.detail.kind": "queue", "page": "1", "go": "refresh"})
    assert control(other, "f.detail.topic")
    assert control(other, "f.detail.kind") == '<input type="hidden" name="f.detail.kind" value="stream">'
    sent = from_post(world, version, **{"f.detail.~form": "1", "f.detail.kind": "stream", "f.detail.topic": "t"})
    assert (sent.values["detail"]["kind"], sent.values["detail"]["topic"], sent.errors) == ("stream", "t", {})
    # Programs say it by the answers themselves.
    assert cleaned(world, version, {"detail": {"kind": "stream", "topic": "t"}}).is_valid
    assert cleaned(world, version, {"detail": {"topic": "t"}}).values["detail"]["kind"] == "stream"
    assert cleaned(world, version, {"detail": {"kind": "stream", "host": "h"}}).errors == {
        "detail.topic": "“Topic” needs an answer."
    }
    assert not cleaned(world, version, {"detail": {"kind": "pigeon", "host": "h"}}).is_valid
    assert cleaned(world, version, {"detail": {"host": "h", "odd": 1}}).errors == {
        "detail.odd": "“Detail” does not ask for “odd”."
    }


def test_const_and_title_are_a_select(world: World, client_for: SignIn) -> None:
    version = published(world, "form-one-of-const-title")
    opened = page(client_for(world.dev), version)
    assert '<option value="s">Small one</option>' in opened
    assert '<option value="2">Fast</option>' in opened
    assert from_post(world, version, **{"f.size": "l", "f.speed": "2"}).values == {"size": "l", "speed": 2}
    assert cleaned(world, version, {"size": "m", "speed": 3}).errors == {
        "size": "Size must be one of: s, l.",
        "speed": "Speed must be one of: 1, 2.",
    }


def test_the_page_says_what_an_author_wrote_and_no_markup(world: World, client_for: SignIn) -> None:
    version = form(world, "a: {type: string, title: '<b>A</b>'}")
    assert html.escape("<b>A</b>") in page(client_for(world.dev), version)
