"""The durable engine: one visit of one worker to one run takes it one step further. It enqueues nothing itself."""

from datetime import timedelta

from portal.provisioning.engine import compensation, execution, sealing
from portal.provisioning.engine.execution import RunVisit, SealedUnreadable
from portal.provisioning.engine.lease import LeaseLost, RunLease, claim, let_go
from portal.provisioning.engine.retries import MAX_STRIKES
from portal.provisioning.models import Step
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
        again = _work(execution.visit_of(lease, run_id, sealing.secrets_of))
        is_orderly = True
    except SealedUnreadable as unreadable:
        is_orderly = True
        return _close(lease, unreadable)
    except LeaseLost:
        is_orderly = True
        return False
    finally:
        if not is_orderly:
            let_go(lease, AFTER_A_BUG)
    return again


def _close(lease: RunLease, unreadable: SealedUnreadable) -> bool:
    """End a run whose secrets or files cannot be read: another try would find them the same."""
    with lease.fenced() as run:
        run.error_code, run.error_text = "unreadable", unreadable.text
        lease.logbook.write(unreadable.text, level="error")
        run.end("undo_failed" if run.status == "undoing" else "failed")
    return False


def _work(visit: RunVisit) -> bool:
    if visit.run.status == "undoing":
        return compensation.undo_next(visit)
    begun = next((step for step in visit.steps if step.status in ("running", "waiting")), None)
    if begun is not None and visit.run.cancel_requested_at is not None and not visit.walk.runs_always(begun.idx):
        return _stop(visit, begun)
    step = begun or next((step for step in visit.steps if _is_next(visit, step)), None)
    if step is None:
        return _end(visit)
    if step.strikes >= MAX_STRIKES:
        return _give_up(visit, step)
    return execution.execute(visit, step)


def _is_next(visit: RunVisit, step: Step) -> bool:
    return step.status in UNFINISHED_STEP and visit.walk.is_considered(step.idx)


def _stop(visit: RunVisit, step: Step) -> bool:
    """A person stopped the run while this step was under way: what is done stays done, and Undo is offered."""
    with visit.lease.fenced() as run:
        step.move("cancelled")
        step.ended_at = run.now
        step.sentence = ""
        step.save()
        run.rest(run.now + execution.grace())
    return True


def _end(visit: RunVisit) -> bool:
    """No step is left to consider: say what came of the run, and show what the path promised as output."""
    output, troubles = visit.walk.shown_output()
    has_failed = any(step.status == "failed" for step in visit.steps)
    with visit.lease.fenced() as run:
        run.output = visit.lease.logbook.redactor.clean_value(output)
        for trouble in troubles:
            # What is made is made; a link that cannot be shown is no reason to call that a failure.
            visit.lease.logbook.write(f"The path's output cannot be shown in full. {trouble}", level="warning")
        if has_failed:
            run.end("failed")
        elif visit.run.cancel_requested_at is not None and _is_cut_short(visit):
            visit.lease.logbook.write("The run was cancelled.", level="warning")
            run.end("cancelled")
        else:
            visit.lease.logbook.write("The run succeeded.")
            run.end("succeeded")
    return False


def _is_cut_short(visit: RunVisit) -> bool:
    """Whether a wish to stop left anything undone; one that came after the last step changed nothing."""
    return any(step.status in ("pending", "cancelled") for step in visit.steps)


def _give_up(visit: RunVisit, step: Step) -> bool:
    text = (
        f"“{step.name}” was begun {step.strikes} times and its worker never came back, so it is not tried again. "
        "Whoever runs Slipway finds the cause in the worker's log; after that, Retry continues here."
    )
    with visit.lease.fenced() as run:
        step.strikes = 0
        execution.fail(visit.lease, run, step, "worker-lost", text)
        step.save()
    return True
