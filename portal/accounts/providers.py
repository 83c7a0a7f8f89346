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

Read = Callable[[str, str], str]


class ProviderMisconfigured(Exception):
    """A provider is half configured; the message says which variable is missing."""


def providers_from(read: Read) -> dict[str, Any]:
    """SOCIALACCOUNT_PROVIDERS for what `read(name, default)` says is configured; empty when nothing is.

    Raises ProviderMisconfigured when a provider was begun and lacks something: a sign-in button that cannot work
    should stop the start, not the people.
    """
    found: dict[str, Any] = {}
    for name, assemble in _ASSEMBLERS.items():
        settings = assemble(read)
        if settings is not None:
            found[name] = settings
    return found


def _needs(read: Read, *names: str) -> list[str] | None:
    """The values of variables that belong together; None when none of them is set."""
    values = [read(name, "") for name in names]
    if not any(values):
        return None
    missing = [name for name, value in zip(names, values, strict=True) if not value]
    if missing:
        raise ProviderMisconfigured(f"{' and '.join(missing)} must be set together with the others of {names[0]}.")
    return values


def _github(read: Read) -> dict[str, Any] | None:
    values = _needs(read, "GITHUB_CLIENT_ID", "GITHUB_CLIENT_SECRET")
    if values is None:
        return None
    settings: dict[str, Any] = {"APPS": [_app(values)], "SCOPE": ["read:user", "user:email"]}
    if url := read("GITHUB_URL", ""):  # GitHub Enterprise
        settings["GITHUB_URL"] = url.rstrip("/")
    return settings


def _gitlab(read: Read) -> dict[str, Any] | None:
    values = _needs(read, "GITLAB_CLIENT_ID", "GITLAB_CLIENT_SECRET")
    if values is None:
        return None
    app = _app(values)
    if url := read("GITLAB_URL", ""):  # an instance of one's own
        app["settings"] = {"gitlab_url": url.rstrip("/")}
    return {"APPS": [app], "SCOPE": ["read_user"]}


def _google(read: Read) -> dict[str, Any] | None:
    values = _needs(read, "GOOGLE_CLIENT_ID", "GOOGLE_CLIENT_SECRET")
    if values is None:
        return None
    return {"APPS": [_app(values)], "SCOPE": ["profile", "email"], "OAUTH_PKCE_ENABLED": True}


def _openid_connect(read: Read) -> dict[str, Any] | None:
    values = _needs(read, "OIDC_SERVER_URL", "OIDC_CLIENT_ID", "OIDC_CLIENT_SECRET")
    if values is None:
        return None
    server, *credentials = values
    app = _app(credentials) | {
        "provider_id": read("OIDC_ID", "oidc"),
        "name": read("OIDC_NAME", "Company sign-in"),
        "settings": {"server_url": server, "token_auth_method": read("OIDC_TOKEN_AUTH", "client_secret_basic")},
    }
    return {"APPS": [app], "OAUTH_PKCE_ENABLED": True}


def _saml(read: Read) -> dict[str, Any] | None:
    values = _needs(read, "SAML_IDP_ENTITY_ID", "SAML_IDP_METADATA_URL")
    if values is None:
        return None
    entity_id, metadata_url = values
    app = {
        "name": read("SAML_NAME", "Company sign-in"),
        "provider_id": entity_id,
        "client_id": read("SAML_ID", "saml"),  # stands in the addresses: /accounts/saml/<this>/
        "settings": {
            "idp": {"entity_id": entity_id, "metadata_url": metadata_url},
            "attribute_mapping": {
                "uid": read("SAML_ATTRIBUTE_UID", "urn:oasis:names:tc:SAML:attribute:subject-id"),
                "email": read("SAML_ATTRIBUTE_EMAIL", "urn:oid:0.9.2342.19200300.100.1.3"),
            },
            "advanced": {"want_assertion_signed": True, "reject_deprecated_algorithm": True, "strict": True},
        },
    }
    return {"APPS": [app]}


def _app(credentials: list[str]) -> dict[str, Any]:
    client_id, secret = credentials
    return {"client_id": client_id, "secret": secret}


_ASSEMBLERS: dict[str, Callable[[Read], dict[str, Any] | None]] = {
    "openid_connect": _openid_connect,
    "github": _github,
    "gitlab": _gitlab,
    "google": _google,
    "saml": _saml,
}
