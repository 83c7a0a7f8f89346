"""Who asks, by bearer token, and what they may do: three users with fixed rights."""

import secrets
from dataclasses import dataclass, field
from typing import Any

from portal.sandbox.kinds import RESOURCES

_READ = frozenset({"get", "list", "watch"})
# The resources of Kubernetes' own roles `view` and `edit`: no secrets, no nodes, no access rules.
_HIDDEN = {"secrets", "nodes", "persistentvolumes", "leases", "storageclasses", "ingressclasses"}
_VIEWED = frozenset(
    resource.plural
    for resource in RESOURCES
    if resource.plural not in _HIDDEN and resource.group != "rbac.authorization.k8s.io"
)
_EDIT_ONLY_READ = frozenset({"namespaces", "resourcequotas", "limitranges", "events"})


@dataclass(frozen=True, slots=True)
class User:
    """A name, its groups, and the role behind them; `namespace` confines it to one."""

    name: str
    groups: tuple[str, ...]
    role: str
    namespace: str = ""

    def may(self, verb: str, resource: str, subresource: str, namespace: str) -> bool:
        if self.role == "admin":
            return True
        if self.namespace and namespace != self.namespace:
            return False
        if self.role == "view":
            return verb in _READ and resource in _VIEWED and subresource in ("", "log", "status", "scale")
        if verb in _READ:
            return resource in _VIEWED or resource == "secrets"
        return (resource in _VIEWED or resource == "secrets") and resource not in _EDIT_ONLY_READ

    def document(self) -> dict[str, Any]:
        return {"username": self.name, "groups": list(self.groups)}


@dataclass(slots=True)
class Tokens:
    """The tokens of the sandbox's users."""

    admin: str = field(default_factory=lambda: secrets.token_urlsafe(32), repr=False)
    viewer: str = field(default_factory=lambda: secrets.token_urlsafe(32), repr=False)
    limited: str = field(default_factory=lambda: secrets.token_urlsafe(32), repr=False)

    def user(self, header: str) -> User | None:
        """The user of an Authorization header; None when it names nobody."""
        scheme, _, token = header.partition(" ")
        if scheme.lower() != "bearer":
            return None
        everyone = "system:authenticated"
        users = (
            (self.admin, User("sandbox-admin", ("system:masters", everyone), "admin")),
            (self.viewer, User("viewer", (everyone,), "view")),
            (
                self.limited,
                User(
                    "system:serviceaccount:team-a:limited",
                    ("system:serviceaccounts", "system:serviceaccounts:team-a", everyone),
                    "edit",
                    "team-a",
                ),
            ),
        )
        found = [user for known, user in users if secrets.compare_digest(known.encode(), token.encode())]
        return found[0] if found else None
