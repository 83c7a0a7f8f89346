"""What every template knows about where it is."""

from typing import Any

from django.http import HttpRequest


def organisation(request: HttpRequest) -> dict[str, Any]:
    """`org` and `access` inside an organisation; both None elsewhere."""
    access = getattr(request, "access", None)
    return {"access": access, "org": access.organisation if access else None}
