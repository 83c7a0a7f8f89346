"""Our words for a pod are kubectl's: the same pods, printed by the API server's own printer and judged by ours."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from portal.clusters.health import cron
from portal.clusters.health.kubectl import status_word
from portal.clusters.health.terms import Around
from portal.clusters.store import Store
from portal.clusters.structs import Pod
from portal.clusters.watching.rows import pod_row
from tests.clusters.test_cron import ACCEPTED, REFUSED
from tests.clusters.test_memory import BEGIN
from tests.contract.manifests import pod
from tests.contract.planes import ClusterUnderTest
from tests.contract.test_kubectl import Kubectl, kubectl

__all__ = ["kubectl"]  # the fixture

SINCE = "2026-03-02T11:00:00Z"
RUNNING = {"running": {"startedAt": SINCE}}


def waiting(reason: str = "") -> dict[str, Any]:
    return {"waiting": {"reason": reason} if reason else {}}


def ended(code: int, reason: str = "", signal: int = 0) -> dict[str, Any]:
    found = {"exitCode": code, "startedAt": SINCE, "finishedAt": SINCE}
    return {"terminated": found | ({"reason": reason} if reason else {}) | ({"signal": signal} if signal else {})}


# name: (phase, states of init containers, states of main containers, conditions that hold, more of the status)
CASES: dict[str, tuple[str, list[Any], list[Any], list[str], dict[str, Any]]] = {
    "pending": ("Pending", [], [], [], {}),
    "creating": ("Pending", [], [waiting("ContainerCreating")], [], {}),
    "running": ("Running", [], [RUNNING], ["Ready"], {}),
    "unready": ("Running", [], [RUNNING], [], {}),
    "crash-loop": ("Running", [], [waiting("CrashLoopBackOff")], [], {}),
    "one-of-two-crashes": ("Running", [], [RUNNING, waiting("CrashLoopBackOff")], [], {}),
    "two-say-something": ("Running", [], [waiting("ErrImagePull"), waiting("CrashLoopBackOff")], [], {}),
    "error": ("Failed", [], [ended(1, "Error")], [], {}),
    "completed": ("Succeeded", [], [ended(0, "Completed")], [], {}),
    "half-done-ready": ("Running", [], [ended(0, "Completed"), RUNNING], ["Ready"], {}),
    "half-done": ("Running", [], [ended(0, "Completed"), RUNNING], [], {}),
    "half-failed": ("Running", [], [ended(2, "Error"), RUNNING], [], {}),
    "exit-code": ("Failed", [], [ended(3)], [], {}),
    "signal": ("Failed", [], [ended(137, signal=9)], [], {}),
    "init-first": ("Pending", [RUNNING, waiting("PodInitializing")], [waiting("PodInitializing")], [], {}),
    "init-second": ("Pending", [ended(0, "Completed"), RUNNING], [waiting("PodInitializing")], [], {}),
    "init-crash-loop": ("Pending", [waiting("CrashLoopBackOff")], [waiting("PodInitializing")], [], {}),
    "init-error": ("Pending", [ended(1, "Error")], [waiting("PodInitializing")], [], {}),
    "init-exit-code": ("Pending", [ended(4)], [waiting("PodInitializing")], [], {}),
    "init-signal": ("Pending", [ended(137, signal=9)], [waiting("PodInitializing")], [], {}),
    "evicted": ("Failed", [], [], [], {"reason": "Evicted", "message": "The node was low on resource: memory."}),
    "node-shutdown": ("Failed", [], [], [], {"reason": "Terminated"}),
}


def _status(names: list[str], states: list[Any], *, is_ready: bool) -> list[dict[str, Any]]:
    return [
        {
            "name": name, "image": "x", "imageID": "", "restartCount": number,
            "ready": is_ready and "running" in state, "state": state, "lastState": {},
        }
        for number, (name, state) in enumerate(zip(names, states, strict=True))
    ]  # fmt: skip


def _make(cluster: ClusterUnderTest, namespace: str, name: str) -> None:
    phase, inits, mains, holds, more = CASES[name]
    before = [{"name": f"before-{number}", "image": "x"} for number in range(len(inits))]
    main = [{"name": f"main-{number}", "image": "x"} for number in range(max(len(mains), 1))]
    path = f"/api/v1/namespaces/{namespace}/pods"
    spec = {"schedulerName": "nobody", "initContainers": before, "containers": main, "restartPolicy": "Never"}
    cluster.api.create(path, pod(name, **spec))
    status = {
        "phase": phase,
        "conditions": [{"type": kind, "status": "True"} for kind in holds],
        "initContainerStatuses": _status([item["name"] for item in before], inits, is_ready=False),
        "containerStatuses": _status([item["name"] for item in main][: len(mains)], mains, is_ready=name != "unready"),
        **more,
    }
    answer = cluster.api.patch(f"{path}/{name}/status", {"status": status})
    assert answer.status_code == 200, answer.text


def test_every_status_word_is_kubectls(cluster: ClusterUnderTest, kubectl: Kubectl, namespace: str) -> None:
    for name in CASES:
        _make(cluster, namespace, name)
    finalizer = {"metadata": {"finalizers": ["example.com/kept"]}}
    path = f"/api/v1/namespaces/{namespace}/pods"
    for name in ("running", "completed"):  # being deleted, one of them long over
        cluster.api.patch(f"{path}/{name}", finalizer)
        cluster.api.delete(f"{path}/{name}", {"gracePeriodSeconds": 30})
    lines = [line.split() for line in kubectl("get", "pods", "--no-headers").stdout.splitlines()]
    theirs = {name: (ready, word) for name, ready, word, *_ in lines}
    ours = {}
    for item in cluster.api.json(path)["items"]:
        found = msgspec.convert(item, Pod)
        row = pod_row(found, Around(Store([found]), BEGIN))
        ours[found.metadata.name] = (row.ready, status_word(found))
    for name in ("running", "completed"):
        cluster.api.patch(f"{path}/{name}", {"metadata": {"finalizers": None}})
    if theirs["completed"][1] == "Terminating":  # before 1.27 a pod that is over was said to be terminating too
        theirs["completed"] = (theirs["completed"][0], "Completed")
    assert ours == theirs


def test_the_server_reads_schedules_as_we_do(cluster: ClusterUnderTest, namespace: str) -> None:
    root = cluster.newest("CronJob", "batch/v1", "batch/v1beta1")
    path = f"{root}/namespaces/{namespace}/cronjobs"
    template = {"spec": {"template": {"spec": pod("x", restartPolicy="Never")["spec"]}}}
    has_zones = cluster.serves("batch/v1", "CronJob")
    theirs = {}
    for schedule in (*ACCEPTED, *REFUSED):
        if "TZ=" in schedule and not has_zones:
            continue
        body = {"metadata": {"name": "asked"}, "spec": {"schedule": schedule, "jobTemplate": template}}
        theirs[schedule] = cluster.api.request("POST", path, body, params={"dryRun": "All"}).status_code == 201
    assert theirs == {schedule: _is_read(schedule) for schedule in theirs}


def _is_read(schedule: str) -> bool:
    try:
        cron.parse(schedule)
    except cron.BadSchedule:
        return False
    return True


@pytest.mark.parametrize(
    ("started", "state", "word", "ready"),
    [
        (True, RUNNING, "Running", "2/2"),
        (False, RUNNING, "Init:0/1", "1/2"),
        (False, waiting("CrashLoopBackOff"), "Init:CrashLoopBackOff", "1/2"),
    ],
)
def test_a_sidecar_counts_as_kubectl_counts_it(started: bool, state: dict[str, Any], word: str, ready: str) -> None:
    """Native sidecars are younger than the oldest server here: what printPod of 1.29 and later does."""
    spec = {
        "initContainers": [{"name": "proxy", "image": "x", "restartPolicy": "Always"}],
        "containers": [{"name": "app", "image": "x"}],
    }
    status = {
        "phase": "Running",
        "conditions": [{"type": "Ready", "status": "True"}],
        "initContainerStatuses": [{"name": "proxy", "ready": started, "started": started, "state": state}],
        "containerStatuses": [{"name": "app", "ready": True, "state": RUNNING}],
    }
    found = msgspec.convert({"metadata": {"name": "web"}, "spec": spec, "status": status}, Pod)
    row = pod_row(found, Around(Store([found]), BEGIN))
    assert (status_word(found), row.ready) == (word, ready)
