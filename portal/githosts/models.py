"""Repositories of the built-in git host: the rows; the commits lie on disk below settings.GIT_ROOT."""

from __future__ import annotations

from pathlib import Path

from django.conf import settings
from django.core.validators import RegexValidator
from django.db import models
from django.utils import timezone

from portal.accounts.tenancy import TenantModel
from portal.githosts.names import NAME, repository_path


class Repository(TenantModel):
    """A bare repository. `marker` says who made it: making it twice finds it, making another's is refused."""

    name = models.CharField(max_length=63, validators=[RegexValidator(NAME)])
    description = models.CharField(max_length=300, blank=True)
    owner_ref = models.CharField(max_length=200, blank=True, help_text="Lower-cased catalog reference.")
    default_branch = models.CharField(max_length=100, default="main")
    marker = models.CharField(max_length=200)
    created_by_run = models.BigIntegerField(null=True, blank=True)
    created_at = models.DateTimeField(default=timezone.now)
    pushed_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["organisation", "name"], name="repository_name_once")]
        indexes = [models.Index(fields=["organisation", "owner_ref"], name="repository_owner")]

    def __str__(self) -> str:
        return self.name

    @property
    def path(self) -> Path:
        """Where the repository lies on disk."""
        return repository_path(Path(settings.GIT_ROOT), self.organisation_id, self.name)
