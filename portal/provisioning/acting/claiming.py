"""In whose name a step writes to a cluster, how far that reaches, and who may take over what stands there."""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from catalog.descriptors.kinds import owner_ref
from catalog.models import Entity
from portal.accounts import audit
from portal.accounts.access import Access, enter
from portal.accounts.actor import Actor
from portal.accounts.models import Organisation, Team, User
from portal.accounts.teams import standing
from portal.accounts.tenancy import tenant
from portal.clusters import claims, labels
from portal.clusters.claims import Claimant, Manifest, Remembered, Standing
from portal.clusters.credentials import CredentialPlace, seal, unseal
from portal.clusters.models import AllowedKind, Binding, Cluster
from portal.clusters.reach import Allowance, Reach
from portal.clusters.writing import Guard, KeptObject, Seen
from portal.kit.errors import Refusal
from portal.kit.refs import name_of
from portal.provisioning.models import Effect, Run

MOST_ADOPTIONS = 100
# Lines of a difference that a failed step keeps, for whoever may retry it with an adoption.
MOST_DIFF_KEPT = 120
# Stands for the number of a run that is only reviewed.
LATER = "known-after-launch"


class Claimed(Refusal):
    """Something stands there already and is not the run's; the text says whose, `detail` what could be adopted."""

    status = 409
    code = "object-claimed"


class OutOfReach(Refusal):
    """The run may not write there at all."""

    status = 403
    code = "out-of-reach"


@dataclass(frozen=True)
class Doer:
    """What a run or a review is to the rules: who asked, for which path, owner, entity; a review has no lineage yet."""

    organisation: Organisation
    actor: Actor
    path: str
    owner_ref: str
    entity_ref: str
    lineage: str = LATER


def owner_named(values: Mapping[str, Any], path_owner: str) -> str:
    """Who answers for what a run makes: the `owner` among the answers, else the path's own owner; a reference or ""."""
    return owner_ref(str(values.get("owner") or path_owner or ""))[:300]


def guard_of(doer: Doer, cluster: Cluster) -> Guard:
    """The rules for what the doer writes to that cluster."""
    mark = labels.mark_of(doer.organisation.pk, doer.organisation.created_at)
    with tenant(doer.organisation):
        reach = reach_of(doer, cluster)
    claimant = Claimant(mark, labels.recognised(doer.entity_ref), doer.lineage, reach.team)
    return Guard(
        claimant,
        reach,
        lambda uid: remembered(doer.organisation, uid),
        lambda lineage: team_of_run(doer.organisation, lineage),
    )


def reach_of(doer: Doer, cluster: Cluster) -> Reach:
    """Where the doer may write on that cluster. Inside a tenant transaction.

    `{team}` is the team that will own what is made, and opens nothing for somebody who is neither in it (or above it)
    nor a manager: anybody may name any owner in a form.
    """
    rows = AllowedKind.objects.for_tenant(doer.organisation).filter(cluster=cluster, path=doer.path)
    team = standing(doer.organisation).filter(ref=doer.owner_ref.lower()).first()
    is_of_it = team is not None and _is_of(doer, team.ref)
    why = "" if team is None or is_of_it else f"{doer.actor.name} is not in {team}, so its namespaces stay shut."
    return Reach(
        patterns=cluster.patterns,
        team=team.slug if team is not None and is_of_it else "",
        entity=name_of(doer.entity_ref),
        path=doer.path,
        allowances=frozenset(Allowance(row.path, row.kind, row.namespace) for row in rows),
        cluster=cluster.name,
        why_no_team=why,
    )


def _is_of(doer: Doer, owner_ref: str) -> bool:
    return doer.actor.person is not None and bool(access_of(doer).can("workloads.adopt", owner_ref))


def access_of(doer: Doer) -> Access:
    """The person's rights as they are now, bounded by the agent that acts for them. Inside a transaction."""
    actor = doer.actor
    return enter(actor.user, doer.organisation.slug, way=actor.way, address=actor.address, agent=actor.agent)


def remembered(organisation: Organisation, uid: str) -> Remembered | None:
    """What the ledger knows of an object from before the marks: the run of this organisation that made it."""
    with tenant(organisation):
        rows = Effect.objects.for_tenant(organisation).filter(kind="object", reference__uid=uid)
        made = rows.filter(outcome__in=("created", "adopted")).order_by("id").values_list("run_id", flat=True).first()
    return Remembered(str(made)) if made is not None else None


def team_of_run(organisation: Organisation, lineage: str) -> str:
    """The slug of the team that a run made things for, "" where none is known."""
    with tenant(organisation):
        owner = _owner_of_run(organisation, lineage).lower()
        rows = Team.objects.for_tenant(organisation).filter(ref=owner)
        return (rows.values_list("slug", flat=True).first() or "") if owner else ""


@dataclass(frozen=True)
class EntityOwner:
    """The entity behind a standing's label, and who answers for it; "" where nobody knows."""

    entity_ref: str = ""
    owner_ref: str = ""
    title: str = ""


def owner_of(organisation: Organisation, standing: Standing) -> EntityOwner:
    """Whose it is, as far as this organisation's catalog and runs know."""
    if standing.kind == "stranger":
        return EntityOwner()
    with tenant(organisation):
        ref = _entity_ref(organisation, standing.entity)
        entity = Entity.objects.for_tenant(organisation).filter(ref=ref, removed_at=None).first() if ref else None
        owner_ref = entity.owner_ref if entity else _owner_of_run(organisation, standing.lineage)
        team = Team.objects.for_tenant(organisation).filter(ref=owner_ref.lower()).first() if owner_ref else None
    return EntityOwner(ref, owner_ref, f"Team {team.name}" if team else owner_ref)


def _entity_ref(organisation: Organisation, label: str) -> str:
    row = Binding.objects.for_tenant(organisation).filter(slipway_id=label).first() if label else None
    return row.entity_ref if row else ""


def _owner_of_run(organisation: Organisation, lineage: str) -> str:
    if not lineage.isdecimal() or len(lineage) > 18:
        return ""
    found = Run.objects.for_tenant(organisation).filter(pk=int(lineage)).values_list("owner_ref", flat=True).first()
    return found or ""


@dataclass(frozen=True)
class Claim:
    """One object that is not the run's, for a page: why not, whether a confirmation can help, what it would change."""

    place: str
    label: str
    sentence: str
    is_adoptable: bool
    why_not: str = ""
    token: str = ""
    diff: Sequence[str] = ()
    owner_ref: str = ""

    @property
    def is_for_somebody(self) -> bool:
        """Whether anybody may adopt it: this person, or whoever has the right."""
        return self.is_adoptable or bool(self.why_not)

    @property
    def key(self) -> str:
        """What a confirmation says: exactly this change of exactly this object."""
        return f"{self.token}@{self.place}"


def place_name(cluster: str, manifest: Mapping[str, Any]) -> str:
    """The name of an object among everything that all clusters hold."""
    metadata = manifest["metadata"]
    namespace = metadata.get("namespace") or ""
    return f"{cluster}/{manifest['apiVersion']}/{manifest['kind']}/{namespace}/{metadata['name']}"


def claim_on(doer: Doer, cluster: str, seen: Seen) -> Claim | None:
    """What stands in the way of writing there; None when nothing does."""
    if seen.standing.is_clear:
        return None
    owner = owner_of(doer.organisation, seen.standing)
    sentence = claims.sentence(seen.standing, entity=owner.entity_ref, owner=owner.title)
    why_not = "" if not seen.standing.is_adoptable else _why_not(doer, owner)
    return Claim(
        place=place_name(cluster, seen.wanted),
        label=seen.standing.label,
        sentence=sentence,
        is_adoptable=seen.standing.is_adoptable and not why_not,
        why_not=why_not,
        token=seen.token,
        diff=seen.diff,
        owner_ref=owner.owner_ref,
    )


def _why_not(doer: Doer, owner: EntityOwner) -> str:
    """Why this person may not adopt; "" when they may."""
    if doer.actor.person is None:
        return "Nobody answers for this run any more, so it adopts nothing."
    with tenant(doer.organisation):
        verdict = access_of(doer).can("workloads.adopt", owner.owner_ref or None)
    return verdict.sentence


def adoptions_of(keys: Collection[str], actor: Actor) -> list[dict[str, Any]]:
    """Confirmations as a run keeps them, from what a page or a program sent: `<token>@<place>` each."""
    pairs = [key.partition("@") for key in list(keys)[:MOST_ADOPTIONS]]
    return [
        {"place": place[:700], "token": token[:64], "by": actor.user.pk, "as": actor.facts()}
        for token, at, place in pairs
        if at and place
    ]


def adopter_of(adoptions: Collection[Mapping[str, Any]], doer: Doer, claim: Claim) -> Doer | None:
    """The doer in the name of whoever confirmed exactly this; None when nobody did.

    Whether they may is decided now, not when they confirmed: see `claim_on` with what is returned.
    """
    found = next((one for one in adoptions if (one["place"], one["token"]) == (claim.place, claim.token)), None)
    if found is None:
        return None
    person = User.objects.filter(pk=found["by"], is_active=True).first()
    return replace(doer, actor=Actor.kept(found.get("as") or {}, person))


MOVED = "It was confirmed, but the object or what would be written over it has changed since: look at it again."


def is_moved(adoptions: Collection[Mapping[str, Any]], claim: Claim) -> bool:
    """Whether somebody confirmed a change of that object, and it is not this one."""
    tokens = {one["token"] for one in adoptions if one["place"] == claim.place}
    return bool(tokens) and claim.token not in tokens


def refuse(found: Sequence[Claim], adoptions: Collection[Mapping[str, Any]] = ()) -> Claimed:
    """The refusal for everything that is in the way, adoptable or not; it says which confirmations no longer fit."""
    said = " ".join(
        " ".join(part for part in (claim.sentence, claim.why_not, MOVED if is_moved(adoptions, claim) else "") if part)
        for claim in found[:5]
    )
    more = f" And {len(found) - 5} more." if len(found) > 5 else ""
    is_open = any(claim.is_for_somebody for claim in found)
    hint = " Adopt it in the review or when you retry, or choose another name." if is_open else ""
    asked = [
        {
            "object": claim.label,
            "adopt": claim.key,
            "sentence": claim.sentence,
            "owner": claim.owner_ref,
            "diff": list(claim.diff)[:MOST_DIFF_KEPT],
        }
        for claim in found
        if claim.is_for_somebody
    ]
    return Claimed(f"{said}{more} Nothing was changed.{hint}", detail={"claims": asked})


def record_adoption(doer: Doer, run_id: int, seen: Seen) -> None:
    """Write down that something was taken over, by whom and from whom. Inside a tenant transaction."""
    owner = owner_of(doer.organisation, seen.standing)
    from_whom = claims.sentence(seen.standing, entity=owner.entity_ref, owner=owner.title)
    audit.record(
        organisation=doer.organisation,
        actor=doer.actor,
        verb="object.adopted",
        subject_label=seen.standing.label,
        summary=f"Adopted {seen.standing.label} in run {run_id}",
        data={"run": run_id, "uid": seen.uid, "was": from_whom},
    )


def _sealing_place(organisation_id: int, key: str) -> CredentialPlace:
    return CredentialPlace(organisation_id, f"effect {key}", server="", ca="")


def sealed_kept(organisation_id: int, key: str, kept: KeptObject) -> str:
    """What the ledger keeps of a changed object, readable by workers alone: it may be a Secret."""
    return seal(
        {"before": json.dumps(kept.before), "after": json.dumps(kept.after)}, _sealing_place(organisation_id, key)
    )


def opened_kept(organisation_id: int, key: str, sealed: str) -> KeptObject:
    """The same, opened."""
    plain = unseal(sealed, _sealing_place(organisation_id, key))
    return KeptObject(json.loads(plain["before"]), json.loads(plain["after"]))


def before_undone(organisation: Organisation, before: Manifest) -> Manifest:
    """An object as it stood before this run, or, where that was the work of a run that is undone by now and had to
    leave it, as it stood before that one. Inside a tenant transaction."""
    seen: set[str] = set()
    while (run := _maker(before)) not in seen | {""}:
        seen.add(run)
        rows = Effect.objects.for_tenant(organisation).filter(kind="object", run_id=int(run), undo="left")
        found = rows.filter(reference__uid=before["metadata"].get("uid", "")).first()
        kept = (found.before or {}).get("kept") if found is not None else None
        if found is None or kept is None:
            break
        before = opened_kept(organisation.pk, found.key, kept).before
    return before


def _maker(found: Manifest) -> str:
    """The number of the run that wrote an object last, "" where none did."""
    run = str((found["metadata"].get("labels") or {}).get(labels.RUN, ""))
    return run if run.isdecimal() and len(run) <= 18 else ""
