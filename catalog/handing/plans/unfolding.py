"""What the steps of a reorganisation come to, before anything is done.

A step is one of {kind: team, slug, name, parent}, {kind: rename, team, name}, {kind: move, team, parent},
{kind: merge, team, into}, {kind: give, filter, to} and {kind: rows, rows: [[entity, to], …]}. Teams go by their address
(slug), a parent "" is the top; `to` is a team, also one that an earlier step makes, or a person. A split is a new team
and what it is given. A later step counts more than an earlier one.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from catalog.asking.filters import BadFilter, parse_filters
from catalog.asking.query import entities_of
from catalog.asking.within import widened
from catalog.descriptors.kinds import is_ownable
from catalog.holders import holder_named
from catalog.index.owning import SLIM, holder_of
from catalog.index.reading import find
from catalog.models import Entity, Role
from catalog.owners.reading import held_by
from portal.accounts.models import Organisation, Team
from portal.kit.errors import Invalid, Refusal
from portal.kit.refs import completed, ref_to

MOST = 5000
MOST_STEPS = 100
KINDS: Mapping[str, tuple[str, ...]] = {
    "team": ("slug", "name", "parent"),
    "rename": ("team", "name"),
    "move": ("team", "parent"),
    "merge": ("team", "into"),
    "give": ("filter", "to"),
    "rows": ("rows",),
}
OWNER = Role.OWNER.value
SLUG_LETTERS = frozenset("abcdefghijklmnopqrstuvwxyz0123456789-")


@dataclass(frozen=True)
class RoleChange:
    """A role of an entity that goes to somebody; was "" for nobody named."""

    entity: Entity
    role: str
    was: str
    to: str


@dataclass
class Unfolded:
    """made: new teams (slug, name, parent's slug); changed: slug -> {name, parent} of teams that stand; merged: (slug,
    into); roles: what goes to whom; wrong: (number of the step from 1, sentence)."""

    made: list[tuple[str, str, str]] = field(default_factory=list)
    changed: dict[str, dict[str, str]] = field(default_factory=dict)
    merged: list[tuple[str, str]] = field(default_factory=list)
    roles: dict[tuple[int, str], RoleChange] = field(default_factory=dict)
    wrong: list[tuple[int, str]] = field(default_factory=list)

    @property
    def changes(self) -> list[RoleChange]:
        """What really changes, by reference."""
        found = [each for each in self.roles.values() if each.was != each.to]
        return sorted(found, key=lambda each: (each.entity.ref, each.role))


def clean_step(said: Mapping[str, Any]) -> dict[str, Any]:
    """A step with exactly its words. Raises Invalid for what is none."""
    kind = str(said.get("kind", ""))
    if kind not in KINDS:
        raise Invalid("Choose what the step does.", field="kind")
    step: dict[str, Any] = {"kind": kind}
    for name in KINDS[kind]:
        value = said.get(name, "")
        if name == "rows":
            step[name] = [[str(ref).strip()[:400], str(to).strip()[:400]] for ref, to in value or ()][: MOST + 1]
            continue
        step[name] = " ".join(str(value).replace("\0", "").split())[:400]
        if not step[name] and name != "parent":
            raise Invalid(f"Say the {name}.", field=name)
    if kind == "team" and (set(step["slug"]) - SLUG_LETTERS or len(step["slug"]) > 40):
        raise Invalid("A team's address is small letters, digits and hyphens, forty at most.", field="slug")
    if kind == "rows" and not 0 < len(step["rows"]) <= MOST:
        raise Invalid(f"One row at least, {MOST:,} at most.", field="rows")
    return step


def unfold(organisation: Organisation, steps: Sequence[Mapping[str, Any]]) -> Unfolded:
    """What the steps come to. Some statements a step. Must run inside the tenant."""
    work = _Unfolding(organisation)
    for number, step in enumerate(steps, 1):
        try:
            getattr(work, f"_{step['kind']}")(step)
        except (Refusal, BadFilter) as trouble:
            work.found.wrong.append((number, getattr(trouble, "text", str(trouble))))
    if len(work.found.roles) > MOST:
        work.found.wrong.append((len(steps), f"At most {MOST:,} entities in one plan."))
    return work.found


class _Unfolding:
    def __init__(self, organisation: Organisation) -> None:
        self.organisation = organisation
        self.found = Unfolded()
        rows = Team.objects.for_tenant(organisation).select_related("parent")
        self.teams = {team.slug: team for team in rows}
        self.fresh: dict[str, str] = {}

    def team(self, slug: str) -> Team:
        if slug not in self.teams:
            raise Invalid(f"There is no team {slug}.")
        return self.teams[slug]

    def place(self, slug: str) -> str:
        if slug and slug not in self.teams and slug not in self.fresh:
            raise Invalid(f"There is no team {slug}.")
        return slug

    def holder(self, said: str) -> str:
        if said in self.fresh:
            return self.fresh[said]
        return self.teams[said].ref if said in self.teams else holder_named(self.organisation, said)

    def give(self, rows: Sequence[Entity], to: str) -> None:
        for row in rows:
            if is_ownable(row.kind):
                self.found.roles[row.pk, OWNER] = RoleChange(row, OWNER, holder_of(row), to)

    def _team(self, step: Mapping[str, Any]) -> None:
        slug = step["slug"]
        if slug in self.teams or slug in self.fresh:
            raise Invalid(f"A team {slug} exists already.")
        self.found.made.append((slug, step["name"], self.place(step["parent"])))
        self.fresh[slug] = ref_to("group", slug)

    def _rename(self, step: Mapping[str, Any]) -> None:
        self.found.changed.setdefault(self.team(step["team"]).slug, {})["name"] = step["name"]

    def _move(self, step: Mapping[str, Any]) -> None:
        self.found.changed.setdefault(self.team(step["team"]).slug, {})["parent"] = self.place(step["parent"])

    def _merge(self, step: Mapping[str, Any]) -> None:
        """Everything that the team holds, and its people; the team itself stays, empty, until somebody deletes it."""
        team, to = self.team(step["team"]), self.holder(step["into"])
        into = self.place(step["into"])
        if into == team.slug:
            raise Invalid(f"{team} cannot be merged into itself.")
        owned = entities_of(self.organisation).filter(owner_ref=team.ref).exclude(owner_how="inheritance")
        earlier = [each.entity for each in self.found.roles.values() if each.role == OWNER and each.to == team.ref]
        given_away = {pk for (pk, role), each in self.found.roles.items() if role == OWNER and each.to != team.ref}
        mine = [row for row in owned.only(*SLIM)[: MOST + 1] if row.pk not in given_away]
        self.give([*mine, *earlier], to)
        for row in held_by(self.organisation, [team.ref]).exclude(role=OWNER).select_related("entity")[: MOST + 1]:
            self.found.roles[row.entity_id, row.role] = RoleChange(row.entity, row.role, team.ref, to)
        self.found.merged.append((team.slug, into))

    def _give(self, step: Mapping[str, Any]) -> None:
        """By rule: a filter as the entities' list of the API has it."""
        node = widened(self.organisation, parse_filters([step["filter"]]))
        to = self.holder(step["to"])
        rows = entities_of(self.organisation).filter(num__in=find(self.organisation, node).numbers(MOST + 1))
        found = list(rows.only(*SLIM))
        if not found:
            raise Invalid("Its filter chooses nothing.")
        self.give(found, to)

    def _rows(self, step: Mapping[str, Any]) -> None:
        wanted = {completed(ref.lower(), kind="component"): to for ref, to in step["rows"]}
        known = {row.ref: row for row in entities_of(self.organisation).filter(ref__in=wanted).only(*SLIM)}
        holders: dict[str, str] = {}
        for ref, to in wanted.items():
            if ref not in known:
                raise Invalid(f"There is no {ref[:120]}.")
            if to not in holders:
                holders[to] = self.holder(to)
            self.give([known[ref]], holders[to])
