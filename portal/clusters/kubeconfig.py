"""An uploaded kubeconfig, copied field by field. What would run a program or read a file of ours is refused.

A kubeconfig with `exec` is code execution in every client that loads it, and one with file paths reads files of whoever
loads it: so this one is never given to a client. Only an address, a certificate authority and one credential are taken.
"""

from __future__ import annotations

import base64
import binascii
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

import yaml
from cryptography import x509
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from portal.kit.errors import Invalid, TooLarge

MAX_BYTES = 256 * 1024
MAX_DEPTH = 20
FIELD = "kubeconfig"
FILE_KEYS = ("certificate-authority", "client-certificate", "client-key", "tokenFile")


@dataclass(frozen=True)
class ClusterTarget:
    """A cluster's address and the one credential to use there. Secrets never show in its repr."""

    server: str
    ca: str = ""
    tls_server_name: str = ""
    token: str = field(default="", repr=False)
    certificate: str = field(default="", repr=False)
    key: str = field(default="", repr=False)

    @property
    def credential_kind(self) -> str:
        """How the credential proves who we are."""
        return "token" if self.token else "certificate"


def _refuse(text: str) -> Invalid:
    return Invalid(text, field=FIELD)


def _load(text: str) -> dict[str, Any]:
    if len(text.encode()) > MAX_BYTES:
        raise TooLarge("A kubeconfig is at most 256 KiB.", field=FIELD)
    try:
        _check_shape(text)
        document = yaml.load(text, Loader=yaml.CSafeLoader)
    except (yaml.YAMLError, RecursionError, ValueError) as error:
        mark = getattr(error, "problem_mark", None)
        where = f" at line {mark.line + 1}" if mark else ""
        raise _refuse(f"This is not YAML{where}.") from error
    if not isinstance(document, dict):
        raise _refuse("This is not a kubeconfig: it should be a mapping with clusters, users and contexts.")
    return document


def _check_shape(text: str) -> None:
    """Aliases could make a small text enormous, depth overflows the C stack of the loader: no kubeconfig needs them."""
    depth = 0
    for event in yaml.parse(text, Loader=yaml.CSafeLoader):
        if isinstance(event, yaml.AliasEvent):
            raise _refuse("This kubeconfig uses YAML aliases. Write it out in full.")
        depth += isinstance(event, yaml.CollectionStartEvent) - isinstance(event, yaml.CollectionEndEvent)
        if getattr(event, "tag", None):
            raise _refuse("This kubeconfig uses YAML tags (!!name). Leave them out.")
        if depth > MAX_DEPTH:
            raise _refuse("This is not a kubeconfig: it is nested too deeply.")


def contexts_of(document: dict[str, Any]) -> list[str]:
    """The names of the contexts, in the order of the file."""
    return [str(item["name"]) for item in _items(document, "contexts") if "name" in item]


def _items(document: dict[str, Any], section: str) -> list[dict[str, Any]]:
    items = document.get(section) or []
    if not isinstance(items, list):
        raise _refuse(f"This is not a kubeconfig: “{section}” should be a list.")
    return [item for item in items if isinstance(item, dict)]


def _named(document: dict[str, Any], section: str, name: str, inner: str) -> dict[str, Any]:
    for item in _items(document, section):
        if item.get("name") == name:
            found = item.get(inner) or {}
            if isinstance(found, dict):
                return found
    raise _refuse(f"This kubeconfig has no {inner} named “{name}”.")


def _text(holder: dict[str, Any], key: str) -> str:
    value = holder.get(key) or ""
    if not isinstance(value, str):
        raise _refuse(f"“{key}” in this kubeconfig should be text.")
    return value.strip()


def _pem(holder: dict[str, Any], key: str) -> str:
    value = _text(holder, key)
    if not value:
        return ""
    try:
        return base64.b64decode(value, validate=True).decode()
    except (binascii.Error, UnicodeDecodeError) as error:
        raise _refuse(f"“{key}” in this kubeconfig is not base64.") from error


def _refuse_files(holder: dict[str, Any]) -> None:
    for key in FILE_KEYS:
        if holder.get(key):
            raise _refuse(
                f"“{key}” names a file, which Slipway cannot see. Put its content in the kubeconfig:"
                " kubectl config view --raw --flatten."
            )


def _address(server: str) -> str:
    try:
        parts = urlsplit(server)
        port = parts.port
    except ValueError as error:
        raise _refuse("The server address in this kubeconfig is not a URL.") from error
    if parts.scheme not in ("https", "http") or not parts.hostname:
        raise _refuse("The server address in this kubeconfig should begin with https://.")
    if parts.username or parts.password or parts.query or parts.fragment:
        raise _refuse("The server address in this kubeconfig should hold only a host, a port and a path.")
    host = f"[{parts.hostname}]" if ":" in parts.hostname else parts.hostname
    return f"{parts.scheme}://{host}{f':{port}' if port else ''}{parts.path.rstrip('/')}"


def _check_pem(ca: str, certificate: str, key: str) -> None:
    try:
        if ca:
            x509.load_pem_x509_certificates(ca.encode())
    except ValueError as error:
        raise _refuse("The certificate authority in this kubeconfig is not a PEM certificate.") from error
    try:
        if certificate:
            x509.load_pem_x509_certificates(certificate.encode())
            load_pem_private_key(key.encode(), password=None)
    except (ValueError, TypeError) as error:
        raise _refuse("The client certificate or key in this kubeconfig is not PEM, or is encrypted.") from error


def _refuse_dangers(cluster: dict[str, Any], user: dict[str, Any]) -> None:
    if cluster.get("insecure-skip-tls-verify"):
        raise _refuse(
            "“insecure-skip-tls-verify” would let anybody on the way pose as this cluster."
            " Put the cluster's certificate authority in the kubeconfig instead."
        )
    if cluster.get("proxy-url"):
        raise _refuse("“proxy-url” is not allowed: Slipway connects to clusters directly.")
    if user.get("exec"):
        raise _refuse(
            "This kubeconfig runs a program to sign in (“exec”). Slipway never runs programs from a kubeconfig:"
            " make a service account for it and use its token."
        )
    if user.get("auth-provider"):
        raise _refuse("“auth-provider” is not allowed. Make a service account for Slipway and use its token.")
    if user.get("username") or user.get("password"):
        raise _refuse("Kubernetes no longer takes passwords. Use a service account's token or a client certificate.")
    if any(key == "as" or str(key).startswith("as-") for key in user):
        raise _refuse("Impersonation (“as”) is not allowed in this kubeconfig.")
    _refuse_files(cluster)
    _refuse_files(user)


def parse(text: str, context: str | None = None) -> ClusterTarget:
    """The address and credential of a kubeconfig's context, by default its current one; raises Invalid with why not."""
    document = _load(text)
    names = contexts_of(document)
    chosen = context or str(document.get("current-context") or "") or (names[0] if len(names) == 1 else "")
    if not chosen:
        raise _refuse("This kubeconfig has no current context. Name one of: " + (", ".join(names) or "none") + ".")
    if chosen not in names:
        raise _refuse(f"This kubeconfig has no context “{chosen}”. It has: {', '.join(names) or 'none'}.")
    pair = _named(document, "contexts", chosen, "context")
    cluster = _named(document, "clusters", str(pair.get("cluster") or ""), "cluster")
    user = _named(document, "users", str(pair.get("user") or ""), "user")
    _refuse_dangers(cluster, user)
    target = ClusterTarget(
        server=_address(_text(cluster, "server")),
        ca=_pem(cluster, "certificate-authority-data"),
        tls_server_name=_text(cluster, "tls-server-name"),
        token=_text(user, "token"),
        certificate=_pem(user, "client-certificate-data"),
        key=_pem(user, "client-key-data"),
    )
    if any(ord(letter) < 33 or ord(letter) > 126 for letter in target.token):
        raise _refuse("The token in this kubeconfig holds characters that no token has.")
    if not target.token and not (target.certificate and target.key):
        raise _refuse(f"The user of context “{chosen}” has neither a token nor a client certificate with its key.")
    _check_pem(target.ca, target.certificate, target.key)
    return target
