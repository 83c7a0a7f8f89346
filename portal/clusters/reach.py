"""Where a run may write in a cluster, and whose logs a person may read there: one rule for every door; pure.

An admin says per cluster which namespaces are open, as patterns with `{team}`, `{entity}` and `*`, and which kinds a
golden path may write beyond them: kinds that lie in no namespace, and kinds in the cluster's own namespaces.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

from portal.clusters import labels

TEAM, ENTITY = "{team}", "{entity}"
DEFAULT = (TEAM, ENTITY)
RBAC = "rbac.authorization.k8s.io"
# Roles of every cluster that give no rights over others.
HARMLESS_ROLES = frozenset({"view", "edit"})
PATTERN = re.compile(r"(?:\{team\}|\{entity\}|[a-z0-9*-])+")
NAMESPACE = re.compile(r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?")
KIND = re.compile(r"[A-Z][A-Za-z0-9]{0,62}(\.[a-z0-9]([-a-z0-9.]{0,190}[a-z0-9])?)?")
MOST_PATTERNS = 50


@dataclass(frozen=True, order=True)
class Allowance:
    """A kind that one golden path may write where runs otherwise may not.

    kind is `ClusterRole.rbac.authorization.k8s.io`, as kubectl names it; namespace is "" for a kind in no namespace.
    """

    path: str
    kind: str
    namespace: str = ""


@dataclass(frozen=True)
class Reach:
    """What one run (or person) may reach in one cluster.

    team is the slug of the owning team, "" when the person is neither in it nor a manager; entity the name of the
    entity, path the golden path's name.
    """

    patterns: tuple[str, ...]
    team: str = ""
    entity: str = ""
    path: str = ""
    allowances: frozenset[Allowance] = frozenset()
    cluster: str = "this cluster"
    # Said when `{team}` opens nothing: why not.
    why_no_team: str = ""


@dataclass(frozen=True)
class NamespacePlace:
    """A namespace: does it stand, and did this organisation make it for this entity (None: nobody could look)?

    is_strangers: it wears the mark of another organisation. team: the slug of the team that it was made for or given
    to, "" where nobody says so.
    """

    name: str
    exists: bool = False
    is_ours: bool | None = False
    is_strangers: bool = False
    team: str = ""


def is_reserved(namespace: str) -> bool:
    """The cluster's own namespaces, never open by a pattern."""
    return namespace == "default" or namespace.startswith("kube-")


def faults(patterns: Collection[str]) -> list[str]:
    """What is wrong with an admin's patterns, one sentence each."""
    found = []
    if len(patterns) > MOST_PATTERNS:
        found.append(f"At most {MOST_PATTERNS} patterns are kept.")
    for pattern in patterns:
        if not PATTERN.fullmatch(pattern):
            found.append(f"“{pattern}” is no pattern: use lower-case letters, digits, -, *, {TEAM} and {ENTITY}.")
        elif is_reserved(pattern) or pattern.startswith("kube-"):
            found.append(
                f"“{pattern}” would open the cluster's own namespaces; allow a kind for a golden path instead."
            )
    return found


def matching(reach: Reach, namespace: str) -> list[str]:
    """The patterns that a namespace fits, as the admin wrote them."""
    if is_reserved(namespace):
        return []
    return [pattern for pattern in reach.patterns if _fits(pattern, reach, namespace)]


def _fits(pattern: str, reach: Reach, namespace: str) -> bool:
    if (TEAM in pattern and not reach.team) or (ENTITY in pattern and not reach.entity):
        return False
    parts = re.split(r"(\{team\}|\{entity\}|\*)", pattern)
    words = {TEAM: re.escape(reach.team), ENTITY: re.escape(reach.entity), "*": "[-a-z0-9]*"}
    return re.fullmatch("".join(words.get(part, re.escape(part)) for part in parts), namespace) is not None


def shown(reach: Reach) -> list[str]:
    """The namespaces of the patterns that say something for this reach, for a sentence."""
    known = [
        pattern
        for pattern in reach.patterns
        if not (TEAM in pattern and not reach.team) and not (ENTITY in pattern and not reach.entity)
    ]
    return list(dict.fromkeys(one.replace(TEAM, reach.team).replace(ENTITY, reach.entity) for one in known))


def namespace_refusal(reach: Reach, place: NamespacePlace) -> str:
    """Why a run may not write into a namespace; "" when it may.

    An entity's name is chosen by whoever launches, and a team's by whoever makes it: `{entity}` and `{team}` alone
    open a namespace only if it is new, or was made for that entity or team by this organisation. What stands already
    is opened by an admin, by name, or given to a team by the cluster's keepers, by a label. A namespace of another
    organisation is never open.
    """
    name = place.name
    if is_reserved(name):
        return f"Namespace {name} is {reach.cluster}'s own; golden paths do not write there."
    found = matching(reach, name)
    if not found:
        return f"Namespace {name} is not open to this run on {reach.cluster}{_open(reach)}"
    if place.is_strangers:
        return f"Namespace {name} belongs to another organisation on {reach.cluster}. Choose another one."
    if not place.exists or any(is_named(pattern) for pattern in found):
        return ""
    if reach.team and place.team == reach.team and any(TEAM in pattern for pattern in found):
        return ""
    if place.is_ours and any(ENTITY in pattern for pattern in found):
        return ""
    if place.is_ours is None:
        return f"{reach.cluster} does not show whose namespace {name} is. An admin can open it by name."
    whose = f"team {reach.team}" if any(TEAM in pattern for pattern in found) else "this entity"
    given = f" The label {labels.TEAM}={reach.team} gives it to the team." if whose != "this entity" else ""
    return f"Namespace {name} stands there already and was not made for {whose}{_open(reach)}{given}"


def is_named(pattern: str) -> bool:
    """Whether an admin wrote the namespace out, and nobody's choice of a name is in it."""
    return TEAM not in pattern and ENTITY not in pattern


def _open(reach: Reach) -> str:
    names = shown(reach)
    opened = f": open are {', '.join(names)}." if names else ": nothing is open."
    return f"{opened} {reach.why_no_team}".rstrip() + " An admin decides on the cluster's page."


def kind_name(api_version: str, kind: str) -> str:
    """`ClusterRole.rbac.authorization.k8s.io`; kinds of the core group are bare."""
    group = api_version.rpartition("/")[0]
    return f"{kind}.{group}" if group else kind


def object_refusal(reach: Reach, manifest: Mapping[str, Any], *, is_namespaced: bool, place: NamespacePlace) -> str:
    """Why a run may not write this object at all, whoever's it is; "" when it may.

    place is the namespace that the object lies in, or, for a Namespace, the one that it is.
    """
    api_version, kind = str(manifest["apiVersion"]), str(manifest["kind"])
    metadata = manifest["metadata"]
    name = kind_name(api_version, kind)
    if metadata.get("ownerReferences"):
        return f"{kind} {metadata['name']} names owners (ownerReferences): only controllers do so. Leave them out."
    where = str(metadata.get("namespace") or "") if is_namespaced else ""
    if Allowance(reach.path, name, where) in reach.allowances:
        return ""
    if name == "Namespace":
        return namespace_refusal(reach, place)
    if not is_namespaced:
        return (
            f"{kind} {metadata['name']} lies in no namespace, so it is for everybody on {reach.cluster}. "
            f"An admin can allow {name} for this golden path there."
        )
    if refusal := namespace_refusal(reach, place):
        return refusal
    if escalates := _escalation(api_version, kind, manifest):
        return f"{kind} {metadata['name']} {escalates}. An admin can allow {name} in {where} for this golden path."
    return ""


def _escalation(api_version: str, kind: str, manifest: Mapping[str, Any]) -> str:
    """What an access rule gives that a team should not give itself; "" for everything else."""
    if api_version.rpartition("/")[0] != RBAC:
        return ""
    if kind == "Role":
        return _of_role(manifest)
    if kind == "RoleBinding":
        return _of_binding(manifest)
    return ""


def _of_role(manifest: Mapping[str, Any]) -> str:
    for rule in _mappings(manifest.get("rules")):
        given = {str(one) for key in ("verbs", "resources", "apiGroups") for one in rule.get(key) or ()}
        if found := sorted(given & {"*", "escalate", "bind", "impersonate"}):
            return f"gives “{found[0]}”, more than a service needs"
    return ""


def _of_binding(manifest: Mapping[str, Any]) -> str:
    ref = manifest.get("roleRef")
    role = ref if isinstance(ref, dict) else {}
    if role.get("kind") == "ClusterRole" and role.get("name") not in HARMLESS_ROLES:
        return f"gives the cluster-wide role {role.get('name')}"
    here = (manifest.get("metadata") or {}).get("namespace")
    for subject in _mappings(manifest.get("subjects")):
        if subject.get("kind") != "ServiceAccount":
            return f"gives rights to {subject.get('kind')} {subject.get('name')}"
        if subject.get("namespace") not in (None, "", here):
            return f"gives rights to a service account of namespace {subject.get('namespace')}"
    return ""


def _mappings(value: Any) -> list[dict[str, Any]]:
    return [item for item in value if isinstance(item, dict)] if isinstance(value, list) else []


@dataclass(frozen=True)
class PodClaim:
    """One entity that a pod is bound to, beside the person who asks: is it theirs, and does the pod itself name it?

    A binding is written by whoever describes the entity: a selector may catch anybody's pods. Only what the pod wears,
    or a namespace that was made for or given to the entity's team, makes it more than a claim. team is the slug of the
    owning team, "" for none.
    """

    entity_ref: str
    is_theirs: bool
    is_named: bool
    team: str = ""


def logs_refusal(pod: str, bound: Collection[PodClaim], namespace: str, namespace_team: str) -> str:
    """Why somebody below manager may not read a pod's log; "" when they may.

    namespace_team is the slug of the team that the namespace says it is for. All entities that the pod is bound to must
    be theirs: what two teams claim is for a manager to read.
    """
    if not bound:
        return f"No entity of the catalog shows pod {pod}, so only a manager may read its log."
    others = sorted(claim.entity_ref for claim in bound if not claim.is_theirs)
    if others:
        return f"Pod {pod} belongs to {', '.join(others)}. Its owner's team may read its log, or a manager."
    if any(claim.is_named or (claim.team and claim.team == namespace_team) for claim in bound):
        return ""
    return (
        f"Pod {pod} does not say that it belongs to {next(iter(bound)).entity_ref}, and namespace {namespace} is not "
        "its team's. Label it, or ask a manager."
    )
