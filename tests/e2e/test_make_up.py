"""One command starts everything; a second finds its data; what is killed comes back; Ctrl-C leaves nothing behind."""

from __future__ import annotations

import os
import signal
import time
import urllib.request
from pathlib import Path

import pytest

from portal.demo_people import SIGN_INS
from tests.e2e.product import Product


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
    product = Product(tmp_path / "first")
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
    product.stop()
    until(lambda: product.processes() == [], 15)
    print(f"first start {first:.1f} s, second {second:.1f} s")
