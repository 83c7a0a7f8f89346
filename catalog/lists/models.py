"""What people keep of the catalog for themselves and for others, and what they changed of it many at once.

Entities are known here by their uid: it outlives a rename, a tombstone and a new reading of their file.
"""

from __future__ import annotations

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.utils.timezone import now

from portal.accounts.tenancy import TenantModel


class Star(TenantModel):
    """An entity that a person wants to find again."""

    user = models.ForeignKey("accounts.User", on_delete=models.CASCADE, related_name="+")
    entity_uid = models.UUIDField()
    at = models.DateTimeField(default=now)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["organisation", "user", "entity_uid"], name="star_once")]
        indexes = [models.Index(fields=["organisation", "user", "-at"], name="star_newest")]

    def __str__(self) -> str:
        return f"{self.user_id} starred {self.entity_uid}"


class FollowedEntity(TenantModel):
    """What an entity that somebody follows was like when it was looked at last: noticing.py tells what differs."""

    entity_uid = models.UUIDField()
    lifecycle = models.TextField(blank=True)
    is_there = models.BooleanField(default=True)
    is_broken = models.BooleanField(default=False)
    seen_at = models.DateTimeField(default=now)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["organisation", "entity_uid"], name="followed_entity_once")]

    def __str__(self) -> str:
        return str(self.entity_uid)


class SavedView(TenantModel):
    """A list under a name: what is chosen, in which order, with which columns. Private, or everybody's.

    query    what stands in the list's address, in the one spelling that choosing.py gives it
    owner    who made it; None when they are gone, which only a shared one survives
    is_default  the one that the catalog opens with for everybody who has not chosen another
    """

    owner = models.ForeignKey("accounts.User", null=True, blank=True, on_delete=models.SET_NULL, related_name="+")
    name = models.CharField(max_length=80)
    query = models.CharField(max_length=2000, blank=True)
    columns = ArrayField(models.CharField(max_length=20), default=list, blank=True, help_text="Empty = the kind's own.")
    is_shared = models.BooleanField(default=False)
    is_default = models.BooleanField(default=False)
    created_at = models.DateTimeField(default=now)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["organisation", "name"], condition=models.Q(is_shared=True), name="shared_view_name_once"
            ),
            models.UniqueConstraint(
                fields=["organisation", "owner", "name"], condition=models.Q(is_shared=False), name="own_view_name_once"
            ),
            models.UniqueConstraint(
                fields=["organisation"], condition=models.Q(is_default=True), name="default_view_once"
            ),
            models.CheckConstraint(
                condition=models.Q(is_default=False) | models.Q(is_shared=True), name="default_view_is_shared"
            ),
        ]

    def __str__(self) -> str:
        return self.name


class ListSetting(TenantModel):
    """How one person has lists: the columns of each kind ("" for lists of all), and what the catalog opens with."""

    user = models.ForeignKey("accounts.User", on_delete=models.CASCADE, related_name="+")
    columns = models.JSONField(default=dict)
    opens_with = models.ForeignKey(SavedView, null=True, blank=True, on_delete=models.SET_NULL, related_name="+")

    class Meta:
        constraints = [models.UniqueConstraint(fields=["organisation", "user"], name="list_setting_once")]

    def __str__(self) -> str:
        return f"lists of {self.user_id}"


class Bulk(TenantModel):
    """Many entities changed at once, as one person asked for it. A job works through its rows."""

    actor = models.ForeignKey("accounts.User", null=True, blank=True, on_delete=models.SET_NULL, related_name="+")
    act = models.CharField(max_length=12)
    value = models.CharField(max_length=400, blank=True)
    undoes = models.ForeignKey("self", null=True, blank=True, on_delete=models.CASCADE, related_name="undone_by")
    job_uid = models.UUIDField(null=True, blank=True)
    created_at = models.DateTimeField(default=now)
    ended_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        indexes = [models.Index(fields=["organisation", "created_at"], name="bulk_age")]

    def __str__(self) -> str:
        return f"{self.act} {self.value}".strip()


class BulkRow(TenantModel):
    """One entity of it, and what became of it.

    outcome  a word of bulk.OUTCOMES; `waiting` until its turn
    sentence why, where it was not simply done
    before, after  its text, where it was or would be changed
    place    the file that says it, where that is not ours to write: what to change there
    """

    bulk = models.ForeignKey(Bulk, on_delete=models.CASCADE, related_name="rows")
    entity_uid = models.UUIDField()
    ref = models.CharField(max_length=200)
    title = models.TextField(blank=True)
    outcome = models.CharField(max_length=10, default="waiting")
    sentence = models.CharField(max_length=1000, blank=True)
    before = models.TextField(blank=True)
    after = models.TextField(blank=True)
    place = models.CharField(max_length=1000, blank=True)
    line = models.PositiveIntegerField(default=1)
    url = models.CharField(max_length=1000, blank=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["organisation", "bulk", "entity_uid"], name="bulk_row_once")]
        indexes = [models.Index(fields=["organisation", "bulk", "outcome", "id"], name="bulk_rows")]

    def __str__(self) -> str:
        return f"{self.ref}: {self.outcome}"
