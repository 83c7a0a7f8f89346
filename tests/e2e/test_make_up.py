"""One command starts everything; a second finds its data; what is killed comes back; Ctrl-C leaves nothing behind."""

from __future__ import annotations

import contextlib
import json
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
from portal.supervisor import identity
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


def kill_and_wait(product: Product, *names: str) -> float:
    """Kills these with -9 and waits until all are back and web answers; nothing else may fall. The seconds it took."""
    before = product.kept()
    for name in names:
        os.kill(before[name], signal.SIGKILL)
    begun = time.monotonic()

    def back() -> bool:
        now = product.kept()
        fresh = all(name in now and now[name] != before[name] and identity(now[name]) for name in names)
        return fresh and set(now) == set(before) and listening(product)

    until(back, 10)
    now = product.kept()
    assert {name for name in before if now[name] != before[name]} == set(names), "nothing else falls"
    return time.monotonic() - begun


@pytest.mark.slow
def test_it_starts_survives_kills_stops_and_finds_its_data(tmp_path: Path) -> None:
    # A test run under nohup would hand its deafness to SIGHUP down.
    product = Product(tmp_path / "first", prefix=["env", "--default-signal=HUP"])
    first = product.start()
    try:
        assert product.url in product.said()
        assert all(email in product.said() for email, _ in SIGN_INS.people)
        names = set(product.kept())
        assert names == {
            "guard", "spare", "supervisor", "postgres", "valkey", "sandbox", "web", "worker", "live",
        }  # fmt: skip
        for name in sorted(names - {"guard"}):
            kill_and_wait(product, name)
        # Every pair: tests/benchmarks/kills.py. These are the ones that have nobody else to bring them back.
        for pair in (("supervisor", "web"), ("postgres", "worker"), ("guard", "supervisor")):
            kill_and_wait(product, *pair)
    finally:
        product.end()
    until(lambda: product.processes() == [], 15)
    second = product.start()
    assert second < first
    # A terminal that is closed asks nobody to stop.
    assert product.popen
    product.popen.send_signal(signal.SIGHUP)
    until(lambda: product.processes() == [], 20)
    print(f"first start {first:.1f} s, second {second:.1f} s")


@pytest.mark.slow
def test_what_a_start_with_other_wishes_left_behind_is_stopped_first(tmp_path: Path) -> None:
    product = Product(tmp_path / "left", DEMO="no").with_migrated_database()
    product.start()
    left = product.kept()
    for name in ("guard", "spare", "supervisor"):
        os.kill(left[name], signal.SIGKILL)
    assert product.popen
    product.popen.wait(10)
    assert listening(product), "what was kept goes on without its keepers"
    # Who starts it in the background may hand down that Ctrl-C means nothing: asked to stop, it stops all the same.
    moved = Product(tmp_path / "left", prefix=["env", "--ignore-signal=INT"], DEMO="no")
    moved.start()
    try:
        assert listening(moved)
        assert not listening(product)
        assert not any(identity(left[name]) for name in ("web", "worker", "live", "sandbox", "valkey", "postgres"))
    finally:
        assert moved.stop() == 0


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
    return path.name in {"secrets.json", "up.json", "state.json"} or path.name.endswith("kubeconfig")


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


def written_memory(pid: int) -> bytes:
    """Everything that the process has in its own writable memory."""
    found = []
    with Path(f"/proc/{pid}/mem").open("rb", buffering=0) as memory:
        for line in Path(f"/proc/{pid}/maps").read_text().splitlines():
            span, rights, *_ = line.split()
            if "rw" not in rights or line.endswith(("[vvar]", "[vsyscall]")):
                continue
            start, end = (int(word, 16) for word in span.split("-"))
            with contextlib.suppress(OSError):
                memory.seek(start)
                found.append(memory.read(end - start))
    return b"".join(found)


def namespaces(kubeconfig: str) -> set[str]:
    kube = Client("theirs", kubeconfigs.parse(Path(kubeconfig).read_text()))
    return {item["metadata"]["name"] for item in kube.list("v1", "Namespace")}


@pytest.mark.slow
def test_without_the_demo_the_first_who_signs_up_makes_the_first_organisation(tmp_path: Path) -> None:
    product = Product(tmp_path / "bare", DEMO="no").with_migrated_database()
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
        assert set(product.kept()) == {"guard", "spare", "supervisor", "web", "worker", "live"}, "no server of our own"
        private = json.loads((product.folder / "var" / "secrets.json").read_text())["CLUSTER_PRIVATE_KEY"].encode()
        owner = elsewhere["DATABASE_OWNER_URL"].encode()
        for name in ("supervisor", "web", "worker", "live"):
            pid = product.kept()[name]
            assert b"DATABASE_URL=" in Path(f"/proc/{pid}/environ").read_bytes()
            memory = written_memory(pid)
            assert elsewhere["DATABASE_URL"].encode() in memory, "the search finds what is there"
            assert owner not in memory, f"{name} could become the owner"
            assert (private in memory) is (name in {"worker", "live"}), name
    finally:
        assert product.stop() == 0
    with psycopg.connect(elsewhere["DATABASE_URL"]) as still_there:
        assert still_there.execute("SELECT 1").fetchone() == (1,)
