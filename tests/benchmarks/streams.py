"""What an open live stream holds in web's memory.

    .venv/bin/python -m tests.benchmarks.streams [--streams 500]

Opens streams of an entity's page, 20 for each of as many people, on a product of its own; prints what web's private
memory grew by for each, between a tenth of them and all, once every stream has had its snapshot.
"""

from __future__ import annotations

import argparse
import json
import os
import socket
import tempfile
import time
from pathlib import Path
from urllib.parse import urlencode

from tests.e2e.product import Product

EACH = 20  # accounts/stream.py allows one person no more
PEOPLE = """
import json
from importlib import import_module
from django.conf import settings
from django.contrib.auth import BACKEND_SESSION_KEY, HASH_SESSION_KEY, SESSION_KEY
from django.utils import timezone
from allauth.usersessions.models import UserSession
from portal.accounts.models import Membership, Organisation, User
from portal.accounts.tenancy import tenant
Store = import_module(settings.SESSION_ENGINE).SessionStore
organisation = Organisation.objects.get(slug="parcelwright")
keys = []
for number in range({people}):
    user = User.objects.create_user(email=f"watcher{{number}}@slipway.example", password=None)
    with tenant(organisation):
        Membership.objects.create(organisation=organisation, user=user, role="viewer")
    store = Store()
    store[SESSION_KEY] = str(user.pk)
    store[BACKEND_SESSION_KEY] = settings.AUTHENTICATION_BACKENDS[0]
    store[HASH_SESSION_KEY] = user.get_session_auth_hash()
    store.create()
    UserSession.objects.create(user=user, session_key=store.session_key, ip="127.0.0.1", user_agent="", data={{}})
    keys.append(store.session_key)
print(json.dumps(keys))
"""
TOPICS = ["workloads:component:default/payment-gateway", "health:component:default/payment-gateway", "clusters"]


def private(pid: int) -> float:
    """KiB that are the process's own."""
    lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    return sum(int(line.split()[1]) for line in lines if line.startswith(("Private_Dirty", "Private_Clean")))


def opened(port: int, key: str, query: str) -> socket.socket:
    """A stream that has begun; raises when it is refused."""
    peer = socket.create_connection(("127.0.0.1", port), timeout=20)
    peer.sendall(
        f"GET /o/parcelwright/live/?{query} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nCookie: slipway_session={key}\r\n"
        "Sec-Fetch-Site: same-origin\r\n\r\n".encode()
    )
    said = peer.recv(65536)
    assert said.startswith(b"HTTP/1.1 200"), said[:300]
    return peer


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--streams", type=int, default=500)
    parser.add_argument("--topics", nargs="*", default=TOPICS)
    options = parser.parse_args()
    query = urlencode([("t", topic) for topic in options.topics])
    with tempfile.TemporaryDirectory(dir="/tmp") as folder:
        product = Product(Path(folder))
        product.start()
        streams: list[socket.socket] = []
        try:
            code = PEOPLE.format(people=-(-options.streams // EACH))
            keys = json.loads(product.run("manage.py", "shell", "--no-imports", "-c", code).strip().splitlines()[-1])
            web = product.kept()["web"]
            taken: list[tuple[int, float]] = []
            for number in range(options.streams):
                streams.append(opened(product.port, keys[number // EACH], query))
                if len(streams) in (options.streams // 10, options.streams):
                    time.sleep(5)
                    taken.append((len(streams), private(web)))
        finally:
            for stream in streams:
                stream.close()
            product.stop()
    (few, before), (all_of_them, after) = taken
    print(f"{all_of_them} streams: {(after - before) / (all_of_them - few):.1f} KiB for each")
    print("load " + " ".join(f"{one:.1f}" for one in os.getloadavg()))


if __name__ == "__main__":
    main()
