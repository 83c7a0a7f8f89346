"""An OpenID Connect provider on loopback: discovery, authorization code, token and user info, spoken over real HTTP."""

from __future__ import annotations

import json
import secrets
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

import jwt

CLIENT_ID, CLIENT_SECRET = "slipway", "a secret between two servers of one test"


class Provider:
    """Signs in whoever `person` is, without asking; `url` is its issuer."""

    def __init__(self) -> None:
        self.person: dict[str, str] = {}
        self.codes: dict[str, dict[str, Any]] = {}
        self.server = ThreadingHTTPServer(("127.0.0.1", 0), type("Handler", (_Handler,), {"provider": self}))
        self.url = f"http://127.0.0.1:{self.server.server_port}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def stop(self) -> None:
        self.server.shutdown()
        self.server.server_close()


class _Handler(BaseHTTPRequestHandler):
    provider: Provider

    def do_GET(self) -> None:
        where = urlsplit(self.path)
        if where.path == "/.well-known/openid-configuration":
            names = ("authorization_endpoint", "token_endpoint", "userinfo_endpoint", "jwks_uri")
            self._say({"issuer": self.provider.url} | {name: f"{self.provider.url}/{name}" for name in names})
        elif where.path == "/authorization_endpoint":
            asked = {name: values[0] for name, values in parse_qs(where.query).items()}
            code = secrets.token_urlsafe()
            self.provider.codes[code] = asked
            self.send_response(302)
            back = urlencode({"code": code, "state": asked["state"]})
            self.send_header("Location", f"{asked['redirect_uri']}?{back}")
            self.end_headers()
        elif where.path == "/userinfo_endpoint":
            self._say(self.provider.person)
        else:
            self.send_error(404)

    def do_POST(self) -> None:
        body = parse_qs(self.rfile.read(int(self.headers["Content-Length"])).decode())
        asked = self.provider.codes.pop(body["code"][0], None)
        if asked is None or asked["redirect_uri"] != body["redirect_uri"][0] or "code_verifier" not in body:
            self.send_error(400)
            return
        now = int(time.time())
        claims = {**self.provider.person, "iss": self.provider.url, "aud": CLIENT_ID, "iat": now, "exp": now + 300}
        token = jwt.encode(claims, CLIENT_SECRET * 2, algorithm="HS256")
        self._say({"access_token": secrets.token_urlsafe(), "token_type": "Bearer", "id_token": token})

    def _say(self, data: dict[str, Any]) -> None:
        content = json.dumps(data).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *args: Any) -> None:
        """Quiet: the test says what went wrong."""
