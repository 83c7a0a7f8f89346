"""The values that the real server fills in when a manifest is silent."""

from typing import Any

from portal.sandbox.kinds import Resource

Object = dict[str, Any]


def _fill(target: Object, **values: Any) -> None:
    for key, value in values.items():
        target.setdefault(key, value)


def _probe(probe: Object) -> None:
    _fill(probe, timeoutSeconds=1, periodSeconds=10, successThreshold=1, failureThreshold=3)
    if "httpGet" in probe:
        _fill(probe["httpGet"], path="/", scheme="HTTP")


def _pull_policy(image: str) -> str:
    last = image.rsplit("/", 1)[-1]
    return "Always" if "@" not in last and (":" not in last or last.endswith(":latest")) else "IfNotPresent"


def _container(container: Object) -> None:
    _fill(
        container,
        imagePullPolicy=_pull_policy(container.get("image", "")),
        resources={},
        terminationMessagePath="/dev/termination-log",
        terminationMessagePolicy="File",
    )
    limits, requests = container["resources"].get("limits"), container["resources"].get("requests") or {}
    if limits:
        container["resources"]["requests"] = limits | requests
    for port in container.get("ports", ()):
        _fill(port, protocol="TCP")
    for name in ("livenessProbe", "readinessProbe", "startupProbe"):
        if name in container:
            _probe(container[name])
    for variable in container.get("env", ()):
        if "fieldRef" in variable.get("valueFrom", {}):
            _fill(variable["valueFrom"]["fieldRef"], apiVersion="v1")


def pod_spec(spec: Object) -> None:
    """Defaults of a pod's or a template's spec."""
    for container in [*spec.get("initContainers", ()), *spec.get("containers", ())]:
        _container(container)
    _fill(
        spec,
        dnsPolicy="ClusterFirst",
        restartPolicy="Always",
        schedulerName="default-scheduler",
        securityContext={},
        terminationGracePeriodSeconds=30,
    )
    if "serviceAccountName" in spec:
        _fill(spec, serviceAccount=spec["serviceAccountName"])
    for volume in spec.get("volumes", ()):
        if set(volume) == {"name"}:
            volume["emptyDir"] = {}
        for source in ("configMap", "secret", "projected"):
            if source in volume:
                _fill(volume[source], defaultMode=420)


def _pod(obj: Object) -> None:
    pod_spec(obj["spec"])
    _fill(obj["spec"], enableServiceLinks=True, preemptionPolicy="PreemptLowerPriority", priority=0)
    spec = obj["spec"]
    for effect in ("not-ready", "unreachable"):
        toleration = {"effect": "NoExecute", "key": f"node.kubernetes.io/{effect}", "operator": "Exists"}
        have = spec.setdefault("tolerations", [])
        if not any(item.get("key") == toleration["key"] for item in have):
            have.append(toleration | {"tolerationSeconds": 300})
    _fill(obj, status={"phase": "Pending", "qosClass": quality(spec)})


def quality(spec: Object) -> str:
    """The pod's QoS class."""
    containers = [*spec.get("initContainers", ()), *spec["containers"]]
    resources = [container.get("resources", {}) for container in containers]
    if not any(entry.get("requests") or entry.get("limits") for entry in resources):
        return "BestEffort"
    for entry in resources:
        limits = entry.get("limits", {})
        if {"cpu", "memory"} - set(limits) or limits != entry.get("requests", limits):
            return "Burstable"
    return "Guaranteed"


def _template(obj: Object) -> None:
    template = obj["spec"].get("template")
    if template:
        template.setdefault("metadata", {})
        if "spec" in template:
            pod_spec(template["spec"])


def _deployment(obj: Object) -> None:
    _template(obj)
    spec = obj["spec"]
    _fill(spec, replicas=1, revisionHistoryLimit=10, progressDeadlineSeconds=600, strategy={})
    _fill(spec["strategy"], type="RollingUpdate")
    if spec["strategy"]["type"] == "RollingUpdate":
        _fill(spec["strategy"].setdefault("rollingUpdate", {}), maxSurge="25%", maxUnavailable="25%")


def _replica_set(obj: Object) -> None:
    _template(obj)
    _fill(obj["spec"], replicas=1)


def _stateful_set(obj: Object) -> None:
    _template(obj)
    spec = obj["spec"]
    _fill(spec, replicas=1, revisionHistoryLimit=10, podManagementPolicy="OrderedReady", updateStrategy={})
    _fill(spec, persistentVolumeClaimRetentionPolicy={"whenDeleted": "Retain", "whenScaled": "Retain"})
    _fill(spec["updateStrategy"], type="RollingUpdate")
    if spec["updateStrategy"]["type"] == "RollingUpdate":
        _fill(spec["updateStrategy"].setdefault("rollingUpdate", {}), partition=0)


def _daemon_set(obj: Object) -> None:
    _template(obj)
    _fill(obj["spec"], revisionHistoryLimit=10, updateStrategy={})
    _fill(obj["spec"]["updateStrategy"], type="RollingUpdate")
    if obj["spec"]["updateStrategy"]["type"] == "RollingUpdate":
        _fill(obj["spec"]["updateStrategy"].setdefault("rollingUpdate", {}), maxSurge=0, maxUnavailable=1)


def _job(obj: Object) -> None:
    _template(obj)
    spec = obj["spec"]
    _fill(spec, backoffLimit=6, completionMode="NonIndexed", suspend=False, manualSelector=False)
    _fill(spec, podReplacementPolicy="TerminatingOrFailed")
    if "parallelism" not in spec and "completions" not in spec:
        spec["completions"] = 1
    _fill(spec, parallelism=1)
    if not spec["manualSelector"]:
        spec.pop("manualSelector")


def _cron_job(obj: Object) -> None:
    spec = obj["spec"]
    _fill(spec, concurrencyPolicy="Allow", suspend=False, successfulJobsHistoryLimit=3, failedJobsHistoryLimit=1)
    if "spec" in spec.get("jobTemplate", {}):
        _template(spec["jobTemplate"])


def _service(obj: Object) -> None:
    spec = obj["spec"]
    _fill(spec, type="ClusterIP", sessionAffinity="None")
    for port in spec.get("ports", ()):
        _fill(port, protocol="TCP", targetPort=port.get("port"))
    if spec["type"] != "ExternalName":
        _fill(spec, internalTrafficPolicy="Cluster", ipFamilies=["IPv4"], ipFamilyPolicy="SingleStack")
    if spec["type"] in ("NodePort", "LoadBalancer"):
        _fill(spec, externalTrafficPolicy="Cluster")
    if spec["type"] == "LoadBalancer":
        _fill(spec, allocateLoadBalancerNodePorts=True)
    _fill(obj, status={"loadBalancer": {}})


def _autoscaler(obj: Object) -> None:
    spec = obj["spec"]
    _fill(spec, minReplicas=1)
    target = {"type": "Utilization", "averageUtilization": 80}
    _fill(spec, metrics=[{"type": "Resource", "resource": {"name": "cpu", "target": target}}])


def _network_policy(obj: Object) -> None:
    spec = obj["spec"]
    if "policyTypes" not in spec:
        spec["policyTypes"] = ["Ingress", "Egress"] if "egress" in spec else ["Ingress"]
    for rule in [*spec.get("ingress", ()), *spec.get("egress", ())]:
        for port in rule.get("ports", ()):
            _fill(port, protocol="TCP")


def _claim(obj: Object) -> None:
    _fill(obj["spec"], volumeMode="Filesystem")
    _fill(obj, status={"phase": "Pending"})


def _secret(obj: Object) -> None:
    _fill(obj, type="Opaque")


def _namespace(obj: Object) -> None:
    _fill(obj.setdefault("spec", {}), finalizers=["kubernetes"])
    obj["metadata"].setdefault("labels", {})["kubernetes.io/metadata.name"] = obj["metadata"]["name"]
    _fill(obj, status={"phase": "Active"})


def _role_binding(obj: Object) -> None:
    for subject in obj.get("subjects", ()):
        if subject.get("kind") != "ServiceAccount":
            _fill(subject, apiGroup="rbac.authorization.k8s.io")


def _status(obj: Object) -> None:
    _fill(obj, status={})


_DEFAULTS = {
    "Pod": _pod,
    "Deployment": _deployment,
    "ReplicaSet": _replica_set,
    "StatefulSet": _stateful_set,
    "DaemonSet": _daemon_set,
    "Job": _job,
    "CronJob": _cron_job,
    "Service": _service,
    "HorizontalPodAutoscaler": _autoscaler,
    "NetworkPolicy": _network_policy,
    "PersistentVolumeClaim": _claim,
    "Secret": _secret,
    "Namespace": _namespace,
    "RoleBinding": _role_binding,
    "ClusterRoleBinding": _role_binding,
    "PodDisruptionBudget": _status,
    "Ingress": lambda obj: _fill(obj, status={"loadBalancer": {}}),
    "ResourceQuota": _status,
}
_NEEDS_SPEC = {"Deployment", "ReplicaSet", "StatefulSet", "DaemonSet", "CronJob", "Service", "HorizontalPodAutoscaler"}
_FIRST_STATUS = {
    "ReplicaSet": {"replicas": 0},
    "StatefulSet": {"replicas": 0, "availableReplicas": 0},
    "DaemonSet": dict.fromkeys(
        ("currentNumberScheduled", "desiredNumberScheduled", "numberMisscheduled", "numberReady"), 0
    ),
}
_WITH_SPEC = {"Namespace", "Secret", "RoleBinding", "ClusterRoleBinding", "PodDisruptionBudget"}


def fill(resource: Resource, obj: Object) -> None:
    """Fill in place. The object has been decoded, so that the types are right; required parts may still be missing."""
    default = _DEFAULTS.get(resource.kind)
    if resource.kind in _NEEDS_SPEC:
        obj.setdefault("spec", {})
    if default and ("spec" in obj or resource.kind in _WITH_SPEC):
        if resource.kind == "Pod" and not obj["spec"].get("containers"):
            return
        default(obj)
    if resource.status and resource.kind in ("Deployment", "ReplicaSet", "StatefulSet", "DaemonSet", "Job", "CronJob"):
        _fill(obj, status=dict(_FIRST_STATUS.get(resource.kind, {})))
