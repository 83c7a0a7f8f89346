"""What people keep for themselves and for others: stars, columns, saved views."""

from __future__ import annotations

from collections.abc import Sequence

from django.db import transaction

from catalog.lists.choosing import ListChoice, clean_columns
from catalog.lists.models import ListSetting, SavedView, Star
from catalog.models import Entity
from portal.accounts.actor import Actor
from portal.accounts.audit import record
from portal.accounts.models import Organisation, User
from portal.kit.errors import Conflict, Invalid, TooMany

# So many views of their own may one person keep, and so many entities may they star.
MOST_VIEWS = 100
MOST_STARS = 1000


def star(*, organisation: Organisation, user: User, entity: Entity) -> None:
    """Stars an entity; twice is once. Nobody's business but their own: no event tells of it."""
    rows = Star.objects.for_tenant(organisation).filter(user=user)
    if rows.count() >= MOST_STARS:
        raise TooMany(f"You have starred {MOST_STARS} things. Take some stars away first.")
    rows.get_or_create(organisation=organisation, user=user, entity_uid=entity.uid)


def unstar(*, organisation: Organisation, user: User, entity: Entity) -> None:
    """Takes the star away."""
    Star.objects.for_tenant(organisation).filter(user=user, entity_uid=entity.uid).delete()


def choose_columns(*, organisation: Organisation, user: User, kind: str, columns: Sequence[str]) -> None:
    """Remembers the columns of one kind's lists ("" = all kinds) for a person; none = the kind's own again."""
    setting = _setting(organisation, user)
    chosen = {name: value for name, value in setting.columns.items() if name != kind}
    if clean := clean_columns(columns):
        chosen[kind] = list(clean)
    setting.columns = chosen
    setting.save(update_fields=["columns"])


def open_with(*, organisation: Organisation, user: User, view: SavedView | None) -> None:
    """What the catalog opens with for this person; None = what it opens with for everybody."""
    setting = _setting(organisation, user)
    setting.opens_with = view
    setting.save(update_fields=["opens_with"])


def _setting(organisation: Organisation, user: User) -> ListSetting:
    row, _ = ListSetting.objects.select_for_update().get_or_create(organisation=organisation, user=user)
    return row


def save_view(
    *,
    organisation: Organisation,
    actor: Actor,
    name: str,
    wanted: ListChoice,
    columns: Sequence[str] = (),
    is_shared: bool = False,
    view: SavedView | None = None,
) -> SavedView:
    """Keeps a list under a name: a new view, or `view` with a new name, content or audience.

    Raises Invalid (field "name"), Conflict where the name is taken, TooMany.
    """
    name = " ".join(name.replace("\0", "").split())[:80]
    if not name:
        raise Invalid("Give the view a name.", field="name")
    row = view or SavedView(organisation=organisation, owner=actor.user)
    _check_name(row, name, is_shared=is_shared)
    with transaction.atomic():
        row.name, row.query, row.columns, row.is_shared = name, wanted.query, list(clean_columns(columns)), is_shared
        row.is_default = row.is_default and is_shared
        row.save()
        _tell(actor, row, "view.changed" if view else "view.saved", f"{'Changed' if view else 'Saved'} the view {name}")
    return row


def _check_name(row: SavedView, name: str, *, is_shared: bool) -> None:
    rows = SavedView.objects.for_tenant(row.organisation_id).exclude(pk=row.pk)
    same = rows.filter(is_shared=True) if is_shared else rows.filter(is_shared=False, owner=row.owner_id)
    if same.filter(name=name).exists():
        raise Conflict(f"There is a view called {name} already.", field="name", code="view-exists")
    if row._state.adding and rows.filter(owner=row.owner_id).count() >= MOST_VIEWS:
        raise TooMany(f"You have {MOST_VIEWS} views. Delete one first.", field="name")


def remove_view(*, organisation: Organisation, actor: Actor, view: SavedView) -> None:
    """Deletes it; whoever opened the catalog with it opens it as everybody does again."""
    with transaction.atomic():
        _tell(actor, view, "view.removed", f"Deleted the view {view.name}")
        SavedView.objects.for_tenant(organisation).filter(pk=view.pk).delete()


def open_with_for_all(*, organisation: Organisation, actor: Actor, view: SavedView, is_default: bool) -> None:
    """What the catalog opens with for everybody who has chosen nothing else."""
    if is_default and not view.is_shared:
        raise Invalid("Share the view first: everybody must be able to open it.")
    with transaction.atomic():
        SavedView.objects.for_tenant(organisation).filter(is_default=True).update(is_default=False)
        SavedView.objects.for_tenant(organisation).filter(pk=view.pk).update(is_default=is_default)
        words = "opens with" if is_default else "no longer opens with"
        _tell(actor, view, "view.default", f"The catalog {words} {view.name}")


def _tell(actor: Actor, view: SavedView, verb: str, summary: str) -> None:
    """What is shared is everybody's matter, and so is what was shared or becomes it: every view has its events."""
    record(
        organisation=view.organisation_id,
        actor=actor,
        verb=verb,
        subject=view,
        summary=summary,
        data={"query": view.query, "shared": view.is_shared},
    )
