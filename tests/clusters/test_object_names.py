"""What an object may be called, and that no name leads to another object's address."""

from __future__ import annotations

import pytest

from portal.clusters import objectnames
from portal.clusters.errors import KubeInvalid
from portal.clusters.kube import Resource


@pytest.mark.parametrize(
    ("api_version", "kind", "name", "is_right"),
    [
        ("v1", "ConfigMap", "a.b-c", True), ("v1", "ConfigMap", "A", False), ("v1", "ConfigMap", "a" * 253, True),
        ("v1", "ConfigMap", "a" * 254, False), ("v1", "ConfigMap", "a..b", False), ("v1", "ConfigMap", "a\n", False),
        ("v1", "Service", "web", True), ("v1", "Service", "1web", False), ("v1", "Service", "a.b", False),
        ("v1", "Namespace", "team-a", True), ("v1", "Namespace", "a.b", False), ("v1", "Namespace", "a" * 64, False),
        ("rbac.authorization.k8s.io/v1", "ClusterRole", "system:node", True),
        ("rbac.authorization.k8s.io/v1", "ClusterRole", "a/b", False),
        ("rbac.authorization.k8s.io/v1", "ClusterRole", "..", False),
        ("example.org/v1", "Widget", "../x", False),
    ],
)  # fmt: skip
def test_a_name_by_its_kind(api_version: str, kind: str, name: str, is_right: bool) -> None:
    assert (objectnames.fault(api_version, kind, name) == "") is is_right


@pytest.mark.parametrize("name", ["..", ".", "a/b", "%2e%2e", "a\x00"])
def test_no_address_is_made_of_a_name_that_is_no_segment(name: str) -> None:
    """An HTTP client folds `..` before it asks: the object that was judged would not be the one that is written."""
    pods = Resource("v1", "Pod", "pods", True, frozenset())
    for place in ((name, "a"), ("a", name)):
        with pytest.raises(KubeInvalid):
            pods.path(*place)
