"""Who may read which pod's log: managers, and the team that owns every entity that the pod is bound to."""

from __future__ import annotations

from collections.abc import Callable, Collection
from uuid import UUID

from portal.accounts.access import Access, whose_right
from portal.accounts.models import Organisation, Team
from portal.clusters import labels, status
from portal.clusters.errors import KubeForbidden
from portal.clusters.kube import Kube
from portal.clusters.models import Binding, Cluster
from portal.clusters.podlogs import Asked
from portal.clusters.reach import PodClaim, logs_refusal
from portal.clusters.status import BoundPod
from portal.kit.errors import Forbidden

PERMISSION = "workloads.logs"

# (organisation, uids of entities) -> the owner of each that is in the catalog, as a reference.
Owners = Callable[[Organisation, Collection[str]], dict[str, str]]
_owners: list[Owners] = []


def owners_from(owners: Owners) -> None:
    """The catalog says here who owns what; without it only managers read logs."""
    _owners[:] = [owners]


def pod_for(access: Access, cluster: Cluster, asked: Asked) -> BoundPod:
    """The pod, if the person may read its log. Raises Forbidden with the reason."""
    pod = status.pod_of(cluster, asked.namespace, asked.pod)
    if access.can(PERMISSION):
        return pod
    claims, owners = _claims(access, pod)
    refusal = logs_refusal(asked.pod, claims, asked.namespace, pod.namespace_team)
    if refusal:
        # Another team's pod is that team's to read; of what several claim, or what only looks like theirs, managers.
        owner = next(iter(owners)) if len(owners) == 1 else ""
        is_another = owner != "" and not access.can(PERMISSION, owner)
        raise Forbidden(refusal, detail=whose_right(PERMISSION, owner if is_another else None))
    return pod


def strangers(kube: Kube, cluster: Cluster, namespace: str, pod: str) -> str:
    """Why nobody of this organisation may read a pod's log, for it is another organisation's; "" when it is not.

    Two organisations may have connected one cluster. The pod's own mark decides, and where it wears none, its
    namespace's. Asked of the cluster, by a worker, just before the log is read.
    """
    ours = labels.mark_of(cluster.organisation.pk, cluster.organisation.created_at)
    for kind, within, name in (("Pod", namespace, pod), ("Namespace", None, namespace)):
        try:
            found = kube.get("v1", kind, within, name)
        except KubeForbidden:
            continue
        mark = ((found or {}).get("metadata", {}).get("labels") or {}).get(labels.ORGANISATION, "")
        if mark:
            return "" if mark == ours else f"Pod {pod} belongs to another organisation on this cluster."
    return ""


def admit(access: Access, asked: Asked | None) -> None:
    """The same for a live topic, whose name says which log. Raises Forbidden."""
    if access.can(PERMISSION):
        return
    rows = Cluster.objects.for_tenant(access.organisation)
    cluster = rows.filter(pk=asked.cluster_pk).first() if asked else None
    if asked is None or cluster is None:
        raise Forbidden("Nobody has asked for this log lately. Open it again.")
    pod_for(access, cluster, asked)


def _claims(access: Access, pod: BoundPod) -> tuple[list[PodClaim], set[str]]:
    """The entities that claim the pod, and who owns them."""
    uids = [uid for uid in pod.entities if _is_uid(uid)]
    owned = {uid: ref for owners in _owners for uid, ref in owners(access.organisation, uids).items()}
    rows = Binding.objects.for_tenant(access.organisation).filter(entity_uid__in=uids)
    ids = {str(row.entity_uid): "" if row.selector else row.kubernetes_id for row in rows}
    teams = dict(
        Team.objects.for_tenant(access.organisation).filter(ref__in=set(owned.values())).values_list("ref", "slug")
    )
    claims = [
        _claim(access, pod, uid, ref, owned.get(uid, ""), ids.get(uid, ""), teams) for uid, ref in pod.entities.items()
    ]
    return claims, {owned.get(uid, "") for uid in pod.entities}


def _claim(
    access: Access, pod: BoundPod, uid: str, ref: str, owner: str, kubernetes_id: str, teams: dict[str, str]
) -> PodClaim:
    is_named = pod.entity_label in labels.recognised(ref) or (
        kubernetes_id != "" and pod.kubernetes_id == kubernetes_id
    )
    return PodClaim(ref, bool(owner and access.can(PERMISSION, owner)), is_named, teams.get(owner, ""))


def _is_uid(text: str) -> bool:
    try:
        UUID(text)
    except ValueError:
        return False
    return True
