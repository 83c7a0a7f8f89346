"""Jobs as rows: who asked for what, how far it is, and how it ended."""

from __future__ import annotations

import uuid
from datetime import datetime

from django.db import models
from django.db.models import Q
from django.utils.timezone import now

from portal.accounts.actor import Actor
from portal.accounts.tenancy import TenantModel
from portal.jobs.states import ACTIVE_JOB, JOB_STATES, JobState


class Job(TenantModel):
    """One piece of outside work. `state` is written by lease.py and actions.py alone, along states.JOB_MOVES.

    `payload` is bytes that the asking room brings along: a file, or what it sealed for workers. It is gone at the end,
    however the job ends. `notes` is what the runner did already, kept with each of its writes.
    """

    uid = models.UUIDField(default=uuid.uuid4, unique=True)
    kind = models.CharField(max_length=60)
    lane = models.CharField(max_length=20)
    title = models.CharField(max_length=300)
    key = models.CharField(max_length=200, blank=True, help_text="One job of a kind and key is in flight at a time.")
    actor = models.ForeignKey("accounts.User", null=True, blank=True, on_delete=models.SET_NULL, related_name="+")
    origin = models.JSONField(default=dict, help_text="How the actor came in: address and token, for the audit.")
    arguments = models.JSONField(default=dict)
    payload = models.BinaryField(null=True, blank=True)
    back_to = models.CharField(max_length=500, blank=True, help_text="The page where it was asked for.")

    state = models.CharField(max_length=10, default="queued")
    progress_text = models.CharField(max_length=300, blank=True)
    progress_done = models.PositiveIntegerField(default=0)
    progress_total = models.PositiveIntegerField(default=0)
    notes = models.JSONField(default=dict)
    result = models.JSONField(default=dict)
    result_text = models.CharField(max_length=1000, blank=True)
    goes_to = models.CharField(max_length=500, blank=True)
    is_doubtful = models.BooleanField(
        db_default=False, default=False, help_text="Done, and something is wrong with what came of it."
    )
    refusal = models.JSONField(default=dict, help_text="status, code, text, field, detail, name")

    epoch = models.PositiveIntegerField(default=0)
    lease_owner = models.CharField(max_length=100, blank=True)
    lease_until = models.DateTimeField(null=True, blank=True)
    wake_at = models.DateTimeField(null=True, blank=True, help_text="When the sweeper nudges again.")
    created_at = models.DateTimeField(default=now)
    started_at = models.DateTimeField(null=True, blank=True)
    ended_at = models.DateTimeField(null=True, blank=True)
    keep_until = models.DateTimeField(null=True, blank=True)

    # The database's own time when the row was locked.
    now: datetime

    class Meta:
        constraints = [
            models.CheckConstraint(condition=Q(state__in=list(JOB_STATES)), name="job_state_known"),
            models.UniqueConstraint(
                fields=["organisation", "kind", "key"],
                condition=Q(state__in=list(ACTIVE_JOB)) & ~Q(key=""),
                name="job_once",
            ),
        ]
        indexes = [
            models.Index(fields=["wake_at"], name="job_due", condition=Q(wake_at__isnull=False)),
            models.Index(fields=["keep_until"], name="job_over", condition=Q(keep_until__isnull=False)),
            models.Index(fields=["organisation", "state", "actor"], name="job_in_flight"),
        ]

    def __str__(self) -> str:
        return self.title

    @property
    def asker(self) -> Actor:
        """Who asked for it, as they came in."""
        return Actor.kept(self.origin, self.actor)

    @property
    def shown(self) -> JobState:
        """Its state with label and badge."""
        return JOB_STATES[self.state]

    @property
    def is_over(self) -> bool:
        return self.shown.is_final

    @property
    def percent(self) -> int | None:
        """How much of it is done; None where that cannot be said."""
        if not self.progress_total:
            return None
        return min(100, 100 * self.progress_done // self.progress_total)

    @property
    def sentence(self) -> str:
        """Why it did not end well, or what came of it."""
        return str(self.refusal.get("text") or self.result_text)

    @property
    def way_back(self) -> str:
        """The form where it was asked for, which shows the refusal at its field and the answers again."""
        return f"{self.back_to}{'&' if '?' in self.back_to else '?'}job={self.uid}" if self.back_to else ""
