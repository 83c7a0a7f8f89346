"""Clusters and the status of entities, for programs."""

from __future__ import annotations

from typing import Any, ClassVar
from uuid import UUID

from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from portal.accounts.apiview import TenantAPIView
from portal.clusters import panels, shapes, status
from portal.clusters.models import Cluster
from portal.clusters.status import ClusterRow, Judged
from portal.kit.errors import NotFound


def _judged(item: Judged) -> dict[str, Any]:
    return {
        "badge": item.badge,
        "availability": item.health.avail,
        "rollout": item.health.rollout,
        "code": item.health.code,
        "sentence": item.sentence,
        "hint": item.hint,
        "notes": item.notes,
    }


def _cluster(cluster: Cluster, row: ClusterRow | None) -> dict[str, Any]:
    state, _, sentence = panels.state_of(cluster, row)
    return {
        "name": cluster.slug,
        "title": cluster.name,
        "server": cluster.server,
        "state": state,
        "message": sentence,
        "version": cluster.version,
        "lastSyncedAt": cluster.last_synced_at,
        "credential": {"kind": cluster.credential_kind, "fingerprint": cluster.credential_fingerprint},
        "nodes": len(row.nodes) if row else None,
        "workloads": row.workloads if row else None,
        "pods": row.pods if row else None,
    }


class Clusters(TenantAPIView):
    """GET: every cluster with its state."""

    permission: ClassVar[str | dict[str, str]] = "clusters.view"

    @extend_schema(operation_id="listClusters", summary="List clusters", responses={200: shapes.ClusterListSerializer})
    def get(self, request: Request, org: str) -> Response:
        """Every connected cluster, by name."""
        clusters = list(Cluster.objects.for_tenant(self.access.organisation))
        rows = status.of_clusters(clusters)
        return Response({"items": [_cluster(item, rows[item.pk]) for item in clusters]})


class ClusterDetail(TenantAPIView):
    """GET: one cluster with its nodes and workloads."""

    permission: ClassVar[str | dict[str, str]] = "clusters.view"

    @extend_schema(operation_id="getCluster", summary="Read a cluster", responses={200: shapes.ClusterDetailSerializer})
    def get(self, request: Request, org: str, cluster: str) -> Response:
        """One cluster; workloads with the troubled first."""
        found = Cluster.objects.for_tenant(self.access.organisation).filter(slug=cluster).first()
        if found is None:
            raise NotFound("There is no cluster of that name here.")
        row = status.of_clusters([found])[found.pk]
        answer = _cluster(found, row)
        answer["nodeList"] = [{"name": node.name, **_judged(node)} for node in row.nodes] if row else []
        answer["workloadList"] = [
            {"kind": item.kind, "namespace": item.namespace, "name": item.name, **_judged(item)}
            for item in (row.listed if row else ())
        ]
        return Response(answer)


class EntityStatusDetail(TenantAPIView):
    """GET: the live status of an entity by its uid."""

    permission: ClassVar[str | dict[str, str]] = "clusters.view"

    @extend_schema(
        operation_id="getEntityStatus",
        summary="Read an entity's live status",
        responses={200: shapes.EntityStatusSerializer},
    )
    def get(self, request: Request, org: str, uid: UUID) -> Response:
        """Its badge and workloads; Unknown when nothing is known, or when what is known is stale."""
        found = status.of_entity(self.access.organisation.pk, uid)
        workloads = [
            {
                "cluster": place.cluster_slug,
                "kind": item.kind,
                "namespace": item.namespace,
                "name": item.name,
                **_judged(item if place.is_fresh else status.UNSEEN),
                "available": item.available,
                "wanted": item.wanted,
                "images": item.images,
                "pods": [
                    {
                        "name": pod.name,
                        "phase": pod.phase,
                        "node": pod.node,
                        "restarts": pod.restarts,
                        **_judged(pod if place.is_fresh else status.UNSEEN),
                    }
                    for pod in item.pods
                ],
            }
            for place in found.places
            for item in place.row.workloads
        ]
        return Response(
            {
                "uid": str(uid),
                **_judged(found),
                "since": found.since,
                "asOf": found.as_of,
                "lost": found.lost,
                "workloads": workloads,
            }
        )
