"""What a health says to a developer: a sentence for what is, a hint for what to do, rendered late from its facts."""

from __future__ import annotations

from collections.abc import Callable

from portal.clusters.health import phrases as say
from portal.clusters.health.terms import Facts, Health, Note


def sentence(health: Health) -> str:
    """What is the case, as one sentence."""
    words = SENTENCES[health.code][0]
    return _tail(words(health.facts) if callable(words) else say.fill(words, health.facts), health)


def hint(health: Health) -> str:
    """What a developer can do about it; empty when nothing needs doing."""
    words = SENTENCES[health.code][1]
    return words(health.facts) if callable(words) else say.fill(words, health.facts)


def note(item: Note) -> str:
    """A note, as one sentence."""
    words = SENTENCES[item.code][0]
    return words(item.facts) if callable(words) else say.fill(words, item.facts)


def _tail(text: str, health: Health) -> str:
    """Adds how many pods share the trouble, and what an ordered set has to wait for."""
    facts = health.facts
    if not health.is_trouble:
        return text
    if "blocks" in facts:
        text += f" The pods after {facts['blocks']} wait for it, and so does a repair."
    elif int(facts.get("pods", 0)) > 1:
        text += f" {facts['affected']} of {facts['pods']} pods are affected."
    return f"{text} Its rollout is paused." if health.rollout == "Paused" else text


Words = str | Callable[[Facts], str]
SENTENCES: dict[str, tuple[Words, Words]] = {
    "node-not-ready": (
        say.message_after("Node {node} is not ready"),
        "This is a fault of the platform, not of your code. The platform team can say more.",
    ),
    "evicted": (
        "Pod {pod} was evicted: its node was short of {resource}.",
        "Set requests near real use, so that the scheduler knows what the pod needs.",
    ),
    "disrupted": (
        say.message_after("Pod {pod} is being moved away ({reason})"),
        "A PodDisruptionBudget keeps enough pods serving while the platform moves some.",
    ),
    "quota-exceeded": (
        "The namespace's quota {quota} is used up: asked for {requested}, used {used}, limited to {limited}.",
        "Ask for less, scale something down, or request a larger quota.",
    ),
    "admission-denied": (
        say.message_after("The cluster's policy {webhook} refuses these pods"),
        "Change the manifest as the policy says.",
    ),
    "create-failed": (
        say.message_after("Pods cannot be created"),
        "The manifest asks for something that the cluster refuses.",
    ),
    "claim-lost": (
        "The storage behind volume claim {claim} is lost.",
        "The volume no longer exists. The platform team can say whether it can be restored.",
    ),
    "claim-failed": (
        say.message_after("Volume claim {claim} gets no storage"),
        "Check the claim's storage class and size.",
    ),
    "claim-pending": ("Volume claim {claim} waits for its storage.", ""),
    "claim-missing": (
        "Pod {pod} cannot start: there is no volume claim {claim}.",
        "Create PersistentVolumeClaim {claim} in its namespace, or correct the pod's reference to it.",
    ),
    "unschedulable": (say.unschedulable, say.unschedulable_hint),
    "waiting-for-node": ("Pod {pod} waits for a node: others make room for it.", ""),
    "scheduling-gated": (
        "Pod {pod} is held back by the scheduling gate {gate}.",
        "Whoever set the gate has to lift it.",
    ),
    "config-missing": (
        say.config_missing,
        say.missing_hint("Create the ConfigMap, Secret or key that it names, or correct the reference."),
    ),
    "image-not-found": (
        say.image_that("does not exist in its registry"),
        "Check the name and the tag, and that the build has pushed it.",
    ),
    "image-unauthorized": (
        say.image_that("may not be pulled: the registry refuses"),
        "Give the service account an imagePullSecret for this registry.",
    ),
    "image-tls": (
        say.image_that("cannot be pulled: the registry's certificate is not trusted"),
        "The nodes have to trust the registry's certificate. This is for the platform team.",
    ),
    "image-rate-limited": (
        say.image_that("cannot be pulled: the registry's rate limit is reached"),
        "Wait, or pull through an account or a mirror.",
    ),
    "image-timeout": (
        say.image_that("cannot be pulled: the registry does not answer"),
        "Check the registry's name. If it is right, this is for the platform team.",
    ),
    "image-name-invalid": (say.image_that("has a name that cannot be one"), "Correct the image name in the manifest."),
    "image-pull-failed": (say.image_failed, "Check the image's name and tag, and whether the cluster may pull it."),
    "container-create-failed": (say.create_failed, "Check its command, its mount paths and its security context."),
    "mount-failed": (
        say.message_after("Pod {pod} cannot get its volumes or its network ({reason})"),
        say.missing_hint(
            "Check that the volumes it names exist. If they do, this is not your code: ask the platform team."
        ),
    ),
    "mount-slow": (
        say.message_after("Pod {pod} waits for its volumes or its network ({reason})"),
        "Kubernetes tries again by itself. If that does not help, ask the platform team about node {node}.",
    ),
    "creating-slow": (
        "Container {container} has been waiting to be created for minutes, and node {node} does not say why.",
        "A large image takes its time. Otherwise ask the platform team about node {node}.",
    ),
    "crash-loop": (say.crash_loop, say.crash_hint),
    "crashed": (say.crashed, say.crash_hint),
    "oom-restarts": (
        say.oom_restarts,
        "It will happen again: raise the memory limit, or find out what it keeps in memory.",
    ),
    "job-failed": (say.job_failed, "Read the log of its last pod."),
    "last-run-failed": (
        lambda facts: f"The last run failed. {say.job_failed(facts)}",
        "Read the log of that run's pod. The next run starts on schedule.",
    ),
    "liveness-failing": (
        say.probe_failing("liveness"),
        "Kubernetes restarts it again and again. Check the probe's path, port and timeout against the application.",
    ),
    "startup-failing": (
        say.probe_failing("startup"),
        "Give it more time to start, or check the probe's path and port.",
    ),
    "readiness-failing": (
        say.probe_failing("readiness"),
        "It runs but gets no traffic. Check the probe's path and port, and what the application waits for.",
    ),
    "readiness-gate": (
        say.message_after("Pod {pod} runs, but its readiness gate {gate} is not met"),
        "Whoever sets that condition has to: often a load balancer's controller. Look at its log.",
    ),
    "gate-pending": (say.message_after("Pod {pod} runs and waits for its readiness gate {gate}"), ""),
    "finishing": (say.finishing, ""),
    "leftover": (say.left_over, say.left_over_hint),
    "deadline-exceeded": (
        say.message_after("The rollout made no progress within its deadline"),
        "Look at the newest pods, or roll back.",
    ),
    "no-endpoints": (
        "Service {service} has no ready endpoints: nothing answers behind it.",
        "Check that its selector matches the labels of pods that are ready.",
    ),
    "backend-down": ("Service {service} behind this ingress has no ready endpoints.", "Look at that service first."),
    "load-balancer-stuck": (
        say.message_after("The load balancer of service {service} has no address"),
        "The cluster may have no load balancers, or no address left. Ask the platform team.",
    ),
    "finalizer-stuck": (say.deleting_stuck, "Whoever set the finalizer, or an operator, has to finish it."),
    "namespace-stuck": (
        say.message_after("Namespace {name} cannot be deleted"),
        "Something in it is not going away. An operator can say what.",
    ),
    "schedule-missed": (
        "Two runs in a row were not started ({schedule}).",
        "Check whether earlier runs still block it, and whether the cluster was down.",
    ),
    "schedule-unreadable": (
        "Its schedule “{schedule}” is not one that Kubernetes can read.",
        "Correct the schedule: five fields, a macro such as @daily, or @every 2h.",
    ),
    "schedule-never": (
        "Its schedule “{schedule}” never comes: no such day is in the calendar.",
        "Correct the day and the month of the schedule.",
    ),
    "autoscaler-failing": (
        say.message_after("Autoscaler {autoscaler} cannot do its work ({reason})"),
        "It needs metrics, and resource requests on every container of the pods.",
    ),
    "node-pressure": ("Node {node} runs short ({pressure}).", "Pods on it may be evicted."),
    "load-balancer-pending": ("The load balancer of service {service} is being made.", ""),
    "address-pending": ("Ingress {ingress} waits for an address.", ""),
    "waiting-for-controller": ("The cluster has not looked at the newest change yet.", ""),
    "starting": (say.starting, ""),
    "rolling-out": (say.rolling_out, ""),
    "job-running": (say.job_running, ""),
    "job-retrying": (say.job_retrying, "Read the log of its last pod."),
    "terminating": (say.terminating, say.terminating_hint),
    "paused": ("Paused.", ""),
    "cordoned": ("Node {node} takes no new pods.", ""),
    "scaled-to-zero": ("Scaled to zero.", ""),
    "no-pods-wanted": ("No node asks for a pod of it.", ""),
    "claim-unused": ("No pod uses volume claim {claim} yet.", ""),
    "no-selector": ("Stands for something outside this cluster's pods.", ""),
    "completed": ("Completed.", ""),
    "serving": (say.serving, ""),
    "unknown": ("Nothing is known about it at the moment.", ""),
    "autoscaler-at-maximum": ("The autoscaler has been at its maximum of {maximum} pods for a while.", ""),
    "address-unpublished": ("Its controller publishes no address.", ""),
    "pods-old": (say.old_pods, ""),
    "run-going-on": ("Its run {job} is still going on: the next one starts when it ends.", ""),
    "misscheduled": ("Pods that run where they should not: {count}.", ""),
}
