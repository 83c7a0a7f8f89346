"""The guarded door into a cluster: looks before it writes, and writes only over what it looked at.

A new object is made by create, so that a name taken meanwhile is noticed; a standing one is applied over with its uid
and resourceVersion as conditions. Undo puts back what an apply changed, and with it the book of field managers.
"""

from __future__ import annotations

import copy
import hashlib
import json
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from portal.clusters import claims, labels, reach, restoring
from portal.clusters.claims import Claimant, Remembered, Standing
from portal.clusters.errors import KubeConflict, KubeExists, KubeForbidden
from portal.clusters.kube import Kube
from portal.clusters.reach import NamespacePlace, Reach

Manifest = dict[str, Any]
Remember = Callable[[str], Remembered | None]

# A busy object changes between look and write; it is looked at again this often.
TRIES = 8
AUTOSCALER = "HorizontalPodAutoscaler"


@dataclass(frozen=True)
class Guard:
    """In whose name is written, how far that reaches, and what the organisation's ledger remembers by uid.

    team_of tells the slug of the team that a lineage's run made things for, "" for none: namespaces of before the
    team's mark do not say it themselves.
    """

    claimant: Claimant
    reach: Reach
    remember: Remember = lambda uid: None
    team_of: Callable[[str], str] = lambda lineage: ""


@dataclass(frozen=True)
class Seen:
    """A wanted object beside what stands at its place.

    token names what stands and what would be written over it, so that a confirmation is for exactly that; diff is what
    an apply would change, for a person, filled only for what somebody may adopt; is_scaled says that an autoscaler's
    replicas stay.
    """

    wanted: Manifest
    found: Manifest | None
    standing: Standing
    token: str = ""
    diff: tuple[str, ...] = ()
    is_scaled: bool = False

    @property
    def uid(self) -> str:
        """Of what stands."""
        return str(self.found["metadata"].get("uid", "")) if self.found else ""


@dataclass
class Written:
    """What became of one object: the object now, and what stood there before the first attempt (None: nothing)."""

    now: Manifest
    before: Manifest | None = None
    is_adopted: bool = False
    is_scaled: bool = False

    @property
    def outcome(self) -> str:
        """The word for the ledger."""
        if self.before is None:
            return "created"
        if self.is_adopted:
            return "adopted"
        same = self.before["metadata"].get("resourceVersion") == self.now["metadata"].get("resourceVersion")
        return "unchanged" if same else "updated"


def place_of(kube: Kube, guard: Guard, name: str) -> NamespacePlace:
    """A namespace as the rule wants to know it; looked at where a pattern opens it at all."""
    if not reach.matching(guard.reach, name):
        return NamespacePlace(name)
    try:
        standing = kube.get("v1", "Namespace", None, name)
    except KubeForbidden:
        return NamespacePlace(name, exists=True, is_ours=None)
    if standing is None:
        return NamespacePlace(name)
    wanted = {"kind": "Namespace", "metadata": {"name": name}}
    worn = standing["metadata"].get("labels") or {}
    mark = worn.get(labels.ORGANISATION, "")
    whose = claims.standing_of(standing, wanted, guard.claimant, _ledger(standing, guard.remember))
    return NamespacePlace(
        name,
        exists=True,
        is_ours=whose.kind in ("own", "lineage") and bool(guard.claimant.entities),
        is_strangers=mark not in ("", guard.claimant.organisation),
        team=worn.get(labels.TEAM, "") or (guard.team_of(whose.lineage) if whose.lineage else ""),
    )


def refusals(kube: Kube, guard: Guard, wanted: Iterable[Manifest]) -> list[str]:
    """Why some of these objects may not be written at all, one sentence each; [] when all may."""
    discovery = kube.discovery()
    places: dict[str, NamespacePlace] = {}
    found = []
    for manifest in wanted:
        is_namespaced = discovery.resource(manifest["apiVersion"], manifest["kind"]).is_namespaced
        metadata = manifest["metadata"]
        name = str((metadata.get("namespace") or "") if is_namespaced else metadata["name"])
        is_asked = is_namespaced or (manifest["apiVersion"], manifest["kind"]) == ("v1", "Namespace")
        if is_asked and name not in places:
            places[name] = place_of(kube, guard, name)
        place = places.get(name, NamespacePlace(name))
        found.append(reach.object_refusal(guard.reach, manifest, is_namespaced=is_namespaced, place=place))
    return [sentence for sentence in dict.fromkeys(found) if sentence]


def look(kube: Kube, guard: Guard, wanted: Manifest, *, with_diff: bool = False) -> Seen:
    """What stands where `wanted` (marked already) should go, and whose it is. Makes nothing."""
    metadata = wanted["metadata"]
    found = kube.get(wanted["apiVersion"], wanted["kind"], metadata.get("namespace"), metadata["name"])
    standing = claims.standing_of(found, wanted, guard.claimant, _ledger(found, guard.remember))
    if found is None:
        return Seen(wanted, None, standing)
    fitted = _with_scaled_replicas(kube, _with_standing_marks(wanted, found), found)
    diff = tuple(_diff(kube, fitted, found, guard)) if with_diff and standing.is_adoptable else ()
    return Seen(
        fitted, found, standing, token_of(found, wanted), diff, is_scaled=_replicas(fitted) != _replicas(wanted)
    )


def _ledger(found: Manifest | None, remember: Remember) -> Remembered | None:
    """Asked only for objects that Slipway made before organisations had marks."""
    metadata = (found or {}).get("metadata") or {}
    worn = metadata.get("labels") or {}
    if labels.ORGANISATION in worn or not (labels.RUN in worn or worn.get(labels.MANAGED_BY) == labels.SLIPWAY):
        return None
    return remember(str(metadata.get("uid", "")))


def token_of(found: Manifest, wanted: Manifest) -> str:
    """A name for exactly this change: this object with this content, whatever its status does, and this manifest.

    The manifest is taken as its author wrote it: the numbers of run and lineage that it is marked with are known only
    after the launch, and what is kept of the standing object follows from that object.
    """
    metadata = dict(wanted["metadata"])
    worn = metadata.get("labels") or {}
    metadata["labels"] = {key: value for key, value in worn.items() if key not in (labels.RUN, labels.LINEAGE)}
    parts = [found["metadata"].get("uid"), restoring.content_of(found), {**wanted, "metadata": metadata}]
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()[:32]


def _diff(kube: Kube, wanted: Manifest, found: Manifest, guard: Guard) -> list[str]:
    """What the server would make of it, where it says so; else what is wanted beside what stands."""
    try:
        would_be = kube.apply(wanted, manager=guard.claimant.manager, dry_run=True, force=True)
    except KubeForbidden:
        would_be = {**found, **wanted, "metadata": {**found["metadata"], **wanted["metadata"]}}
    return restoring.difference(found, would_be)


def _with_standing_marks(wanted: Manifest, found: Manifest) -> Manifest:
    """A Job's template cannot be changed once it stands: its pods keep the marks that they were made with, older ones
    none, and the Job itself says whose they are."""
    if wanted["kind"] != "Job":
        return wanted
    standing = (((found.get("spec") or {}).get("template") or {}).get("metadata") or {}).get("labels") or {}
    template = (wanted.get("spec") or {}).get("template")
    if not isinstance(template, dict) or not isinstance((template.get("metadata") or {}).get("labels"), dict):
        return wanted
    kept = copy.deepcopy(wanted)
    worn = kept["spec"]["template"]["metadata"]["labels"]
    for mark in (labels.ENTITY, labels.ORGANISATION):
        worn.pop(mark, None)
        if mark in standing:
            worn[mark] = standing[mark]
    return kept


def _replicas(manifest: Manifest) -> Any:
    spec = manifest.get("spec")
    return spec.get("replicas") if isinstance(spec, dict) else None


def _with_scaled_replicas(kube: Kube, wanted: Manifest, found: Manifest) -> Manifest:
    """An autoscaler's replicas stay as they are: its number is newer than the manifest's."""
    spec, standing = wanted.get("spec"), found.get("spec")
    if not isinstance(spec, dict) or not isinstance(standing, dict) or "replicas" not in spec:
        return wanted
    if spec["replicas"] == standing.get("replicas") or not _is_scaled(kube, found):
        return wanted
    kept = copy.deepcopy(wanted)
    kept["spec"]["replicas"] = standing.get("replicas")
    return kept


def _is_scaled(kube: Kube, found: Manifest) -> bool:
    """Whether an autoscaler of the namespace has the object as its target."""
    version = kube.discovery().newest(AUTOSCALER)
    if version is None:
        return False
    try:
        scalers = kube.list(version, AUTOSCALER, found["metadata"].get("namespace"))
    except KubeForbidden:
        return False
    target = (found["kind"], found["metadata"]["name"])
    refs = [(one.get("spec") or {}).get("scaleTargetRef") or {} for one in scalers]
    return any((ref.get("kind"), ref.get("name")) == target for ref in refs)


def write(
    kube: Kube,
    guard: Guard,
    wanted: Manifest,
    *,
    confirmed: Callable[[Seen], None],
    remember_before: Callable[[Manifest], None],
) -> Written:
    """Write one marked manifest, over nothing or over what may be written over.

    confirmed(seen) raises for what is not the run's own, unless somebody who may has adopted exactly that;
    remember_before(object) is called before a standing object is changed. Raises KubeError, and what they raise.
    """
    for _ in range(TRIES):
        seen = look(kube, guard, wanted)
        if seen.found is None:
            made = _create(kube, guard, wanted)
            if made is not None:
                return Written(made)
            continue
        if not seen.standing.is_clear:
            confirmed(seen)
        remember_before(seen.found)
        try:
            return _apply_over(kube, guard, seen)
        except KubeConflict:
            # fields are compared before the conditions are: a conflict counts only for what was looked at
            if not _has_changed(kube, seen):
                raise
    raise KubeConflict(f"{claims.label_of(wanted)} changes faster than it can be written. Try again.")


def _has_changed(kube: Kube, seen: Seen) -> bool:
    metadata = seen.wanted["metadata"]
    now = kube.get(seen.wanted["apiVersion"], seen.wanted["kind"], metadata.get("namespace"), metadata["name"])
    then = seen.found or {"metadata": {}}
    keys = ("uid", "resourceVersion")
    return now is None or any(now["metadata"].get(key) != then["metadata"].get(key) for key in keys)


def _create(kube: Kube, guard: Guard, wanted: Manifest) -> Manifest | None:
    """Make the object; None when somebody else has made one meanwhile."""
    manager = guard.claimant.manager
    try:
        # servers before 1.25 drop unknown fields of a create silently; apply names them
        kube.apply(wanted, manager=manager, dry_run=True)
    except KubeConflict:
        return None
    try:
        made = kube.create(wanted, manager=manager)
    except KubeExists:
        return None
    return _owned(kube, guard, wanted, made)


def _owned(kube: Kube, guard: Guard, wanted: Manifest, made: Manifest) -> Manifest:
    """A created object's fields, held by apply instead of by create: the next apply may then change them.

    Controllers write to a new object at once, so that only its uid is a condition of the apply, and the tidying of the
    book is tried again.
    """
    for _ in range(TRIES):
        now = kube.apply(_pinned(wanted, made, with_version=False), manager=guard.claimant.manager)
        try:
            return _tidied(kube, guard, now)
        except KubeConflict:
            continue
    return now


def _apply_over(kube: Kube, guard: Guard, seen: Seen) -> Written:
    assert seen.found is not None
    is_adopted = not seen.standing.is_clear
    found = seen.found if is_adopted else _tidied(kube, guard, seen.found)
    now = kube.apply(_pinned(seen.wanted, found), manager=guard.claimant.manager, force=is_adopted)
    return Written(now, seen.found, is_adopted, is_scaled=seen.is_scaled)


def _pinned(wanted: Manifest, found: Manifest, *, with_version: bool = True) -> Manifest:
    """The manifest on condition of that very object, as it was when it was looked at."""
    keys = ("uid", "resourceVersion") if with_version else ("uid",)
    return {**wanted, "metadata": {**wanted["metadata"], **{key: found["metadata"][key] for key in keys}}}


def _tidied(kube: Kube, guard: Guard, found: Manifest) -> Manifest:
    """The run's own object with one entry of its organisation in the book of managers.

    What the manager of all organisations owned on it passes to this one's; what a create left is dropped.
    """
    ours = guard.claimant.manager
    book = found["metadata"].get("managedFields") or []
    tidy = restoring.without_manager(book, ours, "Update")
    has_apply = any(entry.get("manager") == ours and entry.get("operation") == "Apply" for entry in tidy)
    shared = [one for one in tidy if (one.get("manager"), one.get("operation")) == (labels.SHARED_MANAGER, "Apply")]
    tidy = [one if one not in shared else {**one, "manager": ours} for one in tidy if not (has_apply and one in shared)]
    if not tidy or tidy == book:
        return found
    return kube.replace({**found, "metadata": {**found["metadata"], "managedFields": tidy}}, manager=ours)


@dataclass(frozen=True)
class KeptObject:
    """What the ledger keeps of a changed object: as it stood before, and as it was right after."""

    before: Manifest
    after: Manifest | None = None


@dataclass(frozen=True)
class PutBack:
    """What an undo of a change did: fields put back, and fields that stay because others changed them since."""

    returned: tuple[str, ...]
    kept: tuple[str, ...]


def put_back(kube: Kube, claimant: Claimant, kept: KeptObject, now: Manifest) -> PutBack | None:
    """Give an object its earlier content again, where nobody else has changed it since.

    None when it changed while it was being written: look again. Server fields and status stay as they are.
    """
    after = kept.after or now
    was, became, is_now = (restoring.content_of(one) for one in (kept.before, after, now))
    result = restoring.restored(was, became, is_now)
    metadata = {
        **{k: v for k, v in now["metadata"].items() if k in restoring.SERVERS_OWN},
        **result.content["metadata"],
    }
    whole = {**result.content, "metadata": metadata}
    if "status" in now:
        whole["status"] = now["status"]
    try:
        written = kube.replace(whole, manager=claimant.manager) if result.returned else now
        book = written["metadata"].get("managedFields") or []
        before = kept.before["metadata"].get("managedFields") or []
        ours = claimant.manager
        is_whole = not result.kept and restoring.content_of(written) == was
        given = restoring.returned_managers(before, book, ours) if is_whole else restoring.without_manager(book, ours)
        if given and given != book:
            kube.replace({**written, "metadata": {**written["metadata"], "managedFields": given}}, manager=ours)
    except KubeConflict:
        return None
    return PutBack(tuple(result.returned), tuple(result.kept))
