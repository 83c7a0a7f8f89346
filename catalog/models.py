"""The rows of the catalog: sources, the entities read from them, their relations and what is wrong."""

from __future__ import annotations

import uuid
from functools import cached_property
from typing import Any, Self

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import Q
from django.utils.timezone import now

from catalog.descriptors.findings import Finding, edit_from, excerpt_from
from catalog.descriptors.kinds import KINDS
from catalog.descriptors.problemkinds import ProblemKind, kind_of_problem
from catalog.packing import pack, unpack
from portal.accounts.tenancy import TenantModel


class Source(TenantModel):
    """Where descriptors come from. `state` is pending (never read or asked again), ok or failed."""

    class Kind(models.TextChoices):
        FOLDER = "folder", "Folder"
        GIT = "git", "Git repository"
        URL = "url", "Single address"
        UPLOAD = "upload", "Upload"
        REPOSITORY = "repository", "Slipway repository"
        PORTAL = "portal", "Written in the portal"

    class State(models.TextChoices):
        PENDING = "pending", "Waiting"
        OK = "ok", "Read"
        FAILED = "failed", "Failed"

    uid = models.UUIDField(default=uuid.uuid4)
    kind = models.CharField(max_length=12, choices=Kind.choices)
    target = models.CharField(max_length=1000, help_text="Folder, address or repository name.")
    revision = models.CharField(max_length=200, blank=True, help_text="Branch, tag or commit to read; empty = default.")
    path = models.CharField(max_length=500, default="catalog-info.yaml", blank=True)
    schedule_minutes = models.PositiveIntegerField(default=30)
    next_refresh_at = models.DateTimeField(null=True, blank=True)
    lease_until = models.DateTimeField(null=True, blank=True)
    state = models.CharField(max_length=8, choices=State.choices, default=State.PENDING)
    state_text = models.CharField(max_length=1000, blank=True)
    failures = models.PositiveIntegerField(default=0)
    digest = models.CharField(
        max_length=64, blank=True, help_text="Not written any more; goes with the next narrowing."
    )
    read_revision = models.CharField(max_length=100, blank=True, help_text="The commit or version last read.")
    read_author = models.CharField(max_length=300, blank=True, default="", db_default="", help_text="Who made that.")
    read_seconds = models.FloatField(null=True, blank=True, help_text="How long the last reading took.")
    refreshed_at = models.DateTimeField(null=True, blank=True)
    entity_count = models.PositiveIntegerField(default=0)
    problem_count = models.PositiveIntegerField(default=0)
    created_by = models.ForeignKey("accounts.User", null=True, blank=True, on_delete=models.SET_NULL, related_name="+")
    created_at = models.DateTimeField(default=now)
    run_id = models.BigIntegerField(null=True, blank=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["organisation", "kind", "target", "revision", "path"], name="source_once"),
            models.UniqueConstraint(fields=["organisation", "uid"], name="source_uid_once"),
        ]
        indexes = [models.Index(fields=["next_refresh_at"], name="source_due")]

    def __str__(self) -> str:
        return self.label

    @property
    def label(self) -> str:
        """What people call it."""
        if self.kind == self.Kind.PORTAL:
            return "Written in the portal"
        return self.target


class Upload(TenantModel):
    """The bytes of an uploaded source: kept so that it can be read again and downloaded."""

    source = models.OneToOneField(Source, on_delete=models.CASCADE, related_name="upload")
    filename = models.CharField(max_length=255)
    content = models.BinaryField()

    class Meta:
        indexes = [models.Index(fields=["organisation", "source"], name="upload_source")]

    def __str__(self) -> str:
        return self.filename


class SourceFile(TenantModel):
    """What a file of a source said when it was read last: while neither its bytes nor those of what it includes change,
    it is not read again. `entities` is a line for each: digest, line, reference; see intake/remembering.py."""

    source = models.ForeignKey(Source, on_delete=models.CASCADE, related_name="files")
    path = models.CharField(max_length=1000)
    mark = models.CharField(max_length=80, help_text="Of its bytes, and of how they are read.")
    includes = models.JSONField(default=dict, help_text="What its placeholders brought: place as written to mark.")
    entities = models.TextField(blank=True)
    kept = models.JSONField(default=list, help_text="Entities whose documents are wanted at every reading.")
    problems = models.JSONField(default=list, help_text="line, code, sentence, reference")
    broken = models.JSONField(default=list)
    is_whole = models.BooleanField(default=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["organisation", "source", "path"], name="source_file_once")]

    def __str__(self) -> str:
        return self.path


class _Slim(TenantModel):
    """Rows of an organisation that are always found through an index which begins with it: it needs none of its own."""

    organisation = models.ForeignKey(
        "accounts.Organisation", on_delete=models.CASCADE, related_name="+", db_index=False
    )

    class Meta:
        abstract = True


class Entity(_Slim):
    """One entity, as lists need it; what its author wrote is its body. Written by `catalog.index.writing` alone."""

    # Its place in every set of entities of the organisation: see catalog/index.
    num = models.IntegerField()
    uid = models.UUIDField(default=uuid.uuid4)
    kind = models.CharField(max_length=63)
    namespace = models.CharField(max_length=63)
    name = models.CharField(max_length=63)
    ref = models.CharField(max_length=200, db_collation="C")
    title = models.TextField(blank=True)
    description = models.TextField(blank=True)
    type = models.TextField(blank=True)
    lifecycle = models.TextField(blank=True)
    owner_ref = models.CharField(max_length=400, blank=True)
    system_ref = models.CharField(max_length=400, blank=True)
    tags = ArrayField(models.TextField(), default=list)
    sort_name = models.CharField(max_length=200, db_collation="C")
    source = models.ForeignKey(Source, null=True, on_delete=models.SET_NULL, related_name="entities", db_index=False)
    path = models.CharField(max_length=1000, blank=True)
    line = models.PositiveIntegerField(default=1)
    digest = models.CharField(max_length=64)
    created_at = models.DateTimeField(default=now)
    updated_at = models.DateTimeField(default=now)
    removed_at = models.DateTimeField(null=True, blank=True)
    removed_reason = models.CharField(max_length=1000, blank=True)
    # `owner_ref` is whom the newest statement names, else the owner of what it is part of. "" here: as its document
    # has said from the first; then nothing is written down of it, and it is so since `created_at`.
    owner_how = models.CharField(max_length=14, blank=True, default="", db_default="")
    # Since when the newest statement stands that is written down; none while none is.
    owner_since = models.DateTimeField(null=True, blank=True)

    class Meta:
        # The columns that pages are ordered by ride along, so that a page is found without looking at rows.
        constraints = [
            models.UniqueConstraint(fields=["organisation", "num"], include=["sort_name", "ref"], name="entity_num"),
            models.UniqueConstraint(fields=["organisation", "ref"], include=["num"], name="entity_ref"),
            models.UniqueConstraint(fields=["organisation", "uid"], name="entity_uid_once"),
        ]
        indexes = [
            models.Index(
                fields=["organisation", "sort_name", "num"], condition=Q(removed_at=None), name="entity_sort_name"
            ),
            models.Index(fields=["organisation", "source", "path", "line"], name="entity_place"),
            models.Index(
                fields=["organisation", "removed_at"], condition=Q(removed_at__isnull=False), name="entity_removed"
            ),
        ]

    def __str__(self) -> str:
        return self.ref

    @property
    def document(self) -> dict[str, Any]:
        """What its author wrote, files included."""
        return self.body.document

    @property
    def raw(self) -> str:
        """The text of the descriptor."""
        return self.body.raw

    @property
    def display_name(self) -> str:
        """The title, or the name where there is none."""
        return self.title or self.name

    @property
    def annotations(self) -> dict[str, str]:
        """The author's annotations."""
        found = self.document.get("metadata", {}).get("annotations")
        return found if isinstance(found, dict) else {}

    @property
    def spec(self) -> dict[str, Any]:
        """The author's spec."""
        found = self.document.get("spec")
        return found if isinstance(found, dict) else {}

    @property
    def has_workloads(self) -> bool:
        """Whether something in a cluster may belong to it."""
        kind = KINDS.get(self.kind)
        return kind is not None and kind.has_workloads


class Body(_Slim):
    """What only the page of one entity, or its answer, shows: what its author wrote, packed (see packing)."""

    entity = models.OneToOneField(Entity, on_delete=models.CASCADE, primary_key=True, related_name="body")
    packed = models.BinaryField()

    @classmethod
    def of(cls, organisation_id: int, document: dict[str, Any], raw: str, packed: bytes = b"") -> Self:
        """A body that says this; neither is changed afterwards. packed: the two as they lie in the row, if known."""
        found = cls(None, None, packed or pack(document, raw))
        found.organisation_id = organisation_id
        found._said = (document, raw)
        return found

    @cached_property
    def _said(self) -> tuple[dict[str, Any], str]:
        return unpack(self.packed)

    @property
    def document(self) -> dict[str, Any]:
        """What the text says, files included."""
        return self._said[0]

    @property
    def raw(self) -> str:
        """The text of the descriptor."""
        return self._said[1]

    def __str__(self) -> str:
        return str(self.pk)


class Role(models.TextChoices):
    """What somebody can be for an entity."""

    OWNER = "owner", "Owner"
    ONCALL = "oncall", "On call"
    TECHNICAL = "technical", "Technical contact"
    APPROVER = "approver", "Approver"


class How(models.TextChoices):
    """How a statement came to be."""

    FILE = "file", "Its file"
    TRANSFER = "transfer", "Transfer"
    REVIEW = "review", "Review"
    CLAIM = "claim", "Claim"
    REORGANISATION = "reorganisation", "Reorganisation"
    DIRECTORY = "directory", "Directory"
    UNDO = "undo", "Undo"
    # Never written down: nobody says so, the owner is that of what it is part of.
    INHERITANCE = "inheritance", "Fallback"


class Statement(_Slim):
    """That somebody holds a role of an entity: who said so, how and why, from when until when. The newest stands.

    holder_ref  group:… or user:…; "" says that nobody is named
    until       none for the statement that stands
    path, commit, by_label: of the file that says it, or who acted as they were called then
    An entity's first owner, as its first document named it, is written down only when a second statement comes.
    """

    entity = models.ForeignKey(Entity, on_delete=models.CASCADE, related_name="statements", db_index=False)
    role = models.CharField(max_length=10, choices=Role.choices)
    holder_ref = models.CharField(max_length=400, blank=True, db_collation="C")
    since = models.DateTimeField()
    until = models.DateTimeField(null=True, blank=True)
    how = models.CharField(max_length=14, choices=How.choices)
    by = models.ForeignKey("accounts.User", null=True, blank=True, on_delete=models.SET_NULL, related_name="+")
    by_label = models.CharField(max_length=300, blank=True)
    why = models.CharField(max_length=1000, blank=True)
    path = models.CharField(max_length=1000, blank=True)
    commit = models.CharField(max_length=100, blank=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["organisation", "entity", "role"], condition=Q(until=None), name="statement_stands_once"
            )
        ]
        indexes = [
            models.Index(fields=["organisation", "entity", "role", "id"], name="statement_history"),
            models.Index(
                fields=["organisation", "holder_ref", "role"], condition=Q(until=None), name="statement_holder"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.role} {self.holder_ref or 'nobody'}"


class _IndexTable(TenantModel):
    """A table of catalog/index: many rows, made by one writer from rows that are checked. So it has no foreign keys."""

    organisation = models.ForeignKey(
        "accounts.Organisation", on_delete=models.CASCADE, related_name="+", db_constraint=False, db_index=False
    )

    class Meta:
        abstract = True


class Edge(_IndexTable):
    """A relation as one end says it: the entity `num` is so related to `target`, which need not exist. The other
    direction is read from the other index. `type` is a place in catalog/index/edges.TYPES."""

    pk = models.CompositePrimaryKey("organisation_id", "num", "type", "target")
    num = models.IntegerField()
    type = models.SmallIntegerField()
    target = models.CharField(max_length=400, db_collation="C")

    class Meta:
        # Both indexes begin with what is looked up, not with the organisation: the wrong one is then never as cheap as
        # the right one, whatever is known of the table. That of the key is (target, organisation, type, num); the other
        # holds nothing but numbers, for what an entity says lies together.
        indexes = [models.Index(fields=["num", "organisation"], name="edge_by_num")]

    def __str__(self) -> str:
        return f"{self.num} {self.type} {self.target}"


class FactKey(_IndexTable):
    """A key that some entity has, under a number. `is_many`: some entity has, or had, several values for it."""

    pk = models.CompositePrimaryKey("organisation_id", "key")
    id = models.IntegerField()
    key = models.TextField(db_collation="C")
    is_many = models.BooleanField(default=False)

    def __str__(self) -> str:
        return self.key


class Fact(_IndexTable):
    """A value of a key, once for all the entities that have it: one, a sorted list of up to a thousand, or blocks.

    value  in lower case; label is as written, "" where that is the same
    n      how many entities that are there have it
    """

    pk = models.CompositePrimaryKey("organisation_id", "key_id", "value", "label")
    key_id = models.IntegerField()
    n = models.IntegerField()
    one = models.IntegerField(null=True)
    value = models.TextField(db_collation="C")
    label = models.TextField(db_collation="C")
    members = ArrayField(models.IntegerField(), null=True)
    blocks = models.BigIntegerField(null=True)

    def __str__(self) -> str:
        return f"{self.key_id}={self.value}"


class FactBlock(_IndexTable):
    """8,192 places of a fact's set, the lowest bit first; blocks without a bit are not kept."""

    pk = models.CompositePrimaryKey("organisation_id", "blocks", "chunk")
    blocks = models.BigIntegerField()
    chunk = models.IntegerField()
    bits = models.BinaryField()

    def __str__(self) -> str:
        return f"{self.blocks}:{self.chunk}"


class Near(_IndexTable):
    """What is left of a word that names use when up to two of its first letters are taken away: finds typing errors."""

    pk = models.CompositePrimaryKey("organisation_id", "part", "word")
    part = models.TextField(db_collation="C")
    word = models.TextField(db_collation="C")

    def __str__(self) -> str:
        return f"{self.part} {self.word}"


class IndexState(TenantModel):
    """In which format the organisation's index is written; none before the first entity."""

    format = models.IntegerField()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["organisation"], name="index_state_once")]

    def __str__(self) -> str:
        return str(self.format)


class Problem(TenantModel):
    """Something wrong with a source, at a file and line: a Finding that is kept for as long as it is found.

    key            what makes it the same problem at the next reading although lines have moved (catalog/problems.py)
    severity       the place in problemkinds.SEVERITIES
    first_seen_at  when it was found first; commit and author are those of that reading
    aside_until    set aside by a person, with their reason, until then
    """

    source = models.ForeignKey(Source, on_delete=models.CASCADE, related_name="problems")
    key = models.CharField(max_length=32, blank=True, default="", db_default="")
    path = models.CharField(max_length=1000)
    line = models.PositiveIntegerField(default=1)
    entity_ref = models.CharField(max_length=200, blank=True)
    code = models.CharField(max_length=40)
    severity = models.PositiveSmallIntegerField(default=0, db_default=0)
    sentence = models.TextField()
    field = models.CharField(max_length=300, blank=True, default="", db_default="")
    owner_ref = models.CharField(max_length=400, blank=True, default="", db_default="")
    excerpt_json = models.JSONField(null=True, blank=True)
    edit_json = models.JSONField(null=True, blank=True)
    first_seen_at = models.DateTimeField(default=now, db_column="seen_at")
    commit = models.CharField(max_length=100, blank=True, default="", db_default="")
    author = models.CharField(max_length=300, blank=True, default="", db_default="")
    aside_until = models.DateTimeField(null=True, blank=True)
    aside_by = models.ForeignKey("accounts.User", null=True, blank=True, on_delete=models.SET_NULL, related_name="+")
    aside_reason = models.CharField(max_length=500, blank=True, default="", db_default="")

    class Meta:
        indexes = [
            models.Index(fields=["organisation", "source", "path", "line"], name="problem_place"),
            models.Index(fields=["organisation", "entity_ref"], name="problem_entity"),
            models.Index(fields=["organisation", "first_seen_at", "id"], name="problem_age"),
            models.Index(fields=["organisation", "owner_ref", "first_seen_at", "id"], name="problem_owner"),
            models.Index(fields=["organisation", "code", "first_seen_at", "id"], name="problem_code"),
            models.Index(fields=["organisation", "severity", "first_seen_at", "id"], name="problem_severity"),
        ]

    def __str__(self) -> str:
        return f"{self.path}:{self.line} {self.sentence}"

    @property
    def finding(self) -> Finding:
        """What the row keeps, as everything else knows it."""
        return Finding(
            self.path,
            self.line,
            self.code,
            self.sentence,
            self.entity_ref,
            field=self.field,
            owner_ref=self.owner_ref,
            excerpt=excerpt_from(self.excerpt_json),
            edit=edit_from(self.edit_json),
        )

    @property
    def kind(self) -> ProblemKind:
        """What is said of all problems with this code."""
        return kind_of_problem(self.code)

    @property
    def is_aside(self) -> bool:
        """Whether a person has set it aside for now."""
        return self.aside_until is not None and self.aside_until > now()


class SourceReading(TenantModel):
    """A reading of a source that changed something, or failed: the newest of each source are kept (readings.py).

    times  how often it failed so, one after the other
    """

    source = models.ForeignKey(Source, on_delete=models.CASCADE, related_name="readings")
    at = models.DateTimeField(default=now)
    seconds = models.FloatField(null=True, blank=True)
    is_ok = models.BooleanField()
    text = models.CharField(max_length=1000, blank=True)
    commit = models.CharField(max_length=100, blank=True)
    author = models.CharField(max_length=300, blank=True)
    added = models.PositiveIntegerField(default=0)
    changed = models.PositiveIntegerField(default=0)
    removed = models.PositiveIntegerField(default=0)
    problems = models.PositiveIntegerField(default=0)
    times = models.PositiveIntegerField(default=1)

    class Meta:
        indexes = [models.Index(fields=["organisation", "source", "id"], name="source_reading_newest")]

    def __str__(self) -> str:
        return self.text


class NameClaim(TenantModel):
    """A description whose name another source has: kept whole, so that an admin can choose it (claims.py)."""

    source = models.ForeignKey(Source, on_delete=models.CASCADE, related_name="claims")
    ref = models.CharField(max_length=200, db_collation="C")
    path = models.CharField(max_length=1000)
    line = models.PositiveIntegerField(default=1)
    digest = models.CharField(max_length=64)
    document = models.JSONField()
    raw = models.TextField(blank=True)
    raw_line = models.PositiveIntegerField(default=1)
    first_seen_at = models.DateTimeField(default=now)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["organisation", "ref", "source"], name="name_claim_once")]
        indexes = [models.Index(fields=["organisation", "source", "ref"], name="name_claim_source")]

    def __str__(self) -> str:
        return f"{self.ref} in {self.source_id}"


class NameChoice(TenantModel):
    """Which source has a name that several describe, as an admin chose."""

    ref = models.CharField(max_length=200, db_collation="C")
    source = models.ForeignKey(Source, on_delete=models.CASCADE, related_name="+")
    chosen_by = models.ForeignKey("accounts.User", null=True, on_delete=models.SET_NULL, related_name="+")
    chosen_at = models.DateTimeField(default=now)
    reason = models.CharField(max_length=500)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["organisation", "ref"], name="name_choice_once")]

    def __str__(self) -> str:
        return self.ref


class FormerName(TenantModel):
    """What an entity was called before its file called it something else."""

    ref = models.CharField(max_length=200, db_collation="C")
    entity = models.ForeignKey(Entity, on_delete=models.CASCADE, related_name="former_names")
    renamed_at = models.DateTimeField(default=now)
    commit = models.CharField(max_length=100, blank=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["organisation", "ref"], name="former_name_once")]
        indexes = [models.Index(fields=["organisation", "entity"], name="former_name_entity")]

    def __str__(self) -> str:
        return self.ref


class ProblemTold(TenantModel):
    """That somebody was told of a problem: once, even when it is over and comes back (telling.py)."""

    source = models.ForeignKey(Source, on_delete=models.CASCADE, related_name="+")
    key = models.CharField(max_length=32)
    address = models.CharField(max_length=254)
    told_at = models.DateTimeField(default=now)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["organisation", "source", "key", "address"], name="problem_told_once")
        ]

    def __str__(self) -> str:
        return self.address


class ConfiguredCard(TenantModel):
    """A card of the Overview that admins add without code: a link made for each entity from a pattern, or what the
    address answers (JSON), written into a template by a worker."""

    class Shows(models.TextChoices):
        LINK = "link", "A link"
        JSON = "json", "What the address answers (JSON)"

    title = models.CharField(max_length=80)
    kinds = ArrayField(
        models.CharField(max_length=63), default=list, blank=True, help_text="Empty = entities of any kind."
    )
    permission = models.CharField(max_length=40, default="catalog.view", help_text="Who is shown it.")
    label = models.CharField(max_length=80, blank=True, help_text="The words of the link; empty = the title.")
    address = models.CharField(max_length=1000, help_text="With placeholders: catalog/configured.py.")
    shows = models.CharField(max_length=10, choices=Shows, default=Shows.LINK, db_default="link")
    template = models.TextField(
        blank=True, default="", db_default="", help_text="In the language of golden paths; comes to Markdown."
    )
    refresh_seconds = models.PositiveIntegerField(default=300, db_default=300)
    header_name = models.CharField(max_length=100, blank=True, default="", db_default="")
    sealed_header = models.TextField(blank=True, default="", db_default="", help_text="For workers: kit/sealing.py.")
    header_fingerprint = models.CharField(max_length=12, blank=True, default="", db_default="")
    created_at = models.DateTimeField(default=now)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["organisation", "title"], name="configured_card_once")]

    def __str__(self) -> str:
        return self.title


class CardAnswer(TenantModel):
    """What a card's address last said of one entity, as its page shows it. Written by workers alone."""

    card = models.ForeignKey(ConfiguredCard, on_delete=models.CASCADE, related_name="answers")
    entity = models.ForeignKey(Entity, on_delete=models.CASCADE, related_name="+")
    text = models.TextField(blank=True, help_text="Markdown: the newest answer that could be used.")
    as_of = models.DateTimeField(null=True, help_text="When that was.")
    error = models.CharField(max_length=1000, blank=True, help_text="Why the newest try gave nothing; empty = it did.")
    tried_at = models.DateTimeField(default=now)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["organisation", "card", "entity"], name="card_answer_once")]

    def __str__(self) -> str:
        return f"card {self.card_id} of entity {self.entity_id}"
