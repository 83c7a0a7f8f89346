"""What a health says to a developer: a sentence for what is, a hint for what to do, rendered late from its facts."""

from __future__ import annotations

from collections.abc import Callable

from portal.clusters.health.terms import Facts, Health, Note

EXIT_CODES = {
    0: "it ended normally, as if its work were done",
    1: "exit code 1, an error in the application",
    2: "exit code 2, an error in the application or its arguments",
    126: "exit code 126, its command cannot be executed",
    127: "exit code 127, its command was not found",
    137: "exit code 137, it was killed",
    139: "exit code 139, a segmentation fault",
    143: "exit code 143, it was told to end",
}
EXIT_HINTS = {
    0: "A server should keep running. Check that the command starts it in the foreground.",
    126: "Check that the file named in the command is executable and built for this platform.",
    127: "Check the command and the image: the program it names is not in there.",
    137: "It was killed from outside: after a failed liveness probe, or at the end of its grace period.",
    139: "The process reached for memory that is not its own: look for native code, a driver or a bad build.",
    143: "It ended on SIGTERM. Look for what stops it: a liveness probe, or a supervisor inside the container.",
}
LOG_HINT = "Read the log of its previous run: the last lines before the exit usually name the reason."


def sentence(health: Health) -> str:
    """What is the case, as one sentence."""
    words = SENTENCES[health.code][0]
    return _tail(words(health.facts) if callable(words) else _fill(words, health.facts), health)


def hint(health: Health) -> str:
    """What a developer can do about it; empty when nothing needs doing."""
    words = SENTENCES[health.code][1]
    return words(health.facts) if callable(words) else _fill(words, health.facts)


def note(item: Note) -> str:
    """A note, as one sentence."""
    words = SENTENCES[item.code][0]
    return words(item.facts) if callable(words) else _fill(words, item.facts)


class _Facts(dict[str, str | int]):
    """A fact that a cluster did not send reads as an ellipsis, never as an error."""

    def __missing__(self, key: str) -> str:
        return "…"


def _fill(words: str, facts: Facts) -> str:
    return words.format_map(_Facts(facts))


def _tail(text: str, health: Health) -> str:
    """Adds how many pods share the trouble, and what an ordered set has to wait for."""
    facts = health.facts
    if not health.is_trouble:
        return text
    if "blocks" in facts:
        text += f" The pods after {facts['blocks']} wait for it, and so does a repair."
    elif int(facts.get("pods", 0)) > 1:
        text += f" {facts['affected']} of {facts['pods']} pods are affected."
    return text


def _container(facts: Facts) -> str:
    name = facts.get("container", "…")
    role = facts.get("role")
    return f"Container {name} ({role})" if role else f"Container {name}"


def _said(facts: Facts) -> str:
    """The cluster's own words after a colon, or a full stop when it said nothing."""
    text = str(facts.get("message", "")).strip()
    if not text:
        return "."
    return f": {text}" if text.endswith((".", "!", "?", "…")) else f": {text}."


def _ending(facts: Facts) -> str:
    if facts.get("reason") == "OOMKilled":
        limit = facts.get("limit")
        return f"it used more memory than its limit of {limit}" if limit else "it was killed for lack of memory"
    if "exit_code" not in facts:
        return str(facts.get("message") or facts.get("reason") or "it ended without a word")
    code = int(facts["exit_code"])
    return EXIT_CODES.get(code, f"exit code {code}, an error in the application")


def _restarts(facts: Facts) -> str:
    count = int(facts.get("restarts", 0))
    return f"{count} restart" if count == 1 else f"{count} restarts"


def _crash_loop(facts: Facts) -> str:
    return f"{_container(facts)} keeps crashing: {_ending(facts)} ({_restarts(facts)})."


def _crashed(facts: Facts) -> str:
    if "container" not in facts:
        return f"Pod {facts.get('pod', '…')} failed{_said(facts)}"
    return f"{_container(facts)} stopped: {_ending(facts)} ({_restarts(facts)})."


def _crash_hint(facts: Facts) -> str:
    if facts.get("reason") == "OOMKilled":
        return "Raise its memory limit, or find out what it keeps in memory."
    text = EXIT_HINTS.get(int(facts.get("exit_code", 1)), LOG_HINT)
    return f"{text} The main container has not started." if "init" in str(facts.get("role", "")) else text


def _oom(facts: Facts) -> str:
    limit = facts.get("limit")
    over = f" for using more than its limit of {limit}" if limit else " for lack of memory"
    return f"Container {facts.get('container', '…')} runs, but was killed within the hour{over} ({_restarts(facts)})."


def _image(reason: str) -> Callable[[Facts], str]:
    def words(facts: Facts) -> str:
        return f"{_container(facts)} cannot start: its image {facts.get('image', '…')} {reason}."

    return words


def _image_failed(facts: Facts) -> str:
    return f"{_container(facts)} cannot start: its image {facts.get('image', '…')} cannot be pulled{_said(facts)}"


def _config(facts: Facts) -> str:
    return f"{_container(facts)} cannot start: its configuration is incomplete{_said(facts)}"


def _create(facts: Facts) -> str:
    return f"{_container(facts)} cannot be created{_said(facts)}"


def _probe(kind: str) -> Callable[[Facts], str]:
    def words(facts: Facts) -> str:
        where = f"Container {facts['container']}" if facts.get("container") else f"Pod {facts.get('pod', '…')}"
        return f"{where} fails its {kind} probe{_said(facts)}"

    return words


def _rolling(facts: Facts) -> str:
    return f"Rolling out: {facts.get('done', 0)} of {facts.get('wanted', '…')} pods are new and available."


def _starting(facts: Facts) -> str:
    if "wanted" in facts:
        return f"Starting: {facts.get('done', 0)} of {facts['wanted']} pods are available."
    return "Starting."


def _serving(facts: Facts) -> str:
    if "wanted" in facts:
        count = int(facts["wanted"])
        return "The one pod is available." if count == 1 else f"All {count} pods are available."
    if "schedule" in facts:
        return f"Runs on schedule ({facts['schedule']})."
    if "addresses" in facts:
        return "Takes traffic."
    return "All is well."


def _unschedulable(facts: Facts) -> str:
    nodes = facts.get("nodes")
    head = f"No node has room for pod {facts.get('pod', '…')}"
    return f"{head} (0 of {nodes}): {facts.get('why', '')}." if nodes else f"{head}: {facts.get('why', '')}."


def _unschedulable_hint(facts: Facts) -> str:
    why = str(facts.get("why", ""))
    asked = f" It asks for {facts['asked']}." if "asked" in facts else ""
    if "Insufficient" in why:
        return f"Ask for less, or ask the platform team for more room.{asked}"
    if "taint" in why:
        return "The nodes keep pods away by a taint: add the toleration, or choose other nodes."
    if "selector" in why or "affinity" in why:
        return "No node has the labels that the pod's node selector or affinity asks for."
    return f"Compare what the pod asks for with what the nodes have.{asked}"


def _deleting_stuck(facts: Facts) -> str:
    if "finalizer" in facts:
        return f"Deletion of {facts.get('name', '…')} waits: its finalizer {facts['finalizer']} is not done."
    return f"Deletion of {facts.get('name', '…')} is overdue: the node that has it does not answer."


def _failed_job(facts: Facts) -> str:
    reasons = {
        "BackoffLimitExceeded": "it was tried as often as it may be",
        "DeadlineExceeded": "it took longer than it may",
    }
    why = reasons.get(str(facts.get("reason")), str(facts.get("message") or facts.get("reason") or "no reason given"))
    code = f", last with exit code {facts['exit_code']}" if "exit_code" in facts else ""
    return f"Job {facts.get('job', '…')} failed: {why}{code}."


def _message(head: str) -> Callable[[Facts], str]:
    def words(facts: Facts) -> str:
        return _fill(head, facts) + _said(facts)

    return words


Words = str | Callable[[Facts], str]
SENTENCES: dict[str, tuple[Words, Words]] = {
    "node-not-ready": (
        _message("Node {node} is not ready"),
        "This is a fault of the platform, not of your code. The platform team can say more.",
    ),
    "evicted": (
        "Pod {pod} was evicted: its node was short of {resource}.",
        "Set requests near real use, so that the scheduler knows what the pod needs.",
    ),
    "disrupted": (
        _message("Pod {pod} is being moved away ({reason})"),
        "A PodDisruptionBudget keeps enough pods serving while the platform moves some.",
    ),
    "quota-exceeded": (
        "The namespace's quota {quota} is used up: asked for {requested}, used {used}, limited to {limited}.",
        "Ask for less, scale something down, or request a larger quota.",
    ),
    "admission-denied": (
        _message("The cluster's policy {webhook} refuses these pods"),
        "Change the manifest as the policy says.",
    ),
    "create-failed": (_message("Pods cannot be created"), "The manifest asks for something that the cluster refuses."),
    "claim-lost": (
        "The storage behind volume claim {claim} is lost.",
        "The volume no longer exists. The platform team can say whether it can be restored.",
    ),
    "claim-failed": (
        _message("Volume claim {claim} gets no storage"),
        "Check the claim's storage class and size.",
    ),
    "claim-pending": ("Volume claim {claim} waits for its storage.", ""),
    "unschedulable": (_unschedulable, _unschedulable_hint),
    "waiting-for-node": ("Pod {pod} waits for a node.", ""),
    "scheduling-gated": (
        "Pod {pod} is held back by the scheduling gate {gate}.",
        "Whoever set the gate has to lift it.",
    ),
    "config-missing": (_config, "Create the ConfigMap, Secret or key that it names, or correct the reference."),
    "image-not-found": (
        _image("does not exist in its registry"),
        "Check the name and the tag, and that the build has pushed it.",
    ),
    "image-unauthorized": (
        _image("may not be pulled: the registry refuses"),
        "Give the service account an imagePullSecret for this registry.",
    ),
    "image-tls": (
        _image("cannot be pulled: the registry's certificate is not trusted"),
        "The nodes have to trust the registry's certificate. This is for the platform team.",
    ),
    "image-rate-limited": (
        _image("cannot be pulled: the registry's rate limit is reached"),
        "Wait, or pull through an account or a mirror.",
    ),
    "image-timeout": (
        _image("cannot be pulled: the registry does not answer"),
        "Check the registry's name. If it is right, this is for the platform team.",
    ),
    "image-name-invalid": (_image("has a name that cannot be one"), "Correct the image name in the manifest."),
    "image-pull-failed": (_image_failed, "Check the image's name and tag, and whether the cluster may pull it."),
    "container-create-failed": (_create, "Check its command, its mount paths and its security context."),
    "mount-failed": (
        _message("Pod {pod} cannot get its volumes or its network ({reason})"),
        "Check that the volumes it names exist. If they do, this is not your code: ask the platform team.",
    ),
    "mount-slow": (_message("Pod {pod} waits for its volumes or its network ({reason})"), ""),
    "crash-loop": (_crash_loop, _crash_hint),
    "crashed": (_crashed, _crash_hint),
    "oom-restarts": (_oom, "It will happen again: raise the memory limit, or find out what it keeps in memory."),
    "job-failed": (_failed_job, "Read the log of its last pod."),
    "last-run-failed": (
        lambda facts: f"The last run failed. {_failed_job(facts)}",
        "Read the log of that run's pod. The next run starts on schedule.",
    ),
    "liveness-failing": (
        _probe("liveness"),
        "Kubernetes restarts it again and again. Check the probe's path, port and timeout against the application.",
    ),
    "startup-failing": (_probe("startup"), "Give it more time to start, or check the probe's path and port."),
    "readiness-failing": (
        _probe("readiness"),
        "It runs but gets no traffic. Check the probe's path and port, and what the application waits for.",
    ),
    "deadline-exceeded": (
        _message("The rollout made no progress within its deadline"),
        "Look at the newest pods, or roll back.",
    ),
    "no-endpoints": (
        "Service {service} has no ready endpoints: nothing answers behind it.",
        "Check that its selector matches the labels of pods that are ready.",
    ),
    "backend-down": ("Service {service} behind this ingress has no ready endpoints.", "Look at that service first."),
    "load-balancer-stuck": (
        _message("The load balancer of service {service} has no address"),
        "The cluster may have no load balancers, or no address left. Ask the platform team.",
    ),
    "finalizer-stuck": (_deleting_stuck, "Whoever set the finalizer, or an operator, has to finish it."),
    "namespace-stuck": (
        _message("Namespace {name} cannot be deleted"),
        "Something in it is not going away. An operator can say what.",
    ),
    "schedule-missed": (
        "Two runs in a row were not started ({schedule}).",
        "Check whether earlier runs still block it, and whether the cluster was down.",
    ),
    "schedule-unreadable": ("Its schedule “{schedule}” is not one that Slipway can read.", "Check the schedule."),
    "autoscaler-failing": (
        _message("Autoscaler {autoscaler} cannot do its work ({reason})"),
        "It needs metrics, and resource requests on every container of the pods.",
    ),
    "node-pressure": ("Node {node} runs short ({pressure}).", "Pods on it may be evicted."),
    "load-balancer-pending": ("The load balancer of service {service} is being made.", ""),
    "address-pending": ("Ingress {ingress} waits for an address.", ""),
    "waiting-for-controller": ("The cluster has not looked at the newest change yet.", ""),
    "starting": (_starting, ""),
    "rolling-out": (_rolling, ""),
    "job-running": ("Running.", ""),
    "terminating": ("Being deleted.", ""),
    "paused": ("Paused.", ""),
    "cordoned": ("Node {node} takes no new pods.", ""),
    "scaled-to-zero": ("Scaled to zero.", ""),
    "no-pods-wanted": ("No node asks for a pod of it.", ""),
    "claim-unused": ("No pod uses volume claim {claim} yet.", ""),
    "no-selector": ("Stands for something outside this cluster's pods.", ""),
    "completed": ("Completed.", ""),
    "serving": (_serving, ""),
    "unknown": ("Nothing is known about it at the moment.", ""),
    "autoscaler-at-maximum": ("The autoscaler has been at its maximum of {maximum} pods for a while.", ""),
    "address-unpublished": ("Its controller publishes no address.", ""),
    "misscheduled": ("Pods that run where they should not: {count}.", ""),
}
