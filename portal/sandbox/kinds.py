"""The table of the resource types that the sandbox serves."""

from dataclasses import dataclass

VERBS = ("create", "delete", "deletecollection", "get", "list", "patch", "update", "watch")


@dataclass(frozen=True, slots=True, eq=False)
class Resource:
    """One resource type: where it is served and what it can do."""

    group: str
    version: str
    kind: str
    plural: str
    definition: str
    namespaced: bool = True
    short: tuple[str, ...] = ()
    categories: tuple[str, ...] = ()
    status: bool = False
    scale: bool = False

    @property
    def api_version(self) -> str:
        return f"{self.group}/{self.version}" if self.group else self.version

    @property
    def singular(self) -> str:
        return self.kind.lower()

    @property
    def qualified(self) -> str:
        """The plural with its group, as error messages name it: `deployments.apps`."""
        return f"{self.plural}.{self.group}" if self.group else self.plural

    @property
    def qualified_kind(self) -> str:
        return f"{self.kind}.{self.group}" if self.group else self.kind


def _core(
    kind: str,
    plural: str,
    short: tuple[str, ...] = (),
    *,
    namespaced: bool = True,
    status: bool = False,
    everywhere: bool = False,
) -> Resource:
    categories = ("all",) if everywhere else ()
    return Resource("", "v1", kind, plural, f"io.k8s.api.core.v1.{kind}", namespaced, short, categories, status)


def _apps(kind: str, plural: str, short: tuple[str, ...], *, scale: bool = True) -> Resource:
    return Resource("apps", "v1", kind, plural, f"io.k8s.api.apps.v1.{kind}", True, short, ("all",), True, scale)


def _rbac(kind: str, plural: str, *, namespaced: bool) -> Resource:
    return Resource("rbac.authorization.k8s.io", "v1", kind, plural, f"io.k8s.api.rbac.v1.{kind}", namespaced)


NAMESPACE = _core("Namespace", "namespaces", ("ns",), namespaced=False, status=True)
NODE = _core("Node", "nodes", ("no",), namespaced=False, status=True)
POD = _core("Pod", "pods", ("po",), status=True, everywhere=True)
SERVICE = _core("Service", "services", ("svc",), status=True, everywhere=True)
SERVICE_ACCOUNT = _core("ServiceAccount", "serviceaccounts", ("sa",))
CONFIG_MAP = _core("ConfigMap", "configmaps", ("cm",))
SECRET = _core("Secret", "secrets")
EVENT = _core("Event", "events", ("ev",))
RESOURCE_QUOTA = _core("ResourceQuota", "resourcequotas", ("quota",), status=True)
LIMIT_RANGE = _core("LimitRange", "limitranges", ("limits",))
PERSISTENT_VOLUME_CLAIM = _core("PersistentVolumeClaim", "persistentvolumeclaims", ("pvc",), status=True)
PERSISTENT_VOLUME = _core("PersistentVolume", "persistentvolumes", ("pv",), namespaced=False, status=True)
ENDPOINTS = _core("Endpoints", "endpoints", ("ep",))
DEPLOYMENT = _apps("Deployment", "deployments", ("deploy",))
REPLICA_SET = _apps("ReplicaSet", "replicasets", ("rs",))
STATEFUL_SET = _apps("StatefulSet", "statefulsets", ("sts",))
DAEMON_SET = _apps("DaemonSet", "daemonsets", ("ds",), scale=False)
CONTROLLER_REVISION = Resource(
    "apps", "v1", "ControllerRevision", "controllerrevisions", "io.k8s.api.apps.v1.ControllerRevision"
)
JOB = Resource("batch", "v1", "Job", "jobs", "io.k8s.api.batch.v1.Job", True, (), ("all",), True)
CRON_JOB = Resource("batch", "v1", "CronJob", "cronjobs", "io.k8s.api.batch.v1.CronJob", True, ("cj",), ("all",), True)
HORIZONTAL_POD_AUTOSCALER = Resource(
    "autoscaling",
    "v2",
    "HorizontalPodAutoscaler",
    "horizontalpodautoscalers",
    "io.k8s.api.autoscaling.v2.HorizontalPodAutoscaler",
    True,
    ("hpa",),
    ("all",),
    True,
)
POD_DISRUPTION_BUDGET = Resource(
    "policy",
    "v1",
    "PodDisruptionBudget",
    "poddisruptionbudgets",
    "io.k8s.api.policy.v1.PodDisruptionBudget",
    True,
    ("pdb",),
    (),
    True,
)
_NET = "networking.k8s.io"
INGRESS = Resource(_NET, "v1", "Ingress", "ingresses", "io.k8s.api.networking.v1.Ingress", True, ("ing",), (), True)
NETWORK_POLICY = Resource(
    _NET, "v1", "NetworkPolicy", "networkpolicies", "io.k8s.api.networking.v1.NetworkPolicy", True, ("netpol",)
)
INGRESS_CLASS = Resource(_NET, "v1", "IngressClass", "ingressclasses", "io.k8s.api.networking.v1.IngressClass", False)
ENDPOINT_SLICE = Resource(
    "discovery.k8s.io", "v1", "EndpointSlice", "endpointslices", "io.k8s.api.discovery.v1.EndpointSlice"
)
ROLE = _rbac("Role", "roles", namespaced=True)
ROLE_BINDING = _rbac("RoleBinding", "rolebindings", namespaced=True)
CLUSTER_ROLE = _rbac("ClusterRole", "clusterroles", namespaced=False)
CLUSTER_ROLE_BINDING = _rbac("ClusterRoleBinding", "clusterrolebindings", namespaced=False)
LEASE = Resource("coordination.k8s.io", "v1", "Lease", "leases", "io.k8s.api.coordination.v1.Lease")
STORAGE_CLASS = Resource(
    "storage.k8s.io", "v1", "StorageClass", "storageclasses", "io.k8s.api.storage.v1.StorageClass", False, ("sc",)
)

RESOURCES: tuple[Resource, ...] = (
    NAMESPACE,
    NODE,
    POD,
    SERVICE,
    SERVICE_ACCOUNT,
    CONFIG_MAP,
    SECRET,
    EVENT,
    RESOURCE_QUOTA,
    LIMIT_RANGE,
    PERSISTENT_VOLUME_CLAIM,
    PERSISTENT_VOLUME,
    ENDPOINTS,
    DEPLOYMENT,
    REPLICA_SET,
    STATEFUL_SET,
    DAEMON_SET,
    CONTROLLER_REVISION,
    JOB,
    CRON_JOB,
    HORIZONTAL_POD_AUTOSCALER,
    POD_DISRUPTION_BUDGET,
    INGRESS,
    NETWORK_POLICY,
    INGRESS_CLASS,
    ENDPOINT_SLICE,
    ROLE,
    ROLE_BINDING,
    CLUSTER_ROLE,
    CLUSTER_ROLE_BINDING,
    LEASE,
    STORAGE_CLASS,
)
BY_PATH: dict[tuple[str, str, str], Resource] = {(r.group, r.version, r.plural): r for r in RESOURCES}
BY_KIND: dict[tuple[str, str], Resource] = {(r.api_version, r.kind): r for r in RESOURCES}
# A preferred order, as `kubectl api-versions` of a real server would rank them.
GROUPS: tuple[str, ...] = (
    "apps",
    "authentication.k8s.io",
    "authorization.k8s.io",
    "autoscaling",
    "batch",
    "networking.k8s.io",
    "policy",
    "rbac.authorization.k8s.io",
    "storage.k8s.io",
    "coordination.k8s.io",
    "discovery.k8s.io",
)
GROUP_VERSIONS: dict[str, str] = dict.fromkeys(GROUPS, "v1") | {"autoscaling": "v2"}
