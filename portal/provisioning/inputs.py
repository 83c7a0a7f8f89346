"""A step's input, from what its author wrote to what its action gets: condition, iterations, rendered values."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from portal.goldenpaths.language.rendering import render_value
from portal.kit.errors import Invalid
from portal.provisioning.models import Run, Step
from portal.provisioning.redaction import derived

MAX_ITERATIONS = 100
PLACEHOLDER = "placeholder-of-a-secret"


@dataclass(frozen=True)
class Prepared:
    """What a step is to do: nothing, or its action once for each of the inputs.

    is_many tells a list of one from a single input. secrets are strings that rendering made out of secrets.
    """

    inputs: list[dict[str, Any]] = field(default_factory=list)
    is_skipped: bool = False
    is_many: bool = False
    secrets: list[str] = field(default_factory=list)


def written_steps(document: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The steps as their author wrote them."""
    steps: list[dict[str, Any]] = document["spec"]["steps"]
    return steps


def context_of(run: Run, steps: list[Step], secrets: Mapping[str, str]) -> dict[str, Any]:
    """The names a template may read: parameters, secrets, steps, user, context."""
    person = run.requester
    name = (person.email.partition("@")[0] if person else "somebody").lower()
    profile = {"displayName": str(person), "email": person.email} if person else {"displayName": "", "email": ""}
    return {
        "parameters": run.values,
        "secrets": dict(secrets),
        "steps": {step.key: {"output": step.output or {}} for step in steps if step.status == "succeeded"},
        "user": {
            "ref": f"user:default/{name}",
            "entity": {"kind": "User", "metadata": {"name": name}, "spec": {"profile": profile}},
        },
        "context": {"task": {"id": str(run.pk)}},
    }


def is_falsy(value: Any) -> bool:
    """Whether a condition says no: the words "false" and "0" and an empty object say yes (backstage-compat 4c.3)."""
    return value is None or value is False or value == "" or value == [] or (value == 0 and not isinstance(value, str))


def prepare(written: Mapping[str, Any], context: Mapping[str, Any]) -> Prepared:
    """Render a step. Raises Refusal (RenderError, Invalid) with the sentence for the person."""
    where = f"step {written.get('id', '')}"
    items = _items(written["each"], context, where) if "each" in written else None
    scopes = [dict(context)] if items is None else [{**context, "each": item} for item in items]
    inputs, secrets = [], []
    for scope in scopes:
        if "if" in written and is_falsy(render_value(written["if"], scope, path=f"{where}, if")):
            continue
        rendered = render_value(written.get("input") or {}, scope, path=where)
        inputs.append(rendered)
        secrets += _made_of_secrets(written, scope, rendered)
    is_skipped = not inputs and (items is None or bool(items))
    return Prepared(inputs, is_skipped=is_skipped, is_many=items is not None, secrets=secrets)


def _items(written: Any, context: Mapping[str, Any], where: str) -> list[dict[str, Any]]:
    each = render_value(written, context, path=f"{where}, each")
    if isinstance(each, Mapping):
        pairs = list(each.items())
    elif isinstance(each, list):
        pairs = list(enumerate(each))
    else:
        raise Invalid(f"In {where}, “each” must be a list or an object; it is {each!r}.", code="each-not-a-list")
    if len(pairs) > MAX_ITERATIONS:
        raise Invalid(f"In {where}, “each” has {len(pairs)} items; at most {MAX_ITERATIONS} are run.", code="too-many")
    return [{"key": key, "value": value} for key, value in pairs]


def _made_of_secrets(written: Mapping[str, Any], scope: Mapping[str, Any], rendered: Any) -> list[str]:
    """Strings in the input that would be others if the secrets were."""
    if not scope.get("secrets"):
        return []
    blanked = {**scope, "secrets": dict.fromkeys(scope["secrets"], PLACEHOLDER)}
    return derived(rendered, render_value(written.get("input") or {}, blanked))
