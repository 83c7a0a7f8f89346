"""Undo: take back what a run made, last first, one effect a visit, and say of each what became of it."""

from django.utils import timezone

from portal.accounts.tenancy import tenant
from portal.kit.errors import Refusal
from portal.kit.failpoints import failpoint
from portal.provisioning.acting.contract import LeftBehind, Undone
from portal.provisioning.engine import retries
from portal.provisioning.engine.context import TakingBack
from portal.provisioning.engine.execution import RunVisit, grace
from portal.provisioning.engine.keeper import StepKeeper
from portal.provisioning.models import Effect, Run
from portal.provisioning.redaction import has_mask
from portal.provisioning.steps import UNDO


def undo_next(visit: RunVisit) -> bool:
    """Take back the newest effect that has no verdict yet; end the undo when there is none left."""
    run = visit.run
    effects = Effect.objects.for_tenant(run.organisation_id).filter(run=run)
    with tenant(run.organisation_id):
        effect = effects.filter(undo="").order_by("-id").first()
    if effect is None:
        return _end(visit)
    failpoint("undo.claimed", visit.lease.key)
    with StepKeeper(visit.lease, is_deaf=True) as keeper:
        context = TakingBack(run.organisation, run.steerer, run.pk, visit.lease, keeper)
        verdict = _verdict(context, effect)
    failpoint("undo.acted", visit.lease.key)
    with visit.lease.fenced() as locked:
        again = _write(visit, locked, effect, verdict)
    failpoint("undo.committed", visit.lease.key)
    return again


def _verdict(context: TakingBack, effect: Effect) -> Undone | LeftBehind | Refusal:
    if has_mask(effect.reference) or has_mask(effect.before):
        return LeftBehind(
            f"{effect.label} was made with a secret in its name, which is not kept; take it back by hand."
        )
    try:
        return UNDO[effect.kind](context, effect)
    except Refusal as refusal:
        return refusal


def _write(visit: RunVisit, run: Run, effect: Effect, verdict: Undone | LeftBehind | Refusal) -> bool:
    """Write the verdict down. What may pass is tried again later; the rest goes on with the next effect."""
    if isinstance(verdict, Refusal):
        effect.undo_text = visit.lease.logbook.redactor.clean(verdict.text)
        # The effect's own sentence counts the tries: the run's row has no step to do so.
        effect.undo_tries += 1
        delay = retries.next_delay(verdict, effect.undo_tries)
        if delay is not None:
            effect.save(update_fields=["undo_text", "undo_tries"])
            visit.lease.logbook.write(
                f"{effect.undo_text} Trying again in {delay.total_seconds():g} s.", level="warning"
            )
            run.rest(run.now + delay)
            return False
        effect.undo = "failed"
    else:
        effect.undo = "undone" if isinstance(verdict, Undone) else "left"
        effect.undo_text = verdict.sentence
        effect.undone_at = timezone.now()
    effect.save(update_fields=["undo", "undo_text", "undo_tries", "undone_at"])
    visit.lease.logbook.write(effect.undo_text, level={"failed": "error", "left": "warning"}.get(effect.undo, "info"))
    run.rest(run.now + grace())
    return True


def _end(visit: RunVisit) -> bool:
    with visit.lease.fenced() as run:
        effects = list(Effect.objects.for_tenant(run.organisation_id).filter(run=run))
        count = {verdict: sum(effect.undo == verdict for effect in effects) for verdict in ("undone", "left", "failed")}
        text = f"Undo: {count['undone']} undone, {count['left']} left behind, {count['failed']} failed."
        visit.lease.logbook.write(text, level="error" if count["failed"] else "info")
        run.error_text = "" if not count["failed"] else f"{text} Try Undo again when the cause is mended."
        run.end("undo_failed" if count["failed"] else "undone")
    return False
