"""Runs as rows: what was asked, how far it is, what it made, what it said."""

from datetime import datetime, timedelta
from typing import Any

from django.contrib.postgres.fields import ArrayField
from django.contrib.postgres.indexes import GinIndex
from django.db import models
from django.db.models import F
from django.db.models.functions import Collate
from django.utils import timezone

from portal.accounts.actor import Actor
from portal.accounts.models import User
from portal.accounts.tenancy import TenantModel
from portal.provisioning import states
from portal.provisioning.states import RunState


class IllegalMove(Exception):
    """Code asked for a state that the table does not lead to: a bug, never a person's mistake."""


def _choices(words: dict[str, RunState]) -> list[tuple[str, str]]:
    return [(state.name, state.label) for state in words.values()]


class Run(TenantModel):
    """One launch of one version of a golden path with one set of answers.

    The row is the queue as well: `wake_at` is when the sweeper nudges it, `lease_until` says until when its worker
    is believed alive, and `epoch` goes up with every claim, so that a worker that lost its lease can write nothing.
    """

    # The database's clock at the moment of locking; only on rows that lease.py locked.
    now: datetime

    id = models.BigAutoField(primary_key=True)
    version = models.ForeignKey("goldenpaths.Version", on_delete=models.PROTECT, related_name="runs")
    requester = models.ForeignKey(User, on_delete=models.SET_NULL, null=True, related_name="runs")
    # Who last cancelled, retried or undid it: what follows is done in their name.
    steered_by = models.ForeignKey(User, on_delete=models.SET_NULL, null=True, related_name="+")
    # How either came in (Actor.facts): what a worker does later names token and address too.
    launched_as = models.JSONField(default=dict, db_default={})
    steered_as = models.JSONField(default=dict, db_default={})
    idempotency_key = models.CharField(max_length=64)
    # A keyed digest of path, answers and secrets as they were asked with: the same key with others is no second click.
    asked = models.CharField(max_length=64, blank=True, db_default="", default="")
    title = models.CharField(max_length=200)
    subject = models.CharField(max_length=200, blank=True)
    owner_ref = models.CharField(max_length=300, blank=True)
    entity_refs = ArrayField(models.CharField(max_length=300), default=list, blank=True)

    values = models.JSONField(default=dict)
    # Sealed to the workers' key; emptied when the run ends. The names stay, so that a retry can ask again.
    secrets = models.TextField(blank=True)
    secret_names = ArrayField(models.CharField(max_length=200), default=list, blank=True)

    # What stands in a cluster already and a person confirmed to take over: [{place, token, by}], see claiming.py.
    adoptions = models.JSONField(default=list, db_default=models.Value([], models.JSONField()), blank=True)

    status = models.CharField(max_length=16, default="queued", choices=_choices(states.RUN_STATES))
    epoch = models.BigIntegerField(default=0)
    lease_owner = models.CharField(max_length=120, blank=True)
    lease_until = models.DateTimeField(null=True)
    wake_at = models.DateTimeField(null=True, default=timezone.now)
    woken_by = ArrayField(models.CharField(max_length=400), default=list, blank=True)
    is_woken = models.BooleanField(default=False)
    cancel_requested_at = models.DateTimeField(null=True)

    output = models.JSONField(default=dict)
    error_code = models.CharField(max_length=60, blank=True)
    error_text = models.TextField(blank=True)
    log_seq = models.BigIntegerField(default=0)
    created_at = models.DateTimeField(default=timezone.now)
    started_at = models.DateTimeField(null=True)
    ended_at = models.DateTimeField(null=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["organisation", "idempotency_key"], name="run_once_per_key"),
            models.CheckConstraint(
                name="run_sleeps_only_when_final",
                condition=models.Q(wake_at__isnull=False) | ~models.Q(status__in=states.ACTIVE_RUN),
            ),
        ]
        indexes = [
            models.Index(fields=["organisation", "-id"], name="run_newest"),
            models.Index(fields=["organisation", "status", "-id"], name="run_by_status"),
            models.Index(fields=["organisation", "requester", "-id"], name="run_by_requester"),
            # For search: a beginning is a range only in the "C" order.
            models.Index("organisation", Collate("subject", "C"), F("id").desc(), name="run_by_subject"),
            models.Index(fields=["organisation", "wake_at"], name="run_due", condition=models.Q(wake_at__isnull=False)),
            GinIndex(fields=["entity_refs"], name="run_by_entity"),
        ]

    def __str__(self) -> str:
        return f"Run {self.pk}: {self.title} {self.subject}".rstrip()

    @property
    def launcher(self) -> Actor:
        """Who launched it: its steps act as them."""
        return Actor.kept(self.launched_as, self.requester)

    @property
    def steerer(self) -> Actor:
        """Who steered it last: an undo acts as them."""
        return Actor.kept(self.steered_as, self.steered_by)

    @property
    def state(self) -> RunState:
        """The status with its label and colour."""
        return states.RUN_STATES[self.status]

    @property
    def elapsed(self) -> timedelta | None:
        """From the first worker's hand since the last retry to the end of its work, or to now; None before it began."""
        return (self.ended_at or timezone.now()) - self.started_at if self.started_at else None

    def move(self, status: str) -> None:
        """The only writer of `status`; the caller holds the row's lock or claims by compare-and-set."""
        if status not in states.RUN_MOVES[self.status]:
            raise IllegalMove(f"A run cannot go from {self.status} to {status}.")
        self.status = status

    def end(self, status: str) -> None:
        """Reach a final state: no lease, no wake-up, no secrets, no files but those that a retry goes on with.

        Files that a secret may have gone into are not kept for a retry: the steps that made them make them again.
        """
        self.move(status)
        # An undo comes after the end: the run's own work ended when it ended.
        self.ended_at = self.ended_at or timezone.now()
        self.secrets = ""
        self.rest(None)
        if self.secret_names or not states.can_retry(status):
            Workspace.objects.for_tenant(self.organisation_id).filter(run_id=self.pk).delete()

    def rest(self, wake_at: Any, woken_by: tuple[str, ...] = ()) -> None:
        """Let go of the lease until `wake_at` (a time, a database expression, or None for never)."""
        self.lease_owner = ""
        self.lease_until = None
        self.wake_at = wake_at
        self.woken_by = list(woken_by)


class Step(TenantModel):
    """One step of a run: its rendered input (secrets masked), how often it was tried, what came out."""

    run = models.ForeignKey(Run, on_delete=models.CASCADE, related_name="steps")
    idx = models.PositiveSmallIntegerField()
    key = models.CharField(max_length=200)
    name = models.CharField(max_length=200)
    action = models.CharField(max_length=100)
    status = models.CharField(max_length=16, default="pending", choices=_choices(states.STEP_STATES))
    input = models.JSONField(null=True)
    output = models.JSONField(null=True)
    # attempt counts what a person would count; failures are refusals in a row, strikes are workers lost in a row.
    attempt = models.PositiveIntegerField(default=0)
    failures = models.PositiveIntegerField(default=0)
    strikes = models.PositiveIntegerField(default=0)
    sentence = models.TextField(blank=True)
    error_code = models.CharField(max_length=60, blank=True)
    error_text = models.TextField(blank=True)
    error_detail = models.JSONField(default=dict)
    started_at = models.DateTimeField(null=True)
    ended_at = models.DateTimeField(null=True)

    class Meta:
        ordering = ["idx"]
        constraints = [models.UniqueConstraint(fields=["organisation", "run", "idx"], name="step_once_per_run")]

    def __str__(self) -> str:
        return f"{self.idx + 1}. {self.name}"

    @property
    def state(self) -> RunState:
        """The status with its label and colour."""
        return states.STEP_STATES[self.status]

    @property
    def elapsed(self) -> timedelta | None:
        """How long it took, or has taken so far; None before it began."""
        return (self.ended_at or timezone.now()) - self.started_at if self.started_at else None

    def move(self, status: str) -> None:
        """The only writer of a step's `status`; the caller holds its run's lock."""
        if status not in states.STEP_MOVES[self.status]:
            raise IllegalMove(f"A step cannot go from {self.status} to {status}.")
        self.status = status


class Effect(TenantModel):
    """One thing outside that a step set out to make: written before, confirmed after, perhaps undone later."""

    run = models.ForeignKey(Run, on_delete=models.CASCADE, related_name="effects")
    step = models.ForeignKey(Step, on_delete=models.CASCADE, related_name="effects")
    key = models.CharField(max_length=200)
    kind = models.CharField(max_length=40)
    label = models.CharField(max_length=400)
    # What stood there before the first attempt (null: nothing), and what stands there since.
    before = models.JSONField(null=True)
    reference = models.JSONField(default=dict)
    outcome = models.CharField(
        max_length=12,
        blank=True,
        choices=[("created", "Created"), ("updated", "Updated"), ("adopted", "Adopted"), ("unchanged", "Unchanged")],
    )
    intended_at = models.DateTimeField(default=timezone.now)
    confirmed_at = models.DateTimeField(null=True)
    undo = models.CharField(
        max_length=8, blank=True, choices=[("undone", "Undone"), ("left", "Left behind"), ("failed", "Undo failed")]
    )
    undo_text = models.TextField(blank=True)
    undo_tries = models.PositiveSmallIntegerField(default=0)
    undone_at = models.DateTimeField(null=True)

    class Meta:
        ordering = ["id"]
        constraints = [models.UniqueConstraint(fields=["organisation", "key"], name="effect_once")]
        indexes = [models.Index(fields=["organisation", "run", "id"], name="effect_by_run")]

    def __str__(self) -> str:
        return f"{self.outcome or 'intended'} {self.label}"


class LogLine(TenantModel):
    """One line a run said; `seq` counts up from one without gaps."""

    run = models.ForeignKey(Run, on_delete=models.CASCADE, related_name="lines")
    seq = models.BigIntegerField()
    step_idx = models.PositiveSmallIntegerField(null=True)
    at = models.DateTimeField(default=timezone.now)
    level = models.CharField(
        max_length=8, default="info", choices=[("info", "Info"), ("warning", "Warning"), ("error", "Error")]
    )
    text = models.TextField()

    class Meta:
        ordering = ["seq"]
        constraints = [models.UniqueConstraint(fields=["organisation", "run", "seq"], name="logline_once")]

    def __str__(self) -> str:
        return self.text


class Workspace(TenantModel):
    """The files a run has on its bench between two steps: a gzipped tar, gone when they are no longer needed."""

    run = models.OneToOneField(Run, on_delete=models.CASCADE, related_name="workspace")
    content = models.BinaryField()
    digest = models.CharField(max_length=64)
    updated_at = models.DateTimeField(auto_now=True)

    def __str__(self) -> str:
        return f"Workspace of run {self.run_id}"
