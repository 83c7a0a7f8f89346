"""What a run can do, one file an action; an action is a function, and being listed here is being known."""

from collections.abc import Callable
from typing import Any

from portal.provisioning.context import LeftBehind, StepContext, UndoContext, Undone
from portal.provisioning.models import Effect
from portal.provisioning.outcomes import Outcome
from portal.provisioning.steps import (
    catalog_register,
    debug_log,
    fetch_plain,
    fetch_template,
    fs_delete,
    fs_rename,
    kubernetes_apply,
    kubernetes_wait,
    publish_slipway,
)

Action = Callable[[StepContext, dict[str, Any]], Outcome]
Undo = Callable[[UndoContext, Effect], Undone | LeftBehind]

ACTIONS: dict[str, Action] = {
    "fetch:template": fetch_template.run,
    "fetch:plain": fetch_plain.run,
    "fs:rename": fs_rename.run,
    "fs:delete": fs_delete.run,
    "debug:log": debug_log.run,
    "publish:slipway": publish_slipway.run,
    "kubernetes:apply": kubernetes_apply.run,
    "kubernetes:wait": kubernetes_wait.run,
    "catalog:register": catalog_register.run,
}

# By the kind of effect.
UNDO: dict[str, Undo] = {
    publish_slipway.KIND: publish_slipway.undo,
    kubernetes_apply.KIND: kubernetes_apply.undo,
    catalog_register.KIND: catalog_register.undo,
}
