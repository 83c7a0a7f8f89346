"""What a person's lists begin with, and who may change which view."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from django.contrib.postgres.expressions import ArraySubquery
from django.db.models import Q, QuerySet, Subquery
from django.db.models.functions import JSONObject

from catalog.lists.models import ListSetting, SavedView
from portal.accounts.access import Access
from portal.accounts.models import Membership
from portal.kit.errors import NotFound
from portal.kit.statements import written_once

SHARE, CARE = "views.share", "views.manage"


@dataclass(frozen=True)
class ListBeginning:
    """What a person's lists begin with: the views that they see, their columns by kind, and the view they open with."""

    views: list[SavedView]
    columns: Mapping[str, list[str]]
    opens_with: int | None


def kept_of(access: Access) -> ListBeginning:
    """One statement: it stands beside the person's membership, which there always is."""
    found = _membership_with_lists(access.organisation.pk, access.user.pk, access.membership.pk)
    row: Any = next(iter(found), None)
    said = (row.setting if row else None) or {}
    views = [SavedView(organisation=access.organisation, **told) for told in row.views] if row else []
    return ListBeginning(views, said.get("columns") or {}, said.get("opens_with"))


@written_once
def _membership_with_lists(organisation_id: int, user_id: int, pk: int) -> QuerySet[Membership]:
    mine = ListSetting.objects.for_tenant(organisation_id).filter(user_id=user_id)
    told = JSONObject(columns="columns", opens_with="opens_with")
    views = _views(organisation_id, user_id).values(told=JSONObject(**{name: name for name in _SHOWN}))
    rows = Membership.objects.for_tenant(organisation_id).filter(pk=pk)
    return rows.annotate(setting=Subquery(mine.values(told=told)), views=ArraySubquery(views))


_SHOWN = ("id", "name", "query", "columns", "is_shared", "is_default", "owner_id")


def views_of(access: Access) -> Any:
    """The views that a person sees: their own and those that are shared."""
    return _views(access.organisation.pk, access.user.pk)


def _views(organisation_id: int, user_id: int) -> Any:
    rows = SavedView.objects.for_tenant(organisation_id).filter(Q(is_shared=True) | Q(owner_id=user_id))
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


def require_change(access: Access, view: SavedView | None, *, is_shared: bool) -> None:
    """Raises Forbidden for who may not share, or not change what another shares."""
    if is_shared or (view is not None and view.is_shared):
        access.require(SHARE)
    if view is not None and not may_change(access, view):
        access.require(CARE)
