"""What people keep of the catalog, for programs: lists as the pages show them, stars, saved views."""

from __future__ import annotations

from typing import Any, ClassVar
from uuid import UUID

from django.http import HttpResponse
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from catalog.api import CatalogView
from catalog.asking.query import entities_of
from catalog.descriptors.kinds import KINDS
from catalog.lists import actions, kept
from catalog.lists.choosing import COLUMNS, HEALTH, MOST_TEXT, WHOSE, ListChoice
from catalog.lists.models import SavedView
from catalog.lists.reading import Listed
from catalog.lists.seen import starred_uids
from catalog.models import Entity
from portal.accounts.contract import flag, one_of, text, whole
from portal.kit.errors import NotFound

TAGS = ["Lists"]
# A row's page may be asked for in any size up to this.
PAGE, MOST_ROWS = 20, 500
SORTS = [f"{sign}{name}" for name in COLUMNS for sign in ("", "-")]
QUERY = {
    "type": "string",
    "maxLength": 2000,
    "description": "The list as it stands in the address of its page, such as `kind=API&owner=payments&sort=-tier`.",
}
_VIEW = {
    "name": {"type": "string", "minLength": 1, "maxLength": 80},
    "query": QUERY,
    "columns": {
        "type": "array",
        "items": {"enum": [name for name in COLUMNS if name != "name"]},
        "maxItems": len(COLUMNS),
        "description": "Empty for the kind's own.",
    },
    "isShared": {"type": "boolean"},
}
NEW_VIEW = {"type": "object", "required": ["name", "query"], "additionalProperties": False, "properties": _VIEW}
VIEW_CHANGE = {"type": "object", "minProperties": 1, "additionalProperties": False, "properties": _VIEW}
OPENS = {
    "type": "object",
    "required": ["on"],
    "additionalProperties": False,
    "properties": {
        "on": {"type": "boolean"},
        "whom": {"type": "string", "enum": ["me", "all"], "description": "`me` unless said."},
    },
}
NARROWED = [
    one_of("kind", KINDS),
    *(text(name, most=MOST_TEXT) for name in ("type", "owner", "lifecycle", "system", "tag", "tier", "q")),
    one_of("health", HEALTH),
    one_of("whose", WHOSE),
    flag("problems", about="What has problems."),
    flag("starred", about="What you starred."),
    flag("unseen", about="What was not seen for thirty days: its source is gone or was not read."),
    flag("alone", about="What nothing refers to and that names nothing but an owner."),
    flag("fallback", about="What nobody is named for: the owner of its system or domain stands in."),
    flag("direct", about="With `owner`: without the teams below it."),
]


class RowSerializer(serializers.Serializer[Any]):
    """An entity as a list shows it."""

    uid = serializers.UUIDField()
    ref = serializers.CharField()
    kind = serializers.CharField()
    namespace = serializers.CharField()
    name = serializers.CharField()
    title = serializers.CharField(allow_blank=True)
    type = serializers.CharField(allow_blank=True)
    lifecycle = serializers.CharField(allow_blank=True)
    owner = serializers.CharField(allow_blank=True)
    system = serializers.CharField(allow_blank=True)
    tier = serializers.CharField(allow_blank=True)
    tags = serializers.ListField(child=serializers.CharField())
    isStarred = serializers.BooleanField()


class ListPageSerializer(serializers.Serializer[Any]):
    """A page of a list; `query` is the list in its one spelling."""

    query = serializers.CharField(allow_blank=True)
    items = RowSerializer(many=True)
    totalItems = serializers.IntegerField()
    pageInfo = serializers.DictField(child=serializers.CharField())


class StarsSerializer(serializers.Serializer[Any]):
    """What you starred: the uids of entities, also of those that are removed for now."""

    items = serializers.ListField(child=serializers.UUIDField())


class SavedViewSerializer(serializers.Serializer[Any]):
    """A list under a name."""

    id = serializers.IntegerField()
    name = serializers.CharField()
    query = serializers.CharField(allow_blank=True)
    columns = serializers.ListField(child=serializers.CharField())
    isShared = serializers.BooleanField()
    isMine = serializers.BooleanField()
    isDefault = serializers.BooleanField(help_text="The catalog opens with it for whoever has chosen nothing else.")
    opensForMe = serializers.BooleanField()
    mayChange = serializers.BooleanField()


class SavedViewsSerializer(serializers.Serializer[Any]):
    """The views that you see: your own, and those that are shared."""

    items = SavedViewSerializer(many=True)


def choice_of(request: Request) -> ListChoice:
    """The list that a request's parameters name; the contract has checked them."""
    given = request.query_params
    return ListChoice.read({name: str(given[name]) for name in given if given[name] != "false"})


class ListedView(CatalogView):
    """The catalog as a list."""

    @extend_schema(
        tags=TAGS,
        operation_id="list_catalog",
        responses={200: ListPageSerializer},
        parameters=[
            *NARROWED,
            one_of("sort", SORTS, about="A column; with a minus the other way round."),
            whole("limit", least=1, most=MOST_ROWS),
            text("cursor", most=4000),
        ],
    )
    def get(self, request: Request, org: str) -> Response:
        """A page of what the page of the catalog shows for the same choices; `nextCursor` leads on."""
        wanted = choice_of(request)
        listed = Listed(self.access, wanted, ("tier",), is_counted=False)
        size = int(request.query_params.get("limit", PAGE))
        page = listed.page(size=size, after=request.query_params.get("cursor", ""))
        rows = [
            {
                "uid": str(row.uid), "ref": row.ref, "kind": row.kind, "namespace": row.namespace, "name": row.name,
                "title": row.title, "type": row.type, "lifecycle": row.lifecycle, "owner": row.owner_ref,
                "system": row.system_ref, "tier": row.tier, "tags": row.tags, "isStarred": row.is_starred,
            }
            for row in page.rows
        ]  # fmt: skip
        info = {"nextCursor": page.after} if page.after else {}
        return Response({"query": wanted.query, "items": rows, "totalItems": listed.total, "pageInfo": info})


class StarsView(CatalogView):
    """One's stars."""

    @extend_schema(tags=TAGS, operation_id="list_stars", responses={200: StarsSerializer})
    def get(self, request: Request, org: str) -> Response:
        """All of them. `GET /catalog/list?starred=true` shows what they stand for."""
        return Response({"items": [str(uid) for uid in starred_uids(self.access.organisation, self.access.user)]})


class StarView(CatalogView):
    """One star."""

    permission: ClassVar[str | dict[str, str]] = "lists.own"
    # There are only so many stars: that is refused as too many.
    works_by_jobs = True

    def found(self, uid: UUID) -> Entity:
        """The entity; raises NotFound."""
        row: Entity | None = entities_of(self.access.organisation).filter(uid=uid).first()
        if row is None:
            raise NotFound("There is no such entity.")
        return row

    @extend_schema(tags=TAGS, operation_id="star", request=None, responses={204: None})
    def put(self, request: Request, org: str, uid: UUID) -> HttpResponse:
        """Stars an entity; twice is once."""
        actions.star(organisation=self.access.organisation, user=self.access.user, entity=self.found(uid))
        return HttpResponse(status=204)

    @extend_schema(tags=TAGS, operation_id="unstar", responses={204: None})
    def delete(self, request: Request, org: str, uid: UUID) -> HttpResponse:
        """Takes the star away."""
        actions.unstar(organisation=self.access.organisation, user=self.access.user, entity=self.found(uid))
        return HttpResponse(status=204)


class ViewsView(CatalogView):
    """Lists under a name."""

    permission: ClassVar[str | dict[str, str]] = {"get": "catalog.view", "post": "lists.own"}
    works_by_jobs = True

    def shown(self, view: SavedView) -> dict[str, Any]:  # type: ignore[override]  # one of ours, not entities
        """A view as the API tells it."""
        return {
            "id": view.pk,
            "name": view.name,
            "query": view.query,
            "columns": list(view.columns),
            "isShared": view.is_shared,
            "isMine": view.owner_id == self.access.user.pk,
            "isDefault": view.is_default,
            "opensForMe": kept.kept_of(self.access).opens_with == view.pk,
            "mayChange": kept.may_change(self.access, view),
        }

    @extend_schema(tags=TAGS, operation_id="list_views", responses={200: SavedViewsSerializer})
    def get(self, request: Request, org: str) -> Response:
        """One's own and those that are shared, by name."""
        return Response({"items": [self.shown(view) for view in kept.views_of(self.access)]})

    @extend_schema(
        tags=TAGS,
        operation_id="save_view",
        request={"application/json": NEW_VIEW},
        responses={201: SavedViewSerializer},
    )
    def post(self, request: Request, org: str) -> Response:
        """Keeps a list under a name; sharing it takes a developer."""
        return Response(self.shown(self.saved(self.body(request), None)), status=201)

    def saved(self, said: dict[str, Any], view: SavedView | None) -> SavedView:
        """Writes what was said over what the view says; raises as the action does."""
        is_shared = said.get("isShared", view.is_shared if view else False)
        kept.require_change(self.access, view, is_shared=is_shared)
        return actions.save_view(
            organisation=self.access.organisation,
            actor=self.access.actor,
            name=said.get("name", view.name if view else ""),
            wanted=ListChoice.from_query(said.get("query", view.query if view else "")),
            columns=said.get("columns", list(view.columns) if view else []),
            is_shared=is_shared,
            view=view,
        )


class SavedViewView(ViewsView):
    """One of them."""

    permission: ClassVar[str | dict[str, str]] = {
        "get": "catalog.view",
        "patch": "lists.own",
        "delete": "lists.own",
    }
    http_method_names = ["get", "patch", "delete", "options"]

    @extend_schema(tags=TAGS, operation_id="get_view", responses={200: SavedViewSerializer})
    def get(self, request: Request, org: str, view: int) -> Response:
        """A view that you see."""
        return Response(self.shown(kept.find_view(self.access, view)))

    @extend_schema(
        tags=TAGS,
        operation_id="change_view",
        request={"application/json": VIEW_CHANGE},
        responses={200: SavedViewSerializer},
    )
    def patch(self, request: Request, org: str, view: int) -> Response:
        """Changes what is said and leaves the rest."""
        found = kept.find_view(self.access, view)
        return Response(self.shown(self.saved(self.body(request), found)))

    @extend_schema(tags=TAGS, operation_id="remove_view", responses={204: None})
    def delete(self, request: Request, org: str, view: int) -> HttpResponse:
        """Whoever opened the catalog with it opens it as everybody does again."""
        found = kept.find_view(self.access, view)
        kept.require_change(self.access, found, is_shared=False)
        actions.remove_view(organisation=self.access.organisation, actor=self.access.actor, view=found)
        return HttpResponse(status=204)


class OpensView(ViewsView):
    """What the catalog opens with."""

    permission: ClassVar[str | dict[str, str]] = "lists.own"
    http_method_names = ["put", "options"]

    @extend_schema(
        tags=TAGS,
        operation_id="open_with_view",
        request={"application/json": OPENS},
        responses={200: SavedViewSerializer},
    )
    def put(self, request: Request, org: str, view: int) -> Response:
        """For oneself, or (a manager) for everybody who has chosen nothing else."""
        found, said, organisation = kept.find_view(self.access, view), self.body(request), self.access.organisation
        if said.get("whom") == "all":
            self.access.require(kept.CARE)
            actions.open_with_for_all(
                organisation=organisation, actor=self.access.actor, view=found, is_default=said["on"]
            )
        elif said["on"] or kept.kept_of(self.access).opens_with == found.pk:
            actions.open_with(organisation=organisation, user=self.access.user, view=found if said["on"] else None)
        return Response(self.shown(kept.find_view(self.access, view)))
