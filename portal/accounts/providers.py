"""Identity providers, assembled from the environment: a pure function from a reader to allauth's settings."""

from collections.abc import Callable
from typing import Any

# Always installed, so that a provider needs settings alone and no code.
APPS = [
    "allauth.socialaccount.providers.openid_connect",
    "allauth.socialaccount.providers.github",
    "allauth.socialaccount.providers.gitlab",
    "allauth.socialaccount.providers.google",
    "allauth.socialaccount.providers.saml",
]


def providers_from(read: Callable[[str, str], str]) -> dict[str, Any]:
    """SOCIALACCOUNT_PROVIDERS for what `read(name, default)` says is configured; empty when nothing is."""
    found: dict[str, Any] = {}
    for provider in ("github", "google", "gitlab"):
        client_id = read(f"{provider.upper()}_CLIENT_ID", "")
        if client_id:
            secret = read(f"{provider.upper()}_CLIENT_SECRET", "")
            found[provider] = {"APPS": [{"client_id": client_id, "secret": secret}]}
    return found
