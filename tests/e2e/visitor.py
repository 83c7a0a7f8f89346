"""A person without a browser: signs in by the form and speaks to the API, over real HTTP."""

from __future__ import annotations

import http.cookiejar
import json
import re
import time
import urllib.error
import urllib.parse
import urllib.request
from typing import Any

from portal.demo_people import SIGN_INS


class Visitor:
    """One session on a running product. While the product has an outage, questions are asked again."""

    def __init__(self, url: str, who: str, org: str = "") -> None:
        self.url = url
        self.jar = http.cookiejar.CookieJar()
        self.opener = urllib.request.build_opener(urllib.request.HTTPCookieProcessor(self.jar))
        page = self._open("/accounts/login/")
        token = re.search(r'name="csrfmiddlewaretoken" value="([^"]+)"', page)
        assert token
        form = {"login": f"{who}@slipway.example", "password": SIGN_INS.password, "csrfmiddlewaretoken": token[1]}
        request = urllib.request.Request(
            f"{url}/accounts/login/", urllib.parse.urlencode(form).encode(), {"Referer": f"{url}/accounts/login/"}
        )
        with self.opener.open(request, timeout=20) as answer:
            found = re.search(r"/o/([^/]+)/", answer.geturl())
        assert found, "signing in leads to an organisation"
        self.org = org or found[1]

    def _open(self, path: str, body: Any = None) -> str:
        headers: dict[str, str] = {}
        data = None
        if body is not None:
            csrf = next(cookie.value for cookie in self.jar if cookie.name == "slipway_csrf")
            headers |= {"Content-Type": "application/json", "X-CSRFToken": csrf or "", "Referer": self.url}
            data = json.dumps(body).encode()
        request = urllib.request.Request(f"{self.url}{path}", data, headers)
        with self.opener.open(request, timeout=20) as answer:
            return str(answer.read().decode())

    def get(self, path: str, *, patience: float = 0) -> Any:
        """The JSON at a path of the API; for up to `patience` seconds an outage is waited out."""
        end = time.monotonic() + patience
        while True:
            try:
                return json.loads(self._open(f"/api/o/{self.org}/{path}"))
            except (OSError, urllib.error.HTTPError):
                if time.monotonic() > end:
                    raise
                time.sleep(0.2)

    def post(self, path: str, body: Any) -> Any:
        return json.loads(self._open(f"/api/o/{self.org}/{path}", body))
