"""Who answers for what, for programs: the history of an entity, statements one by one or many at once, undo."""

from __future__ import annotations

from typing import Any, ClassVar
from uuid import UUID

from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from catalog.api import CatalogView
from catalog.asking.query import entities_of
from catalog.holders import holder_named
from catalog.models import Entity, How, Role, Statement
from catalog.owners import stating
from catalog.owners.reading import history, statements_of
from catalog.owners.rights import ONLY_BY_OFFER, require_state
from catalog.planning import MOST, OwnerWish, RefusedWish, apply, planned
from portal.kit.errors import Invalid, NotFound

ROLE = {"type": "string", "enum": Role.values}
WHY = {"type": "string", "maxLength": 1000}
HOLDER = {
    "type": "string",
    "maxLength": 400,
    "description": "A team or person: reference, name or e-mail address; empty for nobody.",
}
STATE = {
    "type": "object",
    "required": ["role", "holder"],
    "additionalProperties": False,
    "properties": {"role": ROLE, "holder": HOLDER, "why": WHY},
}
UNDO = {
    "type": "object",
    "required": ["role", "latest"],
    "additionalProperties": False,
    "properties": {
        "role": ROLE,
        "latest": {"type": "integer", "description": "The statement that was looked at."},
        "why": WHY,
    },
}
MANY = {
    "type": "object",
    "required": ["statements"],
    "additionalProperties": False,
    "properties": {
        "statements": {
            "type": "array",
            "minItems": 1,
            "maxItems": MOST,
            "items": {
                "type": "object",
                "required": ["entity", "holder"],
                "additionalProperties": False,
                "properties": {
                    "entity": {"type": "string", "maxLength": 400},
                    "role": ROLE,
                    "holder": HOLDER,
                    "why": WHY,
                },
            },
        },
        "dryRun": {"type": "boolean", "description": "Only tell what would change."},
    },
}


class StatementSerializer(serializers.Serializer[Any]):
    """That somebody holds a role: who said so, how and why, from when until when."""

    id = serializers.IntegerField(allow_null=True, help_text="None for what the first document said.")
    role = serializers.CharField()
    holder = serializers.CharField(allow_blank=True)
    since = serializers.DateTimeField()
    until = serializers.DateTimeField(allow_null=True)
    how = serializers.CharField()
    by = serializers.CharField(allow_blank=True)
    why = serializers.CharField(allow_blank=True)
    path = serializers.CharField(allow_blank=True)
    commit = serializers.CharField(allow_blank=True)


class OwnershipSerializer(serializers.Serializer[Any]):
    """The effective owner, how it is known, and everything that was stated, the newest first."""

    entity = serializers.CharField()
    owner = serializers.CharField(allow_blank=True)
    how = serializers.CharField(allow_blank=True, help_text="`inheritance`: nobody is named, the system's stands in.")
    statements = StatementSerializer(many=True)


class PlannedSerializer(serializers.Serializer[Any]):
    """What a list of statements changes, and what of it is refused."""

    changes = serializers.ListField(child=serializers.DictField())
    refused = serializers.ListField(child=serializers.DictField())
    isApplied = serializers.BooleanField()


def shown(row: Statement) -> dict[str, Any]:
    """A statement as the API tells it."""
    return {
        "id": row.pk,
        "role": row.role,
        "holder": row.holder_ref,
        "since": row.since.isoformat(),
        "until": row.until.isoformat() if row.until else None,
        "how": row.how,
        "by": row.by_label,
        "why": row.why,
        "path": row.path,
        "commit": row.commit,
    }


class OwnershipView(CatalogView):
    """Who answers for an entity."""

    permission: ClassVar[str | dict[str, str]] = {"get": "catalog.view", "post": "ownership.state"}

    def found(self, uid: UUID) -> Entity:
        """The entity; raises NotFound."""
        row: Entity | None = entities_of(self.access.organisation).filter(uid=uid).first()
        if row is None:
            raise NotFound("There is no such entity.")
        return row

    def answer(self, uid: UUID) -> Response:
        row = self.found(uid)
        told = [shown(each) for each in history(self.access.organisation, row)]
        return Response({"entity": row.ref, "owner": row.owner_ref, "how": row.owner_how, "statements": told})

    @extend_schema(tags=["Ownership"], operation_id="entity_ownership", responses={200: OwnershipSerializer})
    def get(self, request: Request, org: str, uid: UUID) -> Response:
        """The owner and all that was stated."""
        return self.answer(uid)

    @extend_schema(
        tags=["Ownership"],
        operation_id="state_ownership",
        request={"application/json": STATE},
        responses={200: OwnershipSerializer},
    )
    def post(self, request: Request, org: str, uid: UUID) -> Response:
        """States who holds a role."""
        row, body = self.found(uid), self.body(request)
        require_state(self.access, row, body["role"])
        holder = holder_named(self.access.organisation, body["holder"])
        require_state(self.access, row, body["role"], holder)
        stating.state(
            organisation=self.access.organisation,
            actor=self.access.actor,
            changes=[(row, body["role"], holder)],
            how=How.TRANSFER.value,
            why=body.get("why", "").replace("\0", ""),
        )
        return self.answer(uid)


class OwnershipUndoView(OwnershipView):
    """Taking the latest statement back."""

    permission: ClassVar[str | dict[str, str]] = {"get": "ownership.state", "post": "ownership.state"}
    http_method_names = ["post", "options"]

    @extend_schema(
        tags=["Ownership"],
        operation_id="undo_ownership",
        request={"application/json": UNDO},
        responses={200: OwnershipSerializer},
    )
    def post(self, request: Request, org: str, uid: UUID) -> Response:
        """Whoever was named before is named again."""
        row, body = self.found(uid), self.body(request)
        rows = statements_of(self.access.organisation).filter(entity=row.pk, role=body["role"]).order_by("-id")
        before = list(rows.values_list("holder_ref", flat=True)[:2])
        require_state(self.access, row, body["role"], before[1] if len(before) > 1 else "")
        stating.undo(
            organisation=self.access.organisation,
            actor=self.access.actor,
            entity=row,
            role=body["role"],
            latest=body["latest"],
            why=body.get("why", "").replace("\0", ""),
        )
        return self.answer(uid)


class ManyView(CatalogView):
    """Many statements at once."""

    permission: ClassVar[str | dict[str, str]] = {"get": "ownership.state", "post": "ownership.state"}
    http_method_names = ["post", "options"]

    @extend_schema(
        tags=["Ownership"],
        operation_id="state_many",
        request={"application/json": MANY},
        responses={200: PlannedSerializer},
    )
    def post(self, request: Request, org: str) -> Response:
        """All or nothing: with anything refused nothing is stated. `dryRun` only tells."""
        body = self.body(request)
        lines = [
            OwnerWish(number, each["entity"], each.get("role", "owner"), each["holder"], each.get("why", ""))
            for number, each in enumerate(body["statements"], 1)
        ]
        plan = planned(self.access, lines)
        offers = [RefusedWish(each.number, each.entity.ref, ONLY_BY_OFFER) for each in plan.offers]
        plan.refused = sorted([*plan.refused, *offers], key=lambda each: each.number)
        is_applied = not body.get("dryRun", False)
        if is_applied and plan.refused:
            first = plan.refused[0]
            raise Invalid(f"Statement {first.number}: {first.sentence} Nothing was stated.", field="statements")
        if is_applied:
            apply(self.access, plan)
        changes = [
            {"entity": each.entity.ref, "role": each.role, "from": each.was, "to": each.holder} for each in plan.changes
        ]
        refused = [{"number": each.number, "entity": each.ref, "sentence": each.sentence} for each in plan.refused]
        return Response({"changes": changes, "refused": refused, "isApplied": is_applied})
