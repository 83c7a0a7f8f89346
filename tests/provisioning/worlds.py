"""One path walked in both worlds: pretended by the review, carried out by the real engine on real rows."""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from typing import Any

from portal.goldenpaths.discovery import Served
from portal.goldenpaths.models import Version
from portal.provisioning import actions
from portal.provisioning.acting.pretence import HIDDEN, Preview
from portal.provisioning.engine.advance import advance
from portal.provisioning.models import Run, Step
from portal.provisioning.redaction import MASK
from portal.provisioning.walking.preview import preview
from tests.conftest import by
from tests.provisioning.conftest import reload, rows


@dataclass
class Walked:
    """What one world said: the steps that ran, with their inputs; the first refusal; what is shown at the end."""

    steps: list[tuple[str, bool, Any]]
    refusal: str
    output: dict[str, Any]


def pretend(world: Any, version: Version, values: dict[str, Any]) -> tuple[Walked, Preview]:
    def ask(cluster: Any, kinds: list[tuple[str, str]]) -> Served:
        return Served(dict.fromkeys(kinds, True))

    made = preview(version, values, organisation=world.acme, person=world.dev, ask=ask)
    said = [(step.id, step.runs, hidden(step.input) if step.runs else None) for step in made.steps]
    refusal = next((problem.sentence for problem in made.problems if problem.is_error), "")
    return Walked(said, refusal, made.output), made


def carry_out(world: Any, version: Version, values: dict[str, Any], secrets: dict[str, str]) -> tuple[Walked, Run]:
    with world.tenant():
        run = actions.launch(
            organisation=world.acme,
            actor=by(world.dev),
            version=version,
            values=values,
            secrets=secrets,
            idempotency_key=uuid.uuid4().hex,
        )
    while advance(run.organisation_id, run.pk):
        pass
    run = reload(run)
    said = [(step.key, ran(step), step.input if ran(step) else None) for step in rows(Step, run)]
    return Walked(said, run.error_text, run.output), run


def ran(step: Step) -> bool:
    """Whether anything was done: a loop over nothing is done at once."""
    return step.status in ("succeeded", "failed") and step.input != []


def hidden(value: Any) -> Any:
    """As the run writes it: a text that a secret went into is a mask."""
    if isinstance(value, str):
        return MASK if HIDDEN in value else value
    if isinstance(value, dict):
        return {key: hidden(item) for key, item in value.items()}
    if isinstance(value, list):
        return [hidden(item) for item in value]
    return value
