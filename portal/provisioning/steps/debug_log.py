"""debug:log: a message in the run's log, and on request what lies in the workspace."""

from typing import Any

from portal.provisioning.context import StepContext
from portal.provisioning.outcomes import Done

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
