"""fs:delete: files removed from the workspace."""

from typing import Any

from portal.goldenpaths import workspace
from portal.provisioning.context import StepContext
from portal.provisioning.outcomes import Done


def run(ctx: StepContext, given: dict[str, Any]) -> Done:
    """Remove what matches; a pattern that matches nothing is said, and no error."""
    before = ctx.workspace
    ctx.workspace = workspace.delete(before, given)
    gone = sorted(set(before) - set(ctx.workspace))
    for path in gone:
        ctx.log(f"Deleted {path}.")
    if not gone:
        ctx.log(f"Nothing matches {', '.join(given['files'])}.")
    return Done()
