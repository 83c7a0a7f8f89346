"""What workers do for clusters, because they can open the credentials."""

from __future__ import annotations

from celery import shared_task
from redis.exceptions import ConnectionError as BrokerAway
from redis.exceptions import TimeoutError as BrokerSlow

from portal.accounts.tenancy import tenant
from portal.clusters import podlogs
from portal.clusters.kube import connect
from portal.clusters.models import Cluster
from portal.clusters.podlogs import Asked
from portal.kit.errors import Refusal
from portal.kit.live import announce


def ask_for(cluster: Cluster, asked: Asked) -> None:
    """Have a worker fetch a log, unless one was asked for it a moment ago. Raises Unavailable."""
    if podlogs.ask(cluster, asked):
        fetch_logs.delay(
            cluster.organisation_id, cluster.pk, asked.namespace, asked.pod, asked.container, asked.previous
        )


@shared_task(name="clusters.fetch_logs", expires=60)
def fetch_logs(organisation_id: int, cluster_pk: int, namespace: str, pod: str, container: str, previous: bool) -> None:
    """Fetches the end of a container's log and announces it. A refusal of the cluster is the answer, in its words."""
    asked = Asked(cluster_pk, namespace, pod, container, previous)
    with tenant(organisation_id):
        cluster = Cluster.objects.for_tenant(organisation_id).filter(pk=cluster_pk).first()
    if cluster is None:
        return
    try:
        kube = connect(cluster)
        text = kube.logs(namespace, pod, container=container or None, tail=podlogs.TAIL, previous=previous)
        state = "ready"
    except Refusal as refusal:
        state, text = "refused", refusal.text
    try:
        podlogs.write(organisation_id, asked.key, state, text)
    except (BrokerAway, BrokerSlow):
        return  # whoever looks asks again
    announce(organisation_id, f"logs:{asked.key}")
