"""Golden paths and their versions: a version is what was published, byte for byte, and never changes."""

from __future__ import annotations

from typing import Any

from django.contrib.postgres.fields import ArrayField
from django.core.validators import RegexValidator
from django.db import models
from django.utils import timezone

from portal.accounts.tenancy import TenantModel
from portal.goldenpaths.files import File, Workspace
from portal.kit.errors import Conflict

SLUG = RegexValidator(r"^[a-z0-9]+(?:-[a-z0-9]+)*$", "Use lower-case letters, digits and single dashes.")


class GoldenPath(TenantModel):
    """A path as the gallery shows it: the words of its newest version, and which version that is."""

    slug = models.CharField(max_length=130, validators=[SLUG])
    ref = models.CharField(max_length=200, help_text="Lower-cased catalog reference, such as template:default/x.")
    name = models.CharField(max_length=63)
    title = models.CharField(max_length=200)
    description = models.TextField(blank=True)
    owner_ref = models.CharField(max_length=200, blank=True)
    type = models.CharField(max_length=63)
    tags = ArrayField(models.CharField(max_length=63), default=list, blank=True)
    icon = models.CharField(max_length=63, blank=True)
    current_number = models.PositiveIntegerField(default=0)
    created_at = models.DateTimeField(default=timezone.now)
    updated_at = models.DateTimeField(default=timezone.now)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["organisation", "slug"], name="goldenpath_slug_once"),
            models.UniqueConstraint(fields=["organisation", "ref"], name="goldenpath_ref_once"),
        ]
        indexes = [models.Index(fields=["organisation", "title"], name="goldenpath_title")]

    def __str__(self) -> str:
        return self.title

    @property
    def current(self) -> Version:
        """The version that a launch takes today."""
        version: Version = Version.objects.for_tenant(self.organisation_id).get(path=self, number=self.current_number)
        return version


class _Unchanging(TenantModel):
    """A row that is written once. The database refuses an update too (see the migration)."""

    class Meta:
        abstract = True

    def save(self, *args: Any, **kwargs: Any) -> None:
        if not self._state.adding:
            raise Conflict("A published version never changes; publish a new one.", code="immutable")
        super().save(*args, **kwargs)


class Version(_Unchanging):
    """One published state of a path: its template document and, by `files`, everything beside it."""

    path = models.ForeignKey(GoldenPath, on_delete=models.CASCADE, related_name="versions")
    number = models.PositiveIntegerField()
    digest = models.CharField(max_length=64, help_text="Of all files: names, executable bits and contents.")
    document = models.JSONField()
    origin = models.CharField(max_length=300, blank=True, help_text="Where the files came from, in words.")
    published_at = models.DateTimeField(default=timezone.now)
    published_by = models.ForeignKey(
        "accounts.User", null=True, blank=True, on_delete=models.SET_NULL, related_name="+"
    )

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["organisation", "path", "number"], name="version_number_once"),
            models.UniqueConstraint(fields=["organisation", "path", "digest"], name="version_digest_once"),
        ]

    def __str__(self) -> str:
        return f"{self.document['metadata'].get('title') or self.document['metadata']['name']} v{self.number}"

    def bundle(self) -> Workspace:
        """Every file of the version, by its path beside template.yaml."""
        rows = VersionFile.objects.for_tenant(self.organisation_id).filter(version=self).order_by("path")
        return {row.path: File(bytes(row.content), row.mode) for row in rows}


class VersionFile(_Unchanging):
    """One file of a version."""

    version = models.ForeignKey(Version, on_delete=models.CASCADE, related_name="files")
    path = models.CharField(max_length=400)
    mode = models.PositiveIntegerField(default=0o644)
    size = models.PositiveIntegerField()
    digest = models.CharField(max_length=64)
    content = models.BinaryField()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["organisation", "version", "path"], name="versionfile_path_once")
        ]

    def __str__(self) -> str:
        return self.path
