"""The process: what it keeps between runs, who may use it, how it starts and stops."""

from __future__ import annotations

import json
import socket
import stat
import subprocess
import sys
from pathlib import Path

from tests.contract.manifests import config, deployment, is_rolled_out
from tests.sandbox.process import ROOT, Api, Sandbox


def test_a_second_run_finds_its_workloads(tmp_path: Path) -> None:
    arguments = ("--state", str(tmp_path / "cluster.json"), "--speed", "5")
    first = Sandbox(tmp_path, arguments).start()
    api = first.api()
    path = "/apis/apps/v1/namespaces/default/deployments"
    api.create(path, deployment("web", replicas=2))
    before = api.until(f"{path}/web", is_rolled_out)
    pods = {item["metadata"]["uid"] for item in api.json("/api/v1/namespaces/default/pods")["items"]}
    version = int(api.json("/api/v1/pods")["metadata"]["resourceVersion"])
    assert first.stop() == 0
    token = json.loads(first.kubeconfig.read_text())["users"][0]["user"]["token"]

    second = Sandbox(tmp_path, arguments).start()
    try:
        api = second.api()
        assert json.loads(second.kubeconfig.read_text())["users"][0]["user"]["token"] == token
        after = api.json(f"{path}/web")
        assert after["metadata"]["uid"] == before["metadata"]["uid"]
        assert is_rolled_out(after)
        assert {item["metadata"]["uid"] for item in api.json("/api/v1/namespaces/default/pods")["items"]} == pods
        made = api.create("/api/v1/namespaces/default/configmaps", config("later"))
        assert int(made["metadata"]["resourceVersion"]) > version
        with api.watch("/api/v1/pods", resourceVersion=str(version - 1)) as events:
            assert next(events)["object"]["code"] == 410
        api.patch(f"{path}/web/scale", {"spec": {"replicas": 3}})
        api.until(f"{path}/web", is_rolled_out)
    finally:
        second.stop()


def test_secrets_of_the_sandbox_are_private(tmp_path: Path) -> None:
    running = Sandbox(tmp_path, ("--state", str(tmp_path / "cluster.json"))).start()
    running.stop()
    files = [running.kubeconfig, running.viewer, running.limited, tmp_path / "cluster.json"]
    files.append(tmp_path / "cluster.json.identity")
    assert {stat.S_IMODE(file.stat().st_mode) for file in files} == {0o600}


def test_a_taken_port_is_a_sentence(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = str(taken.getsockname()[1])
        command = [sys.executable, "-m", "portal.sandbox", "--port", port, "--kubeconfig", str(tmp_path / "k")]
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=30, check=False)
    assert done.returncode == 1
    assert done.stderr.strip() == f"The sandbox cannot listen on 127.0.0.1:{port}: address already in use."


def test_it_listens_on_loopback_only(sandbox: Sandbox, api: Api) -> None:
    assert api.server.startswith("https://127.0.0.1:")
    port = int(api.server.rsplit(":", 1)[1])
    with socket.socket() as probe:
        # Any other loopback address would answer if it listened everywhere.
        assert probe.connect_ex(("127.0.0.2", port)) != 0


def test_the_limited_user_stays_in_its_namespace(sandbox: Sandbox, api: Api) -> None:
    api.create("/api/v1/namespaces", {"metadata": {"name": "team-a"}})
    limited = Api(sandbox.limited)
    assert limited.namespace == "team-a"
    limited.create("/api/v1/namespaces/team-a/configmaps", config("mine"))
    assert limited.request("POST", "/api/v1/namespaces/default/configmaps", config("theirs")).status_code == 403
    assert limited.get("/api/v1/pods").status_code == 403
    assert limited.request("POST", "/api/v1/namespaces", {"metadata": {"name": "more"}}).status_code == 403
    assert limited.delete("/api/v1/namespaces/team-a").status_code == 403


def test_it_runs_without_django() -> None:
    code = "import sys, portal.sandbox.server; sys.exit('django' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], cwd=ROOT, timeout=30, check=False).returncode == 0


def test_a_history_that_is_too_short_is_410(tmp_path: Path) -> None:
    running = Sandbox(tmp_path, ("--history", "50")).start()
    try:
        api = running.api()
        version = api.json("/api/v1/configmaps")["metadata"]["resourceVersion"]
        for number in range(60):
            api.create("/api/v1/namespaces/default/configmaps", config(f"c-{number}"))
        with api.watch("/api/v1/configmaps", resourceVersion=version) as events:
            assert next(events)["object"]["reason"] == "Expired"
        token = api.json("/api/v1/configmaps", limit=5)["metadata"]["continue"]
        for number in range(60):
            api.patch("/api/v1/namespaces/default/configmaps/c-0", {"data": {"n": str(number)}})
        assert api.get("/api/v1/configmaps", limit=5, **{"continue": token}).status_code == 410
    finally:
        running.stop()


def test_a_body_that_is_too_large_is_413(api: Api) -> None:
    answer = api.request("POST", "/api/v1/namespaces/default/configmaps", config("big", text="x" * 3_200_000))
    assert answer.status_code == 413
    assert answer.json()["reason"] == "RequestEntityTooLarge"
    assert api.create("/api/v1/namespaces/default/configmaps", config("fits", text="x" * 900_000))
