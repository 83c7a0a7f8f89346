"""The shipped path while a part of the product is away in the middle: the run ends well, nothing is made twice."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import redis

from tests.e2e.product import Product
from tests.e2e.test_make_up import until
from tests.e2e.visitor import Visitor

pytestmark = pytest.mark.slow
STEPS = ["fetch", "log", "publish", "apply", "wait", "register"]


@pytest.fixture(scope="module")
def own_product(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Product]:
    """A product that nobody else is using, for it will be hurt; its leases are short, so that nobody waits for them."""
    leases = {"RUN_LEASE_SECONDS": "4", "CLUSTER_LEASE_SECONDS": "4", "DUTY_LEASE_SECONDS": "4"}
    running = Product(tmp_path_factory.mktemp("outages"), RUN_HEARTBEAT_SECONDS="1", SWEEP_SECONDS="1", **leases)
    running.with_migrated_database().start()
    yield running
    assert running.popen is not None
    assert running.popen.poll() is None, f"the product ended by itself:\n{running.said()[-6000:]}"
    running.stop()


@pytest.fixture(scope="module")
def dev(own_product: Product) -> Visitor:
    return Visitor(own_product.url, "dev")


def launch(dev: Visitor, name: str) -> int:
    cluster = dev.get("clusters/")
    slug = (cluster["items"] if isinstance(cluster, dict) else cluster)[0]["name"]
    values = {
        "name": name,
        "description": "Is launched while something is away.",
        "owner": "group:default/payments",
        "cluster": slug,
        "image": "registry.example.com/web:1.0",
    }
    return int(dev.post("runs/", {"path": "python-web-service", "values": values})["id"])


def run_at(dev: Visitor, run: int, step: str, seconds: float = 60) -> dict[str, Any]:
    """The run as soon as this step has begun."""
    end = time.monotonic() + seconds
    while True:
        said: dict[str, Any] = dev.get(f"runs/{run}/", patience=30)
        if any(one["key"] == step and one["status"] != "pending" for one in said["steps"]):
            return said
        assert time.monotonic() < end, said
        time.sleep(0.05)


def ended(dev: Visitor, run: int, seconds: float = 120) -> dict[str, Any]:
    end = time.monotonic() + seconds
    while True:
        said: dict[str, Any] = dev.get(f"runs/{run}/", patience=60)
        if said["ended_at"]:
            return said
        assert time.monotonic() < end, said
        time.sleep(0.2)


def assert_made_once(product: Product, dev: Visitor, said: dict[str, Any], name: str) -> None:
    assert (said["status"], said["error_text"]) == ("succeeded", "")
    assert [(step["key"], step["status"]) for step in said["steps"]] == [(key, "succeeded") for key in STEPS]
    kinds = sorted(effect["kind"] for effect in said["effects"])
    assert kinds == ["object"] * 8 + ["repository", "source"]
    assert {effect["outcome"] for effect in said["effects"]} == {"created"}
    assert said["entity_refs"] == [f"component:default/{name}"]
    found = dev.get(f"catalog/entities?filter=metadata.name={name}", patience=30)
    assert len(found) == 1
    [repository] = (product.folder / "var" / "git").glob(f"*/{name}.git")
    count = subprocess.run(
        ["git", "-C", str(repository), "rev-list", "--count", "--all"], capture_output=True, text=True, check=True
    )
    assert count.stdout.strip() == "1"
    lines = dev.get(f"runs/{said['id']}/events/", patience=30)["lines"]
    assert [line["seq"] for line in lines] == list(range(1, len(lines) + 1)), "the log has no gap"


def valkey_dies(product: Product) -> None:
    url = json.loads((product.folder / "var" / "up.json").read_text())["addresses"]["VALKEY_URL"]

    def pid() -> int:
        try:
            with redis.Redis.from_url(url) as broker:
                return int(broker.info("server")["process_id"])
        except redis.ConnectionError:
            return 0

    before = pid()
    os.kill(before, signal.SIGKILL)
    until(lambda: pid() not in {0, before})


def postgres_crashes(product: Product) -> None:
    """What `pg_ctl stop -m immediate` does: connections break, the next start recovers."""
    file = product.folder / "var" / "pg" / "postmaster.pid"
    pid = int(file.read_text().split()[0])
    os.kill(pid, signal.SIGQUIT)
    until(lambda: not file.exists() or int((file.read_text().split() or ["0"])[0]) != pid)


def worker_dies(product: Product) -> None:
    kill(product, "worker")


def live_dies(product: Product) -> None:
    kill(product, "live")


def web_dies(product: Product) -> None:
    kill(product, "web")


def kill(product: Product, name: str) -> None:
    pid = product.kept()[name]
    os.kill(pid, signal.SIGKILL)
    until(lambda: product.kept().get(name) not in {None, pid})


@pytest.mark.parametrize("step", ["publish", "wait"])
@pytest.mark.parametrize("outage", [valkey_dies, postgres_crashes, worker_dies, live_dies, web_dies])
def test_a_part_dies_in_the_middle_of_a_run(
    own_product: Product, dev: Visitor, outage: Callable[[Product], None], step: str
) -> None:
    name = f"{outage.__name__.replace('_', '-')}-at-{step}"
    run = launch(dev, name)
    run_at(dev, run, step)
    outage(own_product)
    assert_made_once(own_product, dev, ended(dev, run), name)


def test_a_cluster_is_away_for_a_while_and_the_run_says_so_and_goes_on(own_product: Product, dev: Visitor) -> None:
    pid = own_product.kept()["sandbox"]
    run = launch(dev, "cluster-away")
    run_at(dev, run, "publish")
    os.kill(pid, signal.SIGSTOP)
    try:
        until(lambda: any("Trying again" in step["sentence"] for step in dev.get(f"runs/{run}/")["steps"]), 60)
    finally:
        os.kill(pid, signal.SIGCONT)
    said = ended(dev, run)
    assert_made_once(own_product, dev, said, "cluster-away")
    assert Path(f"/proc/{pid}").exists(), "the same cluster all the time"
