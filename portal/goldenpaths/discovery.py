"""Which kinds a cluster serves, asked through a worker: the web process cannot open a cluster's credential."""

from __future__ import annotations

import json
from collections.abc import Collection
from dataclasses import dataclass, field

from portal.accounts.tenancy import tenant
from portal.clusters.kube import connect
from portal.clusters.models import Cluster
from portal.kit import answers
from portal.kit.answers import Question
from portal.kit.errors import Refusal, Unavailable

TASK = "goldenpaths.discover"
# A reload of the preview does not ask again; that a cluster is down is asked again soon.
KEEP_SECONDS = 60
TROUBLE_SECONDS = 3

Kind = tuple[str, str]  # apiVersion, kind


@dataclass(frozen=True, slots=True)
class Served:
    """A cluster's answer. `newest` names where a kind that was asked for is served, "" when nowhere; `cluster_wide` are
    those whose objects lie in no namespace.

    `trouble` is a sentence when the cluster could not be asked; `is_down` says that it is the cluster that failed.
    """

    kinds: dict[Kind, bool] = field(default_factory=dict)
    newest: dict[str, str] = field(default_factory=dict)
    cluster_wide: frozenset[Kind] = frozenset()
    trouble: str = ""
    is_down: bool = False


def served(cluster: Cluster, kinds: Collection[Kind]) -> Served:
    """Ask which of these kinds the cluster serves; waits a few seconds for a worker, in no transaction."""
    asked = [list(kind) for kind in sorted(set(kinds))]
    try:
        found = answers.ask(Question(TASK, cluster.organisation_id, (cluster.pk, asked)))
    except Unavailable:
        return Served(
            trouble=f"The cluster {cluster.name} could not be asked which kinds it serves: the broker is away."
        )
    if found is None:
        return Served(trouble=f"The cluster {cluster.name} could not be asked in time which kinds it serves.")
    return _read(found)


def _read(text: bytes) -> Served:
    body = json.loads(text)
    if "trouble" in body:
        return Served(trouble=body["trouble"], is_down=True)
    return Served(
        {(version, kind): known for version, kind, known in body["kinds"]},
        body["newest"],
        frozenset((version, kind) for version, kind in body["cluster_wide"]),
    )


def answer(organisation_id: int, key: str, cluster_id: int, kinds: list[list[str]]) -> None:
    """The worker's half: ask the cluster and answer."""
    with tenant(organisation_id):
        cluster = Cluster.objects.for_tenant(organisation_id).filter(pk=cluster_id).first()
    if cluster is None:
        return
    try:
        known = connect(cluster).discovery()
        body = {
            "kinds": [[version, kind, known.serves(version, kind)] for version, kind in kinds],
            "newest": {kind: known.newest(kind) or "" for version, kind in kinds if not known.serves(version, kind)},
            "cluster_wide": [pair for pair in kinds if known.serves(*pair) and not known.resource(*pair).is_namespaced],
        }
    except Refusal as refusal:
        body = {"trouble": refusal.text}
    kept = TROUBLE_SECONDS if "trouble" in body else KEEP_SECONDS
    answers.answer(organisation_id, key, json.dumps(body).encode(), kept=kept)
