"""What people do with runs: launch, cancel, retry, undo; each one transaction of change, audit event and nudge."""

import functools
import hashlib
import hmac
import json
from collections.abc import Collection, Mapping
from typing import TYPE_CHECKING, Any

from django.conf import settings
from django.db import transaction
from django.db.models.functions import Now
from django.utils import timezone

from portal.accounts import audit
from portal.accounts.actor import Actor
from portal.accounts.models import Organisation, User
from portal.goldenpaths.questions.forms import given_again
from portal.goldenpaths.questions.unseen import called, replaced, unseen_in
from portal.goldenpaths.templates import step_id
from portal.kit.errors import Conflict, Invalid, NotFound
from portal.provisioning import states
from portal.provisioning.acting.claiming import adoptions_of, owner_named
from portal.provisioning.engine import sealing
from portal.provisioning.engine.lease import call_out
from portal.provisioning.models import Effect, Run, Step
from portal.provisioning.redaction import MASK
from portal.provisioning.steps import ACTIONS
from portal.provisioning.tasks import nudge

if TYPE_CHECKING:
    from portal.goldenpaths.models import Version


@transaction.atomic
def launch(
    *,
    organisation: Organisation,
    actor: Actor,
    version: "Version",
    values: Mapping[str, Any],
    idempotency_key: str,
    secrets: Mapping[str, str] | None = None,
    asked: str = "",
    adoptions: Collection[str] = (),
) -> Run:
    """Start a run with answers that the form has checked; the same key again returns the run it started before.

    `asked` is the digest of what the person sent (see `digest_of`), before it was checked; by default of the answers.
    adoptions are the confirmed claims of the review: objects that stand there already and may be taken over, each
    exactly as it was shown. Whether the actor may is decided when they are taken.
    Raises Conflict for a key that has started something else: another person's run, another path, other answers.
    """
    confirmed = adoptions_of(adoptions, actor)
    asked = asked or digest_of(values, secrets or {})
    shown, secrets = _set_apart(version, values, secrets or {})
    run, is_new = Run.objects.for_tenant(organisation).get_or_create(
        organisation=organisation,
        idempotency_key=idempotency_key,
        defaults={
            "version": version,
            "requester": actor.user,
            "launched_as": actor.facts(),
            "title": version.path.title[:200],
            "subject": str(shown.get("name") or shown.get("component_id") or "").replace(MASK, "")[:200],
            "owner_ref": owner_named(shown, version.path.owner_ref),
            "values": shown,
            "asked": asked,
            "secrets": sealing.sealed(organisation.pk, idempotency_key, secrets),
            "secret_names": sorted(secrets),
            "adoptions": confirmed,
            "wake_at": Now(),
        },
    )
    if not is_new:
        require_same(run, actor, version.path_id, asked)
        return run
    Step.objects.bulk_create(
        Step(
            organisation=organisation,
            run=run,
            idx=idx,
            key=step_id(written, idx),
            name=str(written.get("name") or written.get("id") or written["action"])[:200],
            action=str(written["action"]),
        )
        for idx, written in enumerate(version.document["spec"]["steps"])
    )
    facts = {"path": version.path.slug, **({"adopts": [one["place"] for one in confirmed]} if confirmed else {})}
    _record(run, actor, "launched", f"Launched {run.subject or 'a run'} down {run.title}", facts)
    return run


def _set_apart(
    version: "Version", values: Mapping[str, Any], secrets: Mapping[str, str]
) -> tuple[dict[str, Any], dict[str, str]]:
    """The answers that anybody may read, a mask in the place of each that was given unseen; and all that is sealed."""
    unseen = unseen_in(version.document, values)
    answers = {one.name: json.dumps(one.value) for one in unseen}
    if clash := answers.keys() & secrets.keys():
        raise Invalid(f"The path asks twice for “{min(clash)}”: as a secret, and as an answer that is typed unseen.")
    return replaced(values, {one.place: MASK for one in unseen}), {**secrets, **answers}


def digest_of(values: Mapping[str, Any], secrets: Mapping[str, str]) -> str:
    """A keyed digest of what was asked, the same whatever the order of its names."""
    return _keyed([values, secrets])


def digest_of_review(version: "Version", values: Mapping[str, Any], person: User) -> str:
    """A keyed digest of what a person was shown: these answers, down exactly this version."""
    return _keyed(["review", version.organisation_id, version.path_id, version.digest, person.pk, values])


def _keyed(data: list[Any]) -> str:
    text = json.dumps(data, sort_keys=True, default=str)
    return hmac.new(settings.SECRET_KEY.encode(), text.encode(), hashlib.sha256).hexdigest()


def require_same(run: Run, actor: Actor, path_id: int, asked: str) -> None:
    """Raises Conflict unless the run is what this person asked for with its key."""
    if run.requester_id != actor.user.pk:
        raise Conflict("Somebody else has launched something with this key. Use another key.", code="key-used")
    # Runs from before digests were kept have none.
    if run.version.path_id != path_id or (run.asked and run.asked != asked):
        raise Conflict(
            f"This key has started run {run.pk} already, with another path or other answers. "
            "Use another key for another launch.",
            code="key-used",
        )


def _record(run: Run, actor: Actor, verb: str, summary: str, data: dict[str, Any] | None = None) -> None:
    audit.record(
        organisation=run.organisation_id,
        actor=actor,
        verb=f"run.{verb}",
        subject=run,
        summary=summary,
        data=data or {},
    )
    transaction.on_commit(functools.partial(nudge, run.organisation_id, run.pk))
    transaction.on_commit(functools.partial(call_out, run.organisation_id, run.pk))


def _locked(organisation: Organisation, run: Run) -> Run:
    row: Run | None = Run.objects.for_tenant(organisation).select_for_update().filter(pk=run.pk).first()
    if row is None:
        raise NotFound("There is no such run.")
    return row


@transaction.atomic
def cancel(*, organisation: Organisation, actor: Actor, run: Run) -> Run:
    """Ask the run to stop before its next effect. Asking twice is asking once."""
    row = _locked(organisation, run)
    if not states.can_cancel(row.status):
        raise Conflict(f"There is nothing left to cancel: the run is {row.state.label.lower()}.", code="run-over")
    if row.cancel_requested_at is None:
        row.cancel_requested_at = timezone.now()
        row.steered_by, row.steered_as = actor.person, actor.facts()
        row.save(update_fields=["cancel_requested_at", "steered_by", "steered_as"])
        Run.objects.for_tenant(organisation).filter(pk=row.pk, lease_until=None).update(wake_at=Now())
        _record(row, actor, "cancelled", f"Asked run {row.pk} ({row.title}) to stop")
    return row


@transaction.atomic
def retry(
    *,
    organisation: Organisation,
    actor: Actor,
    run: Run,
    secrets: Mapping[str, str] | None = None,
    adoptions: Collection[str] = (),
) -> Run:
    """Queue the run again; it goes on at the step that stopped. Secrets are asked for anew: they were not kept.

    adoptions are confirmed claims of the step that was refused over them (`claims_of`): objects to be taken over,
    exactly as they were shown, in the name of this actor. Raises Invalid at `adopt` for one that was not asked.
    """
    row = _locked(organisation, run)
    secrets = secrets or {}
    if not states.can_retry(row.status):
        raise Conflict(f"Only a failed or cancelled run can be retried; this one is {row.state.label.lower()}.")
    missing = [name for name in row.secret_names if not secrets.get(name)]
    if missing:
        raise Invalid(
            f"Enter {', '.join(map(called, missing))} again: secrets are not kept after a run ends.", field=missing[0]
        )
    confirmed = _confirmed(row, actor, adoptions)
    _rewind(row)
    row.move("queued")
    again = _told_again(row, {name: secrets[name] for name in row.secret_names})
    row.secrets = sealing.sealed(organisation.pk, row.idempotency_key, again)
    row.error_code = row.error_text = ""
    row.output = {}
    # What it took is what its work took: neither the night before the retry nor the undo a week later.
    row.cancel_requested_at = row.started_at = row.ended_at = None
    row.wake_at = timezone.now()
    row.steered_by, row.steered_as = actor.person, actor.facts()
    row.save()
    facts = {"adopts": confirmed} if confirmed else {}
    _record(row, actor, "retried", f"Retried run {row.pk} ({row.title})", facts)
    return row


def _told_again(run: Run, given: dict[str, str]) -> dict[str, str]:
    """What is typed once more for a retry, as it is sealed. Raises Invalid for an answer that the form refuses."""
    unseen = {one.name: one for one in unseen_in(run.version.document, run.values)}
    return {
        name: json.dumps(given_again(unseen[name], text)) if name in unseen else text for name, text in given.items()
    }


def claims_of(run: Run) -> list[dict[str, Any]]:
    """What a stopped run was refused over and somebody may adopt: `object`, `adopt`, `sentence`, `owner`, `diff`."""
    rows = Step.objects.for_tenant(run.organisation_id).filter(run=run, status="failed")
    details = rows.order_by("idx").values_list("error_detail", flat=True)
    return [claim for detail in details for claim in detail.get("claims", ())]


def _confirmed(run: Run, actor: Actor, keys: Collection[str]) -> list[str]:
    """Adds confirmations to the run; returns the places. One that was given before gives way to the newer."""
    asked = {claim["adopt"] for claim in claims_of(run)} if keys else set()
    if set(keys) - asked:
        raise Invalid("That is not what the run was refused over. Look at the run again.", field="adopt")
    new = adoptions_of(keys, actor)
    places = [one["place"] for one in new]
    run.adoptions = [*(one for one in run.adoptions if one["place"] not in places), *new]
    return places


def _rewind(run: Run) -> None:
    """Make ready for another attempt: the step that stopped, and all after it, which ran because it did.

    Files that a secret may have gone into were not kept: the steps that made them, and nothing else, make them again.
    """
    steps = list(Step.objects.for_tenant(run.organisation_id).filter(run=run).order_by("idx"))
    stopped = min((step.idx for step in steps if step.status in ("failed", "cancelled")), default=len(steps))
    for step in steps:
        is_free = bool(run.secret_names) and ACTIONS[step.action].touches_workspace_only
        if step.status != "pending" and (step.idx >= stopped or is_free):
            step.move("pending")
            step.failures = step.strikes = 0
            step.sentence = step.error_code = step.error_text = ""
            step.error_detail = {}
            step.started_at = step.ended_at = None
            step.save()


@transaction.atomic
def undo(*, organisation: Organisation, actor: Actor, run: Run) -> Run:
    """Take back what the run made, last first; what failed to be taken back before is tried again."""
    row = _locked(organisation, run)
    if not states.can_undo(row.status):
        raise Conflict(f"A run that is {row.state.label.lower()} cannot be undone.", code="cannot-undo")
    effects = Effect.objects.for_tenant(organisation).filter(run=row)
    effects.filter(undo="failed").update(undo="", undo_tries=0)
    if not effects.filter(undo="").exists():
        raise Conflict("This run made nothing outside, so there is nothing to undo.", code="nothing-to-undo")
    row.move("undoing")
    row.wake_at = timezone.now()
    row.steered_by, row.steered_as = actor.person, actor.facts()
    row.save()
    _record(row, actor, "undone", f"Asked for run {row.pk} ({row.title}) to be undone")
    return row
