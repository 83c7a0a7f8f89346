"""What a run can do, one file an action: a module of this folder that holds an ACTION is known by being here."""

from importlib import import_module
from pkgutil import iter_modules

from portal.goldenpaths import vocabulary
from portal.provisioning.acting.contract import Action, Undo

ACTIONS: dict[str, Action] = {}
# By the kind of effect.
UNDO: dict[str, Undo] = {}


def register() -> None:
    """Read the folder, and tell golden paths which actions a step may name; called when the app is ready."""
    found = [import_module(f"{__name__}.{entry.name}").ACTION for entry in iter_modules(__path__)]
    for action in sorted(found, key=lambda action: str(action.id)):
        ACTIONS[action.id] = action
        UNDO.update(action.undo)
    vocabulary.ACTION_SPECS.update(ACTIONS)
