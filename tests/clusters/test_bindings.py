"""How entities find their workloads."""

import pytest

from portal.clusters.bindings import BadSelector, Matcher, bounds_of, parse
from portal.clusters.quantity import millicores, readable, size


def bind(uid, **how):
    fields = {"kubernetes_id": "", "selector": "", "namespace": "", "slipway_id": "", **how}
    return bounds_of(entity_uid=uid, entity_ref=f"component:default/{uid}", **fields)


@pytest.mark.parametrize(
    ("selector", "labels", "holds"),
    [
        ("app=a", {"app": "a"}, True),
        ("app==a,tier=web", {"app": "a"}, False),
        ("app in (a, b)", {"app": "b"}, True),
        ("app notin (a)", {}, True),
        ("app", {"app": ""}, True),
        ("!app", {"app": "a"}, False),
        ("app!=a", {"app": "b"}, True),
        ("app=a, tier in (web),!old", {"app": "a", "tier": "web"}, True),
    ],
)
def test_selectors_mean_what_kubernetes_means(selector, labels, holds):
    matcher = Matcher(bind("x", selector=selector))
    assert (matcher.entities(labels, "any") == {"x"}) is holds


@pytest.mark.parametrize("selector", ["", "a=b=c", "in (a)", "a in b", "a;b", "=x"])
def test_nonsense_finds_nothing_and_breaks_nothing(selector):
    with pytest.raises(BadSelector):
        parse(selector)
    assert Matcher(bind("x", selector=selector)).entities({"a": "b"}, "n") == frozenset()


def test_id_namespace_and_our_own_label():
    matcher = Matcher(
        [*bind("x", kubernetes_id="shop", namespace="prod"), *bind("y", slipway_id="component.default.y")]
    )
    assert matcher.entities({"backstage.io/kubernetes-id": "shop"}, "prod") == {"x"}
    assert matcher.entities({"backstage.io/kubernetes-id": "shop"}, "test") == frozenset()
    assert matcher.entities({"slipway.io/entity": "component.default.y"}, "anywhere") == {"y"}


def test_a_selector_takes_the_place_of_the_id():
    matcher = Matcher(bind("x", kubernetes_id="shop", selector="app=shop"))
    assert matcher.entities({"backstage.io/kubernetes-id": "shop"}, "n") == frozenset()
    assert matcher.entities({"app": "shop"}, "n") == {"x"}


def test_quantities():
    assert millicores("250m") == 250
    assert millicores("1.5") == 1500
    assert millicores("4") == 4000
    assert size("128Mi") == 134217728
    assert size("1e3") == 1000
    assert size("1G") == 10**9
    assert size("rubbish") == 0
    assert size(None) == 0
    assert readable(134217728) == "128 MiB"
    assert readable(1610612736) == "1.5 GiB"
