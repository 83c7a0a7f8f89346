"""fetch:template: a folder of the golden path, rendered into the workspace."""

from typing import Any

from portal.goldenpaths import workspace
from portal.provisioning.context import StepContext
from portal.provisioning.outcomes import Done
from portal.provisioning.steps.bundle import bundle_of, report


def run(ctx: StepContext, given: dict[str, Any]) -> Done:
    """Render names and contents; nothing outside is touched, so doing it again is free."""
    before = ctx.workspace
    ctx.workspace = workspace.fetch_template(before, given, bundle_of(ctx))
    ctx.failpoint("middle")
    report(ctx, "Rendered", before)
    return Done()
