"""What stands where a launch would write, and whether it may: looked at for the review, before anything is made."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from portal.clusters import labels, writing
from portal.clusters.kube import connect
from portal.clusters.models import Cluster
from portal.kit.errors import Refusal
from portal.provisioning.acting import claiming
from portal.provisioning.acting.claiming import Claim, Doer
from portal.provisioning.acting.manifests import PlacedManifest, labelled


@dataclass(frozen=True)
class StandingLook:
    """What is in the way: objects that are not the run's to be, and places where it may not write at all.

    trouble is a sentence when nobody could look.
    """

    claims: tuple[Claim, ...] = ()
    refusals: tuple[str, ...] = ()
    trouble: str = ""


def looked(doer: Doer, cluster: Cluster, placed: Sequence[PlacedManifest]) -> StandingLook:
    """Look at every place at which these manifests (namespaces written out) would go. Makes nothing.

    It waits for the cluster and opens its credential: for workers, outside any transaction.
    """
    try:
        return _looked_at(doer, cluster, placed)
    except Refusal as refusal:
        return StandingLook(trouble=refusal.text)


def _looked_at(doer: Doer, cluster: Cluster, placed: Sequence[PlacedManifest]) -> StandingLook:
    kube = connect(cluster)
    guard = claiming.guard_of(doer, cluster)
    entity = labels.label_value(doer.entity_ref)
    wanted = [(one, labelled(one, guard.claimant, run=doer.lineage, entity=entity)) for one in placed]
    refusals = writing.refusals(kube, guard, [manifest for _, manifest in wanted])
    if refusals:
        # where a run may not write it may not look either: nothing is said of what stands there
        return StandingLook(refusals=tuple(refusals))
    found = []
    for one, manifest in wanted:
        if one.is_if_absent:
            continue
        claim = claiming.claim_on(doer, cluster.slug, writing.look(kube, guard, manifest, with_diff=True))
        if claim is not None:
            found.append(claim)
    return StandingLook(tuple(found))
