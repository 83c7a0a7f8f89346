"""What every template knows about where it is."""

from typing import Any

from django.http import HttpRequest

from portal.accounts.adapter import may_sign_up


def organisation(request: HttpRequest) -> dict[str, Any]:
    """`org` and `access` inside an organisation; both None elsewhere."""
    access = getattr(request, "access", None)
    return {"access": access, "org": access.organisation if access else None}


def sign_up(request: HttpRequest) -> dict[str, Any]:
    """`sign_up_is_open`, asked only by the templates that use it."""
    return {"sign_up_is_open": lambda: may_sign_up(request)}
