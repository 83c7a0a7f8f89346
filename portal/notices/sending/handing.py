"""A worker sends what is due: claim, hand over, write down what became of it."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from datetime import timedelta

from django.utils.timezone import now

from portal.accounts.actor import Actor
from portal.accounts.audit import record
from portal.accounts.tenancy import tenant
from portal.kit import sealing
from portal.kit.errors import Away, Refusal
from portal.kit.failpoints import failpoint
from portal.kit.posting import PostAnswer, Unanswered, post
from portal.notices.models import Delivery, Destination
from portal.notices.sending import mail, slack, teams, webhook
from portal.notices.sending.claiming import CAN_TELL, Batch, BatchLost, claim, noted
from portal.notices.sending.outcomes import Later, Outcome, Refused, Sent, Unsure, pause
from portal.notices.states import SLACK, TEAMS

log = logging.getLogger(__name__)

# One message takes no longer, and one visit of a worker begins none after.
PATIENCE = 15.0
VISIT = 40.0


def send_due(organisation_id: int) -> bool:
    """Sends what is due in the organisation. True when there may be more: the caller comes again.

    Any number of workers may do so at the same time: each message is one's.
    """
    began = time.monotonic()
    while (batch := claim(organisation_id)) is not None:
        failpoint("notices.claimed")
        try:
            outcome = hand_over(batch)
        except BatchLost as lost:
            log.info("message %s is somebody else's by now", lost)
            continue
        failpoint("notices.answered")
        settle(batch, outcome)
        failpoint("notices.settled")
        if time.monotonic() - began > VISIT:
            return True
    return False


def hand_over(batch: Batch) -> Outcome:
    """Sends one message over its channel; raises BatchLost."""

    def leaving() -> None:
        failpoint("notices.connected")
        batch.leaving()
        failpoint("notices.leaving")

    if batch.destination is None:
        return mail.send(batch, leaving)
    try:
        return _post(batch, batch.destination, leaving)
    except Unanswered as error:
        if batch.channel in CAN_TELL:
            return Later(error.text)
        return Unsure(f"{error.text} The message may have arrived.")
    except Away as error:
        return Later(error.text)
    except sealing.DoesNotOpen as error:
        return Refused(f"Its address does not open. {error.text} Enter it again.", is_off=True)
    except Refusal as refusal:  # the address rule, a name that is not known now, a process without the key
        return Later(refusal.text)


def _post(batch: Batch, destination: Destination, leaving: Callable[[], None]) -> Outcome:
    address = sealing.unseal(destination.sealed_address, destination.binding)["address"]
    secrets = [_secret(destination, destination.sealed_secret)] if destination.sealed_secret else []
    if destination.sealed_before and destination.before_until and destination.before_until > now():
        secrets.append(_secret(destination, destination.sealed_before))

    def deliver(body: bytes, headers: dict[str, str]) -> PostAnswer:
        return post(address, body, headers, deadline=time.monotonic() + PATIENCE, leaving=leaving)

    if destination.kind == SLACK:
        return slack.send(batch, deliver)
    if destination.kind == TEAMS:
        return teams.send(batch, deliver)
    return webhook.send(batch, deliver, secrets)


def _secret(destination: Destination, sealed: str) -> str:
    return sealing.unseal(sealed, destination.binding)["secret"]


# ---- what became of it ----------------------------------------------------------------------------------------------


def settle(batch: Batch, outcome: Outcome) -> None:
    """Writes down what became of a message: in one transaction, and only while it is ours to say.

    That something arrived is true whoever holds it by now.
    """
    with tenant(batch.organisation):
        rows = Delivery.objects.for_tenant(batch.organisation).filter(batch=batch.uid)
        if isinstance(outcome, Sent):
            rows.filter(state__in=["claimed", "handed", "unsure"]).update(**_over("sent", ""))
            _rest(batch, outcome.rests, sentence="", refused=0, sent_at=now())
        elif isinstance(outcome, Refused):
            _end(batch, "dead", outcome.sentence)
            _note_refused(batch, outcome)
        elif isinstance(outcome, Unsure):
            _end(batch, "unsure", f"{outcome.sentence} It is not sent again by itself.")
            _rest(batch, None, sentence=outcome.sentence[:500])
        else:
            _later(batch, outcome)


def _over(state: str, sentence: str) -> dict[str, object]:
    return {
        "state": state,
        "sentence": sentence[:500],
        "due_at": None,
        "lease_owner": "",
        "lease_until": None,
        "ended_at": now(),
    }


def _end(batch: Batch, state: str, sentence: str) -> None:
    if batch.held().update(**_over(state, sentence), log=noted(batch.first, sentence)):
        log.warning("message %s over %s: %s", batch.uid, batch.channel, sentence)


def _later(batch: Batch, outcome: Later) -> None:
    wait = pause(batch.attempts, outcome.wait)
    if wait is None:
        _end(batch, "dead", f"{outcome.sentence} It was tried {batch.attempts} times.")
        _rest(batch, None)
        return
    again = now() + wait
    free: dict[str, object] = {"state": "waiting", "sentence": outcome.sentence[:500], "lease_owner": ""}
    batch.held().update(**free, lease_until=None, due_at=None, log=noted(batch.first, outcome.sentence))
    batch.held().filter(pk=batch.first.pk).update(due_at=again)
    if batch.destination is not None:
        refused = batch.destination.refused + 1 if outcome.counts else batch.destination.refused
        _rest(batch, outcome.wait, sentence=outcome.sentence[:500], refused=refused)


def _rest(batch: Batch, wait: timedelta | None, **more: object) -> None:
    """The destination may have its next message, after what it asked for."""
    if batch.destination is not None:
        rows = Destination.objects.for_tenant(batch.organisation).filter(pk=batch.destination.pk)
        rows.update(rests_until=now() + wait if wait else None, **more)


def _note_refused(batch: Batch, outcome: Refused) -> None:
    destination = batch.destination
    if destination is None:
        return
    rows = Destination.objects.for_tenant(batch.organisation).filter(pk=destination.pk)
    rows.update(sentence=outcome.sentence[:500], rests_until=None)
    if outcome.is_off and rows.filter(is_on=True).update(is_on=False):
        waiting = Delivery.objects.for_tenant(batch.organisation).filter(destination=destination, state="waiting")
        waiting.update(**_over("dead", outcome.sentence))
        record(
            organisation=batch.organisation,
            actor=Actor.slipway(),
            verb="destination.disabled",
            subject=destination,
            summary=f"Switched off {destination}: {outcome.sentence}",
            data={"kind": destination.kind, "sentence": outcome.sentence},
        )
