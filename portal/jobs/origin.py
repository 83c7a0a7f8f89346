"""How somebody came in, kept on the row of what they asked for: the audit says it when the work is done later."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any

from django.http import HttpRequest


@dataclass(frozen=True)
class Origin:
    """Address and token of a request, as far as the audit asks for them."""

    ip: str = ""
    token: str = ""

    @classmethod
    def of_request(cls, request: HttpRequest | None) -> Origin:
        if request is None:
            return cls()
        token = getattr(getattr(request, "access", None), "token", None)
        return cls(request.META.get("REMOTE_ADDR") or "", str(token) if token else "")

    @classmethod
    def of_row(cls, data: Mapping[str, Any]) -> Origin:
        return cls(str(data.get("ip") or ""), str(data.get("token") or ""))

    def as_row(self) -> dict[str, str]:
        return {"ip": self.ip, "token": self.token}

    # The audit reads a request's `access.token` and `META`.
    @property
    def access(self) -> SimpleNamespace:
        return SimpleNamespace(token=self.token or None)

    @property
    def META(self) -> dict[str, str]:
        return {"REMOTE_ADDR": self.ip}
