"""Repositories of the built-in git host: the rows; the commits lie on disk below settings.GIT_ROOT."""

from __future__ import annotations

from pathlib import Path

from django.conf import settings
from django.core.validators import RegexValidator
from django.db import models
from django.db.models.functions import Collate
from django.utils import timezone

from portal.accounts.models import Team, User
from portal.accounts.tenancy import TenantModel
from portal.githosts.names import NAME, repository_path
from portal.kit.sealing import Binding


class Repository(TenantModel):
    """A bare repository. `marker` says who made it: making it twice finds it, making another's is refused."""

    name = models.CharField(max_length=63, validators=[RegexValidator(NAME)])
    description = models.CharField(max_length=300, blank=True)
    owner_ref = models.CharField(max_length=200, blank=True, help_text="Lower-cased catalog reference.")
    default_branch = models.CharField(max_length=100, default="main")
    is_protected = models.BooleanField(
        default=True, db_default=True, help_text="Nobody rewrites or deletes the default branch, not even who may push."
    )
    marker = models.CharField(max_length=200)
    created_by_run = models.BigIntegerField(null=True, blank=True)
    created_at = models.DateTimeField(default=timezone.now)
    pushed_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["organisation", "name"], name="repository_name_once")]
        indexes = [
            models.Index(fields=["organisation", "owner_ref"], name="repository_owner"),
            # For search: a beginning is a range only in the "C" order.
            models.Index("organisation", Collate("name", "C"), name="repository_named"),
        ]

    def __str__(self) -> str:
        return self.name

    @property
    def path(self) -> Path:
        """Where the repository lies on disk."""
        return repository_path(Path(settings.GIT_ROOT), self.organisation_id, self.name)


class Grant(TenantModel):
    """Somebody beside the owner who may push to a repository: a team with the teams above it, or a person."""

    repository = models.ForeignKey(Repository, on_delete=models.CASCADE, related_name="grants")
    team = models.ForeignKey(Team, null=True, blank=True, on_delete=models.CASCADE, related_name="+")
    person = models.ForeignKey(User, null=True, blank=True, on_delete=models.CASCADE, related_name="+")
    granted_by = models.ForeignKey(User, null=True, blank=True, on_delete=models.SET_NULL, related_name="+")
    granted_at = models.DateTimeField(default=timezone.now)

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=models.Q(team=None) ^ models.Q(person=None), name="grant_to_a_team_or_a_person"
            ),
            models.UniqueConstraint(fields=["repository", "team"], name="grant_team_once"),
            models.UniqueConstraint(fields=["repository", "person"], name="grant_person_once"),
        ]

    def __str__(self) -> str:
        return str(self.team or self.person)


class Connection(TenantModel):
    """An organisation's account at a git host: where, and the sealed credential that fetches below that address."""

    class Kind(models.TextChoices):
        GIT = "git", "Git over https"

    class State(models.TextChoices):
        UNTRIED = "untried", "Not tried yet"
        WORKS = "works", "Works"
        FAILS = "fails", "Does not work"

    kind = models.CharField(max_length=12, choices=Kind.choices, default=Kind.GIT)
    base_url = models.CharField(max_length=300, help_text="Everything below this address is fetched with it.")
    probe_url = models.CharField(max_length=500, help_text="The repository below it that a test reads.")
    username = models.CharField(max_length=200)
    sealed = models.TextField()
    fingerprint = models.CharField(max_length=12)
    state = models.CharField(max_length=8, choices=State.choices, default=State.UNTRIED)
    state_text = models.CharField(max_length=500, blank=True)
    checked_at = models.DateTimeField(null=True, blank=True)
    created_at = models.DateTimeField(default=timezone.now)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["organisation", "base_url"], name="connection_once")]

    def __str__(self) -> str:
        return self.base_url

    @property
    def binding(self) -> Binding:
        """What its credential is sealed with: it opens for no other row and no other address."""
        return (self.organisation_id, "git connection", self.base_url, self.username)
