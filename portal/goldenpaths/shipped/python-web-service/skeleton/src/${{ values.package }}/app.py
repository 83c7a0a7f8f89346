"""The application: routes, and what each answers."""

import json
import logging
import re
import threading
import time
import uuid
from collections import Counter
from collections.abc import Callable, Iterable
from http import HTTPStatus
from typing import Any

from ${{ values.package }} import __version__

NAME = "${{ values.name }}"

log = logging.getLogger(__name__)

Environ = dict[str, Any]
StartResponse = Callable[[str, list[tuple[str, str]]], object]


class Problem(Exception):
    """A request that cannot be answered as asked: the status and a sentence for the caller."""

    def __init__(self, status: HTTPStatus, detail: str) -> None:
        super().__init__(detail)
        self.status = status
        self.detail = detail


class Application:
    """A WSGI application. `drain()` makes it unready while it goes on answering."""

    def __init__(self) -> None:
        self._draining = threading.Event()
        self._lock = threading.Lock()
        self._served: Counter[int] = Counter()
        self._routes: list[tuple[re.Pattern[str], Callable[..., Any]]] = [
            (re.compile(r"/"), self.about),
            (re.compile(r"/api/greetings/(?P<name>[^/]+)"), self.greet),
            (re.compile(r"/healthz"), self.alive),
            (re.compile(r"/readyz"), self.ready),
            (re.compile(r"/metrics"), self.metrics),
        ]

    def drain(self) -> None:
        self._draining.set()

    def about(self) -> dict[str, str]:
        return {"name": NAME, "version": __version__}

    def greet(self, name: str) -> dict[str, str]:
        if not name.strip() or len(name) > 80:
            raise Problem(HTTPStatus.BAD_REQUEST, "A name has 1 to 80 characters.")
        return {"greeting": f"Hello, {name.strip()}!"}

    def alive(self) -> dict[str, str]:
        return {"status": "ok"}

    def ready(self) -> dict[str, str]:
        if self._draining.is_set():
            raise Problem(HTTPStatus.SERVICE_UNAVAILABLE, "The service is stopping.")
        return {"status": "ok"}

    def metrics(self) -> str:
        with self._lock:
            served = sorted(self._served.items())
        lines = ["# TYPE http_requests_total counter"]
        lines += ['http_requests_total{status="%d"} %d' % entry for entry in served]
        return "\n".join(lines) + "\n"

    def __call__(self, environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        began = time.perf_counter()
        request_id = environ.get("HTTP_X_REQUEST_ID") or uuid.uuid4().hex
        status, body, kind = self._answer(environ)
        with self._lock:
            self._served[status.value] += 1
        headers = [("Content-Type", kind), ("Content-Length", str(len(body))), ("X-Request-Id", request_id)]
        start_response(f"{status.value} {status.phrase}", headers)
        log.info(
            "request",
            extra={
                "method": environ["REQUEST_METHOD"],
                "path": environ.get("PATH_INFO", "/"),
                "status": status.value,
                "milliseconds": round((time.perf_counter() - began) * 1000, 2),
                "request_id": request_id,
            },
        )
        return [b"" if environ["REQUEST_METHOD"] == "HEAD" else body]

    def _answer(self, environ: Environ) -> tuple[HTTPStatus, bytes, str]:
        try:
            result = self._dispatch(environ["REQUEST_METHOD"], environ.get("PATH_INFO") or "/")
        except Problem as problem:
            return problem.status, _json({"error": problem.detail}), "application/json"
        if isinstance(result, str):
            return HTTPStatus.OK, result.encode(), "text/plain; version=0.0.4; charset=utf-8"
        return HTTPStatus.OK, _json(result), "application/json"

    def _dispatch(self, method: str, path: str) -> Any:
        for pattern, view in self._routes:
            if match := pattern.fullmatch(path):
                if method not in ("GET", "HEAD"):
                    raise Problem(HTTPStatus.METHOD_NOT_ALLOWED, "Only GET is answered here.")
                return view(**match.groupdict())
        raise Problem(HTTPStatus.NOT_FOUND, "There is nothing at this address.")


def _json(value: Any) -> bytes:
    return json.dumps(value, ensure_ascii=False).encode()
