"""What workers do for clusters, because they can open the credentials."""

from __future__ import annotations

from celery import shared_task

from portal.accounts.tenancy import tenant
from portal.clusters import podlogs
from portal.clusters.kube import connect
from portal.clusters.logrights import strangers
from portal.clusters.models import Cluster
from portal.kit.announcing import announce
from portal.kit.errors import Forbidden, Refusal


@shared_task(name=podlogs.TASK)
def fetch_logs(
    organisation_id: int, key: str, cluster_pk: int, namespace: str, pod: str, container: str, previous: bool
) -> None:
    """Fetches the end of a container's log and announces it. A refusal of the cluster is the answer, in its words."""
    with tenant(organisation_id):
        rows = Cluster.objects.for_tenant(organisation_id).select_related("organisation")
        cluster = rows.filter(pk=cluster_pk).first()
    if cluster is None:
        return
    try:
        kube = connect(cluster)
        if whose := strangers(kube, cluster, namespace, pod):
            raise Forbidden(whose)
        text = kube.logs(namespace, pod, container=container or None, tail=podlogs.TAIL, previous=previous)
        state = "ready"
    except Refusal as refusal:
        state, text = "refused", refusal.text
    podlogs.write(organisation_id, key, state, text)
    announce(organisation_id, f"logs:{key}")
