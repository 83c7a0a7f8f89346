"""A manifest that is wanted only if absent leaves what stands there exactly as it is, whoever's it is."""

from typing import Any

import pytest

from portal.provisioning.models import Effect
from tests.contract.planes import ClusterUnderTest
from tests.provisioning.conftest import finish as finish
from tests.provisioning.conftest import rows, texts
from tests.provisioning.conftest import silent as silent
from tests.provisioning.test_takeover import kube as kube
from tests.provisioning.test_takeover import launch
from tests.provisioning.test_takeover import open_to_all as open_to_all
from tests.provisioning.test_takeover import shared as shared
from tests.provisioning.test_takeover import space as space

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def cluster(sandbox_cluster: ClusterUnderTest) -> ClusterUnderTest:
    return sandbox_cluster


def namespace(name: str) -> dict[str, Any]:
    return {
        "apiVersion": "v1",
        "kind": "Namespace",
        "metadata": {"name": name, "annotations": {"slipway.io/if-absent": "true"}},
    }


def test_an_existing_namespace_is_not_touched(committed_world, kube, space, open_to_all, silent, finish) -> None:
    before = kube.get("v1", "Namespace", None, space)
    run = finish(launch(committed_world, [namespace(space)], space))
    assert (run.status, run.error_text) == ("succeeded", "")
    assert kube.get("v1", "Namespace", None, space) == before
    [effect] = rows(Effect, run)
    assert (effect.outcome, effect.reference["uid"]) == ("unchanged", before["metadata"]["uid"])
    assert f"Namespace {space}: there already, left as it is." in texts(run)


def test_an_absent_namespace_is_made(committed_world, kube, open_to_all, silent, finish) -> None:
    run = finish(launch(committed_world, [namespace("brand-new")], "brand-new"))
    assert (run.status, run.error_text) == ("succeeded", "")
    assert kube.get("v1", "Namespace", None, "brand-new") is not None
    assert [effect.outcome for effect in rows(Effect, run)] == ["created"]
    assert "Namespace brand-new: created." in texts(run)
