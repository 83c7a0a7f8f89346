"""Home calls nothing quiet that nobody sees."""

import pytest
from django.urls import reverse

from catalog.actions import write_entity
from portal.clusters import actions, status
from portal.kit.valkey import valkey
from tests.clusters.test_pages import entity, prod, publish
from tests.conftest import by

__all__ = ["prod"]
TEXT = """
apiVersion: backstage.io/v1alpha1
kind: Component
metadata: {name: api, annotations: {backstage.io/kubernetes-id: api}}
spec: {type: service, lifecycle: production, owner: group:default/payments}
"""


@pytest.mark.django_db
def test_a_service_in_a_lost_cluster_needs_attention_by_the_cluster_s_name(world, prod, client_for):
    with world.tenant():
        found = write_entity(organisation=world.acme, actor=by(world.ada), text=TEXT)
        actions.set_bindings(world.acme, found.uid, found.ref, {"backstage.io/kubernetes-id": "api"})
    client, address = client_for(world.dev), reverse("home", kwargs={"org": "acme"})

    publish(prod, {found.uid: entity()})
    assert "no current view" not in client.get(address).content.decode()

    publish(prod, {found.uid: entity()}, is_watched=False)
    text = client.get(address).content.decode()
    assert "All quiet" not in text
    assert "no current view" in text
    assert prod.name in text

    # with everything lost, what is bound is still not quiet
    valkey().delete(status.hash_key(prod.organisation_id, prod.uid))
    text = client.get(address).content.decode()
    assert "All quiet" not in text
    assert prod.name in text
