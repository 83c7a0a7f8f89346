"""Holders that cannot answer any more: a person who left, a team with nobody in it, a team that is gone.

Whatever they own or hold a role in gets a problem, in the inbox and on its page. What is true is told anew after each
change that may raise or end an alarm, and by the live process, so an alarm ends by itself when it is mended.
"""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from django.db.models import Q

from catalog.asking.query import entities_of
from catalog.descriptors.kinds import HAS_MEMBER, OWNED_BY
from catalog.descriptors.problemkinds import ALARMS, kind_of_problem
from catalog.holders import member_number
from catalog.index import edges
from catalog.index.bulk import run
from catalog.index.edges import NUMBERS
from catalog.models import Entity, Problem, Role
from catalog.owners.telling import Handed
from portal.accounts import paths
from portal.accounts.actor import Actor
from portal.accounts.audit import record
from portal.accounts.models import AuditEvent, Membership, Organisation, Team, TeamMembership, User
from portal.accounts.tenancy import tenant
from portal.kit.refs import kind_of, name_of

LEFT, EMPTY, GONE = "owner-left", "owner-empty", "owner-gone"
VERB = "ownership.alarmed"
BATCH = 500
# First key of the advisory lock that lets one at a time tell an organisation's alarms: the last that anybody takes.
LOCK_SPACE = 20_265
# What a holder is to an entity, by role.
WORDS: Mapping[str, str] = {
    Role.OWNER.value: "owns it",
    Role.ONCALL.value: "is on call for it",
    Role.TECHNICAL.value: "is its technical contact",
    Role.APPROVER.value: "is its approver",
}


@dataclass(frozen=True)
class Trouble:
    """What is wrong with a holder; `above` is the team that has to care, "" for nobody."""

    code: str
    name: str
    above: str = ""

    def sentence(self, role: str) -> str:
        """What is said of an entity whose role they hold."""
        what = WORDS[role]
        if self.code == LEFT:
            return f"{self.name} {what}, and is not here any more."
        if self.code == EMPTY:
            return f"{self.name} {what}, and nobody is in that team."
        return f"{self.name} {what}, and there is no such team any more."


@dataclass(frozen=True)
class _Held:
    entity_id: int
    role: str
    holder: str


def refresh(organisation: Organisation | int, entities: Collection[int] | None = None) -> int:
    """Brings the alarms in line with who can answer; of these entities only, by key, where they are given.

    Returns how many are new; each holder's new ones are told by one event. Inside the tenant. Some statements, however
    many entities there are.
    """
    organisation_id = organisation if isinstance(organisation, int) else organisation.pk
    run("SELECT pg_advisory_xact_lock(%s, %s)", LOCK_SPACE, organisation_id)
    kept = Problem.objects.for_tenant(organisation_id).filter(code__in=ALARMS)
    if entities is not None:
        refs = Entity.objects.for_tenant(organisation_id).filter(pk__in=entities).values_list("ref", flat=True)
        kept = kept.filter(entity_ref__in=list(refs))
    before = {row.key: row for row in kept}
    known_gone = {row.field.partition(" ")[2] for row in before.values() if row.code == GONE}
    troubles = troubled(organisation_id, _holders(organisation_id, entities), known_gone)
    wanted = _wanted(organisation_id, troubles, _held(organisation_id, list(troubles), entities))
    over = [row.pk for key, row in before.items() if key not in wanted]
    if over:
        Problem.objects.for_tenant(organisation_id).filter(pk__in=over).delete()
    moved = [_moved(row, wanted[key][0]) for key, row in before.items() if key in wanted]
    Problem.objects.bulk_update(
        [row for row in moved if row], ["sentence", "owner_ref", "path", "line"], batch_size=BATCH
    )
    fresh = [(row, entity) for key, (row, entity) in wanted.items() if key not in before]
    Problem.objects.bulk_create([row for row, _ in fresh], batch_size=BATCH)
    _tell(organisation_id, fresh, troubles)
    return len(fresh)


def _holders(organisation_id: int, entities: Collection[int] | None) -> set[str]:
    """Everybody who holds something: one statement."""
    if entities is not None:
        found = run(
            "SELECT owner_ref FROM catalog_entity WHERE organisation_id = %s AND id = ANY(%s::bigint[])"
            " UNION SELECT holder_ref FROM catalog_statement"
            " WHERE organisation_id = %s AND entity_id = ANY(%s::bigint[]) AND until IS NULL",
            organisation_id,
            list(entities),
            organisation_id,
            list(entities),
        )
    else:
        found = run(
            "SELECT f.value FROM catalog_factkey k JOIN catalog_fact f ON f.organisation_id = %s AND f.key_id = k.id"
            " WHERE k.organisation_id = %s AND k.key = %s"
            " UNION SELECT DISTINCT holder_ref FROM catalog_statement WHERE organisation_id = %s AND until IS NULL",
            organisation_id,
            organisation_id,
            f"relations.{OWNED_BY}".lower(),
            organisation_id,
        )
    return {ref for (ref,) in found if ref}


def troubled(organisation_id: int, refs: Collection[str], known_gone: Collection[str] = ()) -> dict[str, Trouble]:
    """Those of these holders who cannot answer. known_gone: teams that were found gone before, so they have been here;
    what nobody here has ever known is no alarm. Some statements, however many."""
    groups = [ref for ref in refs if kind_of(ref) == "group"]
    people = [ref for ref in refs if kind_of(ref) == "user"]
    return _teams(organisation_id, groups, set(known_gone)) | _people(organisation_id, people)


def _teams(organisation_id: int, refs: Sequence[str], known_gone: set[str]) -> dict[str, Trouble]:
    if not refs:
        return {}
    teams = {team.ref: team for team in Team.objects.for_tenant(organisation_id).filter(ref__in=refs)}
    there = set(entities_of(organisation_id).filter(ref__in=refs).values_list("ref", flat=True))
    missing = [ref for ref in refs if ref not in teams and ref not in there]
    found = {ref: Trouble(GONE, name_of(ref)) for ref in _were_here(organisation_id, missing) | known_gone & {*missing}}
    empty = [team for team in _without_people(organisation_id, teams.values()) if team.stands]
    described = {ref for ref, *_ in edges.from_refs(organisation_id, [team.ref for team in empty], [HAS_MEMBER])}
    empty = [team for team in empty if team.ref not in described]
    above = _with_people_above(organisation_id, empty)
    return found | {team.ref: Trouble(EMPTY, team.name, above.get(team.pk, "")) for team in empty}


def _were_here(organisation_id: int, refs: Sequence[str]) -> set[str]:
    """Those that somebody deleted, or whose description left."""
    if not refs:
        return set()
    buried = Entity.objects.for_tenant(organisation_id).filter(ref__in=refs).exclude(removed_at=None)
    deleted = AuditEvent.objects.for_tenant(organisation_id).filter(verb="team.deleted", data__ref__in=refs)
    return {*buried.values_list("ref", flat=True), *(event.data["ref"] for event in deleted.only("data"))}


def _without_people(organisation_id: int, teams: Iterable[Team]) -> list[Team]:
    """Those with nobody in them and in no team below."""
    known = {team.pk: team for team in teams}
    members = TeamMembership.objects.for_tenant(organisation_id).filter(user__is_active=True).values("team_id")
    down = paths.paths_of(organisation_id).filter(above_id__in=list(known), below_id__in=members)
    peopled = set(down.values_list("above_id", flat=True))
    return [team for pk, team in known.items() if pk not in peopled]


def _with_people_above(organisation_id: int, teams: Sequence[Team]) -> dict[int, str]:
    """The nearest team above each that has people of its own, by key."""
    if not teams:
        return {}
    rows = run(
        "SELECT DISTINCT ON (p.below_id) p.below_id, t.ref FROM accounts_teampath p"
        " JOIN accounts_team t ON t.organisation_id = %s AND t.id = p.above_id AND t.waits_since IS NULL"
        " WHERE p.organisation_id = %s AND p.below_id = ANY(%s::bigint[]) AND p.depth > 0 AND EXISTS ("
        "  SELECT FROM accounts_teammembership m WHERE m.organisation_id = %s AND m.team_id = t.id)"
        " ORDER BY p.below_id, p.depth",
        organisation_id,
        organisation_id,
        [team.pk for team in teams],
        organisation_id,
    )
    return dict(rows)


def _people(organisation_id: int, refs: Sequence[str]) -> dict[str, Trouble]:
    """People without a place here: by their number, or as a file describes them, once they had one."""
    if not refs:
        return {}
    numbers = {ref: number for ref in refs if (number := member_number(ref)) is not None}
    rows = entities_of(organisation_id).filter(ref__in=[ref for ref in refs if ref not in numbers], kind="User")
    mails = {row.ref: _mail(row) for row in rows.select_related("body")}
    accounts = {
        user.pk: user
        for user in User.objects.filter(
            Q(pk__in=list(numbers.values())) | Q(email__in=sorted(set(mails.values()) - {""}))
        )
    }
    members = Membership.objects.for_tenant(organisation_id).filter(user__in=list(accounts), user__is_active=True)
    here = set(members.values_list("user_id", flat=True))
    left = {user.email: user for pk, user in accounts.items() if pk not in here}
    once = AuditEvent.objects.for_tenant(organisation_id).filter(
        verb__in=("member.left", "member.removed"), data__user__in=sorted(left)
    )
    inactive = Membership.objects.for_tenant(organisation_id).filter(user__in=list(accounts), user__is_active=False)
    known = {event.data["user"] for event in once.only("data")}
    known |= {accounts[pk].email for pk in inactive.values_list("user_id", flat=True)}
    found = {}
    for ref, number in numbers.items():
        if number not in here:
            user = accounts.get(number)
            found[ref] = Trouble(LEFT, str(user) if user and user.email in known else "Somebody")
    for ref, mail in mails.items():
        if mail in known:
            found[ref] = Trouble(LEFT, str(left[mail]))
    buried = Entity.objects.for_tenant(organisation_id).filter(ref__in=refs).exclude(removed_at=None)
    return found | {ref: Trouble(LEFT, name_of(ref)) for ref in buried.values_list("ref", flat=True)}


def _mail(row: Entity) -> str:
    return str((row.spec.get("profile") or {}).get("email", "")).lower()


def _held(organisation_id: int, refs: Sequence[str], entities: Collection[int] | None) -> list[_Held]:
    """What these holders own, by fallback too, and which roles they hold: one statement."""
    if not refs:
        return []
    only = "" if entities is None else " AND e.id = ANY(%s::bigint[])"
    chosen = [] if entities is None else [list(entities)]
    rows = run(
        "SELECT e.id, 'owner', x.target FROM catalog_edge x"  # noqa: S608 - our own constants
        " JOIN catalog_entity e ON e.organisation_id = %s AND e.num = x.num AND e.removed_at IS NULL"
        f" WHERE x.organisation_id = %s AND x.type = %s AND x.target = ANY(%s::text[]){only}"
        " UNION ALL SELECT e.id, s.role, s.holder_ref FROM catalog_statement s"
        " JOIN catalog_entity e ON e.organisation_id = %s AND e.id = s.entity_id AND e.removed_at IS NULL"
        f" WHERE s.organisation_id = %s AND s.until IS NULL AND s.role <> 'owner'"
        f" AND s.holder_ref = ANY(%s::text[]){only}",
        organisation_id,
        organisation_id,
        NUMBERS[OWNED_BY],
        list(refs),
        *chosen,
        organisation_id,
        organisation_id,
        list(refs),
        *chosen,
    )
    return [_Held(*row) for row in rows]


def _wanted(
    organisation_id: int, troubles: Mapping[str, Trouble], held: Sequence[_Held]
) -> dict[str, tuple[Problem, Entity]]:
    rows = Entity.objects.for_tenant(organisation_id).filter(pk__in={each.entity_id for each in held})
    rows = rows.exclude(source=None).select_related("source").defer("description", "tags")
    known = {row.pk: row for row in rows} if held else {}
    found = {}
    for each in held:
        entity, trouble = known.get(each.entity_id), troubles[each.holder]
        if entity is None:
            continue
        key = hashlib.sha256(f"alarm\n{entity.uid}\n{each.role}\n{each.holder}\n{trouble.code}".encode()).hexdigest()[
            :32
        ]
        is_owner = each.role == Role.OWNER.value
        found[key] = (
            Problem(
                organisation_id=organisation_id, source=entity.source, key=key, path=entity.path,
                line=entity.line, code=trouble.code, severity=kind_of_problem(trouble.code).rank,
                sentence=trouble.sentence(each.role), entity_ref=entity.ref,
                field=f"{each.role} {each.holder}"[:300],
                owner_ref=trouble.above if is_owner or entity.owner_ref in troubles else entity.owner_ref,
            ),
            entity,
        )  # fmt: skip
    return found


def _moved(row: Problem, wanted: Problem) -> Problem | None:
    """A row that is there, with what is told of it now; None where that is the same."""
    names = ("sentence", "owner_ref", "path", "line")
    if all(getattr(row, name) == getattr(wanted, name) for name in names):
        return None
    for name in names:
        setattr(row, name, getattr(wanted, name))
    return row


def _tell(organisation_id: int, fresh: Sequence[tuple[Problem, Entity]], troubles: Mapping[str, Trouble]) -> None:
    """One event for each holder with new alarms: code, holder, name, entities: [{uid, ref, role}]."""
    by_holder: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for row, entity in fresh:
        role, _, holder = row.field.partition(" ")
        by_holder[holder].append({"uid": str(entity.uid), "ref": entity.ref, "role": role})
    for holder, entities in sorted(by_holder.items()):
        trouble = troubles[holder]
        record(
            organisation=organisation_id,
            actor=Actor.slipway(),
            verb=VERB,
            subject_label=holder,
            summary=f"{trouble.name} cannot answer for {len(entities):,} any more",
            data={"code": trouble.code, "holder": holder, "name": trouble.name, "entities": entities},
        )


# --- when ---


def after_stated(organisation: Organisation | int, handed: Sequence[Handed]) -> None:
    """The hook of statements: alarms of what went to other hands."""
    refresh(organisation, {each.entity.pk for each in handed})


def after_team(actor: Actor, team: Team) -> None:
    """The hook of teams that were made, changed, or are gone, and of who is in them."""
    refresh(team.organisation_id)


def after_leaving(organisation: Organisation, person: User) -> None:
    """The hook of people who left."""
    refresh(organisation)


def sweep_alarms() -> int:
    """Everything anew, in every organisation: what no hook tells, such as an account that was switched off. For the
    live process."""
    fresh = 0
    for organisation_id in Organisation.objects.order_by("pk").values_list("pk", flat=True):
        with tenant(organisation_id):
            fresh += refresh(organisation_id)
    return fresh
