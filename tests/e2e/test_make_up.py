"""One command starts everything; a second finds its data; what is killed comes back; Ctrl-C leaves nothing behind."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
import redis

from portal.clusters import kubeconfig as kubeconfigs
from portal.clusters.kube import Client
from portal.demo_people import SIGN_INS
from portal.embedded import Engines
from tests.e2e.product import ROOT, Product
from tests.kit.test_embedded import as_ordinary_user


def listening(product: Product) -> bool:
    try:
        with urllib.request.urlopen(f"{product.url}/healthz", timeout=2) as answer:
            return bool(answer.status == 200)
    except OSError:
        return False


def until(holds, seconds: float = 40) -> None:
    end = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < end, "did not happen in time"
        time.sleep(0.1)


def pid_of(product: Product, words: str) -> int:
    """The oldest process of the product whose command holds these words."""
    for pid in sorted(product.processes()):
        try:
            command = Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode()
        except FileNotFoundError:
            continue
        if words in command and "portal.keep" not in command and "portal.up" not in command:
            return pid
    return 0


@pytest.mark.slow
def test_it_starts_survives_kills_stops_and_finds_its_data(tmp_path: Path) -> None:
    # A test run under nohup would hand its deafness to SIGHUP down.
    product = Product(tmp_path / "first", prefix=["env", "--default-signal=HUP"])
    first = product.start()
    try:
        assert product.url in product.said()
        assert all(email in product.said() for email, _ in SIGN_INS.people)
        for words in ("uvicorn", "celery", "manage.py live", "portal.sandbox"):
            pid = pid_of(product, words)
            assert pid, words
            os.kill(pid, signal.SIGKILL)
            until(lambda words=words, pid=pid: pid_of(product, words) not in {0, pid})
        until(lambda: listening(product))
    finally:
        assert product.stop() == 0
    until(lambda: product.processes() == [], 15)
    second = product.start()
    assert "The demo is loaded already" in product.said() or second < first
    # A terminal that is closed asks nobody to stop.
    assert product.popen
    product.popen.send_signal(signal.SIGHUP)
    until(lambda: product.processes() == [], 20)
    print(f"first start {first:.1f} s, second {second:.1f} s")


@pytest.mark.slow
def test_an_ordinary_user_needs_nothing_of_root() -> None:
    prefix = as_ordinary_user()
    with tempfile.TemporaryDirectory(dir="/tmp") as where:
        folder = Path(where)
        folder.chmod(0o755)
        product = Product(folder / "own", prefix=prefix, HOME=str(folder / "own"))
        os.chown(product.folder, 65534, 65534)
        product.start()
        try:
            assert listening(product)
            owners = {Path(f"/proc/{pid}").stat().st_uid for pid in product.processes()}
            assert owners == {65534}
            assert {path.stat().st_uid for path in product.folder.rglob("*")} - {0} == {65534}
            readable = [path for path in (product.folder / "var").rglob("*") if is_secret(path) and is_open(path)]
            assert readable == [], "keys and kubeconfigs are for their user alone"
        finally:
            assert product.stop() == 0
        until(lambda: product.processes() == [], 15)


def is_secret(path: Path) -> bool:
    return path.name in {"secrets.json", "stage.json", "state.json"} or path.name.endswith("kubeconfig")


def is_open(path: Path) -> bool:
    return bool(path.stat().st_mode & 0o077)


@pytest.fixture
def elsewhere(tmp_path: Path) -> Iterator[dict[str, str]]:
    """A database, a broker and a cluster that somebody else runs."""
    engines = Engines(tmp_path / "elsewhere")
    engines.start_postgres()
    database = engines.database("theirs")
    valkey = engines.start_valkey()
    kubeconfig = tmp_path / "elsewhere" / "kubeconfig"
    cluster = subprocess.Popen(
        [sys.executable, "-m", "portal.sandbox", "--port", "0", "--kubeconfig", str(kubeconfig)], cwd=ROOT
    )
    until(kubeconfig.exists)
    yield {
        "DATABASE_URL": database.app_url,
        "DATABASE_OWNER_URL": database.owner_url,
        "VALKEY_URL": valkey,
        "KUBECONFIG": str(kubeconfig),
    }
    cluster.terminate()
    cluster.wait()
    engines.stop()


def namespaces(kubeconfig: str) -> set[str]:
    kube = Client("theirs", kubeconfigs.parse(Path(kubeconfig).read_text()))
    return {item["metadata"]["name"] for item in kube.list("v1", "Namespace")}


@pytest.mark.slow
def test_without_the_demo_the_first_who_signs_up_makes_the_first_organisation(tmp_path: Path) -> None:
    product = Product(tmp_path / "bare", DEMO="no")
    product.start()
    try:
        assert "Whoever signs up first makes the first organisation." in product.said()
        assert SIGN_INS.password not in product.said()
        with urllib.request.urlopen(f"{product.url}/accounts/signup/", timeout=10) as page:
            assert 'name="email"' in page.read().decode()
    finally:
        assert product.stop() == 0


@pytest.mark.slow
def test_it_uses_the_servers_that_are_named_and_starts_none_of_its_own(
    elsewhere: dict[str, str], tmp_path: Path
) -> None:
    product = Product(tmp_path / "product", **elsewhere)
    product.start()
    try:
        made = {path.name for path in (product.folder / "var").iterdir()}
        assert not made & {"pg", "valkey", "sandbox"}
        with psycopg.connect(elsewhere["DATABASE_OWNER_URL"]) as theirs:
            tables = theirs.execute("SELECT count(*) FROM pg_tables WHERE tablename = 'catalog_entity'").fetchone()
            assert tables == (1,)
            assert theirs.execute("SELECT count(*) FROM accounts_organisation").fetchone() == (2,)
        assert "The demo's workloads stay out of a cluster of yours." in product.said()
        assert namespaces(elsewhere["KUBECONFIG"]) == {"default", "kube-node-lease", "kube-public", "kube-system"}
        broker = redis.Redis.from_url(elsewhere["VALKEY_URL"])
        until(lambda: any(name.startswith(b"live:") for name in broker.pubsub_channels()) or broker.dbsize() > 0)
        broker.close()
        for words in ("uvicorn", "celery", "manage.py live"):
            seen = Path(f"/proc/{pid_of(product, words)}/environ").read_bytes()
            assert b"DATABASE_URL=" in seen
            assert b"DATABASE_OWNER_URL=" not in seen, f"{words} could become the owner"
            assert (b"CLUSTER_PRIVATE_KEY=" in seen) is (words != "uvicorn")
        for words in ("postgres", "valkey-server", "portal.sandbox"):
            assert not pid_of(product, words), f"{words} of our own"
    finally:
        assert product.stop() == 0
    with psycopg.connect(elsewhere["DATABASE_URL"]) as still_there:
        assert still_there.execute("SELECT 1").fetchone() == (1,)
