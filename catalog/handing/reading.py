"""Which transfers there are for somebody: what waits for them, what they asked, what is dated, what was."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime
from uuid import UUID

from django.db import connection

from catalog.handing.models import Transfer, TransferItem
from catalog.handing.states import OUTCOMES
from catalog.holders import refs_of_person
from catalog.owners.rights import STATE
from portal.accounts.access import Access
from portal.accounts.models import Organisation
from portal.accounts.tenancy import TenantQuerySet
from portal.kit.words import cell

BOXES: Mapping[str, str] = {
    "waiting": "Waits for you", "asked": "You offered", "open": "All open", "dated": "Dated", "past": "Past",
}  # fmt: skip
SAMPLE = 3

_LED = """
SELECT DISTINCT t.ref FROM accounts_teammembership m
JOIN accounts_teampath p ON p.organisation_id = m.organisation_id AND p.above_id = m.team_id AND p.stands
JOIN accounts_team t ON t.organisation_id = m.organisation_id AND t.id = p.below_id
WHERE m.organisation_id = %s AND m.user_id = %s AND m.is_lead
"""
# Teams that nobody leads: managers answer for them.
_WITHOUT_LEAD = """
SELECT t.ref FROM accounts_team t WHERE t.organisation_id = %s AND t.ref = ANY(%s::text[]) AND NOT EXISTS (
    SELECT 1 FROM accounts_teampath p
    JOIN accounts_teammembership m ON m.organisation_id = t.organisation_id AND m.team_id = p.above_id AND m.is_lead
    WHERE p.organisation_id = t.organisation_id AND p.below_id = t.id AND p.stands)
"""


def led_by(access: Access) -> set[str]:
    """References of the teams that they lead, and of those below."""
    with connection.cursor() as cursor:
        cursor.execute(_LED, [access.organisation.pk, access.user.pk])
        return {row[0] for row in cursor.fetchall()}


def without_lead(organisation: Organisation, refs: list[str]) -> set[str]:
    """Those of these teams that nobody leads, and nobody above them."""
    with connection.cursor() as cursor:
        cursor.execute(_WITHOUT_LEAD, [organisation.pk, refs])
        return {row[0] for row in cursor.fetchall()}


def transfers(access: Access, box: str) -> TenantQuerySet[Transfer]:
    """The transfers of one of BOXES, the newest first."""
    rows = Transfer.objects.for_tenant(access.organisation).order_by("-pk")
    if box == "waiting":
        return rows.filter(state="asked", to_ref__in=answered_by(access))
    if box == "asked":
        return rows.filter(asked_by=access.user)
    if box == "open":
        return rows.filter(state="asked")
    if box == "dated":
        return rows.filter(state="accepted").order_by("due_at", "pk")
    return rows.exclude(state__in=("asked", "accepted"))


def answered_by(access: Access) -> set[str]:
    """To whom things are offered so that this person is to answer: themselves, the teams that they lead and, for
    managers, the teams that nobody leads."""
    refs = led_by(access) | refs_of_person(access.organisation, access.user)
    if access.verdict(STATE, is_owner=False):
        asked = Transfer.objects.for_tenant(access.organisation).filter(state="asked")
        refs |= without_lead(access.organisation, list(asked.values_list("to_ref", flat=True).distinct()))
    return refs


def counts(access: Access) -> dict[str, int]:
    """How many each box but the past holds: for the tabs."""
    return {box: transfers(access, box).count() for box in ("waiting", "open", "dated")}


def sampled(organisation: Organisation, found: list[Transfer]) -> dict[int, list[TransferItem]]:
    """The first few entities of each transfer: one statement."""
    rows = TransferItem.objects.for_tenant(organisation).raw(
        "SELECT i.* FROM unnest(%s::bigint[]) AS w (id) CROSS JOIN LATERAL ("
        " SELECT * FROM handing_transferitem x WHERE x.organisation_id = %s AND x.transfer_id = w.id"
        " ORDER BY x.ref LIMIT %s) AS i",
        [[each.pk for each in found], organisation.pk, SAMPLE],
    )
    told: dict[int, list[TransferItem]] = {}
    for row in rows:
        told.setdefault(row.transfer_id, []).append(row)
    return told


HEADINGS = (
    "transfer", "entity", "from", "to", "state", "outcome", "why", "asked_by", "asked_at", "due_at", "answered_by",
    "answered_at", "reason",
)  # fmt: skip


def exported(access: Access, box: str, most: int) -> Iterator[list[str]]:
    """The entities of a box's transfers, a line each, below HEADINGS: safe for spreadsheets."""
    yield list(HEADINGS)
    rows = TransferItem.objects.for_tenant(access.organisation).select_related("transfer")
    for row in rows.filter(transfer__in=transfers(access, box).order_by()).order_by("-transfer_id", "ref")[:most]:
        one = row.transfer
        line = [
            str(one.pk), row.ref, row.was_ref, one.to_ref, one.state, OUTCOMES[row.outcome], one.why,
            one.asked_by_label, _at(one.asked_at), _at(one.due_at), one.answered_by_label, _at(one.answered_at),
            one.reason,
        ]  # fmt: skip
        yield [cell(value) for value in line]


def _at(moment: datetime | None) -> str:
    return moment.isoformat(timespec="seconds") if moment else ""


def waits(organisation: Organisation, uid: UUID) -> Transfer | None:
    """The open transfer in which an entity stands."""
    rows = TransferItem.objects.for_tenant(organisation).filter(entity_uid=uid, is_open=True)
    found = rows.select_related("transfer").first()
    return found.transfer if found else None
