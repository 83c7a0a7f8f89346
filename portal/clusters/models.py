"""Clusters, what binds entities to them, and how the health of entities changed: rows only."""

from __future__ import annotations

import uuid

from django.core.validators import RegexValidator
from django.db import models
from django.utils.timezone import now

from portal.accounts.tenancy import TenantModel
from portal.clusters.credentials import CredentialPlace

SLUG = RegexValidator(r"^[a-z0-9]+(?:-[a-z0-9]+)*$", "Use lower-case letters, digits and single dashes.")

CONNECTING, SYNCED, LIMITED, UNREACHABLE, UNAUTHORIZED = (
    "connecting",
    "synced",
    "limited",
    "unreachable",
    "unauthorized",
)
STATES = {
    CONNECTING: "Connecting",
    SYNCED: "In sync",
    LIMITED: "Partly visible",
    UNREACHABLE: "Not reachable",
    UNAUTHORIZED: "Credential refused",
}

# What is open on a cluster about which no admin has decided: a team's own namespace, and one made for the entity.
OPEN = "{team}\n{entity}"


class Cluster(TenantModel):
    """A Kubernetes cluster that an organisation connected. Its credential is sealed; see credentials.py."""

    uid = models.UUIDField(default=uuid.uuid4, editable=False)
    slug = models.CharField(max_length=63, validators=[SLUG])
    name = models.CharField(max_length=120)
    server = models.CharField(max_length=500)
    ca = models.TextField(blank=True)
    tls_server_name = models.CharField(max_length=253, blank=True)
    credential_kind = models.CharField(max_length=12)
    credential_fingerprint = models.CharField(max_length=12)
    sealed = models.TextField()
    state = models.CharField(max_length=12, choices=list(STATES.items()), default=CONNECTING)
    state_text = models.CharField(max_length=600, blank=True)
    advice = models.TextField(blank=True, help_text="Doubts about the credential, one a line.")
    version = models.CharField(max_length=60, blank=True)
    state_since = models.DateTimeField(null=True, blank=True, help_text="Since when the state is what it is.")
    namespaces = models.TextField(
        default=OPEN,
        db_default=OPEN,
        blank=True,
        help_text="Patterns of namespaces that runs may write to, one a line.",
    )
    last_synced_at = models.DateTimeField(null=True, blank=True)
    created_at = models.DateTimeField(default=now)
    created_by = models.ForeignKey("accounts.User", null=True, on_delete=models.SET_NULL, related_name="+")
    # who watches it: a live process holds the lease, and its epoch fences whoever held it before
    lease_owner = models.CharField(max_length=80, blank=True)
    lease_until = models.DateTimeField(null=True, blank=True)
    epoch = models.BigIntegerField(default=0)

    class Meta:
        ordering = ["name"]
        constraints = [
            models.UniqueConstraint(fields=["organisation", "slug"], name="cluster_slug_once"),
            models.CheckConstraint(condition=models.Q(state__in=list(STATES)), name="cluster_state_known"),
        ]

    def __str__(self) -> str:
        return self.name

    @property
    def patterns(self) -> tuple[str, ...]:
        """The namespaces that runs may write to, as the admin wrote them."""
        return tuple(self.namespaces.split())

    @property
    def place(self) -> CredentialPlace:
        """What its sealed credential is bound to."""
        return CredentialPlace(self.organisation_id, str(self.uid), self.server, self.ca)


class AllowedKind(TenantModel):
    """A kind that one golden path may write on a cluster, beyond what every run may: see reach.Allowance."""

    cluster = models.ForeignKey(Cluster, on_delete=models.CASCADE, related_name="allowed")
    path = models.CharField(max_length=200, help_text="The golden path's slug.")
    kind = models.CharField(max_length=260, help_text="As kubectl names it: ClusterRole.rbac.authorization.k8s.io.")
    namespace = models.CharField(max_length=63, blank=True, help_text="Empty for a kind that lies in no namespace.")
    created_at = models.DateTimeField(default=now)
    created_by = models.ForeignKey("accounts.User", null=True, on_delete=models.SET_NULL, related_name="+")

    class Meta:
        ordering = ["path", "kind", "namespace"]
        constraints = [
            models.UniqueConstraint(
                fields=["organisation", "cluster", "path", "kind", "namespace"], name="allowed_kind_once"
            )
        ]

    def __str__(self) -> str:
        return f"{self.kind} by {self.path}"


class Binding(TenantModel):
    """How an entity finds its workloads. Written by the catalog from annotations, read by the live process."""

    entity_uid = models.UUIDField()
    entity_ref = models.CharField(max_length=300)
    kubernetes_id = models.CharField(max_length=63, blank=True)
    selector = models.CharField(max_length=1000, blank=True)
    namespace = models.CharField(max_length=63, blank=True)
    cluster_slug = models.CharField(max_length=63, blank=True)
    slipway_id = models.CharField(max_length=63, blank=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["organisation", "entity_uid"], name="binding_entity_once")]

    def __str__(self) -> str:
        return self.entity_ref


class Transition(TenantModel):
    """One change of an entity's badge: the history of its health, one row for each change and no more."""

    cluster = models.ForeignKey(Cluster, on_delete=models.CASCADE, related_name="+")
    entity_uid = models.UUIDField()
    entity_ref = models.CharField(max_length=300)
    was = models.CharField(max_length=12)
    became = models.CharField(max_length=12)
    code = models.CharField(max_length=40)
    sentence = models.CharField(max_length=1000)
    at = models.DateTimeField(default=now)

    class Meta:
        ordering = ["-at"]
        indexes = [
            models.Index(fields=["organisation", "entity_uid", "-at"], name="transition_of_entity"),
            models.Index(fields=["organisation", "-at"], name="transition_recent"),
        ]

    def __str__(self) -> str:
        return f"{self.entity_ref}: {self.was} → {self.became}"
