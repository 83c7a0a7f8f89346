"""References, relations, facts and filters: data in, data out."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from catalog.asking import facts
from catalog.asking.filters import All, BadFilter, Either, Exists, In, matches, parse_filters, parse_query
from catalog.descriptors import relations
from portal.kit.refs import BadRef, normal, parse_ref


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a", "k:default/a"),
        ("A:B/C", "a:b/c"),
        ("a:b", "a:default/b"),
        ("a/b", "k:a/b"),
        ("a/b:c", "k:a/b:c"),
        ("a:b/c/d", "a:b/c/d"),
        ("a:b:c", "a:default/b:c"),
    ],
)
def test_references_read_as_the_reference_implementation_reads_them(text, expected):
    assert normal(text, kind="K") == expected


@pytest.mark.parametrize("text", ["", ":a", "a:", "a/", "/a", "a:/b", "a:b/"])
def test_a_reference_with_an_empty_part_is_refused(text):
    with pytest.raises(BadRef):
        parse_ref(text, kind="k")


def test_a_reference_without_a_kind_needs_one():
    with pytest.raises(BadRef, match="does not say its kind"):
        parse_ref("payments")


def entity(kind, name="me", namespace="default", **spec):
    return {
        "apiVersion": "backstage.io/v1alpha1",
        "kind": kind,
        "metadata": {"name": name, "namespace": namespace},
        "spec": spec,
    }


@pytest.mark.parametrize(
    ("document", "expected"),
    [
        (entity("Component", owner="Pay"), [("ownedBy", "group:default/pay")]),
        (entity("Component", owner="user:ada", namespace="x"), [("ownedBy", "user:x/ada")]),
        (entity("Component", system="s"), [("partOf", "system:default/s")]),
        (entity("Component", subcomponentOf="c"), [("partOf", "component:default/c")]),
        (
            entity("Component", providesApis=["b", "a"]),
            [("providesApi", "api:default/a"), ("providesApi", "api:default/b")],
        ),
        (entity("Component", consumesApis=["a"]), [("consumesApi", "api:default/a")]),
        (entity("Component", dependsOn=["resource:db"]), [("dependsOn", "resource:default/db")]),
        (entity("Component", dependencyOf=["component:x"]), [("dependencyOf", "component:default/x")]),
        (entity("Resource", system="s"), [("partOf", "system:default/s")]),
        (entity("System", domain="d"), [("partOf", "domain:default/d")]),
        (entity("Domain", subdomainOf="d"), [("partOf", "domain:default/d")]),
        (
            entity("Group", parent="p", children=["c"], members=["u"]),
            [("childOf", "group:default/p"), ("hasMember", "user:default/u"), ("parentOf", "group:default/c")],
        ),
        (entity("User", memberOf=["g"]), [("memberOf", "group:default/g")]),
        (entity("Location", target="x"), []),
        (entity("AiResource", type="plugin", skills=["s"]), [("hasPart", "airesource:default/s")]),
    ],
)
def test_relations_of_each_kind(document, expected):
    assert relations.outgoing(document) == expected


def test_every_relation_is_made_in_both_directions():
    assert relations.of(entity("Component", owner="pay")) == [
        ("component:default/me", "ownedBy", "group:default/pay"),
        ("group:default/pay", "ownerOf", "component:default/me"),
    ]


def test_facts_are_the_search_rows():
    document = entity("Component", type="service", ports=[80, 1.0, True, None])
    document["metadata"] |= {"tags": ["Java"], "annotations": {"a.io/B": "X=y"}, "etag": "1"}
    found = facts.of(document, [("ownedBy", "group:default/x")], "u-1")
    assert found.facts == sorted([
        "apiversion", "apiversion=backstage.io/v1alpha1", "kind", "kind=component", "metadata.annotations.a.io/b",
        "metadata.annotations.a.io/b=x=y", "metadata.name", "metadata.name=me", "metadata.namespace",
        "metadata.namespace=default", "metadata.tags", "metadata.tags=java", "metadata.tags.java",
        "metadata.tags.java=true",
        "metadata.uid", "metadata.uid=u-1", "relations.ownedby", "relations.ownedby=group:default/x", "spec.ports",
        "spec.ports=80", "spec.ports=1", "spec.ports=true", "spec.type", "spec.type=service",
    ])  # fmt: skip
    assert "metadata.annotations.a.io/b=X=y" in found.labels


def test_long_values_exist_but_cannot_be_matched_and_long_keys_are_dropped():
    found = facts.of(entity("API", definition="x" * 201, **{"k" * 201: "v"}))
    assert "spec.definition" in found.facts
    assert not [fact for fact in found.facts if fact.startswith(("spec.definition=", "spec.kkk"))]


@pytest.mark.parametrize(
    ("filters", "expected"),
    [
        ([], All(())),
        ([""], All(())),
        (["kind=Component"], Either((All((In("kind", ("component",)),)),))),
        (["kind=Component,kind=API"], Either((All((In("kind", ("component", "api")),)),))),
        (["kind,kind=API"], Either((All((In("kind", ("api",)),)),))),
        (["Kind"], Either((All((Exists("kind"),)),))),
        ([" a = b , c "], Either((All((In("a", ("b",)), Exists("c"))),))),
        (["a=b=c"], Either((All((In("a", ("b=c",)),)),))),
        (["a=", "b"], Either((All((In("a", ("",)),)), All((Exists("b"),))))),
    ],
)
def test_filters(filters, expected):
    assert parse_filters(filters) == expected


def test_a_filter_without_a_key_is_refused():
    with pytest.raises(BadFilter, match="no key"):
        parse_filters(["=x"])


FACTS = facts.of(entity("Component", type="service", n=3), [("ownedBy", "group:default/x")]).facts


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ({}, True),
        ({"kind": "COMPONENT"}, True),
        ({"spec.n": 3}, True),
        ({"kind": "component", "spec.type": "website"}, False),
        ({"$all": []}, True),
        ({"$any": []}, False),
        ({"$not": {"kind": "api"}}, True),
        ({"$any": [{"kind": "api"}, {"spec.type": {"$in": ["a", "Service"]}}]}, True),
        ({"spec.type": {"$exists": False}}, False),
        ({"spec.type": {"$hasPrefix": "SER"}}, True),
        ({"spec.type": {"$hasPrefix": "%"}}, False),
        ({"relations": {"$contains": {"type": "ownedBy"}}}, True),
        ({"relations": {"$contains": {"type": "ownedBy", "targetRef": "group:default/X"}}}, True),
        ({"relations": {"$contains": {"type": "ownedBy", "targetRef": {"$in": ["group:default/y"]}}}}, False),
    ],
)
def test_query_predicates(query, expected):
    assert matches(parse_query(query), FACTS) is expected


@pytest.mark.parametrize(
    "query",
    [[], "x", {"$all": [], "kind": "a"}, {"$nope": 1}, {"kind": {"$in": "a"}}, {"kind": None}, {"kind": {"$exists": 1}},
     {"kind": {"$contains": {"type": "a"}}}, {"kind": {}}, {"$all": {}}, {"$not": [1]}],
)  # fmt: skip
def test_bad_queries_are_refused(query):
    with pytest.raises(BadFilter):
        parse_query(query)


def test_a_query_nested_without_end_is_refused():
    query = {"kind": "a"}
    for _ in range(50):
        query = {"$not": query}
    with pytest.raises(BadFilter, match="too deeply"):
        parse_query(query)


@given(st.text(max_size=40))
def test_any_text_is_a_reference_or_refused(text):
    try:
        ref = parse_ref(text, kind="k")
    except BadRef:
        return
    assert parse_ref(f"{ref.kind}:{ref.namespace}/{ref.name}") == ref
