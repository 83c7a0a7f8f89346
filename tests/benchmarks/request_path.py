"""What a request costs, from the socket to the socket, beside the health check and a bare SELECT 1 in the same run.

    .venv/bin/python -m tests.benchmarks.request_path [--requests 300]

Starts a product of its own with the demo, signs in, makes a token, and asks for the same few addresses one after
another over one kept connection. Prints p50 and p95 in milliseconds, the web process's own CPU for each request (which
other work on the machine hardly moves), the bytes of the answer as they travel, and each p50 as a multiple of the
health check's. The last part asks with eight clients at once.
"""

from __future__ import annotations

import argparse
import http.client
import json
import os
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path
from urllib.parse import urlencode, urlsplit

import psycopg

from tests.e2e.product import Product
from tests.e2e.visitor import Visitor

ORG = "/o/parcelwright"
API = "/api/o/parcelwright"
TOKEN = """
from datetime import timedelta
from portal.accounts.actor import Actor
from portal.accounts.models import Organisation, User, Way
from portal.accounts.tenancy import tenant
from portal.accounts.tokens import create_token
organisation = Organisation.objects.get(slug="parcelwright")
with tenant(organisation):
    user = User.objects.get(email="dev@slipway.example")
    actor = Actor.entered(user, Way.COMMAND, address=None)
    print(create_token(organisation=organisation, actor=actor, name="bench", scopes=["read"], days=1)[1])
"""
TICK = os.sysconf("SC_CLK_TCK")


def cpu(pid: int) -> float:
    """Seconds of CPU that the process has used."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / TICK


class Client:
    """One kept connection."""

    def __init__(self, url: str, headers: dict[str, str]) -> None:
        where = urlsplit(url)
        self.peer = http.client.HTTPConnection(where.hostname or "", where.port, timeout=30)
        self.headers = {"Accept-Encoding": "gzip", **headers}

    def get(self, path: str) -> tuple[int, int]:
        """(status, bytes of the body as sent)"""
        self.peer.request("GET", path, headers=self.headers)
        answer = self.peer.getresponse()
        return answer.status, len(answer.read())


def measure(ask: Callable[[], tuple[int, int]], pid: int, count: int) -> tuple[float, float, float, int]:
    """(p50 ms, p95 ms, CPU ms a request, bytes); raises when an answer is not 200."""
    for _ in range(20):
        status, size = ask()
        assert status == 200, status
    began = cpu(pid)
    taken = []
    for _ in range(count):
        start = time.perf_counter()
        ask()
        taken.append((time.perf_counter() - start) * 1000)
    taken.sort()
    return taken[len(taken) // 2], taken[int(len(taken) * 0.95)], (cpu(pid) - began) * 1000 / count, size


def at_once(make: Callable[[], Client], path: str, clients: int, each: int) -> float:
    """Requests a second with so many clients at once."""

    def work() -> None:
        client = make()
        for _ in range(each):
            client.get(path)

    threads = [threading.Thread(target=work) for _ in range(clients)]
    start = time.perf_counter()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return clients * each / (time.perf_counter() - start)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--requests", type=int, default=300)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(dir="/tmp") as folder:
        product = Product(Path(folder))
        product.start()
        try:
            report(product, options.requests)
        finally:
            product.stop()


def report(product: Product, count: int) -> None:
    visitor = Visitor(product.url, "dev")
    session = {"Cookie": "; ".join(f"{cookie.name}={cookie.value}" for cookie in visitor.jar)}
    secret = product.run("manage.py", "shell", "--no-imports", "-c", TOKEN).strip().splitlines()[-1]
    token = {"Authorization": f"Bearer {secret}"}
    web = product.kept()["web"]
    signed, program, nobody = (lambda headers=h: Client(product.url, headers) for h in (session, token, {}))
    cases = [
        ("health check", nobody, "/healthz"),
        ("API by-name", program, f"{API}/catalog/entities/by-name/component/default/payment-gateway"),
        ("API list of 20", program, f"{API}/catalog/entities/by-query?{urlencode({'limit': 20})}"),
        ("entity page", signed, f"{ORG}/catalog/component/default/payment-gateway/"),
        ("catalog page", signed, f"{ORG}/catalog/?kind=Component"),
        ("home", signed, f"{ORG}/"),
    ]
    print(f"{'':<16} {'p50 ms':>8} {'p95 ms':>8} {'CPU ms':>8} {'bytes':>8} {'× health':>9}")
    yardstick = 0.0
    for name, make, path in cases:
        client = make()
        p50, p95, used, size = measure(lambda client=client, path=path: client.get(path), web, count)
        yardstick = yardstick or p50
        print(f"{name:<16} {p50:8.2f} {p95:8.2f} {used:8.2f} {size:8d} {p50 / yardstick:9.1f}", flush=True)
    with psycopg.connect(addresses(product)["DATABASE_URL"], autocommit=True) as connection:
        p50, p95, _, _ = measure(lambda: (connection.execute("SELECT 1").fetchone(), (200, 0))[1], os.getpid(), count)
    print(f"{'SELECT 1':<16} {p50:8.2f} {p95:8.2f}")
    rate = at_once(program, cases[1][2], 8, count // 2)
    print(f"API by-name, 8 clients at once: {rate:.0f} requests a second")


def addresses(product: Product) -> dict[str, str]:
    """Where the product's own engines are."""
    return dict(json.loads((product.folder / "var" / "up.json").read_text())["addresses"])


if __name__ == "__main__":
    main()
