"""What stands where a launch would write, and whether it may: asked for the review, before anything is made.

A worker looks itself. The web process, which cannot open a cluster's credential, asks one (portal.kit.answers).
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from django.conf import settings

from portal.accounts.actor import Actor
from portal.accounts.models import Organisation, User
from portal.accounts.tenancy import tenant
from portal.clusters import labels, writing
from portal.clusters.kube import connect
from portal.clusters.models import Cluster
from portal.kit import answers
from portal.kit.answers import Question
from portal.kit.errors import Refusal, Unavailable
from portal.provisioning.acting import claiming
from portal.provisioning.acting.claiming import Claim, Doer
from portal.provisioning.acting.manifests import Placed, labelled

TASK = "provisioning.look"
# Long enough for the page that asked: what stands may change at any time.
KEEP_SECONDS = 5


@dataclass(frozen=True)
class Looked:
    """What is in the way: objects that are not the run's to be, and places where it may not write at all.

    trouble is a sentence when nobody could look.
    """

    claims: tuple[Claim, ...] = ()
    refusals: tuple[str, ...] = ()
    trouble: str = ""


def looked(doer: Doer, cluster: Cluster, placed: Sequence[Placed]) -> Looked:
    """Look at every place at which these manifests (namespaces written out) would go. Makes nothing."""
    if settings.CLUSTER_PRIVATE_KEY:
        return _look(doer, cluster, placed)
    question = {
        "person": doer.actor.user.pk,
        "actor": doer.actor.facts(),
        "path": doer.path,
        "owner_ref": doer.owner_ref,
        "entity_ref": doer.entity_ref,
        "placed": [asdict(one) for one in placed],
    }
    try:
        found = answers.ask(Question(TASK, doer.organisation.pk, (cluster.pk, question)))
    except Unavailable as refusal:
        return Looked(trouble=refusal.text)
    if found is None:
        return Looked(trouble=f"What stands on {cluster.name} could not be looked at in time; the run looks again.")
    return _read(found)


def _read(text: bytes) -> Looked:
    body = json.loads(text)
    return Looked(tuple(Claim(**one) for one in body["claims"]), tuple(body["refusals"]), body["trouble"])


def answer(organisation_id: int, key: str, cluster_id: int, question: dict[str, Any]) -> None:
    """The worker's half: look, and answer."""
    with tenant(organisation_id):
        organisation = Organisation.objects.get(pk=organisation_id)
        cluster = Cluster.objects.for_tenant(organisation_id).filter(pk=cluster_id).first()
        person = User.objects.filter(pk=question["person"]).first()
    if cluster is None:
        return
    actor = Actor.kept(question["actor"], person)
    doer = Doer(organisation, actor, question["path"], question["owner_ref"], question["entity_ref"])
    found = _look(doer, cluster, [Placed(**one) for one in question["placed"]])
    answers.answer(organisation_id, key, json.dumps(asdict(found)).encode(), kept=KEEP_SECONDS)


def _look(doer: Doer, cluster: Cluster, placed: Sequence[Placed]) -> Looked:
    try:
        return _looked_at(doer, cluster, placed)
    except Refusal as refusal:
        return Looked(trouble=refusal.text)


def _looked_at(doer: Doer, cluster: Cluster, placed: Sequence[Placed]) -> Looked:
    kube = connect(cluster)
    guard = claiming.guard_of(doer, cluster)
    entity = labels.label_value(doer.entity_ref)
    wanted = [(one, labelled(one, guard.claimant, run=doer.lineage, entity=entity)) for one in placed]
    refusals = writing.refusals(kube, guard, [manifest for _, manifest in wanted])
    if refusals:
        # where a run may not write it may not look either: nothing is said of what stands there
        return Looked(refusals=tuple(refusals))
    found = []
    for one, manifest in wanted:
        if one.is_if_absent:
            continue
        claim = claiming.claim_on(doer, cluster.slug, writing.look(kube, guard, manifest, with_diff=True))
        if claim is not None:
            found.append(claim)
    return Looked(tuple(found))
