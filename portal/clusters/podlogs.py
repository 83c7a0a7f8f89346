"""The end of a pod's log: asked of a worker (which alone can open the credential), kept for two minutes.

People who look at the same log share one fetch (portal.kit.answers). Nobody waits: the page shows at once what is
there, and the log arrives by its live topic.
"""

from __future__ import annotations

import time

import msgspec
from redis.exceptions import ConnectionError as BrokerAway
from redis.exceptions import TimeoutError as BrokerSlow

from portal.clusters.models import Cluster
from portal.kit import answers
from portal.kit.answers import Question
from portal.kit.errors import Unavailable
from portal.kit.valkey import valkey

TASK = "clusters.fetch_logs"
KEPT_SECONDS = 120
# Which log a key means is known for longer: a page may stay open, and its stream asks again whether it may.
KNOWN_SECONDS = 86_400
TAIL = 500


class Asked(msgspec.Struct, frozen=True):
    """Which log."""

    cluster_pk: int
    namespace: str
    pod: str
    container: str = ""
    previous: bool = False

    def question(self, organisation_id: int) -> Question:
        """It as a worker is asked."""
        return Question(TASK, organisation_id, msgspec.structs.astuple(self))

    @property
    def key(self) -> str:
        """The name of its topic."""
        return self.question(0).key


class Logs(msgspec.Struct, frozen=True):
    """A log, or why there is none."""

    state: str  # ready | refused
    text: str = ""
    at: float = 0.0

    @property
    def lines(self) -> list[str]:
        """Line by line."""
        return self.text.splitlines()


DECODER = msgspec.json.Decoder(Logs)
ASKED = msgspec.json.Decoder(Asked)


def ask(cluster: Cluster, asked: Asked) -> None:
    """Has a log fetched, unless it was asked for a moment ago. Raises Unavailable while the broker is away."""
    answers.want(asked.question(cluster.organisation_id))
    try:
        valkey().set(_what(cluster.organisation_id, asked.key), msgspec.json.encode(asked), ex=KNOWN_SECONDS)
    except (BrokerAway, BrokerSlow) as error:
        raise Unavailable("Logs cannot be fetched at the moment: the message broker is away.") from error


def _what(organisation_id: int, key: str) -> str:
    return f"podlogs:{organisation_id}:{key}:what"


def write(organisation_id: int, key: str, state: str, text: str) -> None:
    """The worker's half: keeps an answer for a while."""
    value = msgspec.json.encode(Logs(state, text, time.time()))
    answers.answer(organisation_id, key, value, kept=KEPT_SECONDS)


def read(organisation_id: int, key: str) -> Logs | None:
    """The answer, if there is one."""
    raw = answers.look(organisation_id, key)
    return DECODER.decode(raw) if raw is not None else None


def what(organisation_id: int, key: str) -> Asked | None:
    """Which log a key means, as somebody asked for it lately. Raises Unavailable while the broker is away."""
    try:
        raw = valkey().get(_what(organisation_id, key))
    except (BrokerAway, BrokerSlow) as error:
        raise Unavailable("Logs cannot be read at the moment: the message broker is away.") from error
    return ASKED.decode(raw) if isinstance(raw, bytes) else None
