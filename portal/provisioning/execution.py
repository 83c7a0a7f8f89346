"""One step of one visit: begin it, act, and write down how it ended, each in its own fenced transaction."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from django.conf import settings

from portal.accounts.tenancy import tenant
from portal.goldenpaths.files import File
from portal.goldenpaths.vocabulary import checked_input
from portal.kit.errors import Refusal
from portal.provisioning import bench, retries
from portal.provisioning.context import Intent, StepContext
from portal.provisioning.failpoints import failpoint
from portal.provisioning.inputs import Prepared, context_of, prepare, written_steps
from portal.provisioning.keeper import Keeper
from portal.provisioning.lease import Cancelled, Lease
from portal.provisioning.models import Effect, Run, Step
from portal.provisioning.outcomes import Done, Outcome, Wait
from portal.provisioning.steps import ACTIONS


def grace() -> timedelta:
    """After a step the worker nudges the run itself; should that nudge be lost, the sweeper does it after this long."""
    return timedelta(seconds=min(3, settings.RUN_LEASE_SECONDS))


@dataclass
class Visit:
    """Everything a worker read when it claimed the run."""

    lease: Lease
    run: Run
    steps: list[Step]
    secrets: dict[str, str]
    files: dict[str, File]


@dataclass(frozen=True)
class Stopped:
    """The step ends by a person's wish."""


def execute(visit: Visit, step: Step) -> bool:
    """Run one step as far as it goes. True when the run should be nudged at once."""
    point = _failpoints(visit, step)
    point("claimed")
    try:
        prepared = _prepared(visit, step)
    except Refusal as refusal:
        return _write_failure(visit, step, refusal, [])
    if prepared.is_skipped:
        return _write_skip(visit, step)
    _begin(visit, step, prepared)
    point("begun")
    intents: list[Intent] = []
    with Keeper(visit.lease) as keeper:
        ending = _act(visit, step, prepared, keeper, intents)
    point("acted")
    again = _write_ending(visit, step, ending, intents, point)
    point("committed")
    return again


def _failpoints(visit: Visit, step: Step) -> Callable[[str], None]:
    return lambda name: failpoint(f"{step.key}.{name}", visit.lease.key)


def _prepared(visit: Visit, step: Step) -> Prepared:
    written = written_steps(visit.run.version.document)[step.idx]
    prepared = prepare(written, context_of(visit.run, visit.steps, visit.secrets))
    # All inputs are checked before the first iteration runs.
    prepared.inputs[:] = [checked_input(step.action, given, step=step.key) for given in prepared.inputs]
    visit.lease.logbook.redactor.add(prepared.secrets)
    return prepared


def _begin(visit: Visit, step: Step, prepared: Prepared) -> None:
    """The transaction before any effect: the step is running, and this is what it is about to do."""
    is_new_attempt = step.status != "waiting" or step.failures > 0
    with visit.lease.fenced() as run:
        step.move("running")
        step.attempt += is_new_attempt
        step.strikes += 1
        step.started_at = step.started_at or run.now
        inputs = prepared.inputs if prepared.is_many else prepared.inputs[0]
        step.input = visit.lease.logbook.redactor.clean_value(inputs)
        if is_new_attempt:
            again = f", attempt {step.attempt}" if step.attempt > 1 else ""
            visit.lease.logbook.write(f"{step.name} ({step.action}{again})", step_idx=step.idx)
        step.save()


def _act(
    visit: Visit, step: Step, prepared: Prepared, keeper: Keeper, intents: list[Intent]
) -> Outcome | Refusal | Stopped:
    """Call the action for each input; the first that waits, refuses or is stopped decides."""
    outputs: list[dict[str, Any]] = []
    try:
        for number, given in enumerate(prepared.inputs):
            context = _context(visit, step, keeper, number, intents)
            outcome = ACTIONS[step.action](context, given)
            visit.files = context.workspace
            if isinstance(outcome, Wait):
                return outcome
            outputs.append(outcome.output)
            keeper.check()
    except Refusal as refusal:
        return refusal
    except Cancelled:
        # Asked to stop after the last effect was made: what is finished is finished.
        return Stopped() if len(outputs) < len(prepared.inputs) else Done(_output(prepared, outputs))
    return Done(_output(prepared, outputs))


def _output(prepared: Prepared, outputs: list[dict[str, Any]]) -> dict[str, Any]:
    """A step with `each` answers lists under the same names."""
    if not prepared.is_many:
        return outputs[0]
    names = dict.fromkeys(name for output in outputs for name in output)
    return {name: [output.get(name) for output in outputs] for name in names}


def _context(visit: Visit, step: Step, keeper: Keeper, number: int, intents: list[Intent]) -> StepContext:
    run = visit.run
    return StepContext(
        organisation=run.organisation,
        actor=run.launcher,
        run_id=run.pk,
        run_title=run.title,
        run_created_at=run.created_at,
        owner_ref=run.owner_ref,
        version=run.version,
        values=run.values,
        step_id=step.pk,
        step_idx=step.idx,
        step_key=step.key,
        step_started_at=step.started_at or run.created_at,
        last_sentence=step.sentence,
        iteration=number,
        workspace=visit.files,
        lease=visit.lease,
        keeper=keeper,
        intents=intents,
    )


def _write_ending(
    visit: Visit, step: Step, ending: Outcome | Refusal | Stopped, intents: list[Intent], point: Callable[[str], None]
) -> bool:
    if isinstance(ending, Refusal):
        return _write_failure(visit, step, ending, intents)
    with visit.lease.fenced() as run:
        _confirm(intents)
        step.strikes = 0
        step.failures = 0
        step.sentence = ""
        again = _rest(run, step, ending) if isinstance(ending, Wait) else _finish(visit, run, step, ending)
        step.save()
        point("before-commit")
    return again


def _rest(run: Run, step: Step, wait: Wait) -> bool:
    """Wait without a worker. Whoever began to wait just now looks once more: the call may have come in between."""
    is_first = run.woken_by != list(wait.woken_by)
    step.move("waiting")
    step.sentence = wait.sentence
    run.move("waiting")
    again = is_first or run.is_woken or run.cancel_requested_at is not None
    run.rest(run.now + grace() if again else wait.until, wait.woken_by)
    return again


def _finish(visit: Visit, run: Run, step: Step, ending: Done | Stopped) -> bool:
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


def _confirm(intents: list[Intent]) -> None:
    for intent in intents:
        if intent.row.confirmed_at is not None:
            Effect.objects.for_tenant(intent.row.organisation_id).filter(pk=intent.row.pk).update(
                outcome=intent.row.outcome, reference=intent.row.reference, confirmed_at=intent.row.confirmed_at
            )


def _write_skip(visit: Visit, step: Step) -> bool:
    with visit.lease.fenced() as run:
        step.move("skipped")
        step.ended_at = run.now
        visit.lease.logbook.write(f"{step.name}: skipped, its condition says no.", step_idx=step.idx)
        step.save()
        run.rest(run.now + grace())
    return True


def _write_failure(visit: Visit, step: Step, refusal: Refusal, intents: list[Intent]) -> bool:
    """A refusal that may pass waits and is tried again; any other ends the run in the refusal's words."""
    text = visit.lease.logbook.redactor.clean(refusal.text)
    with visit.lease.fenced() as run:
        _confirm(intents)
        step.strikes = 0
        step.failures += 1
        delay = retries.next_delay(refusal, step.failures)
        if delay is None or step.status == "pending":
            fail(visit.lease, run, step, refusal.code, text, visit.lease.logbook.redactor.clean_value(refusal.detail))
        else:
            step.move("waiting")
            step.sentence = f"{text} Trying again in {delay.total_seconds():g} s."
            visit.lease.logbook.write(step.sentence, level="warning", step_idx=step.idx)
            run.move("waiting")
            run.rest(run.now + delay)
        step.save()
    return False


def fail(lease: Lease, run: Run, step: Step, code: str, text: str, detail: dict[str, Any] | None = None) -> None:
    """End the run at this step, in words; the caller holds the run and saves the step."""
    step.move("failed")
    step.sentence = ""
    step.error_code, step.error_text, step.error_detail = code, text, detail or {}
    step.ended_at = run.now
    lease.logbook.write(text, level="error", step_idx=step.idx)
    run.error_code, run.error_text = code, text
    run.end("failed")


def visit_of(lease: Lease, run_id: int, opened: Callable[[Run], dict[str, str]]) -> Visit:
    """Read what the run needs; `opened` unseals its secrets."""
    with tenant(lease.organisation_id):
        run = (
            Run.objects.for_tenant(lease.organisation_id)
            .select_related("organisation", "requester", "steered_by", "version", "version__path")
            .get(pk=run_id)
        )
        steps = list(Step.objects.for_tenant(lease.organisation_id).filter(run=run))
        files = bench.read(run)
    secrets = opened(run)
    lease.logbook.redactor.add(secrets.values())
    return Visit(lease, run, steps, secrets, files)
