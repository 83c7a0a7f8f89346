"""What can be done to clusters: connect, forget, and bind entities to what runs there."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from uuid import UUID

from django.db import connection, transaction
from django.utils.text import slugify
from django.utils.timezone import now

from portal.accounts import audit
from portal.accounts.actor import Actor
from portal.accounts.models import Organisation
from portal.clusters import kubeconfig as kubeconfigs
from portal.clusters import reach
from portal.clusters.bindings import ANNOTATIONS
from portal.clusters.credentials import CredentialPlace, fingerprint, seal
from portal.clusters.errors import KubeError
from portal.clusters.kube import Kube, connect_target
from portal.clusters.kubeconfig import ClusterTarget
from portal.clusters.models import CONNECTING, AllowedKind, Binding, Cluster
from portal.clusters.status import BINDINGS_TOPIC, CLUSTERS_TOPIC, badges_key, fresh_key, hash_key
from portal.clusters.structs import WATCHED
from portal.kit import away
from portal.kit.announcing import announce
from portal.kit.errors import Conflict, Invalid
from portal.kit.valkey import valkey

BINDING_LENGTHS = {
    "entity_ref": 300,
    "kubernetes_id": 63,
    "selector": 1000,
    "namespace": 63,
    "cluster_slug": 63,
    "slipway_id": 63,
}
BINDINGS_AT_ONCE = 500
_COLUMNS = ", ".join(BINDING_LENGTHS)
_WRITE_BINDINGS = (
    f"INSERT INTO clusters_binding (organisation_id, entity_uid, {_COLUMNS})"  # noqa: S608 - names of our own
    f" SELECT %s, entity_uid, {_COLUMNS} FROM json_to_recordset(%s::json)"
    f" AS w (entity_uid uuid, {', '.join(f'{name} text' for name in BINDING_LENGTHS)})"
    " ON CONFLICT (organisation_id, entity_uid) DO UPDATE SET"
    f" {', '.join(f'{name} = excluded.{name}' for name in BINDING_LENGTHS)}"
)
OVERREACH = (
    ("*", "*", "*", "This credential may do everything in the cluster. Slipway needs far less: see docs/clusters.md."),
    ("get", "", "secrets", "This credential may read secrets, which Slipway never does."),
    ("impersonate", "", "users", "This credential may act as other users, which Slipway never does."),
)


@dataclass(frozen=True)
class BindingWish:
    """What an entity says of where its workloads are."""

    entity_uid: UUID
    entity_ref: str
    annotations: Mapping[str, str]
    slipway_id: str = ""

    def values(self) -> dict[str, str]:
        """The columns of its binding."""
        found = {column: str(self.annotations.get(name) or "").strip() for column, name in ANNOTATIONS.items()}
        found |= {"entity_ref": self.entity_ref, "slipway_id": self.slipway_id}
        # half a selector would match more than the whole: what is too long binds nothing
        return {name: value if len(value) <= BINDING_LENGTHS[name] else "" for name, value in found.items()}


@dataclass(frozen=True)
class Examination:
    """What a first conversation with a cluster showed."""

    version: str
    advice: list[str]


def examine(kube: Kube) -> Examination:
    """Speaks to the cluster once: is it one, does it accept us, may we see what we need, may we do too much?"""
    version = kube.version()
    advice = []
    unseen = []
    for watched in WATCHED:
        group = watched.served_as[0].rpartition("/")[0]
        if not kube.may("list", group, watched.plural) or not kube.may("watch", group, watched.plural):
            unseen.append(watched.plural)
    if "pods" in unseen:
        raise Invalid(
            "The cluster accepts this credential but does not let it list and watch pods."
            " Give it the role in docs/clusters.md.",
            field="kubeconfig",
        )
    if unseen:
        advice.append(f"This credential may not watch {', '.join(unseen)}: their health stays unknown.")
    for verb, group, resource, words in OVERREACH:
        if kube.may(verb, group, resource):
            advice.append(words)
            break
    return Examination(version, advice)


def secret_of(target: ClusterTarget) -> dict[str, str]:
    """The part of a target that is sealed."""
    if target.token:
        return {"token": target.token}
    return {"certificate": target.certificate, "key": target.key}


def examined(name: str, target: ClusterTarget) -> Examination:
    """Speaks to a cluster that is to be kept. Raises Invalid or a KubeError with field `kubeconfig`."""
    try:
        return examine(connect_target(name, target))
    except KubeError as error:
        error.field = error.field or "kubeconfig"
        raise


def _fill(cluster: Cluster, target: ClusterTarget, seen: Examination) -> None:
    cluster.server, cluster.ca, cluster.tls_server_name = target.server, target.ca, target.tls_server_name
    cluster.credential_kind = target.credential_kind
    cluster.credential_fingerprint = fingerprint(target.token or target.certificate)
    cluster.sealed = seal(
        secret_of(target), CredentialPlace(cluster.organisation_id, str(cluster.uid), cluster.server, cluster.ca)
    )
    cluster.version, cluster.advice = seen.version, "\n".join(seen.advice)
    cluster.state, cluster.state_text, cluster.state_since = CONNECTING, "", now()


def check_name(organisation: Organisation, name: str) -> tuple[str, str]:
    """The name and the slug of a new cluster. Raises Invalid or Conflict with field `name`."""
    name = " ".join(name.split())[:120]
    slug = slugify(name)[:63].strip("-")
    if slug == "new":
        raise Invalid("A cluster cannot be called “new”.", field="name")
    if not slug:
        raise Invalid("Give the cluster a name with letters or digits.", field="name")
    if Cluster.objects.for_tenant(organisation).filter(slug=slug).exists():
        raise Conflict(f"There is a cluster called “{slug}” already. Choose another name.", field="name")
    return name, slug


def register_cluster(
    *,
    organisation: Organisation,
    actor: Actor,
    name: str,
    kubeconfig: str,
    context: str | None = None,
) -> Cluster:
    """Connects a cluster after speaking to it once; the credential is sealed and cannot be read back.

    It waits for the cluster: for commands and workers, never inside a request. Raises Invalid or a KubeError with
    field `kubeconfig` or `name`, and Conflict when the name is taken.
    """
    check_name(organisation, name)
    target = kubeconfigs.parse(kubeconfig, context)
    return add_examined(organisation=organisation, actor=actor, name=name, target=target, seen=examined(name, target))


@transaction.atomic
def add_examined(
    *, organisation: Organisation, actor: Actor, name: str, target: ClusterTarget, seen: Examination
) -> Cluster:
    """Keeps a cluster that was spoken to. Inside the tenant. Raises Invalid or Conflict with field `name`."""
    name, slug = check_name(organisation, name)
    cluster = Cluster(organisation=organisation, slug=slug, name=name, created_by=actor.person)
    _fill(cluster, target, seen)
    cluster.save(force_insert=True)
    audit.record(
        organisation=organisation,
        actor=actor,
        verb="cluster.registered",
        subject=cluster,
        summary=f"Connected the cluster {name}",
        data={"server": cluster.server, "version": cluster.version, "credential": cluster.credential_kind},
    )
    _announce(organisation, f"cluster:{slug}")
    return cluster


def replace_credential(
    *,
    organisation: Organisation,
    actor: Actor,
    cluster: Cluster,
    kubeconfig: str,
    context: str | None = None,
) -> Cluster:
    """Gives a cluster a new address or credential; nothing happens when they are the ones it has.

    It waits for the cluster, like register_cluster.
    """
    target = kubeconfigs.parse(kubeconfig, context)
    if is_the_same(cluster, target):
        return cluster
    seen = examined(cluster.name, target)
    return keep_examined(organisation=organisation, actor=actor, cluster=cluster, target=target, seen=seen)


def is_the_same(cluster: Cluster, target: ClusterTarget) -> bool:
    """Whether the cluster has this address and credential already."""
    had = (cluster.server, cluster.ca, cluster.tls_server_name, cluster.credential_fingerprint)
    return had == (target.server, target.ca, target.tls_server_name, fingerprint(target.token or target.certificate))


@transaction.atomic
def keep_examined(
    *, organisation: Organisation, actor: Actor, cluster: Cluster, target: ClusterTarget, seen: Examination
) -> Cluster:
    """Lets a credential that works take the old one's place; history, bindings and rules stay. Inside the tenant."""
    _fill(cluster, target, seen)
    # whoever watches it with the old credential loses the lease and opens the new one
    cluster.lease_until = None
    cluster.epoch += 1
    cluster.save()
    audit.record(
        organisation=organisation,
        actor=actor,
        verb="cluster.credential-replaced",
        subject=cluster,
        summary=f"Replaced the credential of the cluster {cluster.name}",
        data={"server": cluster.server, "credential": cluster.credential_kind},
    )
    _announce(organisation, f"cluster:{cluster.slug}")
    return cluster


@transaction.atomic
def open_namespaces(*, organisation: Organisation, actor: Actor, cluster: Cluster, patterns: Sequence[str]) -> Cluster:
    """Says which namespaces runs may write to. Raises Invalid with field `namespaces`."""
    wanted = list(dict.fromkeys(patterns))
    if wrong := reach.faults(wanted):
        raise Invalid(" ".join(wrong), field="namespaces")
    was = cluster.namespaces.split()
    cluster.namespaces = "\n".join(wanted)
    cluster.save(update_fields=["namespaces"])
    audit.record(
        organisation=organisation,
        actor=actor,
        verb="cluster.namespaces-changed",
        subject=cluster,
        summary=f"Changed which namespaces of {cluster.name} runs may write to",
        data={"was": was, "is": wanted},
    )
    return cluster


@transaction.atomic
def allow_kind(
    *, organisation: Organisation, actor: Actor, cluster: Cluster, path: str, kind: str, namespace: str = ""
) -> AllowedKind:
    """Lets one golden path write a kind that runs may not write otherwise. Raises Invalid with the field."""
    path, kind, namespace = path.strip(), kind.strip(), namespace.strip()
    if not path:
        raise Invalid("Name the golden path, as in its address.", field="path")
    if not reach.KIND.fullmatch(kind):
        raise Invalid("Name the kind with its group, such as ClusterRole.rbac.authorization.k8s.io.", field="kind")
    if namespace and not reach.NAMESPACE.fullmatch(namespace):
        raise Invalid("This is no name of a namespace.", field="namespace")
    row, is_new = AllowedKind.objects.for_tenant(organisation).get_or_create(
        organisation=organisation,
        cluster=cluster,
        path=path[:200],
        kind=kind,
        namespace=namespace,
        defaults={"created_by": actor.person},
    )
    if is_new:
        _record_kind(organisation, actor, row, "cluster.kind-allowed", "Allowed")
    return row


@transaction.atomic
def disallow_kind(*, organisation: Organisation, actor: Actor, row: AllowedKind) -> None:
    """Takes such a permission back."""
    _record_kind(organisation, actor, row, "cluster.kind-disallowed", "Disallowed")
    row.delete()


def _record_kind(organisation: Organisation, actor: Actor, row: AllowedKind, verb: str, word: str) -> None:
    where = f" in {row.namespace}" if row.namespace else ""
    audit.record(
        organisation=organisation,
        actor=actor,
        verb=verb,
        subject=row.cluster,
        summary=f"{word} {row.kind}{where} on {row.cluster.name} for the golden path {row.path}",
        data={"path": row.path, "kind": row.kind, "namespace": row.namespace},
    )


def forget_cluster(*, organisation: Organisation, actor: Actor, cluster: Cluster) -> None:
    """Forgets a cluster and its credential. What runs in the cluster is not touched."""
    keys = [key(organisation.pk, cluster.uid) for key in (hash_key, badges_key, fresh_key)]
    slug = cluster.slug
    with transaction.atomic():
        audit.record(
            organisation=organisation,
            actor=actor,
            verb="cluster.forgotten",
            subject=cluster,
            summary=f"Forgot the cluster {cluster.name}",
            data={"server": cluster.server},
        )
        cluster.delete()
        transaction.on_commit(lambda: _unpublish(*keys))
        _announce(organisation, f"cluster:{slug}")


def _unpublish(*keys: str) -> None:
    try:
        valkey().delete(*keys)
    except away.BROKER:
        return  # readers go by the rows: without one the hash is never looked at


def _announce(organisation: Organisation, topic: str) -> None:
    def say() -> None:
        announce(organisation.pk, topic)
        announce(organisation.pk, "clusters:all")
        announce(organisation.pk, CLUSTERS_TOPIC)

    transaction.on_commit(say)


def set_bindings(
    organisation: Organisation,
    entity_uid: UUID | str,
    entity_ref: str,
    annotations: Mapping[str, str],
    slipway_id: str = "",
) -> None:
    """Remembers how an entity finds its workloads; without any way to, the binding goes. Writes only what changed."""
    set_many_bindings(organisation, [BindingWish(UUID(str(entity_uid)), entity_ref, annotations, slipway_id)])


def set_many_bindings(organisation: Organisation, wishes: Sequence[BindingWish]) -> None:
    """The same for many entities, a few statements for each batch of them. Each entity may be named once."""
    changed = False
    for start in range(0, len(wishes), BINDINGS_AT_ONCE):
        changed |= _set_batch(organisation, wishes[start : start + BINDINGS_AT_ONCE])
    if changed:
        transaction.on_commit(lambda: announce(organisation.pk, BINDINGS_TOPIC))


def _set_batch(organisation: Organisation, wishes: Sequence[BindingWish]) -> bool:
    rows = Binding.objects.for_tenant(organisation)
    standing = {row.entity_uid: row for row in rows.filter(entity_uid__in=[wish.entity_uid for wish in wishes])}
    written = list[dict[str, str]]()
    over = list[int]()
    for wish in wishes:
        values, row = wish.values(), standing.get(wish.entity_uid)
        if not (values["kubernetes_id"] or values["selector"] or values["slipway_id"]):
            over += [row.pk] if row else []
        elif row is None or any(getattr(row, name) != value for name, value in values.items()):
            written.append({"entity_uid": str(wish.entity_uid), **values})
    _write_bindings(organisation, written)
    if over:
        rows.filter(pk__in=over).delete()
    return bool(written or over)


def _write_bindings(organisation: Organisation, bindings: list[dict[str, str]]) -> None:
    """Writes new and changed bindings in one statement, as one parameter: a first load brings very many."""
    if bindings:
        with connection.cursor() as cursor:
            cursor.execute(_WRITE_BINDINGS, [organisation.pk, json.dumps(bindings, ensure_ascii=False)])
