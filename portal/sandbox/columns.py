"""The columns of each kind in a table, as the real server prints them."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from portal.sandbox import cells
from portal.sandbox.selectors import selector_text

Object = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Column:
    """One column: its heading and how to read a cell."""

    name: str
    read: Callable[[Object], Any]
    wide: bool = False
    number: bool = False


NAME, AGE = Column("Name", cells.name), Column("Age", cells.age)
PLAIN = (NAME, AGE)
_TEMPLATE = "spec.template.spec"


def _template_columns() -> tuple[Column, ...]:
    return (
        Column("Containers", cells.containers(_TEMPLATE), wide=True),
        Column("Images", cells.images(_TEMPLATE), wide=True),
        Column("Selector", cells.selector, wide=True),
    )


def _number(name: str, path: str) -> Column:
    return Column(name, cells.at(path, 0), number=True)


COLUMNS: dict[str, tuple[Column, ...]] = {
    "Pod": (
        NAME,
        Column("Ready", cells.pod_ready),
        Column("Status", cells.pod_status),
        Column("Restarts", cells.restarts),
        AGE,
        Column("IP", cells.at("status.podIP"), wide=True),
        Column("Node", cells.at("spec.nodeName"), wide=True),
        Column("Nominated Node", cells.at("status.nominatedNodeName"), wide=True),
        Column("Readiness Gates", cells.at("spec.readinessGates"), wide=True),
    ),
    "Deployment": (
        NAME,
        Column("Ready", cells.fraction("status.readyReplicas", "spec.replicas")),
        _number("Up-to-date", "status.updatedReplicas"),
        _number("Available", "status.availableReplicas"),
        AGE,
        *_template_columns(),
    ),
    "ReplicaSet": (
        NAME,
        _number("Desired", "spec.replicas"),
        _number("Current", "status.replicas"),
        _number("Ready", "status.readyReplicas"),
        AGE,
        *_template_columns(),
    ),
    "StatefulSet": (
        NAME,
        Column("Ready", cells.fraction("status.readyReplicas", "spec.replicas")),
        AGE,
        *_template_columns()[:2],
    ),
    "DaemonSet": (
        NAME,
        _number("Desired", "status.desiredNumberScheduled"),
        _number("Current", "status.currentNumberScheduled"),
        _number("Ready", "status.numberReady"),
        _number("Up-to-date", "status.updatedNumberScheduled"),
        _number("Available", "status.numberAvailable"),
        Column("Node Selector", lambda obj: "<none>"),
        AGE,
        *_template_columns(),
    ),
    "Job": (
        NAME,
        Column("Status", cells.job_status),
        Column("Completions", cells.job_completions),
        Column("Duration", cells.job_duration),
        AGE,
        *_template_columns(),
    ),
    "CronJob": (
        NAME,
        Column("Schedule", cells.at("spec.schedule")),
        Column("Timezone", cells.at("spec.timeZone")),
        Column("Suspend", lambda obj: str(bool(obj["spec"].get("suspend")))),
        Column("Active", lambda obj: len((obj.get("status") or {}).get("active") or ()), number=True),
        Column("Last Schedule", cells.since("status.lastScheduleTime")),
        AGE,
        Column("Containers", cells.containers(f"spec.jobTemplate.{_TEMPLATE}"), wide=True),
        Column("Images", cells.images(f"spec.jobTemplate.{_TEMPLATE}"), wide=True),
    ),
    "Service": (
        NAME,
        Column("Type", cells.at("spec.type")),
        Column("Cluster-IP", cells.at("spec.clusterIP")),
        Column("External-IP", cells.external),
        Column("Port(s)", cells.service_ports),
        AGE,
        Column("Selector", cells.service_selector, wide=True),
    ),
    "Node": (
        NAME,
        Column("Status", cells.node_status),
        Column("Roles", cells.roles),
        AGE,
        Column("Version", cells.at("status.nodeInfo.kubeletVersion")),
        Column("Internal-IP", cells.node_address, wide=True),
        Column("External-IP", lambda obj: "<none>", wide=True),
        Column("OS-Image", cells.at("status.nodeInfo.osImage"), wide=True),
        Column("Kernel-Version", cells.at("status.nodeInfo.kernelVersion"), wide=True),
        Column("Container-Runtime", cells.at("status.nodeInfo.containerRuntimeVersion"), wide=True),
    ),
    "Namespace": (NAME, Column("Status", cells.at("status.phase")), AGE),
    "ConfigMap": (
        NAME,
        Column("Data", lambda obj: cells.count("data")(obj) + cells.count("binaryData")(obj), number=True),
        AGE,
    ),
    "Secret": (NAME, Column("Type", cells.at("type")), Column("Data", cells.count("data"), number=True), AGE),
    "ServiceAccount": (NAME, Column("Secrets", cells.count("secrets"), number=True), AGE),
    "Event": (
        Column("Last Seen", lambda obj: cells.ago(obj.get("lastTimestamp") or obj.get("eventTime"))),
        Column("Type", cells.at("type")),
        Column("Reason", cells.at("reason")),
        Column("Object", cells.object_of),
        Column("Subobject", cells.at("involvedObject.fieldPath", ""), wide=True),
        Column("Source", cells.at("source.component", ""), wide=True),
        Column("Message", cells.at("message", "")),
        Column("First Seen", lambda obj: cells.ago(obj.get("firstTimestamp")), wide=True),
        Column("Count", cells.at("count", 1), wide=True, number=True),
        Column("Name", cells.name, wide=True),
    ),
    "Endpoints": (NAME, Column("Endpoints", cells.endpoints), AGE),
    "EndpointSlice": (
        NAME,
        Column("AddressType", cells.at("addressType")),
        Column("Ports", cells.slice_part("ports")),
        Column("Endpoints", cells.slice_part("endpoints")),
        AGE,
    ),
    "HorizontalPodAutoscaler": (
        NAME,
        Column("Reference", cells.reference),
        Column("Targets", cells.targets),
        Column("MinPods", lambda obj: str(obj["spec"].get("minReplicas", 1))),
        _number("MaxPods", "spec.maxReplicas"),
        _number("Replicas", "status.currentReplicas"),
        AGE,
    ),
    "PodDisruptionBudget": (
        NAME,
        Column("Min Available", lambda obj: str(cells.at("spec.minAvailable", "N/A")(obj))),
        Column("Max Unavailable", lambda obj: str(cells.at("spec.maxUnavailable", "N/A")(obj))),
        _number("Allowed Disruptions", "status.disruptionsAllowed"),
        AGE,
    ),
    "Ingress": (
        NAME,
        Column("Class", cells.at("spec.ingressClassName")),
        Column("Hosts", cells.hosts),
        Column("Address", cells.ingress_address),
        Column("Ports", lambda obj: "80, 443" if obj["spec"].get("tls") else "80"),
        AGE,
    ),
    "NetworkPolicy": (
        NAME,
        Column("Pod-Selector", lambda o: selector_text(o["spec"].get("podSelector")) or "<none>"),
        AGE,
    ),
    "ResourceQuota": (NAME, Column("Request", cells.quota("requests")), Column("Limit", cells.quota("limits")), AGE),
    "PersistentVolumeClaim": (
        NAME,
        Column("Status", cells.at("status.phase")),
        Column("Volume", cells.at("spec.volumeName", "")),
        Column("Capacity", cells.at("status.capacity.storage", "")),
        Column(
            "Access Modes", lambda obj: ",".join(cells.access_mode(mode) for mode in obj["spec"].get("accessModes", ()))
        ),
        Column("StorageClass", cells.at("spec.storageClassName", "")),
        AGE,
    ),
    "StorageClass": (NAME, Column("Provisioner", cells.at("provisioner")), AGE),
    "Role": (NAME, Column("Created At", cells.at("metadata.creationTimestamp"))),
    "ClusterRole": (NAME, Column("Created At", cells.at("metadata.creationTimestamp"))),
    "RoleBinding": (NAME, Column("Role", lambda obj: f"{obj['roleRef']['kind']}/{obj['roleRef']['name']}"), AGE),
    "ClusterRoleBinding": (NAME, Column("Role", lambda obj: f"{obj['roleRef']['kind']}/{obj['roleRef']['name']}"), AGE),
    "Lease": (NAME, Column("Holder", cells.at("spec.holderIdentity", "")), AGE),
    "IngressClass": (NAME, Column("Controller", cells.at("spec.controller")), AGE),
}
