"""What a review asks a cluster, answered by a real one."""

from typing import Any

import pytest

from portal.accounts.tenancy import tenant
from portal.clusters import actions
from portal.clusters.credentials import seal, unseal
from portal.clusters.models import Cluster
from portal.goldenpaths import discovery
from tests.clusters.conftest import sandbox_kubeconfig as sandbox_kubeconfig
from tests.conftest import World, by, free_port

pytestmark = pytest.mark.django_db(transaction=True)

KINDS = [("apps/v1", "Deployment"), ("autoscaling/v2beta2", "HorizontalPodAutoscaler"), ("example.org/v1", "Nothing")]


@pytest.fixture
def cluster(committed_world: World, sandbox_kubeconfig: Any) -> Cluster:
    with committed_world.tenant():
        return actions.register_cluster(
            organisation=committed_world.acme,
            actor=by(committed_world.ada),
            name="Sandbox",
            kubeconfig=sandbox_kubeconfig.read_text(),
        )


@pytest.mark.slow
def test_a_cluster_says_what_it_serves(cluster: Cluster) -> None:
    answer = discovery.served(cluster, KINDS)
    assert answer.trouble == ""
    assert [answer.kinds[kind] for kind in sorted(KINDS)] == [True, False, False]
    assert answer.newest == {"HorizontalPodAutoscaler": "autoscaling/v2", "Nothing": ""}


@pytest.mark.slow
def test_a_cluster_that_is_down_is_named(cluster: Cluster) -> None:
    with tenant(cluster.organisation_id):
        row = Cluster.objects.for_tenant(cluster.organisation_id).get(pk=cluster.pk)
        gone = f"https://127.0.0.1:{free_port()}"
        secret = unseal(row.sealed, row.place)
        row.server = gone
        row.sealed = seal(secret, row.place)
        row.save()
    answer = discovery.served(row, KINDS)
    assert answer.is_down
    assert answer.trouble == "The cluster Sandbox does not answer: the connection was refused."
