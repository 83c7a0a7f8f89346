"""A form with everything that moves, filled in once in a real browser, up to its review."""

from __future__ import annotations

import base64
import re
from collections.abc import Callable
from typing import Any

import pytest

from tests.e2e.acts import review, sign_in
from tests.e2e.product import Product
from tests.e2e.visitor import Visitor

pytestmark = pytest.mark.browser
TEMPLATE = """apiVersion: scaffolder.backstage.io/v1beta3
kind: Template
metadata: {name: moving-form, title: A form that moves}
spec:
  type: service
  parameters:
    - title: Parts
      properties:
        part:
          type: string
          title: Part
          description: "Read **[the rules](https://rules.example/)** first."
          ui:field: EntityPicker
        links:
          type: array
          title: Links
          items:
            type: object
            title: Link
            required: [short]
            properties:
              short:
                {type: string, title: Short name, pattern: "^[a-z]+$", errorMessage: {pattern: Small letters only.}}
              who: {type: string, title: Who, ui:field: OwnerPicker}
        detail:
          type: object
          title: Detail
          oneOf:
            - {title: Queue, properties: {kind: {const: queue}, host: {type: string, title: Host}}}
            - {title: Stream, properties: {kind: {const: stream}, topic: {type: string, title: Topic}}}
        open: {type: boolean, title: Open to the world}
      dependencies:
        open:
          oneOf:
            - {properties: {open: {const: false}}}
            - properties: {open: {const: true}, port: {type: integer, title: Port, default: 8080}}
  steps: [{id: say, action: "debug:log", input: {message: "${{ parameters.links[0].short }}"}}]
"""


def options(page: Any) -> list[str]:
    """What the picker's list holds at this moment."""
    return list(page.locator("#field-part-options option").evaluate_all("all => all.map(one => one.value)"))


def test_a_form_is_filled_in(product: Product, browse: Callable[..., Any]) -> None:
    ada = Visitor(product.url, "ada")
    content = base64.b64encode(TEMPLATE.encode()).decode()
    ada.post("paths/", {"files": [{"path": "template.yaml", "base64Content": content}]})
    page = sign_in(browse(), "dev")
    page.goto(f"/o/{ada.org}/paths/moving-form/")

    # A description is Markdown.
    assert page.locator("strong > a[href='https://rules.example/']").inner_text() == "the rules"

    # A long list is searched while somebody types.
    assert len(options(page)) == 40
    assert page.locator("#field-part").count() == 1
    page.get_by_label("Part", exact=True).press_sequentially("refund")
    page.wait_for_function(
        "() => { const all = [...document.querySelectorAll('#field-part-options option')];"
        " return all.length > 0 && all.length < 40 && all.every(one => one.value.includes('refund')); }"
    )
    page.get_by_label("Part", exact=True).fill(options(page)[0])

    # Entries of a list come and go; each has a pattern and a picker of its own.
    page.get_by_role("button", name="Add to Links").click()
    first = page.locator("#field-links-0")
    first.get_by_label("Short name").fill("Bad 1")
    first.get_by_label("Short name").press("Tab")
    first.get_by_text("Small letters only.").wait_for()
    first.get_by_label("Short name").fill("first")
    first.get_by_label("Short name").press("Tab")
    first.get_by_text("Small letters only.").wait_for(state="detached")
    page.get_by_role("button", name="Add to Links").click()
    second = page.locator("#field-links-1")
    second.get_by_label("Short name").fill("second")
    second.get_by_label("Who").select_option(label="Payments")
    page.get_by_role("button", name="Remove Link 1").click()
    second.wait_for(state="detached")
    assert first.get_by_label("Short name").input_value() == "second"
    assert first.get_by_label("Who").input_value() == "group:default/payments"

    # One of several forms.
    assert page.get_by_label("Host").is_visible()
    page.get_by_label("Form of Detail").select_option(label="Stream")
    page.get_by_label("Topic").fill("parcels")
    assert page.get_by_label("Host").count() == 0

    # A question that appears later has its default.
    assert page.get_by_label("Port").count() == 0
    page.get_by_label("Open to the world").check()
    page.get_by_label("Port").wait_for()
    assert page.get_by_label("Port").input_value() == "8080"
    assert page.get_by_label("Topic").input_value() == "parcels", "nothing is lost on the way"

    review(page)
    answers = page.get_by_role("region", name="Your answers").inner_text()
    for said in ("8080", "parcels", "second"):
        assert re.search(said, answers), answers
    assert page.get_by_role("button", name="Launch").is_enabled()
