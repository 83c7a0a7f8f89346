"""What a form carries back is the text as it is; only what is drawn shows numbers."""

from __future__ import annotations

from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings
from django.forms import CharField, ChoiceField, Form, Textarea
from django.template import Context, Template
from django.template.loader import get_template

from catalog.models import Body, Entity
from catalog.packing import pack
from portal.accounts.models import Team
from portal.goldenpaths.questions.answers import as_posted
from portal.kit.showing import CarriedNode

ODD = ["\u202e", "\u2066", "\u200b", "\u2060", "\ufeff", "\U000e0041", "\u00ad"]
CARRYING = [
    '<input value="{{ x }}">', "<input value='{{ x }}'>", '<option value="{{ x }}">one</option>',
    "<input value={{ x }}>",
    '<input value="{{ x|default:"" }}">', '<input{% if x %} value="{{ x }}"{% endif %}>',
    "<textarea>{{ x }}</textarea>",
    '<textarea name="a" {% if x %}rows="3"{% endif %}>{% if x %}{{ x }}{% endif %}</textarea>',
    "<textarea>{% with y=x %}{{ y }}{% endwith %}\n</TEXTAREA>",
]  # fmt: skip
DRAWING = [
    '<input placeholder="{{ x }}">', '<input aria-label="{{ x }}">', '<i data-value="{{ x }}"></i>',
    "<pre>{{ x }}</pre>",
    "<option>{{ x }}</option>", "<code>{{ x }}</code>", "<textarea></textarea>{{ x }}", "<p>value= {{ x }}</p>",
]  # fmt: skip


class Filled(HTMLParser):
    """What a browser would send of the one form on a page that has a field of this name, nothing changed."""

    def __init__(self, page: str, name: str) -> None:
        super().__init__()
        self.forms: list[dict[str, str]] = []
        self._area = self._select = ""
        self.feed(page)
        [self.sent] = [form for form in self.forms if name in form]

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        told = {key: value or "" for key, value in attrs}
        if tag == "form":
            self.forms.append({})
        if not self.forms:
            return
        if tag == "input" and told.get("type") not in ("checkbox", "radio", "submit") and "name" in told:
            self.forms[-1][told["name"]] = told.get("value", "")
        if tag == "textarea":
            self._area = told["name"]
            self.forms[-1][self._area] = ""
        if tag == "select":
            self._select = told["name"]
        if tag == "option" and ("selected" in told or self._select not in self.forms[-1]):
            self.forms[-1][self._select] = told.get("value", "")

    def handle_endtag(self, tag: str) -> None:
        if tag == "textarea":
            # A browser leaves the first line break out.
            self.forms[-1][self._area] = self.forms[-1][self._area].removeprefix("\n")
            self._area = ""

    def handle_data(self, data: str) -> None:
        if self._area:
            self.forms[-1][self._area] += data


@pytest.mark.parametrize("odd", ODD, ids=lambda odd: f"{ord(odd):04X}")
def test_a_control_holds_what_was_written_and_the_page_around_it_shows_numbers(odd: str) -> None:
    for way in CARRYING:
        assert f"pay{odd}&lt;roll" in Template(way).render(Context({"x": f"pay{odd}<roll"})), way
    for way in DRAWING:
        drawn = Template(way).render(Context({"x": f"pay{odd}<roll"}))
        assert odd not in drawn, way
        assert f"U+{ord(odd):04X}⟩&lt;roll" in drawn, way


@pytest.mark.parametrize("odd", ODD, ids=lambda odd: f"{ord(odd):04X}")
def test_so_do_the_controls_that_django_writes(odd: str) -> None:
    word = f"pay{odd}roll"

    class Asked(Form):
        line = CharField(initial=word)
        area = CharField(widget=Textarea, initial=word)
        pick = ChoiceField(choices=[(word, word)], initial=word)

    page = f"<form>{Asked()}</form>"
    assert Filled(page, "line").sent == {"line": word, "area": word, "pick": word}
    assert f">pay⟨U+{ord(odd):04X}⟩roll</option>" in page, "the words of a choice are drawn"


def test_every_control_of_every_page_is_known_as_one() -> None:
    carried = 0
    root = Path(settings.BASE_DIR) / "templates"
    for file in root.rglob("*.html"):
        template = get_template(str(file.relative_to(root))).template
        written = file.read_text().count('value="{{')
        found = len(template.nodelist.get_nodes_by_type(CarriedNode))
        assert found >= written - file.read_text().count('-value="{{'), file
        carried += found
    assert carried > 50


@pytest.mark.django_db
def test_saving_a_team_unchanged_changes_nothing(world: Any, client_for: Any) -> None:
    client = client_for(world.mae)
    said = {"name": "Pay\u202eers", "description": "In\u200b time", "runbook": "https://acme.example/\u2066run"}
    with world.tenant():
        Team.objects.for_tenant(world.acme).filter(pk=world.payments.pk).update(**said)
    page = f"/o/acme/teams/{world.payments.slug}/edit/"
    body = client.get(page).content.decode()
    assert "Pay⟨U+202E⟩ers" in body, "the heading draws it"
    assert client.post(page, Filled(body, "runbook").sent).status_code == 302
    with world.tenant():
        after = Team.objects.for_tenant(world.acme).get(pk=world.payments.pk)
    assert {name: getattr(after, name) for name in said} == said


@pytest.mark.django_db
def test_a_descriptor_that_is_refused_over_it_is_still_there_as_it_was_typed(world: Any, client_for: Any) -> None:
    text = (
        "apiVersion: backstage.io/v1alpha1\nkind: Component\nmetadata:\n  name: payroll\n  title: Pay\u202eroll\n"
        "  description: soft\u00adhyphen <b>\nspec: {type: service, lifecycle: production, owner: payments}\n"
    )
    answer = client_for(world.mae).post("/o/acme/catalog/new/", {"text": text})
    assert answer.status_code == 422
    assert Filled(answer.content.decode(), "text").sent["text"] == text
    assert "holds U+202E" in answer.content.decode()


@pytest.mark.django_db
def test_a_stored_descriptor_is_edited_as_it_is_and_read_with_numbers(world: Any, client_for: Any) -> None:
    plain = (
        "apiVersion: backstage.io/v1alpha1\nkind: Component\nmetadata: {name: payroll, title: Payroll}\n"
        "spec: {type: service, lifecycle: production, owner: payments}\n"
    )
    client = client_for(world.mae)
    assert client.post("/o/acme/catalog/new/", {"text": plain}).status_code == 302
    odd = plain.replace("Payroll", "Pay\u202eroll")
    with world.tenant():
        row = Entity.objects.for_tenant(world.acme).get(ref="component:default/payroll")
        Body.objects.for_tenant(world.acme).filter(entity=row).update(packed=pack(row.document, odd))
    at = "/o/acme/catalog/component/default/payroll/"
    assert Filled(client.get(f"{at}edit/").content.decode(), "text").sent["text"] == odd
    seen = client.get(at).content.decode()
    assert "Pay⟨U+202E⟩roll" in seen
    assert "\u202e" not in seen


@pytest.mark.django_db
def test_a_golden_path_asks_again_with_what_was_answered(world: Any, client_for: Any) -> None:
    from tests.provisioning.conftest import make_version

    asked = {"properties": {"a": {"type": "string", "minLength": 99}, "b": {"type": "string", "ui:widget": "textarea"},
                            "c": {"type": "string"}}}  # fmt: skip
    version = make_version(world, [{"action": "debug:log", "input": {"message": "x"}}], parameters=asked)
    values = {"a": "Pay\u202eroll", "b": "one\u200b\ntwo", "c": "\u2066x"}
    answer = client_for(world.dev).post(
        f"/o/acme/paths/{version.path.slug}/review/", dict(as_posted(version.document, values))
    )
    assert answer.status_code == 422
    sent = Filled(answer.content.decode(), "f.b").sent
    assert {name: sent[f"f.{name}"] for name in values} == values
