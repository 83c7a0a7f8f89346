"""What was offered to whom, and what became of it.

Entities are known here by their uid: it outlives a rename, a tombstone and a new reading of their file.
"""

from __future__ import annotations

from django.db import models
from django.db.models import Q
from django.utils.timezone import now

from catalog.handing.states import STATES, TransferState
from catalog.handing.weighing import word_of
from portal.accounts.tenancy import TenantModel


class Transfer(TenantModel):
    """Entities that somebody hands over to one team or person.

    is_direct   nobody was asked: who handed them over could state it themselves
    due_at      from when it counts; none: at once when it is accepted
    expires_at  until when an answer is waited for; none where nobody was asked
    *_label     how the person was called then: it stays when the account is gone
    """

    to_ref = models.CharField(max_length=400, db_collation="C")
    why = models.CharField(max_length=1000, blank=True)
    state = models.CharField(max_length=10, choices=[(each.name, each.label) for each in STATES.values()])
    is_direct = models.BooleanField(default=False)
    count = models.PositiveIntegerField(help_text="How many entities.")
    asked_by = models.ForeignKey("accounts.User", null=True, blank=True, on_delete=models.SET_NULL, related_name="+")
    asked_by_label = models.CharField(max_length=300, blank=True)
    asked_at = models.DateTimeField(default=now)
    due_at = models.DateTimeField(null=True, blank=True)
    expires_at = models.DateTimeField(null=True, blank=True)
    reminded_at = models.DateTimeField(null=True, blank=True)
    answered_by = models.ForeignKey("accounts.User", null=True, blank=True, on_delete=models.SET_NULL, related_name="+")
    answered_by_label = models.CharField(max_length=300, blank=True)
    answered_at = models.DateTimeField(null=True, blank=True)
    reason = models.CharField(max_length=1000, blank=True, help_text="Of the answer, or why it came to nothing.")
    ended_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        indexes = [
            models.Index(fields=["organisation", "state", "-id"], name="transfer_by_state"),
            models.Index(fields=["organisation", "asked_by", "-id"], name="transfer_by_asker"),
            models.Index(fields=["organisation", "to_ref"], name="transfer_waits", condition=Q(state="asked")),
            # For the sweep over all organisations.
            models.Index(fields=["due_at"], name="transfer_due", condition=Q(state="accepted")),
            models.Index(fields=["expires_at"], name="transfer_expires", condition=Q(state="asked")),
        ]

    def __str__(self) -> str:
        return f"Transfer {self.pk}"

    @property
    def shown(self) -> TransferState:
        """Its state with label and badge."""
        return STATES[self.state]


class TransferItem(TenantModel):
    """One entity of a transfer.

    was_ref   its owner when it was offered, by fallback too; held_ref  whom its record named when it was handed over
    is_open   until the transfer is over: an entity stands in one open transfer at most
    outcome   a word of states.OUTCOMES
    """

    transfer = models.ForeignKey(Transfer, on_delete=models.CASCADE, related_name="items")
    entity_uid = models.UUIDField()
    ref = models.CharField(max_length=400)
    title = models.TextField(blank=True)
    was_ref = models.CharField(max_length=400, blank=True)
    held_ref = models.CharField(max_length=400, blank=True)
    is_open = models.BooleanField(default=True)
    outcome = models.CharField(max_length=8, blank=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["organisation", "entity_uid"], condition=Q(is_open=True), name="entity_offered_once"
            ),
            models.UniqueConstraint(fields=["organisation", "transfer", "entity_uid"], name="transfer_item_once"),
        ]

    def __str__(self) -> str:
        return f"{self.ref}: {self.outcome or 'open'}"


class Suggestion(TenantModel):
    """Whom something that is nobody's should belong to, and why.

    score      how sure that is (0..1); weighing.word_of says it in words
    evidence   [{kind, sentence}], the strongest first
    state      open; accepted; declined: then this team is not suggested for this entity again
    """

    class State(models.TextChoices):
        OPEN = "open", "Open"
        ACCEPTED = "accepted", "Accepted"
        DECLINED = "declined", "Declined"

    entity_uid = models.UUIDField()
    ref = models.CharField(max_length=400)
    title = models.TextField(blank=True)
    to_ref = models.CharField(max_length=400, db_collation="C")
    score = models.FloatField()
    evidence = models.JSONField(default=list)
    state = models.CharField(max_length=8, choices=State.choices, default=State.OPEN)
    at = models.DateTimeField(default=now)
    answered_by = models.ForeignKey("accounts.User", null=True, blank=True, on_delete=models.SET_NULL, related_name="+")
    answered_by_label = models.CharField(max_length=300, blank=True)
    answered_at = models.DateTimeField(null=True, blank=True)
    reason = models.CharField(max_length=1000, blank=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["organisation", "entity_uid", "to_ref"], name="suggested_once"),
            models.UniqueConstraint(
                fields=["organisation", "entity_uid"], condition=Q(state="open"), name="one_open_suggestion"
            ),
        ]
        indexes = [models.Index(fields=["organisation", "state", "-score", "id"], name="suggestions_by_score")]

    def __str__(self) -> str:
        return f"{self.ref} to {self.to_ref}"

    @property
    def word(self) -> str:
        """The confidence in words."""
        return word_of(self.score)


class Reorganisation(TenantModel):
    """A plan of who takes what and how teams change, drafted for days, applied as a whole, undone as a whole.

    steps     what is to be done, in order: plans/unfolding.py says in which words
    before    what applying it changed, as it was: what undo needs
    bulk      the change of many that brings the files in line (lists.Bulk), 0 for none
    """

    class State(models.TextChoices):
        DRAFT = "draft", "Draft"
        DATED = "dated", "Dated"
        APPLIED = "applied", "Applied"
        UNDONE = "undone", "Undone"

    name = models.CharField(max_length=120)
    state = models.CharField(max_length=8, choices=State.choices, default=State.DRAFT)
    steps = models.JSONField(default=list)
    is_shared = models.BooleanField(default=False, help_text="Everybody here may read it, not managers alone.")
    made_by = models.ForeignKey("accounts.User", null=True, blank=True, on_delete=models.SET_NULL, related_name="+")
    made_by_label = models.CharField(max_length=300, blank=True)
    made_at = models.DateTimeField(default=now)
    due_at = models.DateTimeField(null=True, blank=True)
    dated_by = models.ForeignKey("accounts.User", null=True, blank=True, on_delete=models.SET_NULL, related_name="+")
    applied_at = models.DateTimeField(null=True, blank=True)
    applied_by_label = models.CharField(max_length=300, blank=True)
    undone_at = models.DateTimeField(null=True, blank=True)
    before = models.JSONField(default=dict)
    reason = models.CharField(max_length=1000, blank=True, help_text="Why it could not be applied on its date.")
    bulk = models.BigIntegerField(default=0)

    class Meta:
        indexes = [
            models.Index(fields=["organisation", "-id"], name="reorganisation_newest"),
            models.Index(fields=["due_at"], name="reorganisation_due", condition=Q(state="dated")),
        ]

    def __str__(self) -> str:
        return self.name
