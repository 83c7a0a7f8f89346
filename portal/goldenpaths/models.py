"""Golden paths and their versions: a version is what was published, byte for byte, and never changes."""

from __future__ import annotations

import uuid
from typing import Any

from django.contrib.postgres.fields import ArrayField
from django.core.validators import RegexValidator
from django.db import models
from django.utils import timezone

from catalog.descriptors.findings import Finding
from portal.accounts.tenancy import TenantModel
from portal.goldenpaths.files import File, Workspace
from portal.goldenpaths.shape import CODE
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
    origin_key = models.CharField(
        max_length=100, blank=True, db_default="", default="", help_text="Whose the name is; see origins.Origin."
    )
    origin_label = models.CharField(max_length=1000, blank=True, db_default="", default="")
    origin_address = models.TextField(blank=True, db_default="", default="")
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
    commit = models.CharField(max_length=100, blank=True, db_default="", default="")
    author = models.CharField(
        max_length=300,
        blank=True,
        db_default="",
        default="",
        help_text="Who made the commit, by the source's own words.",
    )
    trusted_by = models.ForeignKey(
        "accounts.User",
        null=True,
        blank=True,
        on_delete=models.SET_NULL,
        related_name="+",
        help_text="Who granted the trust by which it was published; empty where a person published it.",
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


class Candidate(TenantModel):
    """What a source brought: these bytes wait for somebody who may publish them. `digest` names them exactly.

    A candidate keeps its files while it waits; what was decided or overtaken keeps its row alone.
    """

    class State(models.TextChoices):
        WAITING = "waiting", "Waiting"
        PUBLISHED = "published", "Published"
        DECLINED = "declined", "Declined"
        OVERTAKEN = "overtaken", "Overtaken"

    uid = models.UUIDField(default=uuid.uuid4)
    source = models.ForeignKey("catalog.Source", null=True, blank=True, on_delete=models.SET_NULL, related_name="+")
    origin_key = models.CharField(max_length=100)
    origin_label = models.CharField(max_length=1000)
    origin_address = models.TextField()
    template_path = models.CharField(max_length=1000)
    ref = models.CharField(max_length=200)
    title = models.CharField(max_length=200)
    commit = models.CharField(max_length=100, blank=True)
    author = models.CharField(max_length=300, blank=True)
    pushed_by = models.ForeignKey("accounts.User", null=True, blank=True, on_delete=models.SET_NULL, related_name="+")
    digest = models.CharField(max_length=64)
    document = models.JSONField(null=True)
    problems = models.JSONField(default=list, help_text="What keeps it from being published: path, line, sentence.")
    state = models.CharField(max_length=9, choices=State.choices, default=State.WAITING)
    found_at = models.DateTimeField(default=timezone.now)
    decided_at = models.DateTimeField(null=True, blank=True)
    decided_by = models.ForeignKey("accounts.User", null=True, blank=True, on_delete=models.SET_NULL, related_name="+")
    reason = models.CharField(max_length=1000, blank=True)
    version = models.ForeignKey(Version, null=True, blank=True, on_delete=models.SET_NULL, related_name="+")

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["organisation", "uid"], name="candidate_uid_once"),
            models.UniqueConstraint(
                fields=["organisation", "source", "template_path"],
                condition=models.Q(state="waiting"),
                name="candidate_waits_once",
            ),
        ]
        indexes = [models.Index(fields=["organisation", "state", "-found_at"], name="candidate_state")]

    def __str__(self) -> str:
        return self.title

    def findings(self) -> list[Finding]:
        """What keeps it from being published."""
        return [Finding(each["path"], each["line"], CODE, each["sentence"]) for each in self.problems]

    def bundle(self) -> Workspace:
        """Every file, by its path beside template.yaml."""
        rows = CandidateFile.objects.for_tenant(self.organisation_id).filter(candidate=self).order_by("path")
        return {row.path: File(bytes(row.content), row.mode) for row in rows}


class CandidateFile(TenantModel):
    """One file of a candidate that waits."""

    candidate = models.ForeignKey(Candidate, on_delete=models.CASCADE, related_name="files")
    path = models.CharField(max_length=400)
    mode = models.PositiveIntegerField(default=0o644)
    content = models.BinaryField()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["organisation", "candidate", "path"], name="candidatefile_path_once")
        ]

    def __str__(self) -> str:
        return self.path


class Trust(TenantModel):
    """An admin's word that what a source brings is published by itself, as long as the place and who may write there
    stay what they were. A trust that ended stays as a row that says why."""

    uid = models.UUIDField(default=uuid.uuid4)
    source = models.ForeignKey("catalog.Source", null=True, blank=True, on_delete=models.SET_NULL, related_name="+")
    label = models.CharField(max_length=1000)
    place = models.JSONField(help_text="Host, repository, branch and path as they were.")
    rights = models.JSONField(help_text="Who may write there, as far as it can be known.")
    reason = models.CharField(max_length=1000)
    granted_by = models.ForeignKey("accounts.User", null=True, blank=True, on_delete=models.SET_NULL, related_name="+")
    granted_at = models.DateTimeField(default=timezone.now)
    ended_at = models.DateTimeField(null=True, blank=True)
    ended_by = models.ForeignKey("accounts.User", null=True, blank=True, on_delete=models.SET_NULL, related_name="+")
    ended_because = models.CharField(max_length=1000, blank=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["organisation", "uid"], name="trust_uid_once"),
            models.UniqueConstraint(
                fields=["organisation", "source"], condition=models.Q(ended_at=None), name="trust_stands_once"
            ),
        ]

    def __str__(self) -> str:
        return self.label
