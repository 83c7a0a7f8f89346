"""Organisations and the people in them: rows only, rules live in permissions.py and verbs in actions.py."""

from __future__ import annotations

from typing import Any, ClassVar

from django.contrib.auth.models import AbstractBaseUser, BaseUserManager
from django.core.validators import RegexValidator
from django.db import models
from django.db.models import F, Func, Value
from django.db.models.functions import Collate, Lower
from django.utils.timezone import now

from portal.accounts.contact import Contact
from portal.accounts.permissions import ROLES, SCOPES
from portal.accounts.tenancy import TenantModel

SLUG = RegexValidator(r"^[a-z0-9]+(?:-[a-z0-9]+)*$", "Use lower-case letters, digits and single dashes.")
# Words that stand where an organisation's slug could stand, or would confuse.
RESERVED_SLUGS = frozenset({"new", "api", "admin", "accounts", "static", "o", "join", "slipway"})


class UserManager(BaseUserManager["User"]):
    """People sign in by e-mail address, compared without regard to case."""

    def create_user(self, email: str, password: str | None = None, **fields: Any) -> User:
        user = self.model(email=self.normalize_email(email).lower(), **fields)
        user.set_password(password)
        user.save(using=self._db)
        return user

    def get_by_natural_key(self, username: str | None) -> User:
        return self.get(email__iexact=username)


# What follows the last space of a name.
LAST_NAME = Func(
    F("name"), Value(r"^.*\s"), Value(""), function="regexp_replace", output_field=models.CharField(max_length=120)
)


class User(AbstractBaseUser):
    """A person, across organisations. Rights come from memberships alone: there is no staff or superuser flag."""

    email = models.EmailField(unique=True)
    name = models.CharField(max_length=120, blank=True)
    timezone = models.CharField(max_length=64, blank=True, help_text="IANA name; empty follows the browser.")
    theme = models.CharField(max_length=8, blank=True)
    is_active = models.BooleanField(default=True)
    date_joined = models.DateTimeField(default=now)
    last_organisation = models.ForeignKey(
        "accounts.Organisation", null=True, blank=True, on_delete=models.SET_NULL, related_name="+"
    )

    objects: ClassVar[UserManager] = UserManager()

    USERNAME_FIELD = "email"
    EMAIL_FIELD = "email"
    REQUIRED_FIELDS: ClassVar[list[str]] = []

    class Meta:
        # For search, which looks for beginnings: portal/accounts/searching.py.
        indexes = [
            models.Index(Collate(Lower("name"), "C"), name="user_named"),
            models.Index(Collate(Lower(LAST_NAME), "C"), name="user_last_named"),
            models.Index(Collate(Lower("email"), "C"), name="user_mailed"),
        ]

    def __str__(self) -> str:
        return self.name or self.email

    def get_full_name(self) -> str:
        return str(self)

    def get_short_name(self) -> str:
        return (self.name or self.email).split()[0]


class Organisation(models.Model):
    """A tenant. Not behind row-level security itself: the gate must find it by slug before it can set the tenant."""

    slug = models.CharField(max_length=40, unique=True, validators=[SLUG])
    name = models.CharField(max_length=120)
    created_at = models.DateTimeField(default=now)

    def __str__(self) -> str:
        return self.name


class Membership(TenantModel):
    """A person's role in an organisation."""

    user = models.ForeignKey(User, on_delete=models.CASCADE, related_name="memberships")
    role = models.CharField(max_length=12, choices=[(role, role.capitalize()) for role in ROLES], default="viewer")
    # Counted by portal/notices/unread.py alone.
    unread_notices = models.PositiveIntegerField(default=0, db_default=0, blank=True)
    created_at = models.DateTimeField(default=now)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["organisation", "user"], name="membership_once"),
            models.CheckConstraint(condition=models.Q(role__in=ROLES), name="membership_role_known"),
        ]

    def __str__(self) -> str:
        return f"{self.user} as {self.role}"


class Visit(TenantModel):
    """Something that a member looked at, and when last: for them alone, and only the newest few (visits.py)."""

    membership = models.ForeignKey(Membership, on_delete=models.CASCADE, related_name="visits")
    ref = models.CharField(max_length=300, help_text="Lower-cased catalog reference.")
    at = models.DateTimeField(default=now)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["organisation", "membership", "ref"], name="visit_once")]
        indexes = [models.Index(fields=["organisation", "membership", "-at"], name="visit_newest")]

    def __str__(self) -> str:
        return self.ref


class TeamOrigin(models.TextChoices):
    """Where a team was born."""

    PORTAL = "portal", "Made in the portal"
    FILE = "file", "Described by a file"
    GONE = "gone", "Described by a file that is gone"


class Team(TenantModel):
    """People who answer for things together; teams nest. `ref` is how the catalog names the team."""

    slug = models.CharField(max_length=63, validators=[SLUG])
    name = models.CharField(max_length=120)
    ref = models.CharField(max_length=200, help_text="Lower-cased catalog reference, such as group:default/payments.")
    parent = models.ForeignKey("self", null=True, blank=True, on_delete=models.SET_NULL, related_name="children")
    description = models.CharField(max_length=300, blank=True)
    origin = models.CharField(
        max_length=8,
        blank=True,
        db_default="",
        choices=TeamOrigin.choices,
        help_text="Where it was born: there it is changed. Empty until the catalog has looked.",
    )
    described_in = models.CharField(max_length=300, blank=True, db_default="", help_text="The file, if one does.")
    described_by = models.CharField(
        max_length=36, blank=True, db_default="", help_text="The uid of the source whose file it follows."
    )
    waits_since = models.DateTimeField(
        null=True,
        blank=True,
        help_text="Since when it waits for somebody who may make teams to confirm it; until then it gives no rights. "
        "Empty: it stands.",
    )
    declined = models.CharField(
        max_length=20,
        blank=True,
        db_default="",
        default="",
        help_text="What of it was looked at and declined: a digest.",
    )
    mail = models.EmailField(blank=True, db_default="")
    chat = models.CharField(max_length=300, blank=True, db_default="")
    on_call = models.CharField(max_length=300, blank=True, db_default="")
    runbook = models.CharField(max_length=300, blank=True, db_default="")
    created_at = models.DateTimeField(default=now)

    class Meta:
        ordering = ["name"]
        constraints = [
            models.UniqueConstraint(fields=["organisation", "slug"], name="team_slug_once"),
            models.UniqueConstraint(fields=["organisation", "ref"], name="team_ref_once"),
        ]

    def __str__(self) -> str:
        return self.name

    @property
    def contact(self) -> Contact:
        """How it is reached."""
        return Contact(mail=self.mail, chat=self.chat, on_call=self.on_call, runbook=self.runbook)

    @property
    def stands(self) -> bool:
        """Whether it gives its people rights; not while it waits to be confirmed."""
        return self.waits_since is None

    @property
    def is_filed(self) -> bool:
        """Whether a file describes it: then the file says its name, place and contact, and the portal its people."""
        return self.origin == TeamOrigin.FILE


class TeamPath(TenantModel):
    """That a team is above another, or is itself. The database keeps these rows whoever writes a team's place: nothing
    else writes them (migration 0016).

    depth   how many levels lie between; 0 for a team and itself
    stands  whether every team from the one to the other is confirmed, so that rights come down to it
    """

    organisation = models.ForeignKey(Organisation, on_delete=models.CASCADE, related_name="+", db_index=False)
    pk = models.CompositePrimaryKey("organisation_id", "below_id", "above_id")
    below_id = models.BigIntegerField()
    above_id = models.BigIntegerField()
    depth = models.SmallIntegerField()
    stands = models.BooleanField()

    class Meta:
        indexes = [models.Index(fields=["organisation", "above_id", "below_id"], name="team_path_down")]

    def __str__(self) -> str:
        return f"{self.below_id} below {self.above_id}"


class TeamMembership(TenantModel):
    """A person in a team. Rights over what the team owns come from here, never from a file."""

    team = models.ForeignKey(Team, on_delete=models.CASCADE, related_name="memberships")
    user = models.ForeignKey(User, on_delete=models.CASCADE, related_name="team_memberships")
    is_lead = models.BooleanField(default=False)
    created_at = models.DateTimeField(default=now)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["organisation", "team", "user"], name="team_member_once")]

    def __str__(self) -> str:
        return f"{self.user} in {self.team}"


class Invitation(TenantModel):
    """A way in for one e-mail address; only the digest of its secret is kept."""

    email = models.EmailField()
    role = models.CharField(max_length=12, choices=[(role, role.capitalize()) for role in ROLES], default="developer")
    digest = models.CharField(max_length=64, unique=True)
    invited_by = models.ForeignKey(User, null=True, on_delete=models.SET_NULL, related_name="+")
    created_at = models.DateTimeField(default=now)
    expires_at = models.DateTimeField()
    accepted_at = models.DateTimeField(null=True, blank=True)
    accepted_by = models.ForeignKey(User, null=True, blank=True, on_delete=models.SET_NULL, related_name="+")
    revoked_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        indexes = [models.Index(fields=["organisation", "email"], name="invitation_email")]

    def __str__(self) -> str:
        return self.email


class ApiToken(TenantModel):
    """A credential of a person for programs; the secret is shown once and only its SHA-256 is kept.

    The secret has 256 random bits, so a fast hash is the right one: there is nothing to guess.
    """

    user = models.ForeignKey(User, on_delete=models.CASCADE, related_name="api_tokens")
    name = models.CharField(max_length=80)
    prefix = models.CharField(max_length=12, help_text="The first letters of the secret, to recognise it by.")
    digest = models.CharField(max_length=64, unique=True)
    scopes = models.JSONField(default=list, help_text="Some of: " + ", ".join(SCOPES))
    created_at = models.DateTimeField(default=now)
    expires_at = models.DateTimeField()
    last_used_at = models.DateTimeField(null=True, blank=True)
    revoked_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        indexes = [models.Index(fields=["organisation", "user"], name="token_owner")]

    def __str__(self) -> str:
        return f"{self.name} ({self.prefix}…)"


class Way(models.TextChoices):
    """The way in."""

    PAGE = "page", "Page"
    API = "api", "API"
    GIT = "git", "Git"
    TASK = "task", "Slipway’s own work"
    COMMAND = "command", "Command line"
    MCP = "mcp", "Agent tools"


class AuditEvent(TenantModel):
    """Who did what to what, when. Rows are only ever added."""

    actor = models.ForeignKey(User, null=True, blank=True, on_delete=models.SET_NULL, related_name="+")
    actor_label = models.CharField(max_length=254, help_text="The actor's name at the time, or the process.")
    verb = models.CharField(max_length=60)
    subject_kind = models.CharField(max_length=40, blank=True)
    subject_id = models.CharField(max_length=80, blank=True)
    subject_label = models.CharField(max_length=300, blank=True)
    summary = models.CharField(max_length=500)
    data = models.JSONField(default=dict)
    ip = models.GenericIPAddressField(null=True, blank=True)
    way = models.CharField(max_length=10, blank=True, db_default="", choices=Way.choices, help_text="The way in.")
    via = models.CharField(max_length=100, blank=True, help_text="The API token used, if any.")
    # A number, not a link: the event stays as it was when the token is gone.
    token_id = models.BigIntegerField(null=True, blank=True)
    agent = models.CharField(
        max_length=100, blank=True, db_default="", help_text="Key of the agent that acted, if any."
    )
    at = models.DateTimeField(default=now)

    class Meta:
        indexes = [
            models.Index(fields=["organisation", "-at", "-id"], name="audit_newest"),
            models.Index(fields=["organisation", "verb", "-id"], name="audit_verb"),
            models.Index(fields=["organisation", "actor", "-id"], name="audit_actor"),
            models.Index(fields=["organisation", "subject_kind", "subject_id"], name="audit_subject"),
            models.Index(fields=["organisation", "agent"], name="audit_agent", condition=~models.Q(agent="")),
        ]

    def __str__(self) -> str:
        return self.summary


class OutboxEntry(TenantModel):
    """An event's place in the order in which it is told to others; none until outbox.py has given it one."""

    event = models.OneToOneField(AuditEvent, on_delete=models.PROTECT, related_name="outbox")
    position = models.BigIntegerField(null=True, blank=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["organisation", "position"], name="outbox_position_once")]
        indexes = [
            models.Index(fields=["organisation", "id"], name="outbox_unnumbered", condition=models.Q(position=None))
        ]

    def __str__(self) -> str:
        return f"{self.position}: {self.event_id}"


class OutboxCursor(TenantModel):
    """How far a consumer of the outbox has read."""

    consumer = models.CharField(max_length=40)
    position = models.BigIntegerField(default=0)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["organisation", "consumer"], name="outbox_cursor_once")]

    def __str__(self) -> str:
        return f"{self.consumer} at {self.position}"
