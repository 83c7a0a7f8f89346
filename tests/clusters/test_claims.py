"""Who may touch what stands in a cluster, decided from its marks alone."""

import random
import re
import string
from datetime import UTC, datetime

import pytest

from portal.clusters import claims, labels
from portal.clusters.bindings import Matcher, bounds_of
from portal.clusters.claims import Claimant, Remembered, standing_of

ACME = labels.mark_of(1, datetime(2026, 1, 2, tzinfo=UTC))
RIVAL = labels.mark_of(2, datetime(2026, 1, 2, tzinfo=UTC))
ORDERS = Claimant(ACME, labels.recognised("component:default/orders"), "7")
WANTED = {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "web", "namespace": "shop"}}
VALUE = re.compile(r"[a-zA-Z0-9]([-a-zA-Z0-9_.]{0,61}[a-zA-Z0-9])?")


def standing(worn=None, **metadata):
    return {**WANTED, "metadata": {**WANTED["metadata"], "uid": "u", "labels": worn or {}, **metadata}}


def ours(entity="component.default.orders", lineage="7", organisation=ACME):
    return {
        labels.MANAGED_BY: "slipway",
        labels.ORGANISATION: organisation,
        labels.ENTITY: entity,
        labels.LINEAGE: lineage,
        labels.RUN: lineage,
    }


OLD = {labels.MANAGED_BY: "slipway", labels.RUN: "7", labels.ENTITY: "component.default.orders"}
HELM = {"meta.helm.sh/release-name": "shop"}
CONTROLLER = [{"kind": "ReplicaSet", "name": "web-1", "controller": True}]


@pytest.mark.parametrize(
    ("found", "ledger", "kind", "words"),
    [
        (None, None, "free", ""),
        (standing(ours()), None, "own", ""),
        (standing(ours(organisation=RIVAL)), None, "stranger", "belongs to another organisation on this cluster"),
        (standing(ours(lineage="3")), None, "lineage", "made by run 3"),
        (standing(ours(entity="component.default.billing", lineage="3")), None, "entity",
         "made by run 3 for component.default.billing"),
        (standing(OLD), Remembered("7"), "own", ""),
        (standing(OLD), Remembered("3"), "lineage", "made by run 3"),
        (standing(OLD), None, "stranger", "another organisation"),
        (standing({labels.MANAGED_BY: "Helm"}, annotations=HELM), None, "foreign", "is made by Helm release shop"),
        (standing(ownerReferences=CONTROLLER), None, "controlled", "is controlled by ReplicaSet web-1"),
        (standing(ours(), deletionTimestamp="2026-01-01T00:00:00Z", finalizers=["example.com/hold"]), None, "leaving",
         "is being deleted; it waits for example.com/hold"),
        (standing(managedFields=[{"manager": "kubectl-edit"}]), None, "foreign", "is made by kubectl"),
        (standing(managedFields=[{"manager": "kube-controller-manager"}, {"manager": "operator"}]), None, "foreign",
         "is made by operator"),
        (standing(), None, "foreign", "is made by somebody"),
    ],
)  # fmt: skip
def test_whose_an_object_is_is_decided_from_what_it_wears(found, ledger, kind, words):
    verdict = standing_of(found, WANTED, ORDERS, ledger)
    assert verdict.kind == kind
    said = claims.sentence(verdict)
    assert said.startswith("Deployment web in namespace shop") if words else said == ""
    assert words in said


def test_another_organisation_is_never_named_and_never_adopted():
    found = standing({**ours(organisation=RIVAL, entity="component.default.secret-plan"), "team": "rival"})
    verdict = standing_of(found, WANTED, ORDERS, Remembered("7"))
    assert not verdict.is_adoptable
    said = claims.sentence(verdict, entity="component:default/secret-plan", owner="Team Rival")
    assert "secret-plan" not in said
    assert "Rival" not in said
    assert RIVAL not in said


def test_the_owner_of_an_entity_is_said_where_it_is_known():
    verdict = standing_of(standing(ours(entity="component.default.billing", lineage="3")), WANTED, ORDERS, None)
    said = claims.sentence(verdict, entity="component:default/billing", owner="Team Payments")
    assert "for component:default/billing, owned by Team Payments" in said


def test_a_manifest_may_not_claim_to_be_another_organisations():
    forged = {**WANTED, "metadata": {**WANTED["metadata"], "labels": ours(organisation=RIVAL, lineage="1")}}
    made = claims.marked(forged, ORDERS, run="7", entity="component.default.orders")
    assert made["metadata"]["labels"][labels.ORGANISATION] == ACME
    assert made["metadata"]["labels"][labels.LINEAGE] == "7"
    assert made["metadata"]["labels"][labels.RUN] == "7"


def _references(seed, count=4000):
    rng = random.Random(seed)
    letters = string.ascii_lowercase + string.digits
    inner = letters + "-._"
    for _ in range(count):
        length = rng.choice([1, 2, 10, 40, 44, 45, 46, 62, 63])
        name = "".join(rng.choice(letters if at in (0, length - 1) else inner) for at in range(length))
        yield f"component:{rng.choice(['default', 'payments', 'a' * 60])}/{name}"


def test_every_reference_becomes_a_value_that_kubernetes_takes_and_no_two_become_one():
    seen = {}
    for ref in _references(20260301):
        value = labels.label_value(ref)
        assert VALUE.fullmatch(value), ref
        assert value == labels.label_value(ref)
        assert seen.setdefault(value, ref) == ref


def test_long_names_that_begin_alike_stay_apart_and_older_objects_stay_recognised():
    one, other = (f"component:default/{'a' * 62}{last}" for last in "xy")
    assert labels.label_value(one) != labels.label_value(other)
    cut = f"component.default.{'a' * 62}"[:63]
    assert cut in labels.recognised(one)
    bound = bounds_of(
        entity_uid="u", entity_ref=one, kubernetes_id="", selector="", namespace="", slipway_id=labels.label_value(one)
    )
    matcher = Matcher(bound)
    assert matcher.entities({labels.ENTITY: cut}, "n") == {"u"}
    assert matcher.entities({labels.ENTITY: labels.label_value(one)}, "n") == {"u"}
    assert matcher.entities({labels.ENTITY: labels.label_value(other)}, "n") == frozenset()


def test_organisations_of_the_same_number_in_two_installations_have_two_marks():
    assert labels.mark_of(1, datetime(2026, 1, 2, tzinfo=UTC)) != labels.mark_of(1, datetime(2026, 1, 3, tzinfo=UTC))
    assert labels.manager_of(ACME) != labels.manager_of(RIVAL)
