"""Handing something over to an address on the web: one POST by the rules of fetching.py, and an answer of a few bytes.

It is known to the caller when the moment comes from which only the other side knows whether it arrived.
"""

from __future__ import annotations

import http.client
import ssl
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from portal.kit.errors import Away
from portal.kit.fetching import Unfetched, cut_at, reach

MOST_ANSWER = 4096


class Unanswered(Away):
    """It left, and no answer came back: whether it arrived is not known."""

    code = "unanswered"


@dataclass(frozen=True)
class PostAnswer:
    """What the other side said: the first bytes of it as text; header names in lower case."""

    status: int
    headers: Mapping[str, str]
    text: str


def post(
    address: str, body: bytes, headers: Mapping[str, str], *, deadline: float, leaving: Callable[[], None]
) -> PostAnswer:
    """Sends the body by the monotonic moment `deadline`; `leaving` is called when the connection stands, before a byte
    of it goes.

    Follows no redirect. Raises Unfetched, Away or the refusal of the address rule while nothing has left; Unanswered
    afterwards.
    """
    reached = reach(address, deadline)
    connection = reached.connection
    sent = {"Host": reached.name, "User-Agent": "Slipway", "Accept": "*/*", **headers}
    try:
        leaving()
        with cut_at(connection.sock, deadline):
            connection.request("POST", reached.path, body=body, headers=sent)
            answer = connection.getresponse()
            said = answer.read(MOST_ANSWER)
        named = {name.lower(): value for name, value in answer.getheaders()}
        return PostAnswer(answer.status, named, said.decode("utf-8", "replace"))
    except http.client.InvalidURL as error:  # raised before anything is written
        raise Unfetched("The address holds a space or a line break; write %20 for a space.") from error
    except (ConnectionError, TimeoutError, ssl.SSLError, http.client.HTTPException) as error:
        host = connection.host
        raise Unanswered(f"{host} did not answer.", what=host, why=error) from error
    finally:
        connection.close()
