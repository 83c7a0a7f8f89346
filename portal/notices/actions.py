"""What people do with notices: read them, choose how they come, follow teams."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

from django.db import transaction
from django.utils.timezone import now

from portal.accounts.actor import Actor
from portal.accounts.audit import record
from portal.accounts.models import Membership, Organisation, Team
from portal.accounts.tenancy import tenant
from portal.kit.errors import Invalid, NotFound
from portal.notices import unread
from portal.notices.models import FollowedTeam, Notice, Preference, Rhythm
from portal.notices.registry import CHANNELS, KINDS, MODES, OFF
from portal.notices.unsubscribing import GONE, Ending

# How many notices one request may name.
MOST_NAMED = 500


@transaction.atomic
def mark(*, membership: Membership, is_read: bool, notices: Collection[int] | None = None, kind: str = "") -> int:
    """Marks a member's notices as read or as unread: those named, or all (of a kind, or of every kind). Returns how
    many changed. Must run inside the tenant."""
    rows = Notice.objects.for_tenant(membership.organisation_id).filter(membership=membership)
    rows = rows.filter(read_at__isnull=is_read)
    if notices is not None:
        if len(notices) > MOST_NAMED:
            raise Invalid(f"Name at most {MOST_NAMED} notices at once.", field="notices")
        rows = rows.filter(pk__in=notices)
    if kind:
        rows = rows.filter(kind=kind)
    # Locked in one order: two that mark the same ones at the same time do not wait for each other.
    pks = list(rows.order_by("pk").select_for_update().values_list("pk", flat=True))
    changed = Notice.objects.filter(pk__in=pks).update(read_at=now() if is_read else None) if pks else 0
    unread.count_down(membership.organisation_id, membership.pk, changed if is_read else -changed)
    if changed:
        unread.ring(membership.organisation_id, [membership.user_id])
    return changed


@transaction.atomic
def choose(
    *,
    organisation: Organisation,
    actor: Actor,
    wishes: Mapping[tuple[str, str], str],
    membership: Membership | None = None,
    team: Team | None = None,
) -> int:
    """How kinds come over channels, by (kind, channel): a mode, or "" to go by what holds otherwise. For a member, for
    a team's people, or (neither given) for everybody. Returns how many changed; raises Invalid. Inside the tenant."""
    rows = Preference.objects.for_tenant(organisation).filter(membership=membership, team=team)
    before = {(row.kind, row.channel): row.mode for row in rows}
    changes = {key: mode for key, mode in wishes.items() if before.get(key, "") != mode}
    for (kind, channel), mode in changes.items():
        _check(kind, channel, mode)
        if mode:
            rows.update_or_create(
                organisation=organisation,
                membership=membership,
                team=team,
                kind=kind,
                channel=channel,
                defaults={"mode": mode, "set_at": now()},
            )
        else:
            rows.filter(kind=kind, channel=channel).delete()
    if changes:
        whose = f"for {team}" if team else "for everybody" if membership is None else "for themselves"
        record(
            organisation=organisation,
            actor=actor,
            verb="notice-preference.changed",
            subject=team or membership or organisation,
            subject_label=str(team or (membership.user if membership else organisation)),
            summary=f"Changed {whose} how notices come: {_in_words(changes)}",
            data={
                f"{kind or 'everything'} over {channel}": mode or "default" for (kind, channel), mode in changes.items()
            },
        )
    return len(changes)


def _check(kind: str, channel: str, mode: str) -> None:
    if kind and kind not in KINDS:
        raise Invalid("There is no such kind of notice.", field="kind")
    if channel not in CHANNELS:
        raise Invalid("There is no such way for notices to come.", field="channel")
    if mode and mode not in CHANNELS[channel][1]:
        raise Invalid(f"{CHANNELS[channel][0]} does not come so.", field="mode")


def _in_words(changes: Mapping[tuple[str, str], str]) -> str:
    said = [
        f"{KINDS[kind].label if kind in KINDS else 'everything'}, {CHANNELS[channel][0].lower()}: "
        f"{MODES[mode].lower() if mode else 'as it comes'}"
        for (kind, channel), mode in changes.items()
    ]
    return "; ".join(said[:3]) + (f" and {len(said) - 3} more" if len(said) > 3 else "")


@transaction.atomic
def set_hours(*, membership: Membership, **hours: Any) -> Rhythm:
    """When digests come and when nothing comes: the fields of Rhythm. Raises Invalid. Must run inside the tenant."""
    if (hours.get("quiet_from") is None) != (hours.get("quiet_until") is None):
        raise Invalid("Quiet hours have a beginning and an end.", field="quiet_until")
    found, _ = Rhythm.objects.for_tenant(membership.organisation_id).update_or_create(
        organisation_id=membership.organisation_id, membership=membership, defaults=hours
    )
    return found


@transaction.atomic
def follow_team(*, membership: Membership, team: Team, follows: bool) -> None:
    """Hear of a team, or no more of it; twice is once. Must run inside the tenant."""
    rows = FollowedTeam.objects.for_tenant(membership.organisation_id)
    if follows:
        rows.get_or_create(organisation_id=membership.organisation_id, membership=membership, team=team)
    else:
        rows.filter(membership=membership, team=team).delete()


def end_by_link(*, actor: Actor, ending: Ending) -> str:
    """Does what an unsubscribe address says: one preference becomes "not at all", twice is once. Returns what it ended,
    in words. Opens the tenant itself, for nobody is signed in. Raises NotFound."""
    organisation = Organisation.objects.filter(pk=ending.organisation).first()
    if organisation is None:
        raise NotFound(GONE)
    with tenant(organisation):
        membership, team = recipients(organisation, ending)
        choose(
            organisation=organisation,
            actor=actor,
            wishes={(ending.kind if ending.kind in KINDS else "", ending.channel): OFF},
            membership=membership,
            team=team,
        )
    return ended_words(ending)


def recipients(organisation: Organisation, ending: Ending) -> tuple[Membership | None, Team | None]:
    """Whose preference an address ends; exactly one of them. Raises NotFound when they are gone."""
    members = Membership.objects.for_tenant(organisation).select_related("user").filter(user__is_active=True)
    membership = members.filter(pk=ending.membership).first() if ending.membership else None
    team = Team.objects.for_tenant(organisation).filter(pk=ending.team).first() if ending.team else None
    if (membership is None) == (team is None):
        raise NotFound(GONE)
    return membership, team


def ended_words(ending: Ending) -> str:
    """What an address ends: a kind's label, or all of it."""
    return f"mail about “{KINDS[ending.kind].label}”" if ending.kind in KINDS else "all mail with notices"
