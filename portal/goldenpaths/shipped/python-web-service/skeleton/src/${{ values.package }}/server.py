"""The server process: threads for requests, and an orderly end on SIGTERM."""

import logging
import os
import signal
import threading
from dataclasses import dataclass
from socketserver import ThreadingMixIn
from typing import Any
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer, make_server

from ${{ values.package }}.app import Application
from ${{ values.package }}.logs import configure

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Settings:
    """What the environment says."""

    port: int = ${{ values.port }}
    log_level: str = "INFO"
    drain_seconds: float = 5.0

    @classmethod
    def from_environment(cls) -> "Settings":
        return cls(
            port=int(os.environ.get("PORT", cls.port)),
            log_level=os.environ.get("LOG_LEVEL", cls.log_level).upper(),
            drain_seconds=float(os.environ.get("DRAIN_SECONDS", cls.drain_seconds)),
        )


class ThreadingServer(ThreadingMixIn, WSGIServer):
    daemon_threads = False  # closing waits for the requests that are being answered
    request_queue_size = 128


class QuietHandler(WSGIRequestHandler):
    def log_message(self, format: str, *args: Any) -> None:
        """The application logs requests itself, as JSON."""


def build(settings: Settings, application: Application) -> WSGIServer:
    return make_server("", settings.port, application, server_class=ThreadingServer, handler_class=QuietHandler)


def serve(settings: Settings, application: Application, stop: threading.Event) -> None:
    """Answer until `stop` is set; then be unready for the drain time, finish what is open, and return."""
    server = build(settings, application)
    thread = threading.Thread(target=server.serve_forever, name="server", kwargs={"poll_interval": 0.1})
    thread.start()
    log.info("listening", extra={"port": server.server_port})
    stop.wait()
    application.drain()
    log.info("draining")
    threading.Event().wait(settings.drain_seconds)
    server.shutdown()
    thread.join()
    server.server_close()
    log.info("stopped")


def main() -> None:
    settings = Settings.from_environment()
    configure(settings.log_level)
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    serve(settings, Application(), stop)


if __name__ == "__main__":
    main()
