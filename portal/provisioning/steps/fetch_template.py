"""fetch:template: a folder of the golden path, rendered into the workspace."""

from typing import Any

from portal.goldenpaths import workspace
from portal.goldenpaths.vocabulary import FLAG, TEXTS, Example, shape
from portal.provisioning.acting.bundle import SOURCE, bundle_of, report
from portal.provisioning.acting.contract import Action, StepContext
from portal.provisioning.acting.outcomes import Done
from portal.provisioning.acting.pretence import Pretence


def run(ctx: StepContext, given: dict[str, Any]) -> Done:
    """Render names and contents; nothing outside is touched, so doing it again is free."""
    before = ctx.workspace
    ctx.workspace = workspace.fetch_template(before, given, bundle_of(ctx))
    ctx.failpoint("middle")
    report(ctx, "Rendered", before)
    return Done()


def pretend(world: Pretence, given: dict[str, Any]) -> dict[str, Any]:
    """The same, on the pretend workspace."""
    world.workspace = workspace.fetch_template(world.workspace, given, world.bundle)
    return {}


ACTION = Action(
    id="fetch:template",
    description="Renders a folder of the golden path into the workspace: file names and contents.",
    input_schema=shape(
        ("url",),
        **SOURCE,
        values={"type": "object"},
        copyWithoutTemplating=TEXTS,
        copyWithoutRender=TEXTS,
        cookiecutterCompat=FLAG,
        templateFileExtension={"type": ["string", "boolean"]},
        replace=FLAG,
        trimBlocks=FLAG,
        lstripBlocks=FLAG,
    ),
    examples=(
        Example("Render a skeleton", {"url": "./skeleton", "values": {"name": "${{ parameters.name }}"}}),
        Example("Render only *.njk", {"url": "./skeleton", "values": {}, "templateFileExtension": True}),
    ),
    run=run,
    pretend=pretend,
    touches_workspace_only=True,
)
