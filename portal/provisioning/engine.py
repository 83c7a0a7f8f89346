"""The durable engine: one visit of one worker to one run takes it one step further. It enqueues nothing itself."""

from datetime import timedelta

from portal.goldenpaths.language.rendering import render_value
from portal.kit.errors import Refusal
from portal.provisioning import bench, compensation, execution, sealing
from portal.provisioning.execution import Visit
from portal.provisioning.inputs import context_of
from portal.provisioning.lease import LeaseLost, claim, let_go
from portal.provisioning.models import Step
from portal.provisioning.retries import MAX_STRIKES
from portal.provisioning.states import UNFINISHED_STEP

# A run whose worker met a bug is looked at again after this long, MAX_STRIKES times in all.
AFTER_A_BUG = timedelta(seconds=2)


def advance(organisation_id: int, run_id: int) -> bool:
    """Take the run one step further. True when there is more to do now, so that the caller nudges again.

    Any number of workers may call this for the same run at any time: one of them works, the others find nothing to do.
    """
    claimed = claim(organisation_id, run_id)
    if claimed is None:
        return False
    lease, _ = claimed
    is_orderly = False
    try:
        visit = execution.visit_of(lease, run_id, sealing.secrets_of)
        again = _work(visit)
        is_orderly = True
    except LeaseLost:
        is_orderly = True
        return False
    finally:
        if not is_orderly:
            let_go(lease, AFTER_A_BUG)
    return again


def _work(visit: Visit) -> bool:
    if visit.run.status == "undoing":
        return compensation.undo_next(visit)
    step = next((step for step in visit.steps if step.status in UNFINISHED_STEP), None)
    if step is None:
        return _succeed(visit)
    if visit.run.cancel_requested_at is not None:
        return _cancel(visit, step)
    if step.strikes >= MAX_STRIKES:
        return _give_up(visit, step)
    return execution.execute(visit, step)


def _cancel(visit: Visit, step: Step) -> bool:
    """End a run that a person stopped; what is done stays done, and Undo is offered."""
    with visit.lease.fenced() as run:
        if step.status != "pending":
            step.move("cancelled")
            step.ended_at = run.now
            step.sentence = ""
            step.save()
        visit.lease.logbook.write("The run was cancelled.", level="warning")
        run.end("cancelled")
    return False


def _succeed(visit: Visit) -> bool:
    """End a run whose steps are all done: render what the path promised as output."""
    written = visit.run.version.document["spec"].get("output") or {}
    warning = ""
    try:
        output = render_value(written, context_of(visit.run, visit.steps, visit.secrets), path="output")
    except Refusal as refusal:
        # Everything is made; a link that cannot be shown is no reason to call that a failure.
        output, warning = {}, refusal.text
    with visit.lease.fenced() as run:
        run.output = visit.lease.logbook.redactor.clean_value(output)
        if warning:
            visit.lease.logbook.write(f"The path's output cannot be shown. {warning}", level="warning")
        visit.lease.logbook.write("The run succeeded.")
        bench.clear(run)
        run.end("succeeded")
    return False


def _give_up(visit: Visit, step: Step) -> bool:
    text = (
        f"“{step.name}” was begun {step.strikes} times and its worker never came back, so it is not tried again. "
        "Whoever runs Slipway finds the cause in the worker's log; after that, Retry continues here."
    )
    with visit.lease.fenced() as run:
        step.strikes = 0
        execution.fail(visit.lease, run, step, "worker-lost", text)
        step.save()
    return False
