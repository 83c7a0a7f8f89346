"""Sessions in PostgreSQL whose content is sealed: a dump or a copy of the table shows who is signed in to nobody.

They hold what must not be readable at rest: which invitation brought somebody, an authenticator's secret until it is
confirmed, a new API token until it has been shown, forms that wait for a password.
"""

import json
from typing import Any

from django.contrib.sessions.backends.db import SessionStore as DatabaseStore

from portal.accounts import sealing

PURPOSE = "session"


class SessionStore(DatabaseStore):
    """Django's own store with another envelope; what does not open is an empty session, as a forged one is."""

    def encode(self, session_dict: dict[str, Any]) -> str:
        return sealing.seal(json.dumps(session_dict, separators=(",", ":")), PURPOSE)

    def decode(self, session_data: bytes | str) -> dict[str, Any]:
        try:
            found: dict[str, Any] = json.loads(sealing.unseal(str(session_data), PURPOSE))
        except sealing.Unsealable:
            return {}
        return found
