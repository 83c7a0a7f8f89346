"""fs:rename: files or folders under another name in the workspace."""

from collections.abc import Mapping
from typing import Any

from portal.goldenpaths.files import File, Workspace, checked
from portal.goldenpaths.vocabulary import FLAG, TEXT, Example, shape
from portal.kit.errors import Conflict, NotFound
from portal.kit.paths import safe_path
from portal.provisioning.acting.contract import Action, StepContext
from portal.provisioning.acting.outcomes import Done
from portal.provisioning.acting.pretence import Pretence


def rename(workspace: Mapping[str, File], moves: list[dict[str, Any]]) -> Workspace:
    """The workspace after the moves; a missing source or a taken target is a refusal."""
    result = dict(workspace)
    for move in moves:
        old, new = safe_path(move["from"]), safe_path(move["to"])
        moved = _moved(result, old, new)
        if not moved:
            raise NotFound(f"There is no “{old}” in the workspace to rename.", code="missing-file")
        taken = sorted(target for target in moved.values() if target in result and target not in moved)
        if taken and not move.get("overwrite"):
            raise Conflict(f"“{taken[0]}” exists already; set “overwrite: true” to replace it.", code="file-exists")
        contents = {target: result[source] for source, target in moved.items()}
        result = {path: file for path, file in result.items() if path not in moved} | contents
    return checked(result)


def _moved(workspace: Mapping[str, File], old: str, new: str) -> dict[str, str]:
    if old in workspace:
        return {old: new}
    return {path: new + path.removeprefix(old) for path in workspace if path.startswith(f"{old}/")}


def run(ctx: StepContext, given: dict[str, Any]) -> Done:
    """Move each."""
    ctx.workspace = rename(ctx.workspace, given["files"])
    for move in given["files"]:
        ctx.log(f"Renamed {move['from']} to {move['to']}.")
    return Done()


def pretend(world: Pretence, given: dict[str, Any]) -> dict[str, Any]:
    """The same, on the pretend workspace."""
    world.workspace = rename(world.workspace, given["files"])
    return {}


_MOVE = {
    "type": "object",
    "required": ["from", "to"],
    "properties": {"from": TEXT, "to": TEXT, "overwrite": FLAG},
    "additionalProperties": False,
}

ACTION = Action(
    id="fs:rename",
    description="Moves files or folders within the workspace.",
    input_schema=shape(("files",), files={"type": "array", "items": _MOVE}),
    examples=(Example("Move the README", {"files": [{"from": "README.md", "to": "docs/index.md"}]}),),
    run=run,
    pretend=pretend,
    touches_workspace_only=True,
)
