"""Which kinds a cluster serves, asked through a worker: the web process cannot open a cluster's credential.

The question travels as a task, the answer comes back on a Valkey list of its own. Nothing is stored but a short-lived
copy, so that a reload of the preview does not ask again.
"""

from __future__ import annotations

import json
import logging
import secrets
from collections.abc import Collection
from dataclasses import dataclass, field

from celery import current_app
from kombu.exceptions import OperationalError as QueueAway

from portal.accounts.tenancy import tenant
from portal.clusters.kube import connect
from portal.clusters.models import Cluster
from portal.kit import away
from portal.kit.errors import Refusal
from portal.kit.live import valkey

log = logging.getLogger(__name__)

TASK = "goldenpaths.discover"
WAIT_SECONDS = 4
KEEP_SECONDS = 60

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
    """Ask which of these kinds the cluster serves; waits a few seconds for a worker."""
    asked = sorted(set(kinds))
    keep = f"goldenpaths:served:{cluster.organisation_id}:{cluster.uid}:{_digest(asked)}"
    reply = f"goldenpaths:reply:{secrets.token_hex(16)}"
    try:
        found = valkey().get(keep)
        if not isinstance(found, bytes):
            arguments = (cluster.organisation_id, cluster.pk, [list(kind) for kind in asked], reply)
            current_app.send_task(TASK, arguments, expires=WAIT_SECONDS * 4, retry=False)
            answered = valkey().blpop([reply], timeout=WAIT_SECONDS)
            found = answered[1] if isinstance(answered, (list, tuple)) else None
    except (*away.BROKER, QueueAway) as error:
        log.warning("discovery of cluster %s not asked: %s", cluster.pk, error)
        return Served(
            trouble=f"The cluster {cluster.name} could not be asked which kinds it serves: the broker is away."
        )
    if not isinstance(found, bytes):
        return Served(trouble=f"The cluster {cluster.name} could not be asked in time which kinds it serves.")
    answer = _read(found)
    if not answer.trouble:
        valkey().set(keep, found, ex=KEEP_SECONDS)
    return answer


def _digest(kinds: list[Kind]) -> str:
    return ",".join("/".join(kind) for kind in kinds)


def _read(text: bytes) -> Served:
    body = json.loads(text)
    if "trouble" in body:
        return Served(trouble=body["trouble"], is_down=True)
    return Served(
        {(version, kind): known for version, kind, known in body["kinds"]},
        body["newest"],
        frozenset((version, kind) for version, kind in body["cluster_wide"]),
    )


def answer(organisation_id: int, cluster_id: int, kinds: list[list[str]], reply: str) -> None:
    """The worker's half: ask the cluster and put the answer where the web process waits for it."""
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
    valkey().rpush(reply, json.dumps(body))
    valkey().expire(reply, KEEP_SECONDS)
