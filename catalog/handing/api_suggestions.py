"""Suggested owners for programs: what there is, and answers."""

from __future__ import annotations

from typing import Any, ClassVar

from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from catalog.api import CatalogView
from catalog.handing import claiming
from portal.accounts.contract import flag, whole

PAGE = 100
NUMBERS = {"type": "array", "maxItems": claiming.MOST, "items": {"type": "integer", "minimum": 1, "maximum": 2**53}}
ANSWER = {
    "type": "object",
    "additionalProperties": False,
    "properties": {
        "accept": {**NUMBERS, "description": "These belong to whom they are suggested to."},
        "decline": {**NUMBERS, "description": "These do not, and are not suggested to them again."},
        "reason": {"type": "string", "maxLength": 1000},
    },
}


class SuggestionSerializer(serializers.Serializer[Any]):
    """Whom something that is nobody's should belong to, and why."""

    id = serializers.IntegerField()
    uid = serializers.UUIDField()
    entity = serializers.CharField()
    to = serializers.CharField()
    confidence = serializers.CharField()
    score = serializers.FloatField()
    evidence = serializers.ListField(child=serializers.DictField())


class SuggestionsSerializer(serializers.Serializer[Any]):
    """A page of suggestions; `next` is where the next one begins, 0 for none."""

    suggestions = SuggestionSerializer(many=True)
    next = serializers.IntegerField()


class AnsweredSerializer(serializers.Serializer[Any]):
    """How many were answered."""

    accepted = serializers.IntegerField()
    declined = serializers.IntegerField()


class SuggestionsView(CatalogView):
    """Suggested owners."""

    permission: ClassVar[str | dict[str, str]] = {"get": "catalog.view", "post": "ownership.state"}

    @extend_schema(
        tags=["Ownership"],
        operation_id="list_suggested_owners",
        parameters=[flag("mine", about="Only those for teams that you lead."), whole("from", about="Begin here.")],
        responses={200: SuggestionsSerializer},
    )
    def get(self, request: Request, org: str) -> Response:
        """The open ones, the surest first."""
        start = int(request.query_params.get("from", 0))
        rows = claiming.open_of(self.access, mine=request.query_params.get("mine") == "true")
        found = list(rows[start : start + PAGE + 1])
        told = [
            {
                "id": row.pk,
                "uid": str(row.entity_uid),
                "entity": row.ref,
                "to": row.to_ref,
                "confidence": row.word,
                "score": row.score,
                "evidence": row.evidence,
            }
            for row in found[:PAGE]
        ]
        return Response({"suggestions": told, "next": start + PAGE if len(found) > PAGE else 0})

    @extend_schema(
        tags=["Ownership"],
        operation_id="answer_suggested_owners",
        request={"application/json": ANSWER},
        responses={200: AnsweredSerializer},
    )
    def post(self, request: Request, org: str) -> Response:
        """Accepts some and declines others; all or nothing."""
        body = self.body(request)
        accepts, declines = set(body.get("accept", ())), set(body.get("decline", ()))
        reason = body.get("reason", "")
        accepted = claiming.accept(access=self.access, pks=accepts) if accepts or not declines else 0
        declined = claiming.decline(access=self.access, pks=declines, reason=reason) if declines else 0
        return Response({"accepted": accepted, "declined": declined})
