"""fetch:plain: a folder of the golden path, copied into the workspace."""

from typing import Any

from portal.goldenpaths import workspace
from portal.provisioning.context import StepContext
from portal.provisioning.outcomes import Done
from portal.provisioning.steps.bundle import bundle_of, report


def run(ctx: StepContext, given: dict[str, Any]) -> Done:
    """Copy as it is."""
    before = ctx.workspace
    ctx.workspace = workspace.fetch_plain(before, given, bundle_of(ctx))
    report(ctx, "Copied", before)
    return Done()
