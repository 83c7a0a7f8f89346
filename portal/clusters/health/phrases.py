"""From facts to phrases: what the sentences and hints of `words` are made of."""

from __future__ import annotations

from collections.abc import Callable

from portal.clusters.health.terms import Facts

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


class Lenient(dict[str, str | int]):
    """A fact that a cluster did not send reads as an ellipsis, never as an error."""

    def __missing__(self, key: str) -> str:
        return "…"


def fill(words: str, facts: Facts) -> str:
    return words.format_map(Lenient(facts))


def container_of(facts: Facts) -> str:
    name = facts.get("container", "…")
    role = facts.get("role")
    return f"Container {name} ({role})" if role else f"Container {name}"


def said(facts: Facts) -> str:
    """The cluster's own words after a colon, or a full stop when it said nothing."""
    text = str(facts.get("message", "")).strip()
    if not text:
        return "."
    return f": {text}" if text.endswith((".", "!", "?", "…")) else f": {text}."


def ending(facts: Facts) -> str:
    if facts.get("reason") == "OOMKilled":
        limit = facts.get("limit")
        return f"it used more memory than its limit of {limit}" if limit else "it was killed for lack of memory"
    if "exit_code" not in facts:
        return str(facts.get("message") or facts.get("reason") or "it ended without a word")
    code = int(facts["exit_code"])
    return EXIT_CODES.get(code, f"exit code {code}, an error in the application")


def restarts(facts: Facts) -> str:
    count = int(facts.get("restarts", 0))
    return f"{count} restart" if count == 1 else f"{count} restarts"


def crash_loop(facts: Facts) -> str:
    return f"{container_of(facts)} keeps crashing: {ending(facts)} ({restarts(facts)})."


def crashed(facts: Facts) -> str:
    if "container" not in facts:
        return f"Pod {facts.get('pod', '…')} failed{said(facts)}"
    return f"{container_of(facts)} stopped: {ending(facts)} ({restarts(facts)})."


def crash_hint(facts: Facts) -> str:
    if facts.get("reason") == "OOMKilled":
        return "Raise its memory limit, or find out what it keeps in memory."
    text = EXIT_HINTS.get(int(facts.get("exit_code", 1)), LOG_HINT)
    return f"{text} The main container has not started." if "init" in str(facts.get("role", "")) else text


def oom_restarts(facts: Facts) -> str:
    limit = facts.get("limit")
    over = f" for using more than its limit of {limit}" if limit else " for lack of memory"
    return f"Container {facts.get('container', '…')} runs, but was killed within the hour{over} ({restarts(facts)})."


def image_that(reason: str) -> Callable[[Facts], str]:
    def words(facts: Facts) -> str:
        return f"{container_of(facts)} cannot start: its image {facts.get('image', '…')} {reason}."

    return words


def image_failed(facts: Facts) -> str:
    return f"{container_of(facts)} cannot start: its image {facts.get('image', '…')} cannot be pulled{said(facts)}"


def config_missing(facts: Facts) -> str:
    return f"{container_of(facts)} cannot start: its configuration is incomplete{said(facts)}"


def missing_hint(fallback: str) -> Callable[[Facts], str]:
    """Names what has to be made; where the cluster did not say it in words that are known, the fallback."""

    def words(facts: Facts) -> str:
        kind, name, key = facts.get("missing_kind"), facts.get("missing_name"), facts.get("missing_key")
        if not kind:
            return fallback
        if key:
            whole = f"{kind} {name}" if name else f"the {kind}"
            return f"Add the key {key} to {whole}, or correct the reference to it. It then starts by itself."
        return f"Create {kind} {name} in its namespace, or correct the reference to it. It then starts by itself."

    return words


def left_over(facts: Facts) -> str:
    if facts.get("reason") == "Evicted":
        why = f"evicted, because its node was short of {facts.get('resource', 'resources')}"
    else:
        why = str(facts.get("message") or facts.get("reason") or "it failed").rstrip(".")
    code = f", exit code {facts['exit_code']}" if "exit_code" in facts else ""
    return f"Left over from before ({why}{code}): it says nothing about what runs now."


def left_over_hint(facts: Facts) -> str:
    if facts.get("reason") == "Evicted":
        return "Set requests near real use, so that the scheduler knows what the pods need."
    return ""


def finishing(facts: Facts) -> str:
    done, count = int(facts.get("done", 0)), int(facts.get("containers", 0))
    if done >= count:
        return "Its work is done; what runs beside it is being stopped."
    return f"Of its {count} containers, {done} {'has' if done == 1 else 'have'} done the work."


ORDINALS = {1: "first", 2: "second", 3: "third"}


def job_running(facts: Facts) -> str:
    failed, active = int(facts.get("failed", 0)), int(facts.get("active", 0))
    if not failed:
        return "Running."
    if not active:
        return f"Waits to try again: {failed} {'try' if failed == 1 else 'tries'} failed."
    number = ORDINALS.get(failed + 1, f"{failed + 1}th")
    return f"Running its {number} try."


def job_retrying(facts: Facts) -> str:
    code = f", last with exit code {facts['exit_code']}" if "exit_code" in facts else ""
    return f"Job {facts.get('job', '…')} keeps failing: {facts.get('failed', '…')} tries failed{code}. It tries again."


def _waits_for_somebody(facts: Facts) -> bool:
    """Whether a finalizer is left that is not Kubernetes' own work."""
    return facts.get("finalizer", "orphan") not in ("foregroundDeletion", "orphan")


def terminating(facts: Facts) -> str:
    if _waits_for_somebody(facts):
        return f"Being deleted: waits for its finalizer {facts['finalizer']}."
    return "Being deleted."


def terminating_hint(facts: Facts) -> str:
    return "Whoever set the finalizer, or an operator, has to finish it." if _waits_for_somebody(facts) else ""


def old_pods(facts: Facts) -> str:
    count, wanted = int(facts.get("count", 0)), facts.get("wanted", "…")
    return f"Of {wanted} pods, {count} still {'runs' if count == 1 else 'run'} the version before."


def create_failed(facts: Facts) -> str:
    return f"{container_of(facts)} cannot be created{said(facts)}"


def probe_failing(kind: str) -> Callable[[Facts], str]:
    def words(facts: Facts) -> str:
        where = f"Container {facts['container']}" if facts.get("container") else f"Pod {facts.get('pod', '…')}"
        return f"{where} fails its {kind} probe{said(facts)}"

    return words


def rolling_out(facts: Facts) -> str:
    return f"Rolling out: {facts.get('done', 0)} of {facts.get('wanted', '…')} pods are new and available."


def starting(facts: Facts) -> str:
    if "wanted" in facts:
        return f"Starting: {facts.get('done', 0)} of {facts['wanted']} pods are available."
    return "Starting."


def serving(facts: Facts) -> str:
    if "wanted" in facts:
        count = int(facts["wanted"])
        return "The one pod is available." if count == 1 else f"All {count} pods are available."
    if "schedule" in facts:
        return f"Runs on schedule ({facts['schedule']})."
    if "addresses" in facts:
        return "Takes traffic."
    return "All is well."


def unschedulable(facts: Facts) -> str:
    nodes = facts.get("nodes")
    head = f"No node has room for pod {facts.get('pod', '…')}"
    return f"{head} (0 of {nodes}): {facts.get('why', '')}." if nodes else f"{head}: {facts.get('why', '')}."


def unschedulable_hint(facts: Facts) -> str:
    why = str(facts.get("why", ""))
    asked = f" It asks for {facts['asked']}." if "asked" in facts else ""
    if "Insufficient" in why:
        return f"Ask for less, or ask the platform team for more room.{asked}"
    if "taint" in why:
        return "The nodes keep pods away by a taint: add the toleration, or choose other nodes."
    if "selector" in why or "affinity" in why:
        return "No node has the labels that the pod's node selector or affinity asks for."
    return f"Compare what the pod asks for with what the nodes have.{asked}"


def deleting_stuck(facts: Facts) -> str:
    if "finalizer" in facts:
        return f"Deletion of {facts.get('name', '…')} waits: its finalizer {facts['finalizer']} is not done."
    return f"Deletion of {facts.get('name', '…')} is overdue: the node that has it does not answer."


def job_failed(facts: Facts) -> str:
    reasons = {
        "BackoffLimitExceeded": "it was tried as often as it may be",
        "DeadlineExceeded": "it took longer than it may",
    }
    why = reasons.get(str(facts.get("reason")), str(facts.get("message") or facts.get("reason") or "no reason given"))
    code = f", last with exit code {facts['exit_code']}" if "exit_code" in facts else ""
    return f"Job {facts.get('job', '…')} failed: {why}{code}."


def message_after(head: str) -> Callable[[Facts], str]:
    def words(facts: Facts) -> str:
        return fill(head, facts) + said(facts)

    return words
