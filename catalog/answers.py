"""Who answers for an entity, how that is known, how they are reached: the card at the top of its page, and its tab."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from catalog.descriptors.contacts import contact_of
from catalog.descriptors.kinds import is_ownable
from catalog.descriptors.relations import owner_of
from catalog.models import How, Role, Source, Statement
from catalog.owners.reading import history as history_of
from catalog.owners.rights import may_state
from catalog.panels import Look
from portal.accounts.contact import Contact
from portal.accounts.models import Team
from portal.accounts.permissions import Verdict
from portal.kit.refs import name_of


@dataclass(frozen=True)
class HeldRole:
    """A role and who holds it, "" for nobody: how that is known, and how they are reached.

    words  a sentence without its time, which `since` is
    """

    role: str
    label: str
    holder_ref: str
    contact: Contact
    words: str
    why: str = ""
    since: datetime | None = None


@dataclass(frozen=True)
class AnswersCard:
    """Who answers for an entity and how they are reached.

    others  the other roles that somebody holds
    said    the owner that its file names, where that is another than the one on record; "" where they agree
    note    all of it as text, to be copied
    """

    owner: HeldRole
    is_team: bool
    others: Sequence[HeldRole]
    said: str
    note: str
    is_fallback: bool

    @property
    def owner_ref(self) -> str:
        return self.owner.holder_ref

    @property
    def contact(self) -> Contact:
        return self.owner.contact


def answers(look: Look) -> AnswersCard | None:
    if not is_owned(look):
        return None
    entity = look.entity
    owner, *rest = held_of(look)
    others = [each for each in rest if each.holder_ref]
    said = owner_of(entity.document)
    is_other = bool(said and entity.owner_ref) and said != entity.owner_ref and not (look.kind and look.kind.is_team)
    return AnswersCard(
        owner,
        look.contact is not None,
        others,
        said if is_other else "",
        _note(look, [owner, *others]),
        entity.owner_how == How.INHERITANCE,
    )


def held_of(look: Look) -> list[HeldRole]:
    """Every role of the entity, the owner first."""
    owner = HeldRole(Role.OWNER.value, "Owner", look.answers, _nearest(look), *_known_by(look))
    found = [owner]
    for role in (Role.ONCALL, Role.TECHNICAL, Role.APPROVER):
        told = look.standing.get(role.value, {})
        ref = str(told.get("holder_ref") or "")
        reached = look.reached.get(ref) or Contact()
        found.append(HeldRole(role.value, str(role.label), ref, reached, *(_stated(told) if ref else ("", "", None))))
    return found


def _known_by(look: Look) -> tuple[str, str, datetime | None]:
    """How the owner is known: the sentence, the reason, since when."""
    entity = look.entity
    if look.kind and look.kind.is_team:
        return "It is a team itself.", "", None
    if entity.owner_how == How.INHERITANCE:
        return "Nobody is named for it. By fallback, the owner of what it is part of answers", "", None
    told = look.standing.get(Role.OWNER.value)
    if told and told["holder_ref"]:
        return _stated(told)
    if not entity.owner_ref:
        return "Nobody is named for it.", "", None
    if entity.source is not None and entity.source.kind == Source.Kind.PORTAL:
        return "Named in its text, written in the portal", "", entity.created_at
    label = entity.source.label if entity.source else "a source that is gone"
    return f"Named in {entity.path} of {label}", "", entity.created_at


_HOW = {
    How.FILE: "Named in its file", How.TRANSFER: "Handed over", How.REVIEW: "Said in a review", How.CLAIM: "Claimed",
    How.REORGANISATION: "Given in a reorganisation", How.DIRECTORY: "Told by the directory", How.UNDO: "Put back",
}  # fmt: skip


def _stated(told: dict[str, Any]) -> tuple[str, str, datetime | None]:
    words = _HOW.get(told["how"], "Stated")
    if told["role"] != Role.OWNER.value and told["how"] == How.TRANSFER:
        words = "Named"
    if told["how"] == How.FILE and told["path"]:
        words = f"Named in {told['path']}"
    by = str(told["by_label"]).partition("<")[0].strip()
    words += f" by {by}" if by else ""
    words += f", commit {told['commit'][:12]}" if told["commit"] else ""
    since = told["since"]
    return words, told["why"], datetime.fromisoformat(since) if isinstance(since, str) else since


def _note(look: Look, held: Sequence[HeldRole]) -> str:
    """Who holds what and how they are reached, line by line."""
    lines = [f"{look.entity.display_name} ({look.entity.ref})"]
    for each in held:
        called = look.names[each.holder_ref].title if each.holder_ref in look.names else name_of(each.holder_ref)
        lines.append(f"{each.label}: {called or 'nobody'}")
        lines += [f"  {line.label}: {line.text}" for line in each.contact.lines]
    return "\n".join(lines)


def _nearest(look: Look) -> Contact:
    """What the entity's own links say, such as the runbook of this one service, before what its team says."""
    return contact_of(look.entity.document).before(look.contact or Contact())


@dataclass(frozen=True)
class RoleRow:
    """A role on the tab of owners: who holds it, whether this person may say who does, and what they may take back."""

    held: HeldRole
    may: Verdict
    latest: int | None = None


@dataclass(frozen=True)
class Ownership:
    """Every role, and the file in which the team is described."""

    rows: Sequence[RoleRow]
    team: Team | None
    note: str


def ownership(look: Look) -> Ownership | None:
    if not is_owned(look):
        return None
    access, held = look.request.access, held_of(look)
    if look.kind and look.kind.is_team:
        return Ownership([RoleRow(held[0], Verdict(False))], look.team, _note(look, held[:1]))
    if not is_ownable(look.entity.kind):
        held = held[1:]
    rows = [
        RoleRow(each, may_state(access, look.entity, each.role), (look.standing.get(each.role) or {}).get("pk"))
        for each in held
    ]
    return Ownership(rows, look.team, _note(look, [each for each in held if each.holder_ref]))


@dataclass(frozen=True)
class StatedHistory:
    """What was stated about an entity, the newest first."""

    statements: Sequence[Statement]


def told(look: Look) -> StatedHistory | None:
    if look.kind and look.kind.is_team:
        return None
    found = history_of(look.organisation, look.entity)
    look.also_named([each.holder_ref for each in found])
    return StatedHistory(found) if found else None


def is_owned(look: Look) -> bool:
    """Whether it has an owner, or is of a kind that should, or is a team."""
    kind = look.kind
    return bool(look.entity.owner_ref or (kind and (kind.is_owned or kind.is_team)))
