"""fs:delete: files removed from the workspace."""

from collections.abc import Mapping
from typing import Any

from portal.goldenpaths.files import File, Workspace
from portal.goldenpaths.globs import select
from portal.goldenpaths.vocabulary import TEXTS, Example, shape
from portal.kit.errors import Invalid
from portal.provisioning.acting.contract import Action, StepContext
from portal.provisioning.acting.outcomes import Done
from portal.provisioning.acting.pretence import Pretence


def delete(workspace: Mapping[str, File], patterns: list[str]) -> Workspace:
    """The workspace without the files that match; a pattern that matches nothing is no error."""
    for pattern in patterns:
        if ".." in pattern.split("/") or pattern.startswith("/"):
            raise Invalid(f"The file pattern “{pattern}” leaves the workspace.", code="unsafe-path")
    gone = select(workspace, patterns)
    return {path: file for path, file in workspace.items() if path not in gone}


def run(ctx: StepContext, given: dict[str, Any]) -> Done:
    """Remove what matches; a pattern that matches nothing is said, and no error."""
    before = ctx.workspace
    ctx.workspace = delete(before, given["files"])
    gone = sorted(set(before) - set(ctx.workspace))
    for path in gone:
        ctx.log(f"Deleted {path}.")
    if not gone:
        ctx.log(f"Nothing matches {', '.join(given['files'])}.")
    return Done()


def pretend(world: Pretence, given: dict[str, Any]) -> dict[str, Any]:
    """The same, on the pretend workspace."""
    world.workspace = delete(world.workspace, given["files"])
    return {}


ACTION = Action(
    id="fs:delete",
    description="Removes files from the workspace.",
    input_schema=shape(("files",), files=TEXTS),
    examples=(Example("Remove a folder and all notes", {"files": ["docs", "**/*.note"]}),),
    run=run,
    pretend=pretend,
    touches_workspace_only=True,
)
