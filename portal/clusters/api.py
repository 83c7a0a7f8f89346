"""Clusters and the status of entities, for programs."""

from __future__ import annotations

from functools import partial
from typing import Any, ClassVar
from uuid import UUID

from django.db import transaction
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from portal.accounts.apiview import TenantAPIView
from portal.clusters import actions, logrights, panels, podlogs, shapes, status
from portal.clusters.models import AllowedKind, Cluster
from portal.clusters.podlogs import Asked
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


class ReachSerializer(serializers.Serializer[Any]):
    """Where runs may write."""

    namespaces = serializers.ListField(child=serializers.CharField(max_length=200), max_length=50)


class ClusterReach(TenantAPIView):
    """GET and PUT: which namespaces of a cluster runs may write to, and which kinds golden paths may write beyond."""

    permission: ClassVar[str | dict[str, str]] = {"get": "clusters.view", "put": "clusters.manage"}

    def _cluster(self, slug: str) -> Cluster:
        found = Cluster.objects.for_tenant(self.access.organisation).filter(slug=slug).first()
        if found is None:
            raise NotFound("There is no cluster of that name here.")
        return found

    def _answer(self, cluster: Cluster) -> Response:
        kinds = AllowedKind.objects.for_tenant(self.access.organisation).filter(cluster=cluster)
        listed = [{"path": row.path, "kind": row.kind, "namespace": row.namespace} for row in kinds]
        return Response({"namespaces": list(cluster.patterns), "kinds": listed})

    @extend_schema(
        operation_id="getClusterReach",
        summary="Read where runs may write",
        responses={200: shapes.ClusterReachSerializer},
    )
    def get(self, request: Request, org: str, cluster: str) -> Response:
        """Patterns with {team}, {entity} and *, and the kinds that golden paths may write beyond them."""
        return self._answer(self._cluster(cluster))

    @extend_schema(
        operation_id="setClusterReach",
        summary="Say where runs may write",
        request=ReachSerializer,
        responses={200: shapes.ClusterReachSerializer},
    )
    def put(self, request: Request, org: str, cluster: str) -> Response:
        """Replaces the patterns."""
        standing = self._cluster(cluster)
        body = ReachSerializer(data=request.data)
        body.is_valid(raise_exception=True)
        found = actions.open_namespaces(
            organisation=self.access.organisation,
            actor=self.access.actor,
            cluster=standing,
            patterns=body.validated_data["namespaces"],
        )
        return self._answer(found)


class PodLogs(TenantAPIView):
    """GET: the end of a container's log, fetched by a worker."""

    permission: ClassVar[str | dict[str, str]] = logrights.PERMISSION

    @extend_schema(
        operation_id="getPodLogs",
        summary="Read a pod's log",
        parameters=[OpenApiParameter("container"), OpenApiParameter("previous", bool)],
        responses={200: shapes.PodLogSerializer, 202: shapes.PodLogSerializer},
    )
    def get(self, request: Request, org: str, cluster: str, namespace: str, pod: str) -> Response:
        """`ready` with the lines, `refused` with the cluster's reason, or 202 `waiting`: ask again in a second."""
        found = Cluster.objects.for_tenant(self.access.organisation).filter(slug=cluster).first()
        if found is None:
            raise NotFound("There is no cluster of that name here.")
        previous = request.query_params.get("previous", "") in ("1", "true")
        asked = Asked(found.pk, namespace, pod, request.query_params.get("container", "")[:63], previous)
        logrights.pod_for(self.access, found, asked)
        transaction.on_commit(partial(podlogs.ask, found, asked))
        logs = podlogs.read(self.access.organisation.pk, asked.key)
        if logs is None:
            return Response({"state": "waiting", "lines": []}, status=202)
        reason = logs.text if logs.state == "refused" else ""
        return Response({"state": logs.state, "lines": [] if reason else logs.lines, "reason": reason})


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
        found = status.asked_of(self.access.organisation.pk, uid)
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
