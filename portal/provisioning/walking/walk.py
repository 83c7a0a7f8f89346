"""What a step means: whether it runs, how often, with which input, and what later steps see of it.

The review and the run ask the same Walk; what differs is the world in which an input is then carried out.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from portal.accounts.models import User
from portal.goldenpaths.language.expressions import condition, iterations, runs_after_failure
from portal.goldenpaths.language.rendering import Options, render_value
from portal.goldenpaths.questions.unseen import Place, replaced
from portal.goldenpaths.templates import step_id
from portal.goldenpaths.vocabulary import ACTION_SPECS, checked_input
from portal.kit.errors import Invalid, Refusal
from portal.kit.refs import ref_to
from portal.provisioning.acting.outcomes import Done, Outcome, Wait
from portal.provisioning.redaction import MASK, derived, leaves

MAX_ITERATIONS = 100
PLACEHOLDER = "placeholder-of-a-secret"


@dataclass(frozen=True)
class WalkFacts:
    """What a launch is about. `task` is the run's number, `secrets` what the person told in confidence.

    `unseen` are the places of answers that are as secret.
    """

    document: Mapping[str, Any]
    values: Mapping[str, Any]
    person: User | None
    task: str
    secrets: Mapping[str, str] = field(default_factory=dict)
    unseen: frozenset[Place] = frozenset()

    def without_secrets(self, veil: str) -> WalkFacts:
        """The same launch as somebody sees it who was told nothing."""
        values = replaced(self.values, dict.fromkeys(self.unseen, veil))
        return replace(self, values=values, secrets=dict.fromkeys(self.secrets, veil))

    @property
    def steps(self) -> list[dict[str, Any]]:
        """The steps as their author wrote them."""
        steps: list[dict[str, Any]] = self.document["spec"]["steps"]
        return steps


@dataclass(frozen=True)
class StepPlan:
    """What a step is to do: nothing, or its action once for each of the inputs.

    is_many tells a list of one from a single input; `numbers` are the places of the inputs among all `items` of the
    step's `each`, of which its condition may have left some out.
    """

    action: str
    inputs: list[dict[str, Any]] = field(default_factory=list)
    is_skipped: bool = False
    is_many: bool = False
    numbers: list[int] = field(default_factory=list)
    items: int = 1

    @property
    def given(self) -> Any:
        """The input as people read it: one, or a list."""
        return self.inputs if self.is_many else self.inputs[0]

    def output(self, outputs: list[dict[str, Any]]) -> dict[str, Any]:
        """What later steps see: a step with `each` answers lists under the same names, empty ones for no iteration."""
        if not self.is_many:
            return outputs[0]
        promised = ACTION_SPECS[self.action].output_schema.get("properties", {})
        names = dict.fromkeys([*promised, *(name for output in outputs for name in output)])
        return {name: [output.get(name) for output in outputs] for name in names}


Act = Callable[[int, dict[str, Any]], Outcome]


def carry_out(plan: StepPlan, act: Act, outputs: list[dict[str, Any]]) -> Outcome:
    """Act on each input in turn; the first that waits decides. What is done is in `outputs`, whatever happens."""
    for number, given in enumerate(plan.inputs):
        outcome = act(number, given)
        if isinstance(outcome, Wait):
            return outcome
        outputs.append(outcome.output)
    return Done(plan.output(outputs))


class Walk:
    """Where a launch stands between two steps: what came out so far, and whether it is on its way to a bad end.

    `is_ending`: a step failed, or a person asked to stop. Then only steps whose condition calls `always()` or
    `failure()` are considered, and both of these say yes.
    """

    def __init__(self, facts: WalkFacts, outputs: Mapping[str, Any] | None = None, *, is_ending: bool = False) -> None:
        self.facts = facts
        self.outputs: dict[str, Any] = dict(outputs or {})
        self.is_ending = is_ending

    def is_considered(self, index: int) -> bool:
        """Whether the step's turn comes at all."""
        return not self.is_ending or self.runs_always(index)

    def runs_always(self, index: int) -> bool:
        """Whether the step asks to be considered whatever happened before it."""
        return runs_after_failure(self.facts.steps[index].get("if"))

    def plan(self, index: int) -> StepPlan:
        """Work the step out. Raises Refusal (RenderError, Invalid) with the sentence for the person.

        All inputs are checked before the first of them is acted on.
        """
        written = self.facts.steps[index]
        identity = step_id(written, index)
        where = f"step “{identity}”"
        scopes = self._scopes(written, where, self.facts)
        chosen = [
            (number, scope)
            for number, scope in enumerate(scopes)
            if self._says_yes(written.get("if"), scope, f"{where}, if")
        ]
        if not chosen and (scopes or "each" not in written):
            return StepPlan(written["action"], is_skipped=True)
        if self.outputs.get(identity) is not None:
            raise Invalid(
                f"Two steps with the id “{identity}” run with these answers; their conditions must exclude each other.",
                code="id-twice",
            )
        rendered = [self._render(written.get("input") or {}, scope, where) for _, scope in chosen]
        return StepPlan(
            written["action"],
            inputs=[checked_input(written["action"], one, step=identity) for one in rendered],
            is_many="each" in written,
            numbers=[number for number, _ in chosen],
            items=len(scopes),
        )

    def made_of_secrets(self, index: int, plan: StepPlan) -> list[str]:
        """Strings in the plan's inputs that would be others if the secrets were; all of them where that is not told."""
        if not (self.facts.secrets or self.facts.unseen) or not plan.inputs:
            return []
        written = self.facts.steps[index]
        where = f"step “{step_id(written, index)}”"
        try:
            scopes = self._scopes(written, where, self.facts.without_secrets(PLACEHOLDER))
            if len(scopes) == plan.items:
                without = [self._render(written.get("input") or {}, scopes[number], where) for number in plan.numbers]
                return derived(plan.inputs, without)
        except Refusal:
            # A placeholder is not what the author's expression expects: then everything counts as secret.
            pass
        return leaves(plan.inputs)

    def finish(self, index: int, output: Mapping[str, Any]) -> None:
        """The step is done: this is what later steps see of it."""
        self.outputs[step_id(self.facts.steps[index], index)] = dict(output)

    def shown_output(self) -> tuple[dict[str, Any], list[str]]:
        """What the path promised to show at the end, and a sentence for each part that cannot be shown.

        Links and texts whose condition says no, and links that lead nowhere, are left out. Secrets are not known here.
        """
        scope = {**self._scope(self.facts.without_secrets(MASK)), "secrets": {}}
        shown: dict[str, Any] = {}
        troubles: list[str] = []
        for name, written in (self.facts.document["spec"].get("output") or {}).items():
            try:
                if name in ("links", "text") and isinstance(written, list):
                    shown[name] = list(self._items(written, scope, f"output, {name}", troubles))
                else:
                    shown[name] = self._render(written, scope, f"output, {name}")
            except Refusal as refusal:
                troubles.append(refusal.text)
        return shown, troubles

    def _items(
        self, written: list[Any], scope: Mapping[str, Any], where: str, troubles: list[str]
    ) -> Iterable[dict[str, Any]]:
        for item in written:
            if not isinstance(item, Mapping):
                continue
            try:
                if self._says_yes(item.get("if"), scope, f"{where}, if"):
                    one = self._render({key: value for key, value in item.items() if key != "if"}, scope, where)
                    if not ("url" in one or "entityRef" in one) or one.get("url") or one.get("entityRef"):
                        yield one
            except Refusal as refusal:
                troubles.append(refusal.text)

    def _scope(self, facts: WalkFacts) -> dict[str, Any]:
        """The names a template may read. A step that did not run has an output without anything in it."""
        person = self.facts.person
        name = (person.email.partition("@")[0] if person else "somebody").lower()
        profile = {"displayName": str(person), "email": person.email} if person else {"displayName": "", "email": ""}
        known = {step_id(step, index) for index, step in enumerate(self.facts.steps)}
        return {
            "parameters": dict(facts.values),
            "secrets": dict(facts.secrets),
            "steps": {identity: {"output": self.outputs.get(identity)} for identity in known},
            "user": {
                "ref": ref_to("user", name),
                "entity": {"kind": "User", "metadata": {"name": name}, "spec": {"profile": profile}},
            },
            "context": {"task": {"id": self.facts.task}},
            "environment": {"parameters": {}, "secrets": {}},
        }

    def _scopes(self, written: Mapping[str, Any], where: str, facts: WalkFacts) -> list[dict[str, Any]]:
        """One scope for each time the step may run."""
        scope = self._scope(facts)
        if "each" not in written:
            return [scope]
        return [{**scope, "each": each} for each in self._iterations(written["each"], scope, f"{where}, each")]

    def _iterations(self, written: Any, scope: Mapping[str, Any], where: str) -> list[dict[str, Any]]:
        items = iterations(written, scope, where=where, failed=self.is_ending)
        if len(items) > MAX_ITERATIONS:
            raise Invalid(f"In {where}, “each” has {len(items)} items; at most {MAX_ITERATIONS} run.", code="too-many")
        return items

    def _says_yes(self, written: Any, scope: Mapping[str, Any], where: str) -> bool:
        return condition(written, scope, where=where, failed=self.is_ending)

    def _render(self, value: Any, scope: Mapping[str, Any], where: str) -> Any:
        return render_value(value, scope, path=where, options=Options(failed=self.is_ending))
