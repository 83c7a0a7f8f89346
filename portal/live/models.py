"""Who does which duty, until when, and how it went: rows of the installation, not of an organisation."""

from __future__ import annotations

from django.db import models
from django.utils.timezone import now

WORKING, FAILING = "working", "failing"


class DutyLease(models.Model):
    """One duty: the live process that does it, and its health line.

    A duty that every live process does has a row for each of them, named by `place`; a duty of one has an empty place.
    """

    name = models.CharField(max_length=60)
    place = models.CharField(max_length=80, blank=True)
    owner = models.CharField(max_length=80)
    until = models.DateTimeField()
    state = models.CharField(max_length=8, default=WORKING)
    text = models.CharField(max_length=300, blank=True)
    since = models.DateTimeField(default=now, help_text="Since when the state holds.")
    done_at = models.DateTimeField(null=True, blank=True, help_text="When a turn last ended well.")

    class Meta:
        ordering = ["name", "place"]
        constraints = [models.UniqueConstraint(fields=["name", "place"], name="duty_once")]

    def __str__(self) -> str:
        return f"{self.name} by {self.owner}"
