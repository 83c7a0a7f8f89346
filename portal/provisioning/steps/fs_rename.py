"""fs:rename: files or folders under another name in the workspace."""

from typing import Any

from portal.goldenpaths import workspace
from portal.provisioning.context import StepContext
from portal.provisioning.outcomes import Done


def run(ctx: StepContext, given: dict[str, Any]) -> Done:
    """Move each; a missing source or a taken target is a refusal."""
    ctx.workspace = workspace.rename(ctx.workspace, given)
    for move in given["files"]:
        ctx.log(f"Renamed {move['from']} to {move['to']}.")
    return Done()
