"""Where a run may write: namespaces by pattern, kinds by an admin's word."""

import pytest

from portal.clusters.reach import Allowance, NamespacePlace, Reach, faults, namespace_refusal, object_refusal

PAYMENTS = Reach(("{team}", "{entity}", "shared-*"), team="payments", entity="orders", path="web", cluster="Prod")


@pytest.mark.parametrize(
    ("place", "words"),
    [
        (NamespacePlace("payments"), ""),
        (NamespacePlace("payments", exists=True, team="payments"), ""),
        # a team's slug is chosen by whoever makes the team: it takes nothing that stands
        (NamespacePlace("payments", exists=True), "stands there already and was not made for team payments"),
        (NamespacePlace("payments", exists=True, team="billing"), "was not made for team payments"),
        (NamespacePlace("payments", exists=True, is_ours=True), "was not made for team payments"),
        (NamespacePlace("payments", exists=True, is_ours=None), "does not show whose namespace payments is"),
        (NamespacePlace("payments", exists=True, is_strangers=True), "belongs to another organisation on Prod"),
        (NamespacePlace("shared-tools", exists=True, is_strangers=True), "belongs to another organisation on Prod"),
        (NamespacePlace("shared-tools"), ""),
        (NamespacePlace("orders"), ""),
        (NamespacePlace("orders", exists=True, is_ours=True), ""),
        (NamespacePlace("orders", exists=True), "stands there already and was not made for this entity"),
        (NamespacePlace("orders", exists=True, is_ours=None), "does not show whose namespace orders is"),
        (NamespacePlace("payments-2"), "not open to this run on Prod: open are payments, orders, shared-*"),
        (NamespacePlace("kube-system"), "Prod's own"),
        (NamespacePlace("kube-payments"), "Prod's own"),
        (NamespacePlace("default"), "Prod's own"),
        (NamespacePlace("Payments"), "not open"),
        (NamespacePlace("payments\n"), "not open"),
        (NamespacePlace(""), "not open"),
    ],
)
def test_a_namespace_is_open_by_pattern(place, words):
    said = namespace_refusal(PAYMENTS, place)
    assert (words in said) if words else (said == "")


def test_patterns_that_would_open_everything_still_do_not_open_the_clusters_own():
    wide = Reach(("*",), cluster="Prod")
    assert namespace_refusal(wide, NamespacePlace("anything", exists=True)) == ""
    for name in ("default", "kube-system", "kube-public"):
        assert "own" in namespace_refusal(wide, NamespacePlace(name))


def test_an_owner_that_somebody_only_named_opens_no_team():
    stranger = Reach(("{team}",), why_no_team="Dev is not in Platform, so its namespaces stay shut.", cluster="Prod")
    assert "Dev is not in Platform" in namespace_refusal(stranger, NamespacePlace("platform"))
    assert "not open" in namespace_refusal(Reach(("{team}",)), NamespacePlace("")), (
        "an empty team is no pattern of everything"
    )


def test_names_with_letters_of_patterns_mean_themselves():
    assert "not open" in namespace_refusal(Reach(("{entity}",), entity="a.b"), NamespacePlace("axb"))
    assert "not open" in namespace_refusal(Reach(("{entity}",), entity="*"), NamespacePlace("payments"))


def obj(kind="ConfigMap", api="v1", namespace="payments", **more):
    metadata = {"name": "x", "namespace": namespace} if namespace else {"name": "x"}
    return {"apiVersion": api, "kind": kind, "metadata": metadata, **more}


RBAC = "rbac.authorization.k8s.io/v1"
ADMIN = {"roleRef": {"kind": "ClusterRole", "name": "cluster-admin"}, "subjects": []}
OWN = [{"kind": "ServiceAccount", "name": "x", "namespace": "payments"}]


@pytest.mark.parametrize(
    ("manifest", "is_namespaced", "words"),
    [
        (obj(), True, ""),
        (obj(namespace="kube-system"), True, "Prod's own"),
        (obj("ClusterRole", RBAC, ""), False, "An admin can allow ClusterRole.rbac.authorization.k8s.io"),
        (obj("ClusterRoleBinding", RBAC, "", **ADMIN), False, "lies in no namespace"),
        (obj("CustomResourceDefinition", "apiextensions.k8s.io/v1", ""), False, "lies in no namespace"),
        (obj("RoleBinding", RBAC, **ADMIN), True, "gives the cluster-wide role cluster-admin"),
        (obj("RoleBinding", RBAC, roleRef={"kind": "ClusterRole", "name": "view"}, subjects=OWN), True, ""),
        (obj("RoleBinding", RBAC, roleRef={"kind": "Role", "name": "x"}, subjects=OWN), True, ""),
        (obj("RoleBinding", RBAC, roleRef={"kind": "Role", "name": "x"},
             subjects=[{"kind": "Group", "name": "system:authenticated"}]), True, "gives rights to Group"),
        (obj("RoleBinding", RBAC, roleRef={"kind": "Role", "name": "x"},
             subjects=[{"kind": "ServiceAccount", "name": "y", "namespace": "other"}]), True, "of namespace other"),
        (obj("Role", RBAC, rules=[{"verbs": ["get"], "resources": ["pods"], "apiGroups": [""]}]), True, ""),
        (obj("Role", RBAC, rules=[{"verbs": ["*"], "resources": ["pods"], "apiGroups": [""]}]), True, "gives “*”"),
        (obj("Role", RBAC, rules=[{"verbs": ["escalate"], "resources": ["roles"]}]), True, "gives “escalate”"),
    ],
)  # fmt: skip
def test_kinds_that_reach_further_need_an_admins_word(manifest, is_namespaced, words):
    said = object_refusal(PAYMENTS, manifest, is_namespaced=is_namespaced, place=NamespacePlace("payments"))
    if manifest["metadata"].get("namespace") == "kube-system":
        said = object_refusal(PAYMENTS, manifest, is_namespaced=True, place=NamespacePlace("kube-system"))
    assert (words in said) if words else (said == "")


def test_an_admins_word_is_for_one_kind_one_path_and_one_place():
    kind = "ClusterRole.rbac.authorization.k8s.io"
    allowed = Reach(
        (), path="web", allowances=frozenset({Allowance("web", kind), Allowance("web", "ConfigMap", "default")})
    )
    role = obj("ClusterRole", RBAC, "")
    assert object_refusal(allowed, role, is_namespaced=False, place=NamespacePlace("")) == ""
    other = Reach((), path="job", allowances=allowed.allowances)
    assert object_refusal(other, role, is_namespaced=False, place=NamespacePlace(""))
    assert object_refusal(allowed, obj(namespace="default"), is_namespaced=True, place=NamespacePlace("default")) == ""
    assert object_refusal(
        allowed, obj("Secret", namespace="default"), is_namespaced=True, place=NamespacePlace("default")
    )
    assert object_refusal(
        allowed, obj(namespace="kube-system"), is_namespaced=True, place=NamespacePlace("kube-system")
    )


def test_a_kind_of_the_same_name_in_another_group_is_another_kind():
    fake = {"apiVersion": "example.com/v1", "kind": "Namespace", "metadata": {"name": "payments"}}
    assert "lies in no namespace" in object_refusal(
        PAYMENTS, fake, is_namespaced=False, place=NamespacePlace("payments")
    )


def test_owners_are_named_by_controllers_only():
    owned = obj()
    owned["metadata"]["ownerReferences"] = [{"kind": "Node", "name": "a"}]
    assert "ownerReferences" in object_refusal(PAYMENTS, owned, is_namespaced=True, place=NamespacePlace("payments"))


@pytest.mark.parametrize(
    ("patterns", "wrong"),
    [
        (["{team}", "{entity}", "a-*", "{team}-dev"], 0),
        (["{owner}"], 1),
        (["kube-*", "default", "Shop", "a b", "{team"], 5),
        ([f"n{number}" for number in range(51)], 1),
    ],
)
def test_an_admins_patterns_are_checked(patterns, wrong):
    assert len(faults(patterns)) == wrong
