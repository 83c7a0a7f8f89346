"""Servers that speak as the other side does: SMTP by aiosmtpd, Slack, Teams and programs by small HTTP servers."""

from __future__ import annotations

import email
import email.policy
import os
import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from email.message import EmailMessage
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, cast

from aiosmtpd.controller import Controller

from portal.embedded import free_port

# Says to a server: end the sender now, with what it sent in hand and no answer given.
KILL = "kill"


@dataclass
class Post:
    """One request that arrived whole."""

    path: str
    headers: dict[str, str]
    body: bytes


@dataclass
class Web:
    """An HTTP server: `answers` are given one after the other, the last for ever: (status, text, headers), a number of
    seconds to say nothing, or KILL."""

    url: str
    posts: list[Post] = field(default_factory=list)
    answers: list[Any] = field(default_factory=list)
    sender: int = 0
    arrived: threading.Event = field(default_factory=threading.Event)


@contextmanager
def web_server() -> Iterator[Web]:
    told = Web("")
    lock = threading.Lock()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            headers = {name.lower(): value for name, value in self.headers.items()}
            with lock:
                told.posts.append(Post(self.path, headers, body))
                told.arrived.set()
                answer = told.answers.pop(0) if len(told.answers) > 1 else (told.answers or [(200, "ok", {})])[0]
            if answer == KILL:
                os.kill(told.sender, signal.SIGKILL)
                return
            if isinstance(answer, float | int):
                time.sleep(answer)
                return
            status, text, more = answer
            self.send_response(status)
            for name, value in more.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(text)))
            self.end_headers()
            self.wfile.write(text.encode())

        def log_message(self, *words: object) -> None:
            """Quiet."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    told.url = f"http://127.0.0.1:{server.server_address[1]}/hook?sig=secret"
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield told
    server.shutdown()
    server.server_close()


@dataclass
class PostOffice:
    """An SMTP server: `rcpt` and `data` are its next answers; the mails that it took are kept."""

    port: int = 0
    taken: list[EmailMessage] = field(default_factory=list)
    rcpt: list[str] = field(default_factory=list)
    data: list[str] = field(default_factory=list)
    sender: int = 0
    connections: int = 0

    async def handle_EHLO(self, server: Any, session: Any, envelope: Any, hostname: str, responses: list[str]) -> Any:
        self.connections += 1
        session.host_name = hostname
        return responses

    async def handle_RCPT(self, server: Any, session: Any, envelope: Any, address: str, options: Any) -> str:
        said = self.rcpt.pop(0) if self.rcpt else "250 OK"
        if said.startswith("250"):
            envelope.rcpt_tos.append(address)
        return said

    async def handle_DATA(self, server: Any, session: Any, envelope: Any) -> str:
        said = self.data.pop(0) if self.data else "250 OK"
        if said == KILL or said.startswith("250") or said == "silence":
            mail = email.message_from_bytes(envelope.content, policy=email.policy.default)
            self.taken.append(cast(EmailMessage, mail))
        if said == KILL:
            os.kill(self.sender, signal.SIGKILL)
        if said == "silence":
            server.transport.abort()
        return said if said[:1].isdigit() else "250 OK"


@contextmanager
def mail_server() -> Iterator[PostOffice]:
    office = PostOffice()
    office.port = free_port()
    controller = Controller(office, hostname="127.0.0.1", port=office.port)
    controller.start()
    yield office
    controller.stop()
