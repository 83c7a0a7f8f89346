"""One entity of a bulk change: as its person may, where it is ours to write, and with a reason where it is not."""

from __future__ import annotations

from dataclasses import dataclass, field

from django.utils.timezone import now

from catalog import actions
from catalog.asking.query import entities_of
from catalog.cards import edit_address
from catalog.descriptors.parsing import parse
from catalog.descriptors.relations import owner_of
from catalog.lists.bulk import UNDO, Act
from catalog.lists.editing import CannotEdit, changed
from catalog.lists.models import Bulk, BulkRow
from catalog.models import Entity, How, Source
from catalog.teams import is_written_here
from portal.accounts.access import Access
from portal.accounts.actor import Actor
from portal.accounts.models import Membership, Organisation
from portal.kit.errors import Forbidden, Refusal, TooMany
from portal.kit.refs import parse_ref


def written_owner(entity: Entity) -> str:
    """The owner on record as the entity's file would write it: without what goes without saying there."""
    ref = parse_ref(entity.owner_ref)
    if ref.kind != "group":
        return entity.owner_ref
    return ref.name if ref.namespace == entity.namespace.lower() else f"{ref.namespace}/{ref.name}"


OF_A_TEAM = "It is the Group of a team that was made in the portal. Change the team."


def access_of(organisation: Organisation, asker: Actor) -> Access:
    """What the person may now, when their change has its turn. Must run inside the tenant; raises Forbidden."""
    person = asker.user
    membership = Membership.objects.for_tenant(organisation).filter(user=person).first()
    if membership is None or not person.is_active:
        raise Forbidden(f"{person} is not in this organisation any more.")
    return Access(organisation, person, membership, way=asker.way, address=asker.address, agent=asker.agent)


@dataclass
class Turn:
    """A few entities of a bulk change, in one transaction of the tenant. `asked` are the sources to be read again."""

    access: Access
    actor: Actor
    bulk: Bulk
    act: Act
    asked: set[int] = field(default_factory=set)

    def take(self, row: BulkRow, found: Entity | None) -> None:
        """Does it to one entity and writes on the row what became of it; the row is not saved."""
        if self.act is UNDO:
            self._take_back(row, found)
        elif found is None or found.removed_at is not None:
            row.outcome, row.sentence = "gone", "It is not in the catalog any more."
        elif not (verdict := self.access.can(self.act.permission, found.owner_ref or None)):
            row.outcome, row.sentence = "refused", verdict.sentence
        elif self.act.name == "refresh":
            self._read_again(row, found)
        elif is_written_here(found):
            row.outcome, row.sentence = "refused", OF_A_TEAM
        else:
            self._change(row, found)

    def _change(self, row: BulkRow, found: Entity) -> None:
        row.before = found.raw
        try:
            row.after = "" if self.act.name == "remove" else self._changed(found)
        except CannotEdit as error:
            row.outcome, row.sentence = "refused", str(error)
            return
        if row.after == row.before:
            row.outcome, row.before, row.after = "same", "", ""
        elif found.source is None or found.source.kind != Source.Kind.PORTAL:
            _elsewhere(row, found)
        else:
            self._write(row, found)

    def _changed(self, found: Entity) -> str:
        if self.act.name != "settle":
            return changed(found.raw, self.act.name, self.bulk.value)
        # Where nobody is named by the record either, the text says what it says.
        is_named = found.owner_ref and found.owner_how != How.INHERITANCE.value
        is_other = is_named and owner_of(found.document) != found.owner_ref
        return changed(found.raw, "owner", written_owner(found)) if is_other else found.raw

    def _write(self, row: BulkRow, found: Entity | None) -> None:
        organisation = self.access.organisation
        try:
            if not row.after and found is not None:
                self.access.require("catalog.remove", found.owner_ref or None)
                actions.remove_entity(organisation=organisation, actor=self.actor, entity=found)
            else:
                # As on the page of one: nobody hands things to a team for which they may not speak.
                owner = owner_of(parse(row.after, "").entities[0].document)
                if found is None or owner != owner_of(found.document):
                    self.access.require("catalog.edit", owner or None)
                actions.write_entity(organisation=organisation, actor=self.actor, text=row.after, entity=found)
        except Refusal as refusal:
            row.outcome, row.sentence = "refused", refusal.text[:1000]
        else:
            row.outcome = "done"

    def _read_again(self, row: BulkRow, found: Entity) -> None:
        source = found.source
        if source is None or source.kind in (Source.Kind.PORTAL, Source.Kind.UPLOAD):
            row.outcome, row.sentence = "same", "There is no file to read again."
            return
        row.outcome = "done"
        if source.pk in self.asked:
            return
        self.asked.add(source.pk)
        try:
            actions.refresh_source(organisation=self.access.organisation, actor=self.actor, source=source)
        except TooMany:  # the sweep asks for it within seconds
            Source.objects.for_tenant(self.access.organisation).filter(pk=source.pk).update(next_refresh_at=now())

    def _take_back(self, row: BulkRow, found: Entity | None) -> None:
        """Undo: what has moved on since stays as it is."""
        alive = found if found is not None and found.removed_at is None else None
        owner = (found.owner_ref if found else "") or None
        if not (verdict := self.access.can("catalog.edit", owner)):
            row.outcome, row.sentence = "refused", verdict.sentence
        elif not row.before and entities_of(self.access.organisation).filter(ref=row.ref).exists():
            row.outcome, row.sentence = "refused", "It is there again already."
        elif row.before and (alive is None or alive.raw != row.before):
            row.outcome, row.sentence = "refused", "It was changed since; it stays as it is now."
        else:
            self._write(row, alive)


def _elsewhere(row: BulkRow, found: Entity) -> None:
    """It comes from a file: the page says which, and the patch what to write there."""
    label = found.source.label if found.source else "its source"
    row.outcome, row.sentence = "elsewhere", f"It comes from {label}. Change it there."
    if not row.after:
        row.sentence = f"It comes from {label} and would come back. Take its text out of the file there."
    row.place, row.line, row.url = found.path, found.line, edit_address(found)
