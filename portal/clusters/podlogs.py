"""Pod logs: asked for by web, fetched by a worker (which alone can open the credential), kept for two minutes.

The key is derived from what is asked, so that people who look at the same log share one fetch, and it is looked up
under the organisation: a key of another one finds nothing.
"""

from __future__ import annotations

import hashlib
import time

import msgspec
from redis.exceptions import ConnectionError as BrokerAway
from redis.exceptions import TimeoutError as BrokerSlow

from portal.clusters.models import Cluster
from portal.kit.errors import Unavailable
from portal.kit.live import valkey

KEPT_SECONDS = 120
# Which log a key means is known for longer: a page may stay open, and its stream asks again whether it may.
KNOWN_SECONDS = 86_400
ASKED_AGAIN_AFTER = 3  # seconds
TAIL = 500


class Asked(msgspec.Struct, frozen=True):
    """Which log."""

    cluster_pk: int
    namespace: str
    pod: str
    container: str = ""
    previous: bool = False

    @property
    def key(self) -> str:
        """The name of its topic."""
        text = "\x00".join((str(self.cluster_pk), self.namespace, self.pod, self.container, str(self.previous)))
        return hashlib.sha256(text.encode()).hexdigest()[:32]


class Logs(msgspec.Struct, frozen=True):
    """A log, or why there is none, or neither yet."""

    state: str  # waiting | ready | refused
    text: str = ""
    at: float = 0.0

    @property
    def lines(self) -> list[str]:
        """Line by line."""
        return self.text.splitlines()


DECODER = msgspec.json.Decoder(Logs)
ASKED = msgspec.json.Decoder(Asked)


def _name(organisation_id: int, key: str) -> str:
    return f"podlogs:{organisation_id}:{key}"


def ask(cluster: Cluster, asked: Asked) -> bool:
    """Marks a log as wanted; False when it was asked for a moment ago. Raises Unavailable while Valkey is away."""
    name = _name(cluster.organisation_id, asked.key)
    try:
        if not valkey().set(f"{name}:asked", b"1", nx=True, ex=ASKED_AGAIN_AFTER):
            return False
        valkey().set(name, msgspec.json.encode(Logs("waiting")), nx=True, ex=KEPT_SECONDS)
        valkey().set(f"{name}:what", msgspec.json.encode(asked), ex=KNOWN_SECONDS)
    except (BrokerAway, BrokerSlow) as error:
        raise Unavailable("Logs cannot be fetched at the moment: the message broker is away.") from error
    return True


def write(organisation_id: int, key: str, state: str, text: str) -> None:
    """Keeps an answer for a while."""
    value = msgspec.json.encode(Logs(state, text, time.time()))
    valkey().set(_name(organisation_id, key), value, ex=KEPT_SECONDS)


def read(organisation_id: int, key: str) -> Logs | None:
    """The answer, if there is one."""
    try:
        raw = valkey().get(_name(organisation_id, key))
    except (BrokerAway, BrokerSlow):
        return None
    return DECODER.decode(raw) if isinstance(raw, bytes) else None


def what(organisation_id: int, key: str) -> Asked | None:
    """Which log a key means, as somebody asked for it lately."""
    try:
        raw = valkey().get(f"{_name(organisation_id, key)}:what")
    except (BrokerAway, BrokerSlow) as error:
        raise Unavailable("Logs cannot be read at the moment: the message broker is away.") from error
    return ASKED.decode(raw) if isinstance(raw, bytes) else None
