"""The one way by which people, and what acts for them, state who holds a role of an entity."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime

from django.db import transaction
from django.utils.timezone import now

from catalog.descriptors.kinds import is_ownable
from catalog.index import owning, writing
from catalog.index.owning import Owner
from catalog.models import Entity, How, Role, Statement
from catalog.owners.telling import Handed, tell
from portal.accounts.actor import Actor
from portal.accounts.models import Organisation
from portal.kit.errors import Conflict, Invalid
from portal.kit.refs import BadRef, parse_ref

HOLDERS = ("group", "user")
# So many entities are stated at once, and told of by one event; more come one lot after the other.
AT_ONCE = 5000
_OWNER = Role.OWNER.value

# (entity, role, holder's complete reference; "" names nobody)
Change = tuple[Entity, str, str]


def state(
    *,
    organisation: Organisation,
    actor: Actor,
    changes: Iterable[Change],
    how: str,
    why: str = "",
    at: datetime | None = None,
) -> list[Statement]:
    """States who holds roles of entities from now (`at`) on: statements, owners, relations, facts and problems in one
    transaction, with one event (telling.py). Returns the new statements; whoever holds a role already makes none.

    how  one of How; INHERITANCE is nobody's to state
    The later of two changes to one role counts; entities that are gone are passed over. Rights are the caller's matter.
    Some statements to the database, however many entities. Raises Invalid for a holder that is no team or person, a
    role that is none, and the owner of what cannot have one.
    """
    wanted = {(entity.pk, role): _checked(entity, role, holder) for entity, role, holder in changes}
    keys = list(dict.fromkeys(pk for pk, _ in wanted))
    made = list[Statement]()
    with transaction.atomic():
        for start in range(0, len(keys), AT_ONCE):
            made += _state(organisation, actor, keys[start : start + AT_ONCE], wanted, How(how), why, at or now())
    return made


def _checked(entity: Entity, role: str, holder: str) -> str:
    if role not in Role.values:
        raise Invalid(f"There is no role called {role}.", field="role")
    if role == _OWNER and not is_ownable(entity.kind):
        raise Invalid(f"A {entity.kind} has no owner.", field="role")
    return checked_holder(holder)


def checked_holder(text: str) -> str:
    """A holder's complete reference, "" for nobody; raises Invalid (field "holder") for what is no team or person."""
    if not text:
        return ""
    try:
        ref = parse_ref(text.strip())
    except BadRef as error:
        raise Invalid(str(error), field="holder") from error
    if ref.kind.lower() not in HOLDERS or len(str(ref)) > 400 or "\0" in text:
        raise Invalid(f"“{text[:100]}” is no team and no person.", field="holder")
    return str(ref)


def _state(
    organisation: Organisation,
    actor: Actor,
    keys: Sequence[int],
    wanted: Mapping[tuple[int, str], str],
    how: How,
    why: str,
    moment: datetime,
) -> list[Statement]:
    writing.lock(organisation.pk)
    rows = Entity.objects.for_tenant(organisation).filter(pk__in=keys, removed_at=None)
    standing = Statement.objects.for_tenant(organisation).filter(entity__in=keys, until=None)
    there = {(each.entity_id, each.role): each for each in standing}
    written, made, handed = list[Statement](), list[Statement](), list[Handed]()
    for row in rows.only(*owning.SLIM):
        for role in (each for each in Role.values if (row.pk, each) in wanted):
            holder, before = wanted[row.pk, role], _holder(row, there.get((row.pk, role)), role)
            if holder == before:
                continue
            if role == _OWNER and (first := owning.first_of(row, until=moment)):
                written.append(first)
            fresh = Statement(
                organisation_id=organisation.pk, entity_id=row.pk, role=role, holder_ref=holder, since=moment,
                how=how.value, by=actor.person, by_label=str(actor)[:300], why=why.strip()[:1000],
            )  # fmt: skip
            written.append(fresh)
            made.append(fresh)
            handed.append(Handed(row, role, before, holder, how.value))
    owning.write(organisation.pk, written)
    owners = {each.entity_id: Owner(each.holder_ref, how.value, moment) for each in made if each.role == _OWNER}
    writing.own(organisation.pk, owners)
    tell(organisation, actor, handed, how=how.value, why=why.strip()[:1000])
    return made


def _holder(row: Entity, standing: Statement | None, role: str) -> str:
    if standing is not None:
        return standing.holder_ref
    return owning.holder_of(row) if role == _OWNER else ""


def undo(
    *,
    organisation: Organisation,
    actor: Actor,
    entity: Entity,
    role: str = _OWNER,
    latest: int | None = None,
    why: str = "",
    at: datetime | None = None,
) -> Statement:
    """Takes the latest statement back: whoever was named before it is named again, by a statement of its own.

    latest  the key of the statement that was looked at; Conflict where another came since
    Raises Conflict where there is nothing to take back.
    """
    with transaction.atomic():
        writing.lock(organisation.pk)
        rows = Statement.objects.for_tenant(organisation).filter(entity=entity.pk, role=role).order_by("-id")
        found = list(rows[:2])
        if not found:
            raise Conflict("There is nothing to undo: its first statement still stands.", code="nothing-to-undo")
        if latest is not None and found[0].pk != latest:
            raise Conflict("Somebody stated something else since. Look at it again.", code="changed")
        before = found[1].holder_ref if len(found) > 1 else ""
        change = (entity, role, before)
        made = state(organisation=organisation, actor=actor, changes=[change], how=How.UNDO.value, why=why, at=at)
        if not made:
            raise Conflict(f"{entity.ref} is not in the catalog any more.", code="gone")
    return made[0]
