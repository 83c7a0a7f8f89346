"""Every key of a step and of an output that publishing accepts acts; what nobody would act on is refused."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import yaml
from jsonschema import Draft7Validator

from portal.goldenpaths.files import File
from portal.goldenpaths.shape import OUTPUT, STEP
from portal.goldenpaths.templates import examine
from portal.provisioning.fragments import links_of, run_context
from portal.provisioning.models import Run
from portal.provisioning.steps import ACTIONS, UNDO
from tests.provisioning.conftest import make_version
from tests.provisioning.worlds import carry_out, pretend

pytestmark = pytest.mark.django_db(transaction=True)

LOG = {"id": "log", "name": "Log", "action": "debug:log", "input": {"message": "hello"}}
Proof = Callable[[Any], bool]


def both(world: Any, steps: list[dict[str, Any]], output: dict[str, Any] | None = None) -> tuple[Any, Run]:
    """The path in both worlds, which agree."""
    version = make_version(world, steps, output=output, files={"skeleton/a": b"a"})
    seen, _ = pretend(world, version, {"name": "orders", "no": False})
    done, run = carry_out(world, version, {"name": "orders", "no": False}, {})
    assert (seen.steps, seen.refusal, seen.output) == (done.steps, done.refusal, done.output)
    return seen, run


def names_are_shown(world: Any) -> bool:
    version = make_version(world, [{**LOG, "name": "A name of its own"}])
    _, made = pretend(world, version, {})
    _, run = carry_out(world, version, {}, {})
    with world.tenant():
        return made.steps[0].name == run.steps.get().name == "A name of its own"


STEP_PROOFS: dict[str, Proof] = {
    "id": lambda world: both(world, [LOG, {**LOG, "id": "b"}])[0].steps[1][0] == "b",
    "name": names_are_shown,
    "action": lambda world: (
        both(world, [{"id": "a", "action": "fs:delete", "input": {"files": ["a"]}}])[0].refusal == ""
    ),
    "input": lambda world: both(world, [LOG])[0].steps[0][2] == {"message": "hello"},
    "if": lambda world: both(world, [{**LOG, "if": "${{ parameters.no }}"}])[0].steps[0][1] is False,
    "each": lambda world: len(both(world, [{**LOG, "each": [1, 2, 3]}])[0].steps[0][2]) == 3,
}


def shown(world: Any, kind: str, *items: dict[str, Any]) -> list[dict[str, Any]]:
    listed: list[dict[str, Any]] = both(world, [LOG], {kind: list(items)})[0].output[kind]
    return listed


def link(world: Any, item: dict[str, Any]) -> Any:
    _, run = both(world, [LOG], {"links": [item]})
    return links_of(run)[0]


def text(world: Any, item: dict[str, Any]) -> Any:
    _, run = both(world, [LOG], {"text": [item]})
    with world.tenant():
        return run_context(world.acme, run)["texts"][0]


WEB = {"title": "A", "url": "https://a.example/${{ parameters.name }}"}
OUTPUT_PROOFS: dict[str, dict[str, Proof]] = {
    "links": {
        "if": lambda world: (
            shown(world, "links", {**WEB, "if": False}, WEB) == [{"title": "A", "url": "https://a.example/orders"}]
        ),
        "title": lambda world: link(world, WEB).title == "A",
        "url": lambda world: link(world, WEB).url == "https://a.example/orders",
        "entityRef": lambda world: (
            link(world, {"entityRef": "component:default/x"}).entity_ref == "component:default/x"
        ),
        "icon": lambda world: link(world, {**WEB, "icon": "rocket"}).icon == "rocket",
    },
    "text": {
        "if": lambda world: shown(world, "text", {"if": "${{ parameters.no }}", "content": "x"}) == [],
        "title": lambda world: text(world, {"title": "T", "content": "x"})["title"] == "T",
        "content": lambda world: text(world, {"content": "for ${{ parameters.name }}"})["content"] == "for orders",
        "icon": lambda world: text(world, {"content": "x", "icon": "rocket"})["icon"] == "rocket",
    },
}


def test_what_is_accepted_of_a_step_is_what_is_proved():
    assert set(STEP["properties"]) == set(STEP_PROOFS)
    assert STEP["additionalProperties"] is False


def test_what_is_accepted_of_an_output_is_what_is_proved():
    accepted = {kind: set(one["items"]["properties"]) for kind, one in OUTPUT["properties"].items()}
    assert accepted == {kind: set(proofs) for kind, proofs in OUTPUT_PROOFS.items()}
    assert all(one["items"]["additionalProperties"] is False for one in OUTPUT["properties"].values())


@pytest.mark.parametrize("key", STEP_PROOFS)
def test_a_key_of_a_step_acts(committed_world, silent, key):
    assert STEP_PROOFS[key](committed_world)


@pytest.mark.parametrize(("kind", "key"), [(kind, key) for kind, proofs in OUTPUT_PROOFS.items() for key in proofs])
def test_a_key_of_an_output_acts(committed_world, silent, kind, key):
    assert OUTPUT_PROOFS[kind][key](committed_world)


def test_any_other_part_of_an_output_is_rendered_and_kept(committed_world, silent):
    _, run = both(committed_world, [LOG], {"remoteUrl": "https://a.example/${{ parameters.name }}"})
    assert run.output == {"remoteUrl": "https://a.example/orders"}


@pytest.mark.parametrize(
    ("step", "output", "sentence"),
    [
        ({"when": "x"}, {}, "has no “when”"),
        ({"backstage:permissions": {"tags": ["x"]}}, {}, "has no “backstage:permissions”"),
        ({}, {"links": [{"title": "x", "href": "y"}]}, "has no “href”"),
        ({}, {"text": [{"body": "x"}]}, "has no “body”"),
        ({}, {"links": [{"title": "${{ secrets.token }}"}]}, "“secrets” are not known there"),
        ({"input": {"message": "${{ each.value }}"}}, {}, "“each” is known only in a step that has an “each”"),
        ({"input": {"message": "${{ environment.parameters.region }}"}}, {}, "in the environment"),
    ],
)
def test_what_nobody_acts_on_is_refused_at_publishing(step, output, sentence):
    document = {
        "apiVersion": "scaffolder.backstage.io/v1beta3",
        "kind": "Template",
        "metadata": {"name": "x"},
        "spec": {"type": "service", "steps": [{**LOG, **step}], "output": output},
    }
    found = [fault.sentence for fault in examine({"template.yaml": File(yaml.safe_dump(document).encode())}).findings]
    assert any(sentence in one for one in found), found


# An action is one file.


@pytest.mark.parametrize("action", ACTIONS.values(), ids=str)
def test_an_action_describes_itself(action):
    assert action.description.endswith(".")
    assert action.examples
    for schema in (action.input_schema, action.output_schema):
        Draft7Validator.check_schema(schema)
        assert schema["additionalProperties"] is False
    for example in action.examples:
        errors = [
            error
            for error in Draft7Validator(action.input_schema).iter_errors(example.input)
            if not (isinstance(error.instance, str) and "${{" in error.instance)
        ]
        assert errors == [], example.title


def test_a_file_in_the_folder_is_an_action_and_nothing_else_names_it(monkeypatch):
    from pathlib import Path

    from portal.goldenpaths import vocabulary
    from portal.provisioning import steps

    files = {path.stem for path in Path(steps.__file__).parent.glob("*.py")} - {"__init__"}
    assert {name.replace(":", "_") for name in ACTIONS} == files
    assert vocabulary.ACTION_SPECS == ACTIONS
    assert set(UNDO) == {"repository", "object", "source"}
    text = (Path(steps.__file__).parents[3] / "pyproject.toml").read_text()
    assert not any(name in text for name in files), "no contract names an action"
