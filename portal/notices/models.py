"""Notices, how they reach people, and what people chose: rows only. Everything of a person hangs on their membership,
so that it ends with it."""

from __future__ import annotations

import uuid

from django.db import models
from django.db.models import Q
from django.utils.timezone import now

from portal.accounts.models import Membership, Team
from portal.accounts.tenancy import TenantModel
from portal.kit.sealing import Binding
from portal.notices.registry import KINDS
from portal.notices.states import DELIVERY_STATES, DESTINATIONS, DeliveryState


class Happening(TenantModel):
    """Something that a room told without an audit event. Told on once; the row stays for a while, so that telling it
    again is nothing."""

    kind = models.CharField(max_length=60)
    key = models.CharField(max_length=200)
    at = models.DateTimeField(default=now)
    summary = models.CharField(max_length=500)
    actor = models.ForeignKey("accounts.User", null=True, blank=True, on_delete=models.SET_NULL, related_name="+")
    actor_label = models.CharField(max_length=254, blank=True)
    subject_kind = models.CharField(max_length=40, blank=True)
    subject_id = models.CharField(max_length=80, blank=True)
    subject_label = models.CharField(max_length=300, blank=True)
    data = models.JSONField(default=dict)
    told_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["organisation", "kind", "key"], name="happening_once")]
        indexes = [
            models.Index(fields=["organisation", "id"], name="happening_untold", condition=Q(told_at=None)),
            models.Index(fields=["told_at"], name="happening_told", condition=Q(told_at__isnull=False)),
        ]

    def __str__(self) -> str:
        return self.summary


class Notice(TenantModel):
    """What one member is told in the portal. `count` alike ones became this one; `lines` are the newest of them.

    at  when the last of them happened; first_at the first
    """

    membership = models.ForeignKey(Membership, on_delete=models.CASCADE, related_name="notices")
    kind = models.CharField(max_length=60)
    group = models.CharField(max_length=200, blank=True)
    title = models.CharField(max_length=300)
    text = models.CharField(max_length=1000, blank=True)
    link = models.CharField(max_length=500)
    why = models.CharField(max_length=300)
    lines = models.JSONField(default=list)
    count = models.PositiveIntegerField(default=1)
    first_at = models.DateTimeField(default=now)
    at = models.DateTimeField(default=now)
    read_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        indexes = [
            models.Index(fields=["organisation", "membership", "-at", "-id"], name="notice_newest"),
            models.Index(
                fields=["organisation", "membership", "kind", "group"], name="notice_unread", condition=Q(read_at=None)
            ),
            models.Index(fields=["organisation", "at"], name="notice_age"),
        ]

    def __str__(self) -> str:
        return self.title

    @property
    def kind_label(self) -> str:
        """What its kind is called; a kind that no room knows any more by its key."""
        return KINDS[self.kind].label if self.kind in KINDS else self.kind

    @property
    def more(self) -> int:
        """How many of the alike ones do not stand in its lines."""
        return max(0, self.count - len(self.lines))


class Destination(TenantModel):
    """A channel of Slack or Teams, or a program, that an organisation has told things to.

    The address is a secret and is sealed; `host` is what of it is shown. A webhook is signed, with the secret before
    as well until `before_until`.
    kinds       keys of what goes there; empty for everything
    team        only what is about this team and those below it; None for all
    rests_until nothing is sent before, for it said so or was sent something a moment ago
    """

    uid = models.UUIDField(default=uuid.uuid4)
    kind = models.CharField(max_length=8, choices=list(DESTINATIONS.items()))
    name = models.CharField(max_length=80)
    team = models.ForeignKey(Team, null=True, blank=True, on_delete=models.CASCADE, related_name="+")
    kinds = models.JSONField(default=list)
    host = models.CharField(max_length=300)
    sealed_address = models.TextField()
    sealed_secret = models.TextField(blank=True)
    sealed_before = models.TextField(blank=True)
    before_until = models.DateTimeField(null=True, blank=True)
    is_on = models.BooleanField(default=True)
    sentence = models.CharField(max_length=500, blank=True, help_text="Why it is off, or what went wrong last.")
    refused = models.PositiveIntegerField(default=0, help_text="How often it refused, one after the other.")
    rests_until = models.DateTimeField(null=True, blank=True)
    sent_at = models.DateTimeField(null=True, blank=True)
    created_at = models.DateTimeField(default=now)
    created_by = models.ForeignKey("accounts.User", null=True, blank=True, on_delete=models.SET_NULL, related_name="+")

    class Meta:
        ordering = ["name"]
        constraints = [models.UniqueConstraint(fields=["organisation", "name"], name="destination_name_once")]

    def __str__(self) -> str:
        return self.name

    @property
    def binding(self) -> Binding:
        """What its address and secret are sealed with: they open for no other row."""
        return (self.organisation_id, "notice destination", str(self.uid))


class Delivery(TenantModel):
    """One thing for one recipient over one channel: to a member, to a team's mail address, or to a destination.

    key    what it is made of: the same happening, recipient and channel once
    batch  those that went, or go, out together as one message; it names that message for ever (sending/claiming.py)
    due_at when it is looked at next; None when nothing is to come
    """

    key = models.CharField(max_length=300)
    channel = models.CharField(max_length=10)
    membership = models.ForeignKey(
        Membership, null=True, blank=True, on_delete=models.CASCADE, related_name="deliveries"
    )
    team = models.ForeignKey(Team, null=True, blank=True, on_delete=models.CASCADE, related_name="+")
    destination = models.ForeignKey(
        Destination, null=True, blank=True, on_delete=models.CASCADE, related_name="deliveries"
    )
    notice = models.ForeignKey(Notice, null=True, blank=True, on_delete=models.SET_NULL, related_name="+")
    kind = models.CharField(max_length=60)
    group = models.CharField(max_length=200, blank=True)
    title = models.CharField(max_length=300)
    text = models.CharField(max_length=1000, blank=True)
    link = models.CharField(max_length=500)
    why = models.CharField(max_length=300, blank=True)
    lines = models.JSONField(default=list)
    mode = models.CharField(max_length=8)
    at = models.DateTimeField(default=now)

    state = models.CharField(max_length=8, default="waiting")
    due_at = models.DateTimeField(null=True, blank=True, default=now)
    batch = models.UUIDField(null=True, blank=True)
    epoch = models.PositiveIntegerField(default=0)
    attempts = models.PositiveIntegerField(default=0)
    lease_owner = models.CharField(max_length=100, blank=True)
    lease_until = models.DateTimeField(null=True, blank=True)
    sentence = models.CharField(max_length=500, blank=True, help_text="What went wrong last.")
    log = models.JSONField(default=list, help_text="[when, what came of it] of the last attempts.")
    ended_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["organisation", "key"], name="delivery_once"),
            models.CheckConstraint(condition=Q(state__in=list(DELIVERY_STATES)), name="delivery_state_known"),
        ]
        indexes = [
            models.Index(
                fields=["organisation", "due_at", "id"], name="delivery_due", condition=Q(due_at__isnull=False)
            ),
            models.Index(
                fields=["organisation", "membership", "channel"],
                name="delivery_waiting",
                condition=Q(state="waiting"),
            ),
            models.Index(fields=["organisation", "batch"], name="delivery_batch", condition=Q(batch__isnull=False)),
            models.Index(fields=["organisation", "state", "-id"], name="delivery_state"),
            models.Index(fields=["ended_at"], name="delivery_ended", condition=Q(ended_at__isnull=False)),
        ]

    def __str__(self) -> str:
        return self.title

    @property
    def shown(self) -> DeliveryState:
        """Its state with label and badge."""
        return DELIVERY_STATES[self.state]

    @property
    def recipient(self) -> str:
        """Whom it is for, in words."""
        return str(self.membership.user if self.membership else self.team or self.destination)


class Preference(TenantModel):
    """How a kind (empty: every kind) goes over a channel: for a member, for a team's people, or, where neither is
    named, for everybody in the organisation."""

    membership = models.ForeignKey(Membership, null=True, blank=True, on_delete=models.CASCADE, related_name="+")
    team = models.ForeignKey(Team, null=True, blank=True, on_delete=models.CASCADE, related_name="+")
    kind = models.CharField(max_length=60, blank=True)
    channel = models.CharField(max_length=10)
    mode = models.CharField(max_length=8)
    set_at = models.DateTimeField(default=now)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["organisation", "membership", "team", "kind", "channel"],
                name="preference_once",
                nulls_distinct=False,
            ),
            models.CheckConstraint(
                condition=Q(membership=None) | Q(team=None), name="preference_of_a_person_or_a_team"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.kind or 'everything'} over {self.channel}: {self.mode}"


class Rhythm(TenantModel):
    """A member's hours: when digests come and when nothing comes. Minutes of the day in their own zone."""

    membership = models.OneToOneField(Membership, on_delete=models.CASCADE, related_name="rhythm")
    hour = models.PositiveSmallIntegerField(default=8)
    quiet_from = models.PositiveSmallIntegerField(null=True, blank=True)
    quiet_until = models.PositiveSmallIntegerField(null=True, blank=True)
    quiet_weekend = models.BooleanField(default=False)

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=Q(hour__lt=24)
                & (Q(quiet_from=None, quiet_until=None) | Q(quiet_from__lt=1440, quiet_until__lt=1440)),
                name="rhythm_of_a_day",
            )
        ]

    def __str__(self) -> str:
        return f"hours of {self.membership_id}"


class FollowedTeam(TenantModel):
    """A team that a member wants to hear of without being in it."""

    membership = models.ForeignKey(Membership, on_delete=models.CASCADE, related_name="+")
    team = models.ForeignKey(Team, on_delete=models.CASCADE, related_name="followers")
    at = models.DateTimeField(default=now)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["organisation", "membership", "team"], name="followed_once")]

    def __str__(self) -> str:
        return f"{self.membership_id} follows {self.team_id}"
