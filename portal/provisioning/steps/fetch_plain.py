"""fetch:plain: a folder of the golden path, copied into the workspace."""

from typing import Any

from portal.goldenpaths import workspace
from portal.goldenpaths.vocabulary import Example, shape
from portal.provisioning.acting.bundle import SOURCE, bundle_of, report
from portal.provisioning.acting.contract import Action, StepContext
from portal.provisioning.acting.outcomes import Done
from portal.provisioning.acting.pretence import Pretence


def run(ctx: StepContext, given: dict[str, Any]) -> Done:
    """Copy as it is."""
    before = ctx.workspace
    ctx.workspace = workspace.fetch_plain(before, given, bundle_of(ctx))
    report(ctx, "Copied", before)
    return Done()


def pretend(world: Pretence, given: dict[str, Any]) -> dict[str, Any]:
    """The same, on the pretend workspace."""
    world.workspace = workspace.fetch_plain(world.workspace, given, world.bundle)
    return {}


ACTION = Action(
    id="fetch:plain",
    description="Copies a folder of the golden path into the workspace as it is.",
    input_schema=shape(("url",), **SOURCE),
    examples=(Example("Copy a folder", {"url": "./static"}),),
    run=run,
    pretend=pretend,
    touches_workspace_only=True,
)
