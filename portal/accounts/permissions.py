"""The whole policy on one screen: roles, permissions, and one pure decision. A verdict is its refusal sentence."""

from collections.abc import Collection
from dataclasses import dataclass
from typing import Final

ROLES: Final = ("viewer", "developer", "manager", "admin")


@dataclass(frozen=True)
class Rule:
    """Who may: everyone from `role` up; with `owners`, also members of the owning team from `owner_role` up."""

    role: str
    verb: str  # completes "You cannot …" and "may …"
    owners: bool = False
    owner_role: str = "developer"


PERMISSIONS: Final[dict[str, Rule]] = {
    "org.view": Rule("viewer", "see this organisation"),
    "org.manage": Rule("admin", "change the organisation's settings"),
    "people.view": Rule("viewer", "see who is here"),
    "people.manage": Rule("admin", "invite people or change their roles"),
    "teams.manage": Rule("manager", "change teams", owners=True),
    "tokens.own": Rule("viewer", "keep API tokens"),
    "notices.own": Rule("viewer", "keep notices"),
    "notices.manage": Rule("admin", "decide where notices of the organisation go"),
    "audit.view": Rule("manager", "read the audit log"),
    "catalog.view": Rule("viewer", "see the catalog"),
    "catalog.register": Rule("developer", "register sources"),
    "catalog.refresh": Rule("developer", "refresh sources"),
    "catalog.edit": Rule("manager", "edit what another team owns", owners=True),
    "catalog.remove": Rule("manager", "remove what another team owns", owners=True),
    "ownership.state": Rule("manager", "say who answers for what another team owns", owners=True),
    "lists.own": Rule("viewer", "keep stars and views of the catalog"),
    "views.share": Rule("developer", "share views of the catalog"),
    "views.manage": Rule("manager", "change views that others share"),
    "paths.view": Rule("viewer", "see golden paths"),
    "paths.publish": Rule("admin", "publish golden paths"),
    "runs.view": Rule("viewer", "see runs"),
    "runs.launch": Rule("developer", "launch golden paths"),
    "runs.control": Rule("manager", "steer another person's run", owners=True),
    "clusters.view": Rule("viewer", "see clusters"),
    "clusters.manage": Rule("admin", "connect or forget clusters"),
    "workloads.logs": Rule("manager", "read the logs of what another team owns", owners=True),
    "workloads.adopt": Rule("manager", "take over what another team runs", owners=True),
    "repos.view": Rule("viewer", "read repositories"),
    "repos.push": Rule("manager", "push to another team's repository", owners=True),
    "repos.manage": Rule("manager", "change another team's repository or who may push to it", owners=True),
    "repos.connect": Rule("admin", "connect git hosts"),
    "repos.unprotect": Rule("admin", "lift the protection of a branch"),
}

# What an API token may be given. A token never does more than its person may.
SCOPES: Final[dict[str, str]] = {
    "read": "See everything you can see",
    "write": "Do everything you can do",
    "repo:read": "Clone repositories",
    "repo:write": "Clone and push repositories",
}


@dataclass(frozen=True)
class Verdict:
    """Truthy when allowed; otherwise its text says why not and who may."""

    allowed: bool
    sentence: str = ""

    def __bool__(self) -> bool:
        return self.allowed

    def __str__(self) -> str:
        return self.sentence


ALLOWED: Final = Verdict(True)


def rank(role: str) -> int:
    """The role's height, viewer lowest. Raises ValueError for an unknown role."""
    return ROLES.index(role)


def decide(permission: str, *, role: str, is_owner: bool = False, scopes: Collection[str] | None = None) -> Verdict:
    """May somebody with this role (and this standing with the object, and this token) do it?

    is_owner  they asked for it themselves, or their team or a team above it owns the object
    scopes    of the API token in use; None for a browser session
    Raises KeyError for a permission that is not in the table.
    """
    rule = PERMISSIONS[permission]
    if scopes is not None and not scope_allows(scopes, permission):
        return Verdict(False, f"This token may not {rule.verb}: it was not given that scope.")
    if rank(role) >= rank(rule.role):
        return ALLOWED
    if rule.owners and is_owner and rank(role) >= rank(rule.owner_role):
        return ALLOWED
    who = f"the owning team, or a {rule.role}" if rule.owners else f"a {rule.role}"
    return Verdict(False, f"You cannot {rule.verb} as a {role}. Ask {who}.".replace(" a admin", " an admin"))


def scope_allows(scopes: Collection[str], permission: str) -> bool:
    """Does any of the token's scopes cover the permission?"""
    if "write" in scopes:
        return True
    if permission == "repos.push":
        return "repo:write" in scopes
    if permission == "repos.view" and {"repo:read", "repo:write"} & set(scopes):
        return True
    return permission.endswith(".view") and "read" in scopes
