"""Every verb that a person can do writes an audit event: read off the source, so that a new one cannot forget."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
RECORD = "portal.accounts.audit.record"
WRITERS = {"save", "create", "bulk_create", "update", "bulk_update", "delete", "get_or_create", "update_or_create"}
# Public functions of actions.py that write and take no actor, each with its reason.
NOBODY_ACTS = {
    "catalog.actions.refresh_pushed": "acts for whom the push names",
    **dict.fromkeys(
        [f"catalog.lists.actions.{name}" for name in ("star", "unstar", "choose_columns", "open_with")],
        "how one person has lists for themselves is nobody's event",
    ),
    **dict.fromkeys(
        [f"portal.notices.actions.{name}" for name in ("mark", "set_hours", "follow_team")],
        "how one person reads for themselves is nobody's event",
    ),
    "portal.clusters.actions.set_bindings": "follows from an entity, whose own change is the event",
    "portal.clusters.actions.set_many_bindings": "follows from entities, whose own change is the event",
}
# Views that write rows themselves, each with its reason.
FACES_THAT_WRITE = {
    "portal.accounts.views.profile": "one's own name and theme belong to no organisation",
}
# Functions that take an actor and record nothing themselves, each with its reason.
NO_CHANGE: dict[str, str] = {
    "portal.jobs.actions.submit": "asks for work; the verb that a worker then does writes its own event",
    "portal.clusters.connecting.ask_to_connect": "asks for the job that speaks to the cluster and writes its own event",
    "portal.clusters.connecting.ask_to_replace": "the same for a new credential",
    "catalog.refreshing.ask_answers": "reads what stands at addresses, and changes nothing of the organisation's",
    "catalog.refreshing.ask_preview": "tries a card without keeping it; saving it writes the event",
    "catalog.handing.suggesting.ask": "asks for the job that looks for owners and writes its own event",
    "catalog.tasks.ask_refresh": "a part of asking for a refresh, which writes the event, and of the sweep",
    "catalog.teams.after_change": "the hook of a team's verbs, in their transaction: they write the event",
    "catalog.teams.before_delete": "the hook of a team's deletion, in its transaction: it writes the event",
    "portal.provisioning.acting.claiming.adoptions_of": "reads what was confirmed; taking an object over is the event",
    "portal.provisioning.actions.require_same": "compares and refuses",
}


@dataclass
class Function:
    """A function of ours: what it calls, by full name where that can be told, and its parameters."""

    name: str
    is_public: bool
    parameters: set[str] = field(default_factory=set)
    calls: set[str] = field(default_factory=set)
    methods: set[str] = field(default_factory=set)


def modules() -> Iterator[tuple[str, ast.Module]]:
    for top in ("portal", "catalog"):
        for file in sorted((ROOT / top).rglob("*.py")):
            parts = file.relative_to(ROOT).with_suffix("").parts
            if not {"migrations", "sandbox", "shipped"} & set(parts):
                yield ".".join(parts).removesuffix(".__init__"), ast.parse(file.read_text())


def imports_of(tree: ast.Module) -> dict[str, str]:
    """Local name -> full name of everything a module imports, wherever in it."""
    found = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and node.module:
            found |= {alias.asname or alias.name: f"{node.module}.{alias.name}" for alias in node.names}
        elif isinstance(node, ast.Import):
            found |= {alias.asname or alias.name: alias.name for alias in node.names}
    return found


def functions_of(module: str, tree: ast.Module) -> Iterator[Function]:
    known = imports_of(tree)
    own = {node.name for node in tree.body if isinstance(node, ast.FunctionDef)}
    for scope, holder in [
        (module, tree),
        *((f"{module}.{c.name}", c) for c in tree.body if isinstance(c, ast.ClassDef)),
    ]:
        for node in holder.body:
            if not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                continue
            arguments = node.args
            found = Function(
                f"{scope}.{node.name}",
                not node.name.startswith("_"),
                {each.arg for each in [*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs]},
            )
            for call in (each.func for each in ast.walk(node) if isinstance(each, ast.Call)):
                if isinstance(call, ast.Name):
                    found.calls.add(known.get(call.id, f"{module}.{call.id}" if call.id in own else call.id))
                elif isinstance(call, ast.Attribute):
                    found.methods.add(call.attr)
                    if isinstance(call.value, ast.Name):
                        base = scope if call.value.id == "self" else known.get(call.value.id, call.value.id)
                        found.calls.add(f"{base}.{call.attr}")
            yield found


FUNCTIONS = {found.name: found for module, tree in modules() for found in functions_of(module, tree)}
VERBS = sorted(
    name
    for name, found in FUNCTIONS.items()
    if found.is_public and "actor" in found.parameters and name != RECORD and ".protocol." not in name
)
ACTIONS = sorted(name for name in FUNCTIONS if ".actions." in name and FUNCTIONS[name].is_public)


def records(name: str, seen: frozenset[str] = frozenset()) -> bool:
    """Does the function, or one that it calls, write an audit event?"""
    if name == RECORD:
        return True
    if name not in FUNCTIONS or name in seen:
        return False
    return any(records(call, seen | {name}) for call in FUNCTIONS[name].calls)


def writes(name: str, seen: frozenset[str] = frozenset()) -> bool:
    """Does the function, or one of ours that it calls, write rows?"""
    if name not in FUNCTIONS or name in seen:
        return False
    found = FUNCTIONS[name]
    return bool(found.methods & WRITERS) or any(writes(call, seen | {name}) for call in found.calls)


def test_the_verbs_are_found() -> None:
    assert {
        "portal.accounts.actions.invite",
        "portal.accounts.teams.create_team",
        "portal.accounts.tokens.revoke_token",
        "portal.clusters.actions.forget_cluster",
        "portal.provisioning.actions.launch",
        "catalog.actions.add_source",
        "portal.goldenpaths.actions.publish",
    } <= set(VERBS)
    assert len(VERBS) >= 25
    # And the look for an event can come back without one.
    assert not records("portal.accounts.actions.may_create_organisation")
    assert not records("portal.clusters.actions.set_bindings")


@pytest.mark.parametrize("name", VERBS)
def test_every_verb_writes_an_audit_event(name: str) -> None:
    assert records(name) is (name not in NO_CHANGE), f"{name} takes an actor and leaves no trace"


def test_every_action_that_writes_says_who_acted() -> None:
    silent = [name for name in ACTIONS if writes(name) and "actor" not in FUNCTIONS[name].parameters]
    assert sorted(silent) == sorted(NOBODY_ACTS), "give it an actor and an audit event, or say here why not"


def test_pages_and_api_write_no_rows_themselves() -> None:
    """A view that writes would go around the actions, and around the audit log."""
    faces = ("views", "api", "launching", "serve")
    writing = []
    for name, found in FUNCTIONS.items():
        module = name.removeprefix("portal.").removeprefix("catalog.")
        if any(part.split("_")[0] in faces for part in module.split(".")[:-1]) and found.methods & WRITERS:
            writing.append(name)
    assert sorted(writing) == sorted(FACES_THAT_WRITE)
