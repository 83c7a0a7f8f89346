"""One step of one visit: begin it, act, and write down how it ended, each in its own fenced transaction."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from django.conf import settings

from portal.accounts.tenancy import tenant
from portal.goldenpaths.files import File
from portal.kit.errors import Refusal
from portal.kit.failpoints import failpoint
from portal.provisioning.acting.outcomes import Done, Outcome, Wait
from portal.provisioning.engine import bench, retries, sealing
from portal.provisioning.engine.context import LedgerIntent, RunContext
from portal.provisioning.engine.keeper import StepKeeper
from portal.provisioning.engine.lease import Cancelled, RunLease
from portal.provisioning.models import Effect, Run, Step
from portal.provisioning.steps import ACTIONS
from portal.provisioning.walking.walk import StepPlan, Walk, WalkFacts, carry_out


def grace() -> timedelta:
    """After a step the worker nudges the run itself; should that nudge be lost, the sweeper does it after this long."""
    return timedelta(seconds=min(3, settings.RUN_LEASE_SECONDS))


@dataclass
class RunVisit:
    """Everything a worker read when it claimed the run."""

    lease: RunLease
    run: Run
    steps: list[Step]
    walk: Walk
    files: dict[str, File]


class SealedUnreadable(Exception):
    """What the run keeps sealed does not open; the text says why."""

    def __init__(self, text: str) -> None:
        super().__init__(text)
        self.text = text


@dataclass(frozen=True)
class Stopped:
    """The step ends by a person's wish."""


def execute(visit: RunVisit, step: Step) -> bool:
    """Run one step as far as it goes. True when the run should be nudged at once."""
    point = _failpoints(visit, step)
    point("claimed")
    try:
        plan = visit.walk.plan(step.idx)
        visit.lease.logbook.redactor.add(visit.walk.made_of_secrets(step.idx, plan))
    except Refusal as refusal:
        return _write_failure(visit, step, refusal, [])
    if plan.is_skipped:
        return _write_skip(visit, step)
    _begin(visit, step, plan)
    point("begun")
    intents: list[LedgerIntent] = []
    with StepKeeper(visit.lease, is_deaf=visit.walk.runs_always(step.idx)) as keeper:
        ending = _act(visit, step, plan, keeper, intents)
    point("acted")
    again = _write_ending(visit, step, ending, intents, point)
    point("committed")
    return again


def _failpoints(visit: RunVisit, step: Step) -> Callable[[str], None]:
    return lambda name: failpoint(f"{step.key}.{name}", visit.lease.key)


def _begin(visit: RunVisit, step: Step, plan: StepPlan) -> None:
    """The transaction before any effect: the step is running, and this is what it is about to do."""
    is_new_attempt = step.status != "waiting" or step.failures > 0
    with visit.lease.fenced() as run:
        step.move("running")
        step.attempt += is_new_attempt
        step.strikes += 1
        step.started_at = step.started_at or run.now
        step.input = visit.lease.logbook.redactor.clean_value(plan.given)
        if is_new_attempt:
            again = f", attempt {step.attempt}" if step.attempt > 1 else ""
            visit.lease.logbook.write(f"{step.name} ({step.action}{again})", step_idx=step.idx)
        step.save()


def _act(
    visit: RunVisit, step: Step, plan: StepPlan, keeper: StepKeeper, intents: list[LedgerIntent]
) -> Outcome | Refusal | Stopped:
    """Call the action for each input; the first that waits, refuses or is stopped decides."""
    outputs: list[dict[str, Any]] = []

    def act(number: int, given: dict[str, Any]) -> Outcome:
        if number:
            keeper.check()
        context = _context(visit, step, keeper, number, intents)
        outcome = ACTIONS[plan.action].run(context, given)
        visit.files = context.workspace
        return outcome

    try:
        return carry_out(plan, act, outputs)
    except Refusal as refusal:
        return refusal
    except Cancelled:
        return Stopped()


def _context(visit: RunVisit, step: Step, keeper: StepKeeper, number: int, intents: list[LedgerIntent]) -> RunContext:
    run = visit.run
    return RunContext(
        organisation=run.organisation,
        actor=run.launcher,
        run_id=run.pk,
        run_title=run.title,
        run_created_at=run.created_at,
        owner_ref=run.owner_ref,
        version=run.version,
        step_id=step.pk,
        step_idx=step.idx,
        step_key=step.key,
        step_started_at=step.started_at or run.created_at,
        last_sentence=step.sentence,
        iteration=number,
        workspace=visit.files,
        lease=visit.lease,
        keeper=keeper,
        runs_always=visit.walk.runs_always(step.idx),
        intents=intents,
    )


def _write_ending(
    visit: RunVisit,
    step: Step,
    ending: Outcome | Refusal | Stopped,
    intents: list[LedgerIntent],
    point: Callable[[str], None],
) -> bool:
    if isinstance(ending, Refusal):
        return _write_failure(visit, step, ending, intents)
    with visit.lease.fenced() as run:
        _confirm(visit.lease, intents)
        step.strikes = 0
        step.failures = 0
        step.sentence = ""
        again = _rest(visit, run, step, ending) if isinstance(ending, Wait) else _finish(visit, run, step, ending)
        step.save()
        point("before-commit")
    return again


def _rest(visit: RunVisit, run: Run, step: Step, wait: Wait) -> bool:
    """Wait without a worker. Whoever began to wait just now looks once more: the call may have come in between."""
    is_first = run.woken_by != list(wait.woken_by)
    step.move("waiting")
    step.sentence = visit.lease.logbook.redactor.clean(wait.sentence)
    run.move("waiting")
    is_to_stop = run.cancel_requested_at is not None and not visit.walk.runs_always(step.idx)
    again = is_first or run.is_woken or is_to_stop
    run.rest(run.now + grace() if again else wait.until, wait.woken_by)
    return again


def _finish(visit: RunVisit, run: Run, step: Step, ending: Done | Stopped) -> bool:
    step.ended_at = run.now
    if isinstance(ending, Stopped):
        step.move("cancelled")
        visit.lease.logbook.write("Cancelled before the next effect.", level="warning", step_idx=step.idx)
    else:
        step.move("succeeded")
        step.output = visit.lease.logbook.redactor.clean_value(ending.output)
        if step.output.get("entityRef"):
            run.entity_refs = list(dict.fromkeys([*run.entity_refs, *_texts(step.output["entityRef"])]))
        bench.keep(run, visit.files)
    run.rest(run.now + grace())
    return True


def _texts(value: Any) -> list[str]:
    """One text, or the texts of a step with `each`."""
    return [str(item) for item in value if item] if isinstance(value, list) else [str(value)]


def _confirm(lease: RunLease, intents: list[LedgerIntent]) -> None:
    for intent in intents:
        if intent.is_confirmed:
            Effect.objects.for_tenant(intent.row.organisation_id).filter(pk=intent.row.pk).update(
                outcome=intent.row.outcome,
                reference=lease.logbook.redactor.clean_value(intent.reference),
                confirmed_at=intent.row.confirmed_at,
            )


def _write_skip(visit: RunVisit, step: Step) -> bool:
    with visit.lease.fenced() as run:
        step.move("skipped")
        step.ended_at = run.now
        visit.lease.logbook.write(f"{step.name}: skipped, its condition says no.", step_idx=step.idx)
        step.save()
        run.rest(run.now + grace())
    return True


def _write_failure(visit: RunVisit, step: Step, refusal: Refusal, intents: list[LedgerIntent]) -> bool:
    """A refusal that may pass waits and is tried again; any other fails the step in the refusal's words."""
    text = visit.lease.logbook.redactor.clean(refusal.text)
    with visit.lease.fenced() as run:
        _confirm(visit.lease, intents)
        step.strikes = 0
        step.failures += 1
        delay = retries.next_delay(refusal, step.failures)
        is_over = delay is None or step.status == "pending"
        if is_over or delay is None:
            fail(visit.lease, run, step, refusal.code, text, visit.lease.logbook.redactor.clean_value(refusal.detail))
        else:
            step.move("waiting")
            step.sentence = f"{text} Trying again in {delay.total_seconds():g} s."
            visit.lease.logbook.write(step.sentence, level="warning", step_idx=step.idx)
            run.move("waiting")
            run.rest(run.now + delay)
        step.save()
    return is_over


def fail(lease: RunLease, run: Run, step: Step, code: str, text: str, detail: dict[str, Any] | None = None) -> None:
    """Fail the step, in words; the caller holds the run and saves the step.

    The run is not over yet: steps that ask to run after a failure come first. The first failure is the run's own.
    """
    step.move("failed")
    step.sentence = ""
    step.error_code, step.error_text, step.error_detail = code, text, detail or {}
    step.ended_at = run.now
    lease.logbook.write(text, level="error", step_idx=step.idx)
    if not run.error_text:
        run.error_code, run.error_text = code, text
    run.rest(run.now + grace())


def visit_of(lease: RunLease, run_id: int, opened: Callable[[Run], dict[str, str]]) -> RunVisit:
    """Read what the run needs; `opened` unseals its secrets. Raises Unreadable."""
    with tenant(lease.organisation_id):
        run = (
            Run.objects.for_tenant(lease.organisation_id)
            .select_related("organisation", "requester", "steered_by", "version", "version__path")
            .get(pk=run_id)
        )
        steps = list(Step.objects.for_tenant(lease.organisation_id).filter(run=run))
    try:
        with tenant(lease.organisation_id):
            files = bench.read(run)
        told = sealing.confided(run, opened(run))
    except Refusal as refusal:
        raise SealedUnreadable(
            "What this run keeps in confidence does not open for the workers: it was sealed with another key. "
            "Retry asks for it again."
        ) from refusal
    lease.logbook.redactor.add(told.words)
    facts = WalkFacts(
        run.version.document, told.values, run.requester, str(run.pk), told.secrets, frozenset(told.unseen)
    )
    outputs = {step.key: step.output or {} for step in steps if step.status == "succeeded"}
    is_ending = run.cancel_requested_at is not None or any(step.status == "failed" for step in steps)
    return RunVisit(lease, run, steps, Walk(facts, outputs, is_ending=is_ending), files)
