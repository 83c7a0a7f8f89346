"""The server process: routes, TLS, start, stop."""

import asyncio
import asyncio.sslproto
import json
import logging
import os
import signal
import ssl
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from aiohttp import web

from portal.sandbox import credentials, discovery, openapi, requests
from portal.sandbox.api import ResourceApi, reply
from portal.sandbox.auth import Tokens, User
from portal.sandbox.clock import Pace
from portal.sandbox.cluster import Cluster
from portal.sandbox.errors import ApiError, method_not_allowed, no_such_path, too_large, unauthorized
from portal.sandbox.reviews import review

log = logging.getLogger("slipway.sandbox")
# Bytes of the buffer that a connection keeps for life: there is one for each kind that anybody watches.
asyncio.sslproto.SSLProtocol.max_size = 32 * 1024
LARGEST_BODY = 3 * 1024 * 1024
_OPEN = ("/version", "/healthz", "/readyz", "/livez")


@dataclass(frozen=True, slots=True)
class Options:
    """How the sandbox is started."""

    port: int
    kubeconfig: Path
    state: Path | None = None
    nodes: int = 3
    speed: float = 1.0
    history: int = 20_000


class Server:
    """Answers HTTP requests for one cluster."""

    def __init__(self, cluster: Cluster) -> None:
        self.cluster = cluster
        self.resources = ResourceApi(cluster)

    async def handle(self, request: web.BaseRequest) -> web.StreamResponse:
        try:
            return await self._route(request)
        except web.HTTPRequestEntityTooLarge:
            error = too_large()
            return reply(error.status(), error.code)
        except ApiError as error:
            response = reply(error.status(), error.code)
            if error.code == 429:
                response.headers["Retry-After"] = "10"
            return response

    async def _route(self, request: web.BaseRequest) -> web.StreamResponse:
        path = request.path.rstrip("/") or "/"
        if path in _OPEN:
            return reply(discovery.VERSION) if path == "/version" else web.Response(text="ok")
        user = self.cluster.tokens.user(request.headers.get("Authorization", ""))
        if user is None:
            raise unauthorized()
        found = requests.target(path)
        if found is not None:
            return await self.resources.answer(request, found, user)
        if request.method == "POST":
            return await self._review(request, path, user)
        if request.method not in ("GET", "HEAD"):
            raise method_not_allowed() if path.startswith("/api") else no_such_path()
        return self._document(request, path)

    async def _review(self, request: web.BaseRequest, path: str, user: User) -> web.Response:
        answer = review(path, await requests.document(request), user)
        if answer is None:
            raise no_such_path()
        return reply(answer, 201)

    def _document(self, request: web.BaseRequest, path: str) -> web.Response:
        accept = request.headers.get("Accept", "")
        if path in ("/api", "/apis") and discovery.AGGREGATED in accept and "as=APIGroupDiscoveryList" in accept:
            version = "v2" if "v=v2;" in accept or accept.rstrip().endswith("v=v2") else "v2beta1"
            response = reply(discovery.aggregated(path == "/api", version))
            response.headers["Content-Type"] = (
                f"application/json;g=apidiscovery.k8s.io;v={version};as=APIGroupDiscoveryList"
            )
            return response
        if path.startswith("/openapi"):
            return openapi.answer(request, path)
        document = self._discovery(path)
        if document is None:
            raise no_such_path()
        return reply(document)

    @staticmethod
    def _discovery(path: str) -> dict[str, Any] | None:
        steps = path.strip("/").split("/")
        if path == "/":
            paths = ["/api", "/api/v1", "/apis", *[f"/apis/{name}" for name in discovery.groups()], "/version"]
            return {"paths": paths}
        if steps == ["api"]:
            return discovery.core_versions()
        if steps == ["apis"]:
            return discovery.group_list()
        if steps[0] == "apis" and len(steps) == 2:
            return discovery.group(steps[1])
        if steps == ["api", "v1"]:
            return discovery.resource_list("", "v1")
        if steps[0] == "apis" and len(steps) == 3:
            return discovery.resource_list(steps[1], steps[2])
        return None


def _identity(options: Options) -> tuple[str, str, str, Tokens]:
    """Certificates and tokens: those of the last run where there is a state, so that old kubeconfigs stay good."""
    file = options.state.with_name(f"{options.state.name}.identity") if options.state else None
    if file and file.exists():
        known = json.loads(file.read_text())
        tokens = Tokens(known["admin"], known["viewer"], known["limited"])
        return known["authority"], known["certificate"], known["key"], tokens
    authority, certificate, key = credentials.make_certificates()
    tokens = Tokens()
    if file:
        document = {"authority": authority, "certificate": certificate, "key": key, "admin": tokens.admin}
        document |= {"viewer": tokens.viewer, "limited": tokens.limited}
        credentials.write_private(file, json.dumps(document))
    return authority, certificate, key, tokens


def _write_kubeconfigs(path: Path, port: int, authority: str, tokens: Tokens) -> None:
    """The administrator's file, and beside it those of the viewer and of the user of one namespace."""
    stem = path.name.removesuffix(".kubeconfig").removesuffix(".yaml")
    viewer, limited = path.with_name(f"{stem}.viewer.kubeconfig"), path.with_name(f"{stem}.limited.kubeconfig")
    credentials.write_private(viewer, credentials.kubeconfig(port, authority, "viewer", tokens.viewer))
    credentials.write_private(limited, credentials.kubeconfig(port, authority, "limited", tokens.limited, "team-a"))
    # Last, because whoever starts the sandbox waits for this file.
    credentials.write_private(path, credentials.kubeconfig(port, authority, "admin", tokens.admin))


async def serve(options: Options) -> None:
    """Run until SIGINT or SIGTERM."""
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for name in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(name, stop.set)
    authority, certificate, key, tokens = _identity(options)
    cluster = Cluster(
        tokens=tokens,
        authority=authority,
        nodes=options.nodes,
        pace=Pace(options.speed),
        state=options.state,
        history=options.history,
    )
    server = Server(cluster)
    runner = web.ServerRunner(
        web.Server(
            server.handle,
            request_factory=_request,
            access_log=None,
            keepalive_timeout=75.0,
            handler_cancellation=True,
        ),
        shutdown_timeout=1.0,
    )
    await runner.setup()
    context: ssl.SSLContext = credentials.server_context(certificate, key)
    site = web.TCPSite(runner, "127.0.0.1", options.port, ssl_context=context)
    await site.start()
    cluster.start()
    port = _port(runner)
    _write_kubeconfigs(options.kubeconfig, port, authority, tokens)
    sys.stdout.write(f"sandbox: Kubernetes API at https://127.0.0.1:{port}, kubeconfig {options.kubeconfig}\n")
    sys.stdout.flush()
    await stop.wait()
    await cluster.stop()
    await runner.cleanup()


def _request(message: Any, payload: Any, protocol: Any, writer: Any, task: Any) -> web.BaseRequest:
    """A request whose body may be as large as the real server allows."""
    loop = asyncio.get_running_loop()
    return web.BaseRequest(message, payload, protocol, writer, task, loop, client_max_size=LARGEST_BODY)


def _port(runner: web.ServerRunner) -> int:
    address = runner.addresses[0]
    return int(address[1])


def run(options: Options) -> int:
    """Serve; a port that is taken is a sentence, not a traceback."""
    logging.basicConfig(level=logging.WARNING, format="sandbox: %(message)s")
    try:
        asyncio.run(serve(options))
    except OSError as error:
        reason = os.strerror(error.errno).lower() if error.errno else str(error)
        sys.stderr.write(f"The sandbox cannot listen on 127.0.0.1:{options.port}: {reason}.\n")
        return 1
    return 0
