"""Fragments of HTML about clusters and workloads: the same for a page, for a live topic, and for every viewer."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.db.models import QuerySet
from django.template.loader import render_to_string

from portal.accounts.access import Access
from portal.accounts.models import Organisation
from portal.clusters import logrights, podlogs, status
from portal.clusters.bindings import ANNOTATIONS
from portal.clusters.models import CONNECTING, LIMITED, STATES, SYNCED, UNAUTHORIZED, Binding, Cluster, Transition
from portal.clusters.quantity import readable
from portal.clusters.status import ClusterRow, NodeRow
from portal.kit.announcing import TopicKind, register_topic
from portal.kit.answers import is_wanted
from portal.kit.refs import name_of
from portal.kit.statements import written_once
from portal.kit.templatetags.ui import health

RECENT_CHANGES = 8
# the face knows these states under other names
TONES = {"limited": "warning", "unreachable": "failed", "unauthorized": "failed"}


def workloads_html(organisation: Organisation, entity_uid: UUID | str, found: status.EntityStatus | None = None) -> str:
    """An entity's workloads and pods, or how to connect them. Wrap it in `data-live="workloads:<uid>"`.

    `found`: its status, where the page has read it already.
    """
    found = found or status.of_entity(organisation.pk, entity_uid)
    return render_to_string("clusters/_workloads.html", workloads_context(organisation, entity_uid, found))


def workloads_context(organisation: Organisation, entity_uid: UUID | str, found: status.EntityStatus) -> dict[str, Any]:
    """What the fragment shows."""
    context: dict[str, Any] = {"org": organisation, "status": found, "entity_uid": str(entity_uid)}
    if not found.places:
        context |= _how_to_connect(organisation, entity_uid, found)
    context["changes"] = _changes(organisation.pk, UUID(str(entity_uid)))
    return context


@written_once
def _changes(organisation_id: int, entity_uid: UUID) -> QuerySet[Transition]:
    rows = Transition.objects.for_tenant(organisation_id).filter(entity_uid=entity_uid)
    return rows.select_related("cluster")[:RECENT_CHANGES]


def _how_to_connect(organisation: Organisation, entity_uid: UUID | str, found: status.EntityStatus) -> dict[str, Any]:
    binding = Binding.objects.for_tenant(organisation).filter(entity_uid=entity_uid).first()
    name = name_of(binding.entity_ref) if binding else "my-service"
    said = {key: value for field, key in ANNOTATIONS.items() if binding and (value := getattr(binding, field))}
    wanted = (binding.kubernetes_id if binding else "") or name
    return {
        "clusters": found.looked_in,
        "said": said,
        "annotation": f"backstage.io/kubernetes-id: {wanted}",
        "label": f"kubectl label deployment NAME backstage.io/kubernetes-id={wanted}",
    }


def state_of(cluster: Cluster, row: ClusterRow | None) -> tuple[str, str, str]:
    """A cluster's state as (name, label, sentence), with silence of the live process told apart from health."""
    if cluster.state in (SYNCED, LIMITED) and not (row and row.is_fresh):
        return "stale", "Stale", "The live process has gone quiet: what is shown may be old."
    if cluster.state == CONNECTING and row is None:
        return CONNECTING, STATES[CONNECTING], "Waiting for the live process to open a connection."
    return cluster.state, STATES[cluster.state], cluster.state_text


def _meters(row: ClusterRow) -> list[dict[str, Any]]:
    def meter(label: str, asked: int, has: int, words: str) -> dict[str, Any]:
        percent = round(100 * asked / has) if has else 0
        return {"label": label, "value": min(percent, 100), "percent": percent, "words": words}

    nodes = row.nodes
    cpu, cpu_asked = sum(item.cpu for item in nodes), sum(item.cpu_asked for item in nodes)
    memory, memory_asked = sum(item.memory for item in nodes), sum(item.memory_asked for item in nodes)
    pods, running = sum(item.pods for item in nodes), sum(item.pods_running for item in nodes)
    return [
        meter("CPU", cpu_asked, cpu, f"{cores(cpu_asked)} of {cores(cpu)} cores asked for"),
        meter("Memory", memory_asked, memory, f"{readable(memory_asked)} of {readable(memory)} asked for"),
        meter("Pods", running, pods, f"{running} of {pods} pods"),
    ]


def cores(millis: int) -> str:
    """Thousandths of a core for a person."""
    return f"{millis / 1000:.1f}".removesuffix(".0")


def card_context(cluster: Cluster, row: ClusterRow | None) -> dict[str, Any]:
    """One cluster, as its card and its page show it."""
    name, label, sentence = state_of(cluster, row)
    is_fresh = bool(row and row.is_fresh)
    troubled = [item for item in row.listed if item.badge in ("Down", "Stuck", "Reduced")] if row and is_fresh else []
    return {
        "is_fresh": is_fresh,
        "cluster": cluster,
        "row": row,
        "state": TONES.get(name, name),
        "state_label": label,
        "state_sentence": sentence,
        "is_refused": cluster.state == UNAUTHORIZED,
        "meters": _meters(row) if row and row.nodes else [],
        "troubled": len(troubled),
        "bad_nodes": [item for item in row.nodes if item.badge != "Healthy"] if row and is_fresh else [],
    }


def clusters_context(organisation: Organisation) -> dict[str, Any]:
    """Every cluster of an organisation."""
    clusters = list(Cluster.objects.for_tenant(organisation))
    rows = status.of_clusters(clusters)
    return {"org": organisation, "cards": [card_context(item, rows[item.pk]) for item in clusters]}


def clusters_html(organisation: Organisation, key: str) -> str:
    """The list of clusters."""
    del key
    return render_to_string("clusters/_clusters.html", clusters_context(organisation))


def node_context(node: NodeRow) -> dict[str, Any]:
    """A node with its meters."""
    return {
        "node": node,
        "cpu": f"{cores(node.cpu_asked)} of {cores(node.cpu)}",
        "cpu_percent": min(100, round(100 * node.cpu_asked / node.cpu)) if node.cpu else 0,
        "memory": f"{readable(node.memory_asked)} of {readable(node.memory)}",
        "memory_percent": min(100, round(100 * node.memory_asked / node.memory)) if node.memory else 0,
    }


def cluster_context(organisation: Organisation, cluster: Cluster) -> dict[str, Any]:
    """One cluster with its nodes and workloads."""
    row = status.of_clusters([cluster])[cluster.pk]
    return {
        "org": organisation,
        **card_context(cluster, row),
        "nodes": [node_context(node) for node in row.nodes] if row else [],
        "unfollowed": [item for item in row.kinds if not item.is_followed] if row else [],
        "more": max(0, row.workloads - len(row.listed)) if row else 0,
    }


def cluster_html(organisation: Organisation, key: str) -> str | None:
    """One cluster; None when it was forgotten."""
    cluster = Cluster.objects.for_tenant(organisation).filter(slug=key).first()
    return render_to_string("clusters/_cluster.html", cluster_context(organisation, cluster)) if cluster else None


def _entity_html(organisation: Organisation, key: str) -> str | None:
    """The topic's rendering: a key that is no uid names nothing."""
    try:
        uid = UUID(key)
    except ValueError:
        return None
    return workloads_html(organisation, uid)


def health_html(organisation: Organisation, key: str) -> str | None:
    """The badge alone, for lists; empty where nothing is known to run."""
    try:
        found = status.of_entity(organisation.pk, UUID(key))
    except ValueError:
        return None
    if not found.places and found.silent:
        return health("Unknown") if Binding.objects.for_tenant(organisation).filter(entity_uid=key).exists() else ""
    return health(found.badge) if found.places else ""


def logs_html(organisation: Organisation, key: str) -> str | None:
    """The lines that a worker fetched, or that one was asked; None when they are no longer kept."""
    found = podlogs.read(organisation.pk, key)
    if found is None and not is_wanted(organisation.pk, key):
        return None
    return render_to_string("clusters/_logs.html", {"org": organisation, "logs": found})


def _admit_to_log(access: Access, key: str) -> None:
    """A log's topic is for whoever may read that very log."""
    logrights.admit(access, podlogs.what(access.organisation.pk, key))


def _watched(organisation: Organisation) -> frozenset[str]:
    """A live process that dies, or a broker that is gone, announces nothing: whether it does must be looked at."""
    return status.freshness(organisation.pk)


def register() -> None:
    """Makes the topics known."""
    register_topic(TopicKind("workloads", "clusters.view", _entity_html, pulse=_watched))
    register_topic(TopicKind("health", "clusters.view", health_html, follows="workloads", pulse=_watched))
    register_topic(TopicKind("cluster", "clusters.view", cluster_html, pulse=_watched))
    register_topic(TopicKind("clusters", "clusters.view", clusters_html, pulse=_watched))
    register_topic(TopicKind("logs", logrights.PERMISSION, logs_html, admit=_admit_to_log))
