"""Forms from JSON Schema: every kind of question, typed, checked in words, and drawn as the right control."""

from typing import Any
from urllib.parse import urlencode

import pytest
from django.http import QueryDict

from portal.accounts.access import Access
from portal.accounts.models import Membership
from portal.goldenpaths import actions
from portal.goldenpaths.models import Version
from portal.goldenpaths.questions import answers
from portal.goldenpaths.questions.fields import FormField, fields_of
from portal.goldenpaths.questions.forms import clean, pages_of
from portal.provisioning.answering import shown_answers
from portal.provisioning.walking.preview import preview
from tests.conftest import World, by
from tests.goldenpaths.test_templates import template

pytestmark = pytest.mark.django_db

GOOD = {
    "title": "Hello", "count": 3, "agree": True, "kind": "worker", "queue": "mail", "address": {"city": "Ghent"},
}  # fmt: skip


@pytest.fixture
def version(world: World) -> Version:
    with world.tenant():
        return actions.publish(organisation=world.acme, actor=by(world.ada), files=template("every-field"))


@pytest.fixture
def access(world: World) -> Access:
    with world.tenant():
        member = Membership.objects.for_tenant(world.acme).get(user=world.dev)
    return Access(organisation=world.acme, user=world.dev, membership=member)


def errors(world: World, version: Version, access: Access, **changed: Any) -> dict[str, str]:
    with world.tenant():
        return clean(version, {**GOOD, **changed}, access).errors


def test_good_answers_are_completed(world: World, version: Version, access: Access) -> None:
    with world.tenant():
        cleaned = clean(version, GOOD, access)
    assert cleaned.errors == {}
    assert cleaned.values["mark"] == "hidden-mark", "defaults are taken"
    assert cleaned.values["address"] == {"city": "Ghent", "zip": None}
    assert cleaned.values["port"] is None, "the other branch's question stays unanswered"
    assert cleaned.values["queue"] == "mail"


@pytest.mark.parametrize(
    ("changed", "field", "sentence"),
    [
        ({"title": ""}, "title", "“Title” needs an answer."),
        ({"title": None}, "title", "“Title” needs an answer."),
        ({"title": "far too long a title"}, "title", "Title must have at most 10 characters."),
        ({"title": 7}, "title", "Title must be a text."),
        ({"count": "many"}, "count", "Count must be a whole number."),
        ({"count": 9}, "count", "Count must be at most 5."),
        ({"agree": False}, "agree", "Agree must be true."),
        ({"mail": "nobody"}, "mail", "Mail must be an e-mail address."),
        ({"day": "yesterday"}, "day", "Day must be a date such as 2026-05-31."),
        ({"size": 3}, "size", "Size must be one of: 1, 2, 4."),
        ({"days": ["mon", "mon"]}, "days", "Days has the same entry twice."),
        ({"days": ["sun"]}, "days", "Days, entry 1 must be one of: mon, tue, wed."),
        ({"lines": ["a", "b", "c"]}, "lines", "Lines must have at most 2 entries."),
        ({"lines": ["Bad!"]}, "lines", "Lines, entry 1 does not have the expected form (^[a-z]+$)."),
        ({"numbers": ["x"]}, "numbers", "Numbers, entry 1 must be a whole number."),
        ({"rows": [{}]}, "rows.0.a", "“a” needs an answer."),
        ({"free": "text"}, "free", "Free must be an object."),
        ({"group": "group:default/others"}, "group", "You are not in “group:default/others”."),
        ({"kind": "web", "queue": None, "port": "x"}, "port", "Port must be a whole number."),
        ({"queue": ""}, "queue", "“Queue” needs an answer."),
        ({"kind": "boat"}, "kind", "Kind must be one of: web, worker."),
        ({"address": {"zip": "90000"}}, "address.city", "“City” needs an answer."),
        ({"address": {"city": "x", "zip": "1"}}, "address.zip", "Zip does not have the expected form"),
        ({"address": "Ghent"}, "address", "Address must be an object."),
        ({"stray": 1}, "stray", "No page of the form asks for “stray”."),
        ({"notes": "x" * 20_001}, "notes", "Notes is longer than 20,000 characters."),
    ],
)
def test_what_is_wrong_is_said_at_the_field(
    world: World, version: Version, access: Access, changed: dict[str, Any], field: str, sentence: str
) -> None:
    found = errors(world, version, access, **changed)
    assert sentence in found.get(field, ""), found
    assert len(found) == 1


def test_secrets_are_asked_for_at_the_launch(world: World, version: Version, access: Access) -> None:
    with world.tenant():
        assert clean(version, GOOD, access).errors == {}
        missing = clean(version, GOOD, access, secrets={})
        assert missing.errors == {"secrets.TOKEN": "“Registry token” needs an answer."}
        given = clean(version, GOOD, access, secrets={"TOKEN": "hunter2", "key": "key-one"})
        assert (given.errors, given.secrets) == ({}, {"TOKEN": "hunter2", "key": "key-one"})
        short = clean(version, GOOD, access, secrets={"TOKEN": "hunter2", "key": "k"})
        assert "too short to be kept out of the log" in short.errors["secrets.key"]
        assert "hunter2" not in repr(given.values)
        stray = clean(version, GOOD, access, secrets={"TOKEN": "hunter2", "other": "y"})
        assert stray.errors == {"secrets.other": "The path asks for no secret called “other”."}


def test_a_posted_form_becomes_typed_answers(version: Version) -> None:
    post = {
        "f.title": "  Hello ", "f.count": "3", "f.ratio": "1.5", "f.agree": ["", "on"], "f.answer": "false",
        "f.notes": "a\r\nb", "f.size": "2", "f.days": ["", "mon", "wed"], "f.lines": "x\r\n\r\ny\n",
        "f.numbers": "1\n2", "f.rows": "- a: x\n", "f.free": "k: [1, 2]", "f.tags": "go, java  rust",
        "f.repo": "shop", "f.key": "must not arrive", "f.address.city": "Ghent", "f.address.zip": "", "f.day": "",
    }  # fmt: skip
    assert answers.posted(version.document, QueryDict(urlencode(post, doseq=True))) == {
        "title": "Hello", "count": 3, "ratio": 1.5, "agree": True, "answer": False, "notes": "a\nb", "size": 2,
        "days": ["mon", "wed"], "lines": ["x", "y"], "numbers": [1, 2], "rows": [{"a": "x"}], "free": {"k": [1, 2]},
        "tags": ["go", "java", "rust"], "repo": "slipway?repo=shop", "address": {"city": "Ghent", "zip": None},
        "day": None,
    }  # fmt: skip


def test_an_unticked_box_is_no(version: Version) -> None:
    assert answers.posted(version.document, QueryDict("f.agree="))["agree"] is False


def test_every_question_has_its_control(world: World, version: Version, access: Access) -> None:
    def walk(fields: list[FormField]) -> dict[str, str]:
        found: dict[str, str] = {}
        for one in fields:
            kind = one.attributes.get("type", "")
            found[one.path] = f"{one.control} {kind}".strip() if one.control == "text" else one.control
            found |= walk(one.fields)
        return found

    controls: dict[str, str] = {}
    with world.tenant():
        for page in pages_of(version):
            controls |= walk(fields_of(page.schema, {"kind": "web"}, {}, access))
    assert controls == {
        "title": "text text", "count": "text number", "ratio": "text number", "agree": "checkbox", "answer": "radio",
        "mail": "text email", "day": "text date", "notes": "textarea", "word": "text password", "mark": "hidden",
        "size": "select", "days": "checkboxes", "lines": "lines", "numbers": "lines", "rows": "rows", "free": "yaml",
        "tags": "tags", "repo": "text text", "group": "select", "kind": "select", "address": "group",
        "address.city": "text text", "address.zip": "text text", "port": "text number",
    }  # fmt: skip


def test_fields_keep_the_order_their_author_gave_them(world: World, version: Version, access: Access) -> None:
    with world.tenant():
        stored = Version.objects.for_tenant(world.acme).get(pk=version.pk)
        first = fields_of(pages_of(stored)[0].schema, {}, {}, access)
    names = ["title", "count", "ratio", "agree", "answer", "mail", "day", "notes", "word", "mark"]
    assert [field.path for field in first] == names


def test_the_review_masks_and_names_answers(world: World, version: Version) -> None:
    values = {**GOOD, "word": "hunter2", "size": 4, "days": ["mon", "tue"], "mark": "hidden-mark"}
    rows = [row for page in shown_answers(version, values) for row in page.rows]
    assert ("Word", "••••••") in rows
    assert ("Size", "Four") in rows
    assert ("Days", "mon, tue") in rows
    assert ("Address: City", "Ghent") in rows
    assert not any("hidden-mark" in text for _, text in rows)


def test_a_preview_reads_every_answer_and_no_secret(world: World, version: Version, access: Access) -> None:
    with world.tenant():
        cleaned = clean(version, GOOD, access)
    made = preview(version, cleaned.values, organisation=world.acme, person=access.user)
    assert made.problems == []
    assert [(step.id, step.runs) for step in made.steps] == [("log", True)]
    assert (made.repositories, made.files, made.manifests) == ([], [], [])
