"""Opening a session with a cluster: its version and kinds are asked for, and later whether it is still there."""

from __future__ import annotations

import asyncio
import asyncio.sslproto
import contextlib
import math
import time
from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import msgspec

from portal.clusters.errors import KubeError, KubeNotServed, KubeUnreachable
from portal.clusters.kubeconfig import ClusterTarget
from portal.clusters.network import Endpoint, tls_context
from portal.clusters.structs import WATCHED
from portal.clusters.watching.reflector import AWAY, ApiConnection, unreachable, whole
from portal.clusters.watching.reflector import check as check_answer

# Bytes that a connection reads at once. It keeps and fills so large a buffer for life, a watched kind is a connection,
# and 256 KiB, as it comes, would be 4 MB for each cluster. A TLS record has 16 KiB at most.
asyncio.sslproto.SSLProtocol.max_size = 32 * 1024

# Seconds without a word after which the cluster is asked; it is silent when it does not answer in time.
PROBE_AFTER = 5.0
# Clusters are asked at the same moments: waking for each of them alone costs more than asking it.
PROBE_TICK = 2.0
PROBE_PATIENCE = 5.0
PROBE_AGAIN = 1.0
SILENT = "The cluster has gone silent."


@contextlib.asynccontextmanager
async def open_session(target: ClusterTarget, endpoint: Endpoint) -> AsyncIterator[ApiConnection]:
    """A session whose address is resolved and judged already, and that takes no proxy from the environment."""
    headers = {"Host": endpoint.authority, "User-Agent": "slipway", "Accept": "application/json"}
    if target.token:
        headers["Authorization"] = f"Bearer {target.token}"
    connector = aiohttp.TCPConnector(ssl=tls_context(target) if endpoint.is_tls else True, limit=0)
    async with aiohttp.ClientSession(connector=connector, headers=headers, trust_env=False) as session:
        server_name = (target.tls_server_name or endpoint.host) if endpoint.is_tls else None
        yield ApiConnection(session, endpoint.url, server_name)


async def _json(connection: ApiConnection, path: str) -> dict[str, Any]:
    async with connection.get(path, {}, read=10.0) as response:
        if response.status == 404:
            raise KubeNotServed(f"The cluster does not serve {path}.")
        await check_answer(response)
        try:
            answer = msgspec.json.decode(await whole(response))
        except msgspec.DecodeError as error:
            raise KubeUnreachable("The cluster's answer cannot be read.") from error
    if not isinstance(answer, dict):
        raise KubeUnreachable("The cluster's answer cannot be read.")
    return answer


async def version(connection: ApiConnection) -> str:
    """What the cluster says that it is."""
    return str((await _json(connection, "/version")).get("gitVersion") or "")[:60]


async def discover(connection: ApiConnection) -> dict[str, str]:
    """The newest version that the cluster serves each kind in, among those that Slipway can read."""
    kinds: dict[str, set[str]] = {}
    for served in dict.fromkeys(served for item in WATCHED for served in item.served_as):
        path = f"/api/{served}" if "/" not in served else f"/apis/{served}"
        try:
            found = (await _json(connection, path)).get("resources") or []
        except KubeNotServed:
            found = []
        kinds[served] = {str(item.get("kind")) for item in found}
    served_as = {}
    for item in WATCHED:
        newest = next((served for served in item.served_as if item.kind in kinds[served]), None)
        if newest:
            served_as[item.kind] = newest
    return served_as


async def quiet(connection: ApiConnection) -> None:
    """Until nothing has been heard from the cluster for PROBE_AFTER seconds, and one tick longer at most."""
    while (left := connection.heard_at + PROBE_AFTER - time.monotonic()) > 0:
        due = time.monotonic() + left
        await asyncio.sleep(math.ceil(due / PROBE_TICK) * PROBE_TICK - time.monotonic())


async def probe(connection: ApiConnection) -> KubeError | None:
    """Asks the cluster for next to nothing; answers what is wrong when it does not answer, or cannot reach its store.

    A list of one goes to the cluster's store and not only to its front. A refusal is an answer like any other.
    """
    try:
        async with (
            asyncio.timeout(PROBE_PATIENCE),
            connection.get("/api/v1/namespaces", {"limit": "1"}, read=PROBE_PATIENCE) as response,
        ):
            await whole(response)
    except TimeoutError:
        return KubeUnreachable(SILENT)
    except AWAY as error:
        return unreachable(error)
    except KubeError as error:
        return error
    if response.status >= 500:
        return KubeUnreachable(f"The cluster answers with status {response.status}.")
    connection.hear()
    return None
