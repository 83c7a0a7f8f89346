"""The few fields of each Kubernetes kind that Slipway reads, as frozen structs that decode straight from the wire."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

import msgspec

# a moment without a zone cannot be compared with now: an object that has one is not readable
Moment = Annotated[datetime, msgspec.Meta(tz=True)]


class Slim(msgspec.Struct, frozen=True, gc=False, rename="camel"):
    """Base of every struct here: unknown fields are skipped by the decoder and never become Python objects."""


class OwnerReference(Slim, frozen=True):
    """One owner reference."""

    uid: str
    kind: str = ""
    name: str = ""
    controller: bool = False


class Annotations(Slim, frozen=True):
    """The annotations that rules read; the rest (`last-applied-configuration` above all) is never kept."""

    revision: str = msgspec.field(default="", name="deployment.kubernetes.io/revision")


class Meta(Slim, frozen=True):
    """The metadata of an object."""

    name: str
    namespace: str = ""
    uid: str = ""
    resource_version: str = ""
    generation: int = 0
    creation_timestamp: Moment | None = None
    deletion_timestamp: Moment | None = None
    deletion_grace_period_seconds: int | None = None
    labels: dict[str, str] | None = None
    annotations: Annotations | None = None
    finalizers: tuple[str, ...] | None = None
    owner_references: tuple[OwnerReference, ...] | None = None

    @property
    def controller(self) -> OwnerReference | None:
        """The owner that controls this object, if any."""
        return next((owner for owner in self.owner_references or () if owner.controller), None)


class Condition(Slim, frozen=True):
    """One condition, of any kind."""

    type: str
    status: str = ""
    reason: str | None = ""
    message: str | None = ""
    last_transition_time: Moment | None = None

    @property
    def is_true(self) -> bool:
        """Whether the condition holds."""
        return self.status == "True"

    @property
    def is_false(self) -> bool:
        """Whether the condition is known not to hold (an unknown one is neither)."""
        return self.status == "False"


Conditions = tuple[Condition, ...] | None


def condition(conditions: Conditions, kind: str) -> Condition | None:
    """The condition of that type, if the object has it."""
    return next((item for item in conditions or () if item.type == kind), None)


class Probe(Slim, frozen=True):
    """The timing of a probe, with the API's own defaults."""

    initial_delay_seconds: int = 0
    period_seconds: int = 10
    timeout_seconds: int = 1
    failure_threshold: int = 3


class Resources(Slim, frozen=True):
    """What a container asks for and may use, as Kubernetes quantities."""

    requests: dict[str, str] | None = None
    limits: dict[str, str] | None = None


class Container(Slim, frozen=True):
    """A container as asked for."""

    name: str
    image: str = ""
    restart_policy: str | None = None
    resources: Resources | None = None
    liveness_probe: Probe | None = None
    readiness_probe: Probe | None = None
    startup_probe: Probe | None = None


class Waiting(Slim, frozen=True):
    """Why a container is not running yet."""

    reason: str | None = ""
    message: str | None = ""


class Running(Slim, frozen=True):
    """Since when a container runs."""

    started_at: Moment | None = None


class Terminated(Slim, frozen=True):
    """How a container ended."""

    exit_code: int = 0
    signal: int = 0
    reason: str | None = ""
    message: str | None = ""
    started_at: Moment | None = None
    finished_at: Moment | None = None


class ContainerState(Slim, frozen=True):
    """Exactly one of the three is set, or none (which means waiting)."""

    waiting: Waiting | None = None
    running: Running | None = None
    terminated: Terminated | None = None


class ContainerStatus(Slim, frozen=True):
    """A container as it is."""

    name: str
    ready: bool = False
    restart_count: int = 0
    started: bool | None = None
    image: str = ""
    state: ContainerState = ContainerState()
    last_state: ContainerState = ContainerState()


class ClaimReference(Slim, frozen=True):
    """A pod's use of a persistent volume claim."""

    claim_name: str


class Volume(Slim, frozen=True):
    """A volume, of which only a claim is of interest."""

    persistent_volume_claim: ClaimReference | None = None


class Gate(Slim, frozen=True):
    """A scheduling gate."""

    name: str


class ReadinessGate(Slim, frozen=True):
    """A condition that somebody else sets, and without which the pod is not ready."""

    condition_type: str


class PodSpec(Slim, frozen=True):
    """What a pod was asked to be."""

    node_name: str | None = ""
    restart_policy: str = "Always"
    containers: tuple[Container, ...] = ()
    init_containers: tuple[Container, ...] | None = None
    volumes: tuple[Volume, ...] | None = None
    scheduling_gates: tuple[Gate, ...] | None = None
    readiness_gates: tuple[ReadinessGate, ...] | None = None


class PodStatus(Slim, frozen=True):
    """What a pod is."""

    phase: str = "Pending"
    reason: str | None = ""
    message: str | None = ""
    start_time: Moment | None = None
    nominated_node_name: str | None = ""
    conditions: Conditions = None
    init_container_statuses: tuple[ContainerStatus, ...] | None = None
    container_statuses: tuple[ContainerStatus, ...] | None = None


class Pod(Slim, frozen=True):
    """v1 Pod."""

    metadata: Meta
    spec: PodSpec = PodSpec()
    status: PodStatus = PodStatus()


class Selector(Slim, frozen=True):
    """The equality half of a label selector."""

    match_labels: dict[str, str] | None = None


class DeploymentSpec(Slim, frozen=True):
    """What a deployment wants."""

    replicas: int = 1
    paused: bool = False
    selector: Selector = Selector()


class DeploymentStatus(Slim, frozen=True):
    """Where a deployment stands."""

    observed_generation: int = 0
    replicas: int = 0
    updated_replicas: int = 0
    ready_replicas: int = 0
    available_replicas: int = 0
    conditions: Conditions = None


class Deployment(Slim, frozen=True):
    """apps/v1 Deployment."""

    metadata: Meta
    spec: DeploymentSpec = DeploymentSpec()
    status: DeploymentStatus = DeploymentStatus()


class ReplicaSet(Slim, frozen=True):
    """apps/v1 ReplicaSet; the shape is a deployment's."""

    metadata: Meta
    spec: DeploymentSpec = DeploymentSpec()
    status: DeploymentStatus = DeploymentStatus()


class RollingUpdate(Slim, frozen=True):
    """How far a stateful set may be rolled."""

    partition: int | None = 0


class UpdateStrategy(Slim, frozen=True):
    """How a stateful or daemon set replaces its pods."""

    type: str = "RollingUpdate"
    rolling_update: RollingUpdate | None = None


class StatefulSetSpec(Slim, frozen=True):
    """What a stateful set wants."""

    replicas: int = 1
    pod_management_policy: str = "OrderedReady"
    min_ready_seconds: int = 0
    update_strategy: UpdateStrategy = UpdateStrategy()


class StatefulSetStatus(Slim, frozen=True):
    """Where a stateful set stands."""

    observed_generation: int = 0
    replicas: int = 0
    ready_replicas: int = 0
    available_replicas: int = 0
    updated_replicas: int = 0
    current_revision: str = ""
    update_revision: str = ""


class StatefulSet(Slim, frozen=True):
    """apps/v1 StatefulSet."""

    metadata: Meta
    spec: StatefulSetSpec = StatefulSetSpec()
    status: StatefulSetStatus = StatefulSetStatus()

    @property
    def available(self) -> int:
        """The pods that count as there. Without `minReadySeconds` that is the ready ones, all that old servers tell."""
        return self.status.available_replicas if self.spec.min_ready_seconds else self.status.ready_replicas


class DaemonSetSpec(Slim, frozen=True):
    """How a daemon set replaces its pods."""

    update_strategy: UpdateStrategy = UpdateStrategy()


class DaemonSetStatus(Slim, frozen=True):
    """Where a daemon set stands."""

    observed_generation: int = 0
    desired_number_scheduled: int = 0
    updated_number_scheduled: int = 0
    number_ready: int = 0
    number_available: int = 0
    number_misscheduled: int = 0


class DaemonSet(Slim, frozen=True):
    """apps/v1 DaemonSet."""

    metadata: Meta
    spec: DaemonSetSpec = DaemonSetSpec()
    status: DaemonSetStatus = DaemonSetStatus()


class JobSpec(Slim, frozen=True):
    """What a job wants."""

    parallelism: int | None = 1
    completions: int | None = None
    backoff_limit: int | None = 6
    suspend: bool | None = None


class JobStatus(Slim, frozen=True):
    """Where a job stands."""

    active: int = 0
    succeeded: int = 0
    failed: int = 0
    start_time: Moment | None = None
    completion_time: Moment | None = None
    conditions: Conditions = None


class Job(Slim, frozen=True):
    """batch/v1 Job."""

    metadata: Meta
    spec: JobSpec = JobSpec()
    status: JobStatus = JobStatus()


class CronJobSpec(Slim, frozen=True):
    """When a cron job runs."""

    schedule: str = ""
    time_zone: str | None = None
    suspend: bool | None = False
    starting_deadline_seconds: int | None = None
    concurrency_policy: str = "Allow"


class CronJobStatus(Slim, frozen=True):
    """When a cron job last ran."""

    last_schedule_time: Moment | None = None
    last_successful_time: Moment | None = None


class CronJob(Slim, frozen=True):
    """batch/v1 (or v1beta1) CronJob."""

    metadata: Meta
    spec: CronJobSpec = CronJobSpec()
    status: CronJobStatus = CronJobStatus()


class IngressPoint(Slim, frozen=True):
    """One address that a load balancer answers at."""

    ip: str = ""
    hostname: str = ""


class LoadBalancer(Slim, frozen=True):
    """Where a load balancer answers."""

    ingress: tuple[IngressPoint, ...] | None = None


class LoadBalanced(Slim, frozen=True):
    """The status of a service or an ingress."""

    load_balancer: LoadBalancer = LoadBalancer()


class ServiceSpec(Slim, frozen=True):
    """What a service stands for."""

    type: str = "ClusterIP"
    selector: dict[str, str] | None = None


class Service(Slim, frozen=True):
    """v1 Service."""

    metadata: Meta
    spec: ServiceSpec = ServiceSpec()
    status: LoadBalanced = LoadBalanced()


class EndpointConditions(Slim, frozen=True):
    """Whether an endpoint takes traffic; a missing word means yes."""

    ready: bool | None = None


class SliceEndpoint(Slim, frozen=True):
    """One endpoint of a slice."""

    addresses: tuple[str, ...] = ()
    conditions: EndpointConditions = EndpointConditions()


class EndpointSlice(Slim, frozen=True):
    """discovery.k8s.io/v1 (or v1beta1) EndpointSlice."""

    metadata: Meta
    endpoints: tuple[SliceEndpoint, ...] | None = None


class BackendService(Slim, frozen=True):
    """The service behind an ingress path (networking/v1)."""

    name: str = ""


class Backend(Slim, frozen=True):
    """Behind an ingress path; `service_name` is the older spelling."""

    service: BackendService | None = None
    service_name: str = ""

    @property
    def target(self) -> str:
        """The name of the service, in either spelling."""
        return self.service.name if self.service else self.service_name


class IngressPath(Slim, frozen=True):
    """One path of a rule."""

    backend: Backend = Backend()


class IngressHttp(Slim, frozen=True):
    """The paths of a rule."""

    paths: tuple[IngressPath, ...] = ()


class IngressRule(Slim, frozen=True):
    """One host of an ingress."""

    host: str = ""
    http: IngressHttp | None = None


class IngressSpec(Slim, frozen=True):
    """What an ingress opens."""

    default_backend: Backend | None = None
    rules: tuple[IngressRule, ...] | None = None


class Ingress(Slim, frozen=True):
    """networking.k8s.io/v1 (or v1beta1) Ingress."""

    metadata: Meta
    spec: IngressSpec = IngressSpec()
    status: LoadBalanced = LoadBalanced()


class ScaleTarget(Slim, frozen=True):
    """What an autoscaler scales."""

    kind: str = ""
    name: str = ""


class AutoscalerSpec(Slim, frozen=True):
    """The bounds of an autoscaler."""

    min_replicas: int | None = 1
    max_replicas: int = 1
    scale_target_ref: ScaleTarget = ScaleTarget()


class AutoscalerStatus(Slim, frozen=True):
    """Where an autoscaler stands."""

    current_replicas: int | None = 0
    desired_replicas: int = 0
    conditions: Conditions = None


class HorizontalPodAutoscaler(Slim, frozen=True):
    """autoscaling/v2 (or v2beta2) HorizontalPodAutoscaler."""

    metadata: Meta
    spec: AutoscalerSpec = AutoscalerSpec()
    status: AutoscalerStatus = AutoscalerStatus()


class NodeSpec(Slim, frozen=True):
    """What an operator asked of a node."""

    unschedulable: bool = False


class NodeInfo(Slim, frozen=True):
    """Versions on a node."""

    kubelet_version: str = ""


class NodeStatus(Slim, frozen=True):
    """What a node has and how it is."""

    capacity: dict[str, str] | None = None
    allocatable: dict[str, str] | None = None
    conditions: Conditions = None
    node_info: NodeInfo = NodeInfo()


class Node(Slim, frozen=True):
    """v1 Node."""

    metadata: Meta
    spec: NodeSpec = NodeSpec()
    status: NodeStatus = NodeStatus()


class NamespaceStatus(Slim, frozen=True):
    """Where a namespace stands."""

    phase: str = "Active"
    conditions: Conditions = None


class Namespace(Slim, frozen=True):
    """v1 Namespace."""

    metadata: Meta
    status: NamespaceStatus = NamespaceStatus()


class QuotaStatus(Slim, frozen=True):
    """What a quota allows and how much of it is used."""

    hard: dict[str, str] | None = None
    used: dict[str, str] | None = None


class ResourceQuota(Slim, frozen=True):
    """v1 ResourceQuota."""

    metadata: Meta
    status: QuotaStatus = QuotaStatus()


class ClaimSpec(Slim, frozen=True):
    """What storage a claim asks for."""

    storage_class_name: str | None = None


class ClaimStatus(Slim, frozen=True):
    """Whether a claim has its storage."""

    phase: str = "Pending"


class PersistentVolumeClaim(Slim, frozen=True):
    """v1 PersistentVolumeClaim."""

    metadata: Meta
    spec: ClaimSpec = ClaimSpec()
    status: ClaimStatus = ClaimStatus()


class ObjectReference(Slim, frozen=True):
    """What an event is about."""

    kind: str = ""
    namespace: str = ""
    name: str = ""
    uid: str = ""
    field_path: str = ""


class EventSeries(Slim, frozen=True):
    """The newer way to count a repeated event."""

    count: int = 0
    last_observed_time: Moment | None = None


class Event(Slim, frozen=True):
    """v1 Event."""

    metadata: Meta
    involved_object: ObjectReference = ObjectReference()
    type: str = ""
    reason: str | None = ""
    message: str | None = ""
    count: int | None = 0
    first_timestamp: Moment | None = None
    last_timestamp: Moment | None = None
    event_time: Moment | None = None
    series: EventSeries | None = None

    @property
    def seen_at(self) -> datetime | None:
        """When it last happened."""
        series = self.series.last_observed_time if self.series else None
        return series or self.last_timestamp or self.event_time or self.metadata.creation_timestamp


KubeObject = (
    Pod
    | Deployment
    | ReplicaSet
    | StatefulSet
    | DaemonSet
    | Job
    | CronJob
    | Service
    | EndpointSlice
    | Ingress
    | HorizontalPodAutoscaler
    | Node
    | Namespace
    | ResourceQuota
    | PersistentVolumeClaim
    | Event
)


class Watched(msgspec.Struct, frozen=True):
    """A kind that Slipway watches: where it may be served, newest first, and how it decodes."""

    kind: str
    plural: str
    struct: type[KubeObject]
    served_as: tuple[str, ...]
    is_namespaced: bool = True
    field_selector: str = ""


WATCHED: tuple[Watched, ...] = (
    Watched("Namespace", "namespaces", Namespace, ("v1",), is_namespaced=False),
    Watched("Node", "nodes", Node, ("v1",), is_namespaced=False),
    Watched("Deployment", "deployments", Deployment, ("apps/v1",)),
    Watched("StatefulSet", "statefulsets", StatefulSet, ("apps/v1",)),
    Watched("DaemonSet", "daemonsets", DaemonSet, ("apps/v1",)),
    Watched("ReplicaSet", "replicasets", ReplicaSet, ("apps/v1",)),
    Watched("CronJob", "cronjobs", CronJob, ("batch/v1", "batch/v1beta1")),
    Watched("Job", "jobs", Job, ("batch/v1",)),
    Watched("Pod", "pods", Pod, ("v1",)),
    Watched("Service", "services", Service, ("v1",)),
    Watched("EndpointSlice", "endpointslices", EndpointSlice, ("discovery.k8s.io/v1", "discovery.k8s.io/v1beta1")),
    Watched(
        "Ingress",
        "ingresses",
        Ingress,
        ("networking.k8s.io/v1", "networking.k8s.io/v1beta1", "extensions/v1beta1"),
    ),
    Watched(
        "HorizontalPodAutoscaler",
        "horizontalpodautoscalers",
        HorizontalPodAutoscaler,
        ("autoscaling/v2", "autoscaling/v2beta2"),
    ),
    Watched("PersistentVolumeClaim", "persistentvolumeclaims", PersistentVolumeClaim, ("v1",)),
    Watched("ResourceQuota", "resourcequotas", ResourceQuota, ("v1",)),
    Watched("Event", "events", Event, ("v1",), field_selector="type!=Normal"),
)
BY_KIND: dict[str, Watched] = {item.kind: item for item in WATCHED}
