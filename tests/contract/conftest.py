"""Each cluster at hand in turn, for every test of the contract suite."""

from __future__ import annotations

import uuid
from collections.abc import Iterator

import pytest

from tests.contract.planes import ClusterUnderTest, Silence
from tests.sandbox.process import Api


@pytest.fixture(scope="session", params=["sandbox", "real"])
def cluster(request: pytest.FixtureRequest) -> ClusterUnderTest:
    """Each cluster at hand in turn."""
    found: ClusterUnderTest = request.getfixturevalue(f"{request.param}_cluster")
    found.silence = found.silence or Silence(found.kubeconfig)
    return found


@pytest.fixture(scope="session")
def api(cluster: ClusterUnderTest) -> Api:
    return cluster.api


@pytest.fixture
def namespace(api: Api) -> Iterator[str]:
    """A namespace of the test's own, ready for pods."""
    name = f"contract-{uuid.uuid4().hex[:8]}"
    api.create("/api/v1/namespaces", {"metadata": {"name": name}})
    api.until(f"/api/v1/namespaces/{name}/serviceaccounts/default", lambda _: True)
    yield name
    api.delete(f"/api/v1/namespaces/{name}")
