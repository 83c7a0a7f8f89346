"""What a launch would make, before anything is made: the path's steps walked in a pretend world."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from portal.accounts.actor import Actor
from portal.accounts.models import Organisation, User
from portal.accounts.tenancy import tenant
from portal.goldenpaths import discovery
from portal.goldenpaths.files import File
from portal.goldenpaths.models import Version
from portal.goldenpaths.questions.confidence import secret_questions
from portal.goldenpaths.templates import step_id
from portal.kit.errors import Refusal
from portal.provisioning.acting.claiming import Doer, owner_named
from portal.provisioning.acting.outcomes import Done
from portal.provisioning.acting.pretence import HIDDEN, LATER, Ask, Pretence, Preview, PreviewFile, PreviewStep
from portal.provisioning.steps import ACTIONS
from portal.provisioning.walking.walk import Walk, WalkFacts, carry_out


def preview(
    version: Version,
    values: Mapping[str, Any],
    *,
    organisation: Organisation,
    person: User | None,
    doer: Actor | None = None,
    ask: Ask | None = None,
    watch: Callable[[str, int, int], None] | None = None,
) -> Preview:
    """Work through the path's steps with cleaned answers. Makes nothing; a mistake ends up among the problems.

    Waits for renderers and clusters: for workers, outside any transaction. `watch` hears each step's name, how many are
    done, and of how many. `doer` is who would launch it: without one, nothing is looked at in the clusters.
    """
    secrets = dict.fromkeys(secret_questions(version.document), HIDDEN)
    walk = Walk(WalkFacts(version.document, values, person, LATER, secrets))
    with tenant(organisation):
        bundle = version.bundle()
    world = Pretence(organisation, bundle, ask or discovery.served)
    if doer is not None:
        owner = owner_named(values, version.path.owner_ref)
        world.doer = Doer(organisation, doer, version.path.slug, owner, entity_ref="")
    for index, written in enumerate(walk.facts.steps):
        name = str(written.get("name") or written.get("id") or ACTIONS[written["action"]].description)
        if watch is not None:
            watch(name, index, len(walk.facts.steps))
        runs, given = _step(walk, world, index) if walk.is_considered(index) else (False, None)
        world.preview.steps.append(PreviewStep(step_id(written, index), name, written["action"], runs, given))
    world.preview.output, troubles = walk.shown_output()
    if not walk.is_ending:
        for trouble in troubles:
            world.problem(f"The path's output cannot be shown in full. {trouble}", blocks=False)
    world.preview.files = [_shown(path, file) for path, file in sorted(world.workspace.items())]
    return world.preview


def _step(walk: Walk, world: Pretence, index: int) -> tuple[bool, Any]:
    """Pretend to do one step: whether it does anything with these answers, and its input."""
    given: Any = None
    try:
        plan = walk.plan(index)
        if plan.is_skipped:
            return False, None
        given = plan.given
        action = ACTIONS[plan.action]
        done = carry_out(plan, lambda number, given: Done(action.pretend(world, given)), [])
    except Refusal as refusal:
        world.problem(refusal.text)
        walk.is_ending = True
        return True, given
    if isinstance(done, Done):
        walk.finish(index, done.output)
    return bool(plan.inputs), given


def _shown(path: str, file: File) -> PreviewFile:
    return PreviewFile(path, len(file.content), file.is_executable, file.text())
