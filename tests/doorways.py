"""The middleware chain that test clients send their requests through: loaded once for many clients.

Django loads it anew for each `Client()`, and WhiteNoise then looks at every file below static/: some 400, several
times the cost of the request that a test came for. Whatever a setting is overridden with loads it anew, as before.
"""

from __future__ import annotations

from typing import Any

from django.core.handlers.base import BaseHandler
from django.core.signals import setting_changed
from django.test.client import ClientHandler

_loaded: dict[str, Any] = {}


def _forget(**_: Any) -> None:
    _loaded.clear()


def _load(handler: ClientHandler, is_async: bool = False) -> None:
    """What `BaseHandler.load_middleware` leaves on a handler, from the last one that really loaded it."""
    if not _loaded:
        before = dict(vars(handler))
        BaseHandler.load_middleware(handler, is_async)
        _loaded.update({name: value for name, value in vars(handler).items() if before.get(name) is not value})
    vars(handler).update(_loaded)


def load_middleware_once() -> None:
    """From now on, for this process."""
    setting_changed.connect(_forget)
    ClientHandler.load_middleware = _load  # type: ignore[method-assign]
