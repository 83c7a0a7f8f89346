"""`make up` says in a sentence why it cannot start."""

import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from portal import guard, wish
from portal.embedded import free_port

ROOT = Path(__file__).resolve().parents[2]


def start(tmp_path: Path, **extra: str) -> subprocess.CompletedProcess[str]:
    env = {**os.environ, "SLIPWAY_VAR": str(tmp_path), **extra}
    return subprocess.run(
        [sys.executable, "-m", "portal.up"], cwd=ROOT, env=env, text=True, capture_output=True, timeout=30
    )


def test_a_taken_port_is_a_sentence(tmp_path: Path) -> None:
    with socket.socket() as busy:
        busy.bind(("127.0.0.1", 0))
        busy.listen()
        port = busy.getsockname()[1]
        done = start(tmp_path, PORT=str(port))
    assert done.returncode == 1
    assert f"Port {port} is taken" in done.stderr
    assert f"PORT={port + 1} make up" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_port_that_is_none_is_a_sentence(tmp_path: Path) -> None:
    done = start(tmp_path, PORT="eighty")
    assert done.returncode == 1
    assert "PORT=eighty is not a port number." in done.stderr


def test_a_second_start_in_the_same_folder_is_refused(tmp_path: Path) -> None:
    lock = wish.only_one(tmp_path)
    done = start(tmp_path, PORT=str(free_port()))
    lock.close()
    assert done.returncode == 1
    assert f"Slipway runs from this folder already (pid {os.getpid()}). To stop it: kill {os.getpid()}" in done.stderr


def test_keys_are_made_once_and_are_for_their_user_alone(tmp_path: Path) -> None:
    first = wish.kept_secrets(tmp_path)
    assert wish.kept_secrets(tmp_path) == first
    assert (tmp_path / "secrets.json").stat().st_mode & 0o777 == 0o600
    assert len(first["SECRET_KEY"]) >= 48


def test_what_is_private_is_nowhere_in_the_supervisors_environment(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Web is forked from the supervisor: what that one never saw, web cannot tell."""
    monkeypatch.setenv("SLIPWAY_VAR", str(tmp_path))
    monkeypatch.setenv("DATABASE_OWNER_URL", "postgresql://owner@db/x")
    started: list[dict[str, str]] = []

    monkeypatch.setattr(guard, "spawn", lambda argv, *, env, **_: started.append(env) or 1)
    guard.start_supervisor(wish.wished(), 3, "guard")
    assert not set(started[0]) & {"CLUSTER_PRIVATE_KEY", "DATABASE_OWNER_URL"}
    assert {"CLUSTER_PUBLIC_KEY", "SECRET_KEY"} <= set(started[0])


def test_folders_of_your_own_stand_beside_the_demos(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("SLIPWAY_VAR", str(tmp_path))
    monkeypatch.setenv("SOURCE_FOLDERS", "/srv/catalogs")
    assert wish.environment(wish.wished())["SOURCE_FOLDERS"] == f"/srv/catalogs,{ROOT / 'demo'}"
    monkeypatch.setenv("DEMO", "no")
    assert wish.environment(wish.wished())["SOURCE_FOLDERS"] == "/srv/catalogs"


KUBECONFIG = """\
clusters:
- name: a
  cluster:
    server: https://10.1.2.3:6443
- cluster: {server: "https://k8s.corp.example/path", certificate-authority-data: eA==}
  name: b
"""


def test_a_named_cluster_opens_its_own_address_and_no_network(tmp_path, monkeypatch):
    monkeypatch.setenv("SLIPWAY_VAR", str(tmp_path))
    file = tmp_path / "kubeconfig"
    file.write_text(KUBECONFIG)
    monkeypatch.setenv("KUBECONFIG", f"{tmp_path}/absent:{file}")
    monkeypatch.delenv("ALLOWED_NETWORKS", raising=False)
    made = wish.environment(wish.wished())
    assert made["CLUSTER_ADDRESSES"] == "10.1.2.3:6443,k8s.corp.example"
    assert "ALLOWED_NETWORKS" not in made
    monkeypatch.delenv("KUBECONFIG")
    made = wish.environment(wish.wished())
    assert (made["CLUSTER_ADDRESSES"], made["SANDBOX_ADDRESS"].partition(":")[0]) == ("", "127.0.0.1")
    assert "ALLOWED_NETWORKS" not in made


def test_the_folder_is_closed_to_others(tmp_path: Path) -> None:
    umask = os.umask(0o022)
    try:
        wish.close_to_others(tmp_path / "var")
        assert (tmp_path / "var").stat().st_mode & 0o007 == 0
        (tmp_path / "var" / "later").write_text("")
        assert (tmp_path / "var" / "later").stat().st_mode & 0o077 == 0
    finally:
        os.umask(umask)


@pytest.mark.parametrize(
    ("named", "needed"),
    [
        ({}, ["postgres", "valkey"]),
        ({"DATABASE_URL": "postgresql://x@db/x"}, ["valkey"]),
        ({"VALKEY_URL": "redis://x"}, ["postgres"]),
        ({"DATABASE_URL": "postgresql://x@db/x", "VALKEY_URL": "redis://x"}, []),
    ],
)
def test_only_what_is_not_named_is_embedded(monkeypatch: pytest.MonkeyPatch, named: dict[str, str], needed: list[str]):
    for name in ("DATABASE_URL", "VALKEY_URL"):
        monkeypatch.delenv(name, raising=False)
    for name, value in named.items():
        monkeypatch.setenv(name, value)
    assert wish.engines_needed() == needed


@pytest.mark.parametrize(
    ("host", "name"),
    [("127.0.0.1", "127.0.0.1"), ("0.0.0.0", "127.0.0.1"), ("::", "127.0.0.1"), ("::1", "[::1]"), ("box", "box")],
)
def test_a_server_is_asked_where_it_listens(host: str, name: str) -> None:
    assert wish.reachable(host) == name
