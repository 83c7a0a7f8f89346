"""debug:log: a message in the run's log, and on request what lies in the workspace."""

from typing import Any

from portal.goldenpaths.vocabulary import TEXT, Example, shape
from portal.provisioning.acting.contract import Action, StepContext
from portal.provisioning.acting.outcomes import Done
from portal.provisioning.acting.pretence import Pretence

MOST_LINES = 200


def run(ctx: StepContext, given: dict[str, Any]) -> Done:
    """Say the message; list files by name, or with their text."""
    if given.get("message"):
        ctx.log(given["message"])
    ctx.failpoint("middle")
    wish = given.get("listWorkspace")
    if wish:
        ctx.log(f"The workspace holds {len(ctx.workspace)} files.")
        for path, file in sorted(ctx.workspace.items()):
            ctx.log(f"  {path} ({len(file.content)} bytes)")
            if wish == "with-contents":
                _show(ctx, file.text())
    return Done()


def _show(ctx: StepContext, text: str | None) -> None:
    lines = text.splitlines() if text is not None else ["(not text)"]
    for line in lines[:MOST_LINES]:
        ctx.log(f"    {line}")
    if len(lines) > MOST_LINES:
        ctx.log(f"    … {len(lines) - MOST_LINES} lines more")


def pretend(world: Pretence, given: dict[str, Any]) -> dict[str, Any]:
    """There is no log in a review."""
    return {}


ACTION = Action(
    id="debug:log",
    description="Writes a message, and on request the workspace's files, to the run's log.",
    input_schema=shape(message=TEXT, listWorkspace={"enum": [True, False, "with-filenames", "with-contents"]}),
    examples=(Example("Say something", {"message": "Made ${{ parameters.name }}.", "listWorkspace": True}),),
    run=run,
    pretend=pretend,
    touches_workspace_only=True,
)
