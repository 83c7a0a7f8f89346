"""What people keep for themselves and for others: stars, columns, saved views."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from django.contrib.postgres.expressions import ArraySubquery
from django.db import transaction
from django.db.models import Q, Subquery
from django.db.models.functions import JSONObject

from catalog.lists.choosing import Wanted, clean_columns
from catalog.lists.models import ListSetting, SavedView, Star
from catalog.models import Entity
from portal.accounts.access import Access
from portal.accounts.audit import record
from portal.accounts.models import Membership, Organisation, User
from portal.kit.errors import Conflict, Invalid, NotFound, TooMany

# So many views of their own may one person keep, and so many entities may they star.
MOST_VIEWS = 100
MOST_STARS = 1000
SHARE, CARE = "views.share", "views.manage"


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


@dataclass(frozen=True)
class Kept:
    """What a person's lists begin with: the views that they see, their columns by kind, and the view they open with."""

    views: list[SavedView]
    columns: Mapping[str, list[str]]
    opens_with: int | None


def kept_of(access: Access) -> Kept:
    """One statement: it stands beside the person's membership, which there always is."""
    mine = ListSetting.objects.for_tenant(access.organisation).filter(user=access.user)
    told = JSONObject(columns="columns", opens_with="opens_with")
    rows = Membership.objects.for_tenant(access.organisation).filter(pk=access.membership.pk)
    row: Any = rows.annotate(
        setting=Subquery(mine.values(told=told)),
        views=ArraySubquery(views_of(access).values(told=JSONObject(**{name: name for name in _SHOWN}))),
    ).first()
    said = (row.setting if row else None) or {}
    views = [SavedView(organisation=access.organisation, **told) for told in row.views] if row else []
    return Kept(views, said.get("columns") or {}, said.get("opens_with"))


_SHOWN = ("id", "name", "query", "columns", "is_shared", "is_default", "owner_id")


def views_of(access: Access) -> Any:
    """The views that a person sees: their own and those that are shared."""
    rows = SavedView.objects.for_tenant(access.organisation).filter(Q(is_shared=True) | Q(owner=access.user))
    return rows.order_by("name", "pk")


def find_view(access: Access, pk: int) -> SavedView:
    """A view that the person sees; raises NotFound, for another person's private view too."""
    found: SavedView | None = views_of(access).filter(pk=pk).first()
    if found is None:
        raise NotFound("There is no such view.")
    return found


def may_change(access: Access, view: SavedView) -> bool:
    """Their own; a shared one also those who look after what others share."""
    return view.owner_id == access.user.pk or (view.is_shared and bool(access.can(CARE)))


def save_view(
    *,
    access: Access,
    name: str,
    wanted: Wanted,
    columns: Sequence[str] = (),
    is_shared: bool = False,
    view: SavedView | None = None,
) -> SavedView:
    """Keeps a list under a name: a new view, or `view` with a new name, content or audience.

    Raises Invalid (field "name"), Conflict where the name is taken, Forbidden for who may not share or change it.
    """
    name = " ".join(name.replace("\0", "").split())[:80]
    if not name:
        raise Invalid("Give the view a name.", field="name")
    if is_shared or (view is not None and view.is_shared):
        access.require(SHARE)
    if view is not None and not may_change(access, view):
        access.require(CARE)
    row = view or SavedView(organisation=access.organisation, owner=access.user)
    _check_name(access, row, name, is_shared)
    verb = "view.changed" if view else "view.saved"
    with transaction.atomic():
        row.name, row.query, row.columns, row.is_shared = name, wanted.query, list(clean_columns(columns)), is_shared
        row.is_default = row.is_default and is_shared
        row.save()
        _tell(access, row, verb, f"{'Changed' if view else 'Saved'} the view {name}")
    return row


def _check_name(access: Access, row: SavedView, name: str, is_shared: bool) -> None:
    rows = SavedView.objects.for_tenant(access.organisation).exclude(pk=row.pk)
    same = rows.filter(is_shared=True) if is_shared else rows.filter(is_shared=False, owner=row.owner)
    if same.filter(name=name).exists():
        raise Conflict(f"There is a view called {name} already.", field="name", code="view-exists")
    if row._state.adding and rows.filter(owner=access.user).count() >= MOST_VIEWS:
        raise TooMany(f"You have {MOST_VIEWS} views. Delete one first.", field="name")


def remove_view(*, access: Access, view: SavedView) -> None:
    """Deletes it; whoever opened the catalog with it opens it as everybody does again."""
    if not may_change(access, view):
        access.require(CARE)
    with transaction.atomic():
        _tell(access, view, "view.removed", f"Deleted the view {view.name}")
        view.delete()


def open_with_for_all(*, access: Access, view: SavedView, is_default: bool) -> None:
    """What the catalog opens with for everybody who has chosen nothing else."""
    access.require(CARE)
    if is_default and not view.is_shared:
        raise Invalid("Share the view first: everybody must be able to open it.")
    with transaction.atomic():
        SavedView.objects.for_tenant(access.organisation).filter(is_default=True).update(is_default=False)
        view.is_default = is_default
        view.save(update_fields=["is_default"])
        words = "opens with" if is_default else "no longer opens with"
        _tell(access, view, "view.default", f"The catalog {words} {view.name}")


def _tell(access: Access, view: SavedView, verb: str, summary: str) -> None:
    """What is shared is everybody's matter, and so is what stops being it; a private view is nobody's else."""
    record(
        organisation=access.organisation,
        actor=access.actor,
        verb=verb,
        subject=view,
        summary=summary,
        data={"query": view.query, "shared": view.is_shared},
    )
