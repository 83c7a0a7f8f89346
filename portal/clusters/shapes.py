"""The answers of the clusters' API as its document describes them."""

from typing import Any

from rest_framework import serializers


class JudgedSerializer(serializers.Serializer[Any]):
    """What is judged of something: its badge, and why, in words."""

    badge = serializers.CharField()
    availability = serializers.CharField()
    rollout = serializers.CharField()
    code = serializers.CharField()
    sentence = serializers.CharField()
    hint = serializers.CharField()
    notes = serializers.ListField(child=serializers.CharField())


class NodeSerializer(JudgedSerializer):
    """A node."""

    name = serializers.CharField()


class WorkloadSerializer(JudgedSerializer):
    """A workload."""

    kind = serializers.CharField()
    namespace = serializers.CharField()
    name = serializers.CharField()


class PodSerializer(JudgedSerializer):
    """A pod."""

    name = serializers.CharField()
    phase = serializers.CharField()
    node = serializers.CharField()
    restarts = serializers.IntegerField()


class EntityWorkloadSerializer(WorkloadSerializer):
    """A workload of an entity, in one cluster."""

    cluster = serializers.CharField()
    available = serializers.IntegerField(allow_null=True)
    wanted = serializers.IntegerField(allow_null=True)
    images = serializers.ListField(child=serializers.CharField())
    pods = PodSerializer(many=True)


class EntityStatusSerializer(JudgedSerializer):
    """How an entity fares; `lost` names the clusters of which there is no current view."""

    uid = serializers.UUIDField()
    since = serializers.DateTimeField(allow_null=True)
    asOf = serializers.DateTimeField(allow_null=True)
    lost = serializers.ListField(child=serializers.CharField())
    workloads = EntityWorkloadSerializer(many=True)


class CredentialSerializer(serializers.Serializer[Any]):
    """Which credential is in use; never itself."""

    kind = serializers.CharField()
    fingerprint = serializers.CharField()


class ClusterSerializer(serializers.Serializer[Any]):
    """A cluster. The counts are null where nothing is known."""

    name = serializers.CharField()
    title = serializers.CharField()
    server = serializers.CharField()
    state = serializers.CharField()
    message = serializers.CharField()
    version = serializers.CharField()
    lastSyncedAt = serializers.DateTimeField(allow_null=True)
    credential = CredentialSerializer()
    nodes = serializers.IntegerField(allow_null=True)
    workloads = serializers.IntegerField(allow_null=True)
    pods = serializers.IntegerField(allow_null=True)


class ClusterListSerializer(serializers.Serializer[Any]):
    """Every cluster."""

    items = ClusterSerializer(many=True)


class ClusterDetailSerializer(ClusterSerializer):
    """A cluster with its nodes and workloads."""

    nodeList = NodeSerializer(many=True)
    workloadList = WorkloadSerializer(many=True)


class AllowedKindSerializer(serializers.Serializer[Any]):
    """A kind that a golden path may write beyond the patterns; `namespace` is "" where it lies in none."""

    path = serializers.CharField()
    kind = serializers.CharField()
    namespace = serializers.CharField(allow_blank=True)


class ClusterReachSerializer(serializers.Serializer[Any]):
    """Where runs may write in a cluster."""

    namespaces = serializers.ListField(child=serializers.CharField())
    kinds = AllowedKindSerializer(many=True)


class PodLogSerializer(serializers.Serializer[Any]):
    """The end of a container's log, or why there is none yet."""

    state = serializers.CharField()
    lines = serializers.ListField(child=serializers.CharField(allow_blank=True))
    reason = serializers.CharField(required=False, allow_blank=True)
