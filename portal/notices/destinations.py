"""Where an organisation has notices sent besides people: added, changed, tried, its secret exchanged, removed; and what
could not be delivered, tried again."""

from __future__ import annotations

import base64
import os
import uuid
from collections.abc import Collection, Mapping
from datetime import timedelta
from typing import Any

from django.db import IntegrityError, transaction
from django.utils.timezone import now

from portal.accounts.actor import Actor
from portal.accounts.audit import record
from portal.accounts.models import Organisation, Team
from portal.accounts.tenancy import TenantQuerySet
from portal.kit import sealing
from portal.kit.errors import Conflict, Invalid
from portal.kit.plain import split_url
from portal.notices.models import Delivery, Destination
from portal.notices.registry import KINDS, NOW
from portal.notices.sending.webhook import PREFIX
from portal.notices.states import DEAD, DESTINATIONS, WEBHOOK
from portal.notices.tasks import nudge

MOST = 50
# While a receiver changes over to a new secret, what is sent is signed with both.
BOTH = timedelta(hours=24)
TEST = "destination.test"


def host_of(address: str) -> str:
    """What may be shown of an address: the host. Raises Invalid for what no notice can be posted to."""
    parts = split_url(address.strip())
    if parts is None or parts.scheme not in ("https", "http") or not parts.hostname:
        raise Invalid("Write the whole web address, starting with https://.", field="address")
    if parts.username is not None or parts.password is not None:
        raise Invalid("Leave out the user name and password.", field="address")
    if any(ord(letter) < 33 or ord(letter) == 127 for letter in address.strip()):
        raise Invalid("An address has no spaces in it.", field="address")
    return parts.netloc.lower()[:300]


@transaction.atomic
def add_destination(
    *,
    organisation: Organisation,
    actor: Actor,
    kind: str,
    name: str,
    address: str,
    kinds: Collection[str] = (),
    team: Team | None = None,
) -> tuple[Destination, str]:
    """A new destination, and the secret that a webhook is signed with: told this once ("" for the others)."""
    if kind not in DESTINATIONS:
        raise Invalid("There is no such kind of destination.", field="kind")
    if Destination.objects.for_tenant(organisation).count() >= MOST:
        raise Conflict(f"An organisation has at most {MOST} destinations.")
    row = Destination(organisation=organisation, kind=kind, created_by=actor.person)
    secret = _new_secret() if kind == WEBHOOK else ""
    if secret:
        row.sealed_secret = sealing.seal({"secret": secret}, row.binding)
    _put(row, name=name, address=address, kinds=kinds, team=team)
    _record(actor, row, "added", f"Has notices sent to {row} ({DESTINATIONS[kind]}, {row.host})")
    return row, secret


@transaction.atomic
def change_destination(
    *,
    organisation: Organisation,
    actor: Actor,
    destination: Destination,
    name: str,
    address: str = "",
    kinds: Collection[str] = (),
    team: Team | None = None,
) -> Destination:
    """What goes there, and its name; with an address, another one, which switches it on again."""
    _put(destination, name=name, address=address, kinds=kinds, team=team)
    _record(actor, destination, "changed", f"Changed the destination {destination} ({destination.host})")
    return destination


def _put(row: Destination, *, name: str, address: str, kinds: Collection[str], team: Team | None) -> None:
    unknown = sorted(set(kinds) - set(KINDS))
    if unknown:
        raise Invalid("There is no such kind of notice.", field="kinds")
    if not name.strip():
        raise Invalid("Give it a name.", field="name")
    row.name, row.kinds, row.team = " ".join(name.split())[:80], sorted(set(kinds)), team
    if address.strip():
        row.host = host_of(address)
        row.sealed_address = sealing.seal({"address": address.strip()}, row.binding)
        row.is_on, row.sentence, row.refused, row.rests_until = True, "", 0, None
    try:
        with transaction.atomic():
            row.save()
    except IntegrityError as error:
        raise Conflict(f"There is a destination called {row.name} already.", field="name") from error


@transaction.atomic
def switch(*, organisation: Organisation, actor: Actor, destination: Destination, is_on: bool) -> None:
    """Nothing goes there any more, or again."""
    rows = Destination.objects.for_tenant(organisation).filter(pk=destination.pk)
    rows.update(is_on=is_on, sentence="", refused=0, rests_until=None)
    word = "on" if is_on else "off"
    _record(actor, destination, f"switched-{word}", f"Switched the destination {destination} {word}")


@transaction.atomic
def rotate_secret(*, organisation: Organisation, actor: Actor, destination: Destination) -> str:
    """A new secret for a webhook, told this once; what is sent is signed with the old one as well for a day."""
    if destination.kind != WEBHOOK:
        raise Conflict(f"What goes to {DESTINATIONS[destination.kind]} is not signed: its address is the secret.")
    secret = _new_secret()
    destination.sealed_before, destination.before_until = destination.sealed_secret, now() + BOTH
    destination.sealed_secret = sealing.seal({"secret": secret}, destination.binding)
    destination.save(update_fields=["sealed_before", "before_until", "sealed_secret"])
    _record(actor, destination, "secret-replaced", f"Replaced the secret of the destination {destination}")
    return secret


@transaction.atomic
def remove_destination(*, organisation: Organisation, actor: Actor, destination: Destination) -> None:
    """Forgets it, and what waited for it."""
    _record(actor, destination, "removed", f"Has no more notices sent to {destination}")
    destination.delete()


@transaction.atomic
def send_test(*, organisation: Organisation, actor: Actor, destination: Destination) -> None:
    """Sends one message that says that it is a test; a worker does. Raises Conflict while the destination is off."""
    if not destination.is_on:
        raise Conflict(f"{destination} is switched off.")
    Delivery.objects.create(
        organisation=organisation,
        key=f"test:{uuid.uuid4()}",
        channel=destination.kind,
        destination=destination,
        kind=TEST,
        title=f"A test from {organisation.name} on Slipway",
        text=f"{actor} asked for it. Notices will arrive like this.",
        link=f"/o/{organisation.slug}/notices/destinations/",
        mode=NOW,
    )
    _record(actor, destination, "tested", f"Sent a test to {destination}")
    transaction.on_commit(lambda: nudge(organisation.pk))


def undelivered(organisation: Organisation) -> TenantQuerySet[Delivery]:
    """What was given up or has perhaps arrived, newest first."""
    rows = Delivery.objects.for_tenant(organisation).filter(state__in=DEAD)
    return rows.select_related("membership__user", "team", "destination").order_by("-pk")


@transaction.atomic
def retry(*, organisation: Organisation, actor: Actor, deliveries: Collection[int]) -> int:
    """Tries messages again from their beginning; what has perhaps arrived may then arrive twice. Returns how many
    rows; raises Conflict when none of them can be tried."""
    named = Delivery.objects.for_tenant(organisation).filter(pk__in=deliveries, state__in=DEAD)
    batches = {row for row in named.values_list("batch", flat=True) if row}
    whole = Delivery.objects.for_tenant(organisation).filter(state__in=DEAD)
    rows = list((whole.filter(batch__in=batches) | named).order_by("at", "pk").select_for_update(of=("self",)))
    if any(row.destination_id and not row.destination.is_on for row in rows if row.destination):
        raise Conflict("Its destination is switched off: switch it on first.")
    if not rows:
        raise Conflict("There is nothing to try again.", code="nothing-undelivered")
    leaders = set[Any]()
    for row in rows:
        row.state, row.attempts, row.ended_at, row.epoch = "waiting", 0, None, row.epoch + 1
        row.due_at = now() if row.batch is None or row.batch not in leaders else None
        leaders.add(row.batch)
    Delivery.objects.bulk_update(rows, ["state", "attempts", "ended_at", "epoch", "due_at"], batch_size=500)
    record(
        organisation=organisation,
        actor=actor,
        verb="delivery.retried",
        summary=f"Had {len(rows)} undelivered notice{'' if len(rows) == 1 else 's'} sent again",
        data={"deliveries": [row.pk for row in rows[:100]]},
    )
    transaction.on_commit(lambda: nudge(organisation.pk))
    return len(rows)


def _new_secret() -> str:
    return PREFIX + base64.b64encode(os.urandom(32)).decode()


def _record(actor: Actor, row: Destination, verb: str, summary: str, data: Mapping[str, Any] | None = None) -> None:
    record(
        organisation=row.organisation_id,
        actor=actor,
        verb=f"destination.{verb}",
        subject=row,
        summary=summary,
        data={"kind": row.kind, "host": row.host, "kinds": row.kinds, **(data or {})},
    )
