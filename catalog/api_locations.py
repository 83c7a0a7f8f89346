"""Locations: the sources of the catalog, as the catalog API knows them."""

import hashlib
import re
from typing import Any, ClassVar
from uuid import UUID

from django.http import HttpResponse
from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from catalog import actions
from catalog import api_shapes as shapes
from catalog.api import CatalogView, condition
from catalog.api_query import LARGEST_PAGE
from catalog.asking.filters import All, Either, Exists, In, Node, Not, matches
from catalog.asking.paging import seal, unseal
from catalog.intake.sources.tree import SourceUnreadable
from catalog.jobs import LOOK, MOVE, REGISTER, arguments_of
from catalog.models import Source
from catalog.presenting import in_place, location_of
from portal.accounts.contract import flag, one_of
from portal.jobs.actions import submit
from portal.jobs.models import Job
from portal.jobs.waiting import AcceptedSerializer, AwaitingView
from portal.kit.errors import Invalid, NotFound, Refusal
from portal.kit.refs import ref_to

LOCATIONS_PAGE = 500


def location(source: Source) -> dict[str, Any]:
    """A source as a location."""
    kind, _, target = location_of(source).partition(":")
    digest = hashlib.sha1(f"{kind}:{target}".encode(), usedforsecurity=False).hexdigest()
    return {
        "id": str(source.uid),
        "type": kind,
        "target": target,
        "entityRef": ref_to("location", f"generated-{digest}"),
    }


def draft_of(body: dict[str, Any], path: str = "") -> actions.Draft:
    """The source that a location means: a file by its ending, otherwise a git repository."""
    target = body.get("target")
    if body.get("type") != "url":
        raise Invalid("Only locations of the type url can be registered.", field="type")
    if not isinstance(target, str) or not target.strip():
        raise Invalid("Say the target: the address of a file or of a git repository.", field="target")
    is_file = target.rsplit("?", 1)[0].lower().endswith((".yaml", ".yml", ".json"))
    return actions.Draft(Source.Kind.URL if is_file else Source.Kind.GIT, target, path)


class LocationsView(CatalogView, AwaitingView):
    """All locations."""

    permission: ClassVar[str | dict[str, str]] = {"get": "catalog.view", "post": "catalog.register"}

    @extend_schema(
        tags=["Catalog"], operation_id="list_locations", responses={200: shapes.LocationDataSerializer(many=True)}
    )
    def get(self, request: Request, org: str) -> Response:
        """Every location, each in a `data` wrapper."""
        rows = Source.objects.for_tenant(self.access.organisation).exclude(kind=Source.Kind.PORTAL).order_by("id")
        return Response([{"data": location(row)} for row in rows])

    @extend_schema(
        tags=["Catalog"], operation_id="add_location", request={"application/json": shapes.LOCATION},
        responses={201: shapes.AddedLocationSerializer, 202: AcceptedSerializer},
        parameters=[flag("dryRun"), one_of("onConflict", ("refresh", "reject"))],
    )  # fmt: skip
    def post(self, request: Request, org: str) -> Response:
        """Registers a location and reads it; with `dryRun` only reads it. 202 when that takes longer than a moment."""
        draft = draft_of(self.body(request))
        on_conflict = "refresh" if request.query_params.get("onConflict") == "refresh" else "reject"
        is_dry = request.query_params.get("dryRun") == "true"
        if is_dry:
            draft.source(self.access.organisation)
        else:
            actions.check_new(organisation=self.access.organisation, draft=draft, on_conflict=on_conflict)
        self.awaits = submit(
            organisation=self.access.organisation,
            actor=self.access.actor,
            kind=LOOK if is_dry else REGISTER,
            title=f"{'Look at' if is_dry else 'Register'} {draft.target}",
            arguments={**arguments_of(draft), "on_conflict": on_conflict, "documents": is_dry},
        )
        return Response(status=202)

    def answer(self, request: Request, job: Job) -> Response:
        """The location with its entities; what would be there, for a dry run."""
        organisation = self.access.organisation
        if job.kind == LOOK:
            source = draft_of_job(job).source(organisation)
            exists = Source.objects.for_tenant(organisation).filter(
                kind=source.kind, target=source.target, path=source.path
            )
            shown = {"location": location(source), "entities": job.result["documents"], "exists": exists.exists()}
            return Response(shown, status=201)
        source = self.find(pk=job.result["source"])
        entities = [each.entity for each in in_place(organisation, source, 1000)]
        return Response({"location": location(source), "entities": entities}, status=201)

    def find(self, **which: Any) -> Source:
        rows = Source.objects.for_tenant(self.access.organisation).exclude(kind=Source.Kind.PORTAL)
        found: Source | None = rows.filter(**which).first()
        if found is None:
            raise NotFound("There is no such location.")
        return found


def draft_of_job(job: Job) -> actions.Draft:
    """The draft that a job was given."""
    given = job.arguments
    return actions.Draft(given["kind"], given["target"], given["path"], given["revision"])


class LocationView(LocationsView):
    """One location."""

    permission: ClassVar[str | dict[str, str]] = {
        "get": "catalog.view",
        "put": "catalog.remove",
        "delete": "catalog.remove",
    }
    http_method_names = ["get", "put", "delete", "head", "options"]

    @extend_schema(tags=["Catalog"], operation_id="location", responses={200: shapes.LocationSerializer})
    def get(self, request: Request, org: str, uid: UUID) -> Response:
        """The location."""
        return Response(location(self.find(uid=uid)))

    def mine(self, uid: UUID) -> Source:
        """The location, for whoever registered it and for managers."""
        found = self.find(uid=uid)
        self.access.require("catalog.remove", is_requester=found.created_by_id == self.access.user.pk)
        return found

    @extend_schema(
        tags=["Catalog"],
        operation_id="move_location",
        request={"application/json": shapes.LOCATION},
        responses={200: shapes.LocationSerializer, 202: AcceptedSerializer},
    )
    def put(self, request: Request, org: str, uid: UUID) -> Response:
        """Points the location to another address and reads it there."""
        source, draft = self.mine(uid), draft_of(self.body(request))
        draft.source(self.access.organisation)
        self.awaits = submit(
            organisation=self.access.organisation,
            actor=self.access.actor,
            kind=MOVE,
            title=f"Move {source.label} to {draft.target}",
            arguments={**arguments_of(draft), "source": source.pk},
        )
        return Response(status=202)

    def answer(self, request: Request, job: Job) -> Response:
        """The location where it is now."""
        return Response(location(self.find(pk=job.result["source"])))

    @extend_schema(tags=["Catalog"], operation_id="remove_location", responses={204: None})
    def delete(self, request: Request, org: str, uid: UUID) -> HttpResponse:
        """Removes the location and what it describes."""
        found = self.mine(uid)
        actions.remove_source(organisation=self.access.organisation, actor=self.access.actor, source=found)
        return HttpResponse(status=204)


class AnalyzeView(CatalogView, AwaitingView):
    """What a location would bring."""

    permission: ClassVar[str | dict[str, str]] = "catalog.register"

    @extend_schema(
        tags=["Catalog"],
        operation_id="analyze_location",
        request={"application/json": shapes.ANALYSIS},
        responses={200: shapes.AnalysisSerializer, 202: AcceptedSerializer},
    )
    def post(self, request: Request, org: str) -> Response:
        """The entities at an address, and which are known; where there is no file yet, the beginning of one."""
        body = self.body(request)
        asked = body.get("location")
        if not isinstance(asked, dict):
            raise Invalid("Say the location: its type and target.", field="location")
        # The published description spells it catalogFileName, the client catalogFilename.
        name = body.get("catalogFilename") or body.get("catalogFileName") or ""
        draft = draft_of(asked, str(name))
        draft.source(self.access.organisation)
        self.awaits = submit(
            organisation=self.access.organisation,
            actor=self.access.actor,
            kind=LOOK,
            title=f"Look at {draft.target}",
            arguments={**arguments_of(draft), "documents": True},
        )
        return Response(status=202)

    def answer(self, request: Request, job: Job) -> Response:
        """The entities, each with whether it is registered."""
        files = [
            {
                "isRegistered": found["state"] == "elsewhere",
                "location": {"type": "url", "target": job.arguments["target"]},
                "entity": document,
            }
            for found, document in zip(job.result["entities"], job.result["documents"], strict=False)
        ]
        return Response({"existingEntityFiles": files, "generateEntities": []})

    def refused(self, request: Request, job: Job, refusal: Refusal) -> Response:
        """Where the repository was read, it is the file that is not there yet: the beginning of one."""
        is_missing = refusal.code == SourceUnreadable.code and refusal.field == "path"
        if job.arguments["kind"] != Source.Kind.GIT or not is_missing:
            raise refusal
        return Response({"existingEntityFiles": [], "generateEntities": [_beginning(job.arguments["target"])]})


def _beginning(target: str) -> dict[str, Any]:
    """A component named like its repository; what only a person knows is asked for."""
    last = target.rstrip("/").rpartition("/")[2].removesuffix(".git")
    name = re.sub(r"[^A-Za-z0-9]+", "-", last).strip("-")[:63].strip("-") or "component"
    entity = {
        "apiVersion": "backstage.io/v1alpha1",
        "kind": "Component",
        "metadata": {"name": name},
        "spec": {"type": "other", "lifecycle": "unknown"},
    }
    owner = {"field": "spec.owner", "state": "needsUserInput", "value": None, "description": "The team that owns it."}
    return {"entity": entity, "fields": [owner]}


class LocationByEntityView(LocationView):
    """The location of an entity."""

    permission: ClassVar[str | dict[str, str]] = "catalog.view"
    http_method_names = ["get", "head", "options"]

    @extend_schema(tags=["Catalog"], operation_id="location_by_entity", responses={200: shapes.LocationSerializer})
    def get(self, request: Request, org: str, kind: str, namespace: str, name: str) -> Response:
        """The location that describes the entity."""
        ref = ref_to(kind, name, namespace)
        return Response(location(self.find(entities__ref=ref, entities__removed_at=None)))


class LocationsByQueryView(CatalogView):
    """Locations by predicate."""

    @extend_schema(
        tags=["Catalog"],
        operation_id="query_locations",
        request={"application/json": shapes.LOCATIONS},
        responses={200: shapes.LocationPageSerializer},
    )
    def post(self, request: Request, org: str) -> Response:
        """A page of the matching locations, in the order of their registration; the cursor holds the question too."""
        body = self.body(request)
        query, size, place = body.get("query") or {}, LOCATIONS_PAGE, 0
        if cursor := body.get("cursor"):
            query, size, place = _unsealed(cursor)
        size = min(body.get("limit") or size, LARGEST_PAGE)
        node = _known(condition(self.access.organisation, [], query))
        rows = Source.objects.for_tenant(self.access.organisation).exclude(kind=Source.Kind.PORTAL).order_by("id")
        # An organisation has few sources: the predicate is evaluated here, on what each is shown as.
        found = [(row.pk, shown) for row in rows if matches(node, _facts(shown := location(row)))]
        rest = [each for each in found if each[0] > place]
        page = rest[:size]
        info = {"nextCursor": seal(["locations", query, size, page[-1][0]])} if len(rest) > len(page) else {}
        return Response({"items": [shown for _, shown in page], "totalItems": len(found), "pageInfo": info})


def _unsealed(cursor: str) -> tuple[Any, int, int]:
    """What a cursor of ours holds: the question, the size of pages and the last location before; raises Invalid."""
    content = unseal(cursor)
    if not isinstance(content, list) or len(content) != 4 or content[0] != "locations":
        raise Invalid("The cursor belongs to another list. Start again from the first page.", field="cursor")
    return content[1], content[2], content[3]


def _facts(shown: dict[str, Any]) -> set[str]:
    return {*(key.lower() for key in shown), *(f"{key}={value}".lower() for key, value in shown.items())}


def _known(node: Node) -> Node:
    """The predicate itself, when it asks only for what locations have."""
    if isinstance(node, All | Either):
        for part in node.parts:
            _known(part)
    elif isinstance(node, Not):
        _known(node.part)
    elif isinstance(node, Exists | In) and node.key not in ("id", "type", "target", "entityref"):
        raise Invalid("Locations have id, type, target and entityRef only.", field="query")
    return node
