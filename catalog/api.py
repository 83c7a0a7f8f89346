"""The catalog API, shaped as Backstage's so that its unmodified client can use it."""

import base64
import binascii
import json
from collections.abc import Sequence
from typing import Any, ClassVar
from uuid import UUID

from django.http import HttpResponse
from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from catalog import actions
from catalog import api_shapes as shapes
from catalog.api_query import (
    DEFAULT_PAGE,
    Listing,
    entities_page,
    facets,
    listing_from_body,
    listing_from_query,
    window,
)
from catalog.asking.filters import All, BadFilter, Node, parse_filters, parse_query
from catalog.asking.query import entities_of
from catalog.asking.within import widened
from catalog.descriptors.parsing import check_entity
from catalog.index.ordering import Order
from catalog.index.reading import find
from catalog.models import Source
from catalog.presenting import ShownEntity, at_page, fields_of, project, with_refs, with_uid
from portal.accounts.apiview import TenantAPIView
from portal.accounts.contract import one_of, text, texts
from portal.accounts.contract import whole as whole_number
from portal.accounts.models import Organisation
from portal.kit.errors import Conflict, Invalid, NotFound
from portal.kit.plain import read_json
from portal.kit.refs import ref_to

FILTER = texts(
    "filter",
    about="`key=value,key` are ANDed; several `filter` parameters are ORed. `owner=payments` means a team with all "
    "teams below it, `owner.direct=payments` the team alone.",
)
FIELDS = texts(
    "fields", about="Each is a dot path to keep, or several with commas between; no lists.", pattern=r"^[^\[]*$"
)
LIMIT = whole_number("limit", least=1)
OFFSET = whole_number("offset")
FACET = texts("facet", about="Name at least one facet: a key whose values are counted.", pattern=".", required=True)
MOST = 10_000
MOST_REFS = 1000


def condition(organisation: Organisation, filters: list[str], query: Any = None) -> Node:
    """The filters or the predicate of a request; raises Invalid."""
    try:
        return widened(organisation, parse_query(query) if query is not None else parse_filters(filters))
    except BadFilter as problem:
        raise Invalid(str(problem), field="query" if query is not None else "filter") from problem


def number(request: Request, name: str) -> int | None:
    """A whole number from the query, which the contract has checked; None when absent."""
    value = request.query_params.get(name)
    return None if value is None else int(value)


class CatalogView(TenantAPIView):
    """What every view of the catalog API shares."""

    permission: ClassVar[str | dict[str, str]] = "catalog.view"

    def shown(self, rows: Sequence[ShownEntity], fields: list[str]) -> list[dict[str, Any]]:
        return [project(each.entity, fields) for each in rows]

    def body(self, request: Request) -> dict[str, Any]:
        if not isinstance(request.data, dict):
            raise Invalid("Send a JSON object.")
        return request.data


class EntitiesView(CatalogView):
    """All entities."""

    @extend_schema(
        tags=["Catalog"], operation_id="list_entities", parameters=[FILTER, FIELDS,
            LIMIT, OFFSET, text("after", about="The place where the page before ended: see its Link header."),
            texts("order", about="Write asc:field or desc:field.", pattern="^(asc|desc):.")],
        responses={200: shapes.ENTITIES},
    )  # fmt: skip
    def get(self, request: Request, org: str) -> Response:
        """Entities that match, as a plain list."""
        limit, offset = self._window(request)
        orders = self._order(request.query_params.getlist("order"))
        node = condition(self.access.organisation, request.query_params.getlist("filter"))
        page = window(self.access.organisation, node, orders, size=limit or MOST, offset=offset)
        found, _ = page.cut(at_page(self.access.organisation, page))
        response = Response(self.shown(found, fields_of(request.query_params.getlist("fields"))))
        if limit and len(found) == limit:
            query = request.query_params.copy()
            query.pop("offset", None)
            after = json.dumps({"limit": limit, "offset": offset + limit}).encode()
            query["after"] = base64.b64encode(after).decode()
            response["Link"] = f'<{request.path}?{query.urlencode()}>; rel="next"'
        return response

    def _window(self, request: Request) -> tuple[int | None, int]:
        limit, offset = number(request, "limit"), number(request, "offset") or 0
        after = request.query_params.get("after")
        if not after:
            return limit, offset
        try:
            place = read_json(base64.b64decode(after, validate=True).decode())
            found = int(place["limit"]), int(place["offset"])
        except (Invalid, binascii.Error, ValueError, TypeError, KeyError, OverflowError) as error:
            raise Invalid("`after` is not a cursor of ours.", field="after") from error
        if found[0] < 1 or found[1] < 0 or max(found) > 10**9:
            raise Invalid("`after` is not a cursor of ours.", field="after")
        return found

    def _order(self, orders: list[str]) -> list[Order]:
        wanted = []
        for order in orders:
            direction, colon, field = order.partition(":")
            if not colon or not field or direction not in ("asc", "desc"):
                raise Invalid(f'"{order}" is no order. Write asc:field or desc:field.', field="order")
            wanted.append(Order("key", field.lower(), direction == "desc"))
        return wanted[:5]


class ByQueryView(CatalogView):
    """Entities in pages."""

    @extend_schema(
        tags=["Catalog"], operation_id="query_entities", parameters=[FILTER, FIELDS,
            whole_number("limit"), OFFSET, text("cursor", most=20_000),
            texts("orderField", about="Write field,asc or field,desc.", pattern="^[^,]+(,(asc|desc))?$"),
            text("fullTextFilterTerm"), text("fullTextFilterFields"), one_of("totalItems", ("include", "exclude"))],
        responses={200: shapes.EntityPageSerializer},
    )  # fmt: skip
    def get(self, request: Request, org: str) -> Response:
        """A page of entities; `pageInfo` holds the cursors of its neighbours."""
        query = request.query_params
        limit = number(request, "limit")
        listing = listing_from_query(query)
        return self._page(listing, limit, number(request, "offset") or 0, fields_of(query.getlist("fields")))

    @extend_schema(
        tags=["Catalog"],
        operation_id="query_entities_by_predicate",
        request={"application/json": shapes.QUERY},
        responses={200: shapes.EntityPageSerializer},
    )
    def post(self, request: Request, org: str) -> Response:
        """The same with a JSON predicate."""
        body = self.body(request)
        fields = fields_of(body.get("fields") or [])
        return self._page(listing_from_body(body), body.get("limit"), body.get("offset") or 0, fields)

    def _page(self, listing: Listing, limit: int | None, offset: int, fields: list[str]) -> Response:
        size = DEFAULT_PAGE if limit is None else limit
        node = condition(self.access.organisation, listing.filters, listing.query)
        page = entities_page(self.access.organisation, node, listing, size=size, offset=offset)
        info = {name: value for name, value in (("nextCursor", page.after), ("prevCursor", page.before)) if value}
        return Response({"items": self.shown(page.rows, fields), "totalItems": page.total, "pageInfo": info})


class ByRefsView(CatalogView):
    """Entities by reference."""

    @extend_schema(
        tags=["Catalog"],
        operation_id="entities_by_refs",
        parameters=[FILTER],
        request={"application/json": shapes.REFS},
        responses={200: shapes.EntitiesByRefsSerializer},
    )
    def post(self, request: Request, org: str) -> Response:
        """As many items as references, in their order; null where there is none."""
        body = self.body(request)
        refs = body.get("entityRefs")
        if not isinstance(refs, list) or not all(isinstance(ref, str) for ref in refs) or len(refs) > MOST_REFS:
            raise Invalid(f"`entityRefs` must be a list of up to {MOST_REFS} references.", field="entityRefs")
        node = condition(self.access.organisation, request.query_params.getlist("filter"), body.get("query"))
        clean = [ref.replace("\0", "").lower() for ref in refs]
        rows = with_refs(self.access.organisation, clean)
        if node != All(()):
            wanted = find(self.access.organisation, node)
            rows = [row for row in rows if wanted.bits >> row.num & 1]
        fields = fields_of(body.get("fields") or [])
        shown = dict(zip((row.ref for row in rows), self.shown(rows, fields), strict=True))
        return Response({"items": [shown.get(ref) for ref in clean]})


class EntityView(CatalogView):
    """One entity."""

    permission: ClassVar[str | dict[str, str]] = {"get": "catalog.view", "delete": "catalog.remove"}

    def one(self, rows: Sequence[ShownEntity]) -> ShownEntity:
        """The only one, or NotFound."""
        if not rows:
            raise NotFound("There is no such entity.")
        return rows[0]

    def named(self, kind: str, namespace: str, name: str) -> ShownEntity:
        return self.one(with_refs(self.access.organisation, [ref_to(kind, name, namespace)]))


class ByNameView(EntityView):
    """One entity by kind, namespace and name."""

    permission: ClassVar[str | dict[str, str]] = "catalog.view"

    @extend_schema(tags=["Catalog"], operation_id="entity_by_name", responses={200: shapes.EntitySerializer})
    def get(self, request: Request, org: str, kind: str, namespace: str, name: str) -> Response:
        """The entity."""
        return Response(self.named(kind, namespace, name).entity)


class AncestryView(EntityView):
    """Where an entity comes from."""

    permission: ClassVar[str | dict[str, str]] = "catalog.view"

    @extend_schema(tags=["Catalog"], operation_id="entity_ancestry", responses={200: shapes.AncestrySerializer})
    def get(self, request: Request, org: str, kind: str, namespace: str, name: str) -> Response:
        """The entity as its own root: sources stand outside the catalog here."""
        found = self.named(kind, namespace, name)
        items = [{"entity": found.entity, "parentEntityRefs": []}]
        return Response({"rootEntityRef": found.ref, "items": items})


class ByUidView(EntityView):
    """One entity by its uid."""

    @extend_schema(tags=["Catalog"], operation_id="entity_by_uid", responses={200: shapes.EntitySerializer})
    def get(self, request: Request, org: str, uid: UUID) -> Response:
        """The entity."""
        return Response(self.one(with_uid(self.access.organisation, uid)).entity)

    @extend_schema(tags=["Catalog"], operation_id="remove_entity", responses={204: None})
    def delete(self, request: Request, org: str, uid: UUID) -> HttpResponse:
        """Removes an entity that was written in the portal."""
        found = entities_of(self.access.organisation).select_related("source").filter(uid=uid).first()
        if found is None:
            raise NotFound("There is no such entity.")
        self.access.require("catalog.remove", found.owner_ref or None)
        if found.source is not None and found.source.kind != Source.Kind.PORTAL:
            raise Conflict(f"It comes from {found.source.label} and would come back. Remove it there.")
        actions.remove_entity(organisation=self.access.organisation, actor=self.access.actor, entity=found)
        return HttpResponse(status=204)


class FacetsView(CatalogView):
    """What values there are."""

    @extend_schema(tags=["Catalog"], operation_id="entity_facets", responses={200: shapes.FacetsSerializer},
                   parameters=[FACET, FILTER])  # fmt: skip
    def get(self, request: Request, org: str) -> Response:
        """The values of each facet with their counts."""
        query = request.query_params
        return self._facets(query.getlist("facet"), condition(self.access.organisation, query.getlist("filter")))

    @extend_schema(
        tags=["Catalog"],
        operation_id="entity_facets_by_predicate",
        request={"application/json": shapes.FACETS},
        responses={200: shapes.FacetsSerializer},
    )
    def post(self, request: Request, org: str) -> Response:
        """The same with a JSON predicate."""
        body = self.body(request)
        wanted = body.get("facets")
        if not isinstance(wanted, list):
            raise Invalid("`facets` must be a list of keys.", field="facets")
        return self._facets(
            [str(each) for each in wanted], condition(self.access.organisation, [], body.get("query", {}))
        )

    def _facets(self, keys: list[str], node: Node) -> Response:
        keys = [key.replace("\0", "") for key in keys if key][:50]
        if not keys:
            raise Invalid("Name at least one facet.", field="facet")
        return Response({"facets": facets(self.access.organisation, node, keys)})


class RefreshView(CatalogView):
    """Reading again."""

    permission: ClassVar[str | dict[str, str]] = {"get": "catalog.view", "post": "catalog.refresh"}

    @extend_schema(
        tags=["Catalog"],
        operation_id="refresh_entity",
        request={"application/json": shapes.REFRESH},
        responses={200: None},
    )
    def post(self, request: Request, org: str) -> HttpResponse:
        """Asks for the source of an entity to be read again."""
        ref = str(self.body(request).get("entityRef") or "").replace("\0", "").lower()
        found = entities_of(self.access.organisation).select_related("source").filter(ref=ref).first()
        if found is None or found.source is None:
            raise NotFound("There is no such entity.")
        if found.source.kind != Source.Kind.PORTAL:
            actions.refresh_source(
                organisation=self.access.organisation,
                actor=self.access.actor,
                source=found.source,
            )
        return HttpResponse(status=200)


class ValidateView(CatalogView):
    """Checking an entity."""

    @extend_schema(
        tags=["Catalog"],
        operation_id="validate_entity",
        request={"application/json": shapes.VALIDATE},
        responses={200: None, 400: shapes.NotAdmittedSerializer},
    )
    def post(self, request: Request, org: str) -> Response:
        """200 when the entity would be admitted; 400 with every sentence otherwise."""
        broken = check_entity(self.body(request).get("entity"))
        if not broken:
            return Response(status=200)
        errors = [
            {
                "name": "InputError",
                "message": rule.sentence,
                "path": ".".join(map(str, rule.field)),
                "code": rule.code,
            }
            for rule in broken
        ]
        return Response({"errors": errors}, status=400)
