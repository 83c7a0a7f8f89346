"""Transfers for programs: handing over by references, a filter or a CSV; answering; what there is."""

from __future__ import annotations

from datetime import date
from typing import Any, ClassVar

from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from catalog.api import CatalogView, condition
from catalog.asking.query import entities_of
from catalog.handing import answering, reading
from catalog.handing.carrying import items_of
from catalog.handing.forms import due_on
from catalog.handing.models import Transfer
from catalog.handing.offering import Terms, hand_over, plan_for, wishes_for
from catalog.handing.states import OUTCOMES
from catalog.index.reading import find
from catalog.planning import MOST, MOST_TEXT, OwnerWish, lines_of
from portal.accounts.contract import one_of, whole
from portal.kit.errors import Invalid
from portal.kit.refs import completed

PAGE, ITEMS = 50, 5000
NEW = {
    "type": "object",
    "additionalProperties": False,
    "properties": {
        "entities": {
            "type": "array",
            "maxItems": MOST,
            "items": {"type": "string", "maxLength": 400},
            "description": "References; a short one is a component. Or `filter`, or `csv`.",
        },
        "filter": {
            "type": "array",
            "maxItems": 20,
            "items": {"type": "string", "maxLength": 4000},
            "description": "Everything that these filters choose, written as for the entities' list.",
        },
        "csv": {
            "type": "string",
            "maxLength": MOST_TEXT,
            "description": "Lines with the columns entity, holder, and role and why if wanted.",
        },
        "holder": {
            "type": "string",
            "maxLength": 400,
            "description": "Who gets them: a team's or person's reference, name or address.",
        },
        "why": {"type": "string", "maxLength": 1000},
        "on": {"type": "string", "format": "date", "description": "From the beginning of this day, UTC; else at once."},
        "ask": {"type": "boolean", "description": "They are asked, even where you could state it."},
        "dryRun": {"type": "boolean", "description": "Only tell what it comes to."},
    },
}
ANSWER = {
    "type": "object",
    "required": ["say"],
    "additionalProperties": False,
    "properties": {
        "say": {"type": "string", "enum": ["accept", "decline", "withdraw", "undo"]},
        "reason": {"type": "string", "maxLength": 1000, "description": "Declining needs one."},
    },
}


class TransferItemSerializer(serializers.Serializer[Any]):
    """One entity of a transfer."""

    uid = serializers.UUIDField()
    entity = serializers.CharField()
    owner = serializers.CharField(allow_blank=True, help_text="When it was offered.")
    outcome = serializers.CharField(allow_blank=True)
    sentence = serializers.CharField(allow_blank=True)


class TransferSerializer(serializers.Serializer[Any]):
    """What was offered to whom, and what became of it."""

    id = serializers.IntegerField()
    to = serializers.CharField()
    why = serializers.CharField(allow_blank=True)
    state = serializers.CharField()
    count = serializers.IntegerField()
    isDirect = serializers.BooleanField(help_text="Nobody was asked: who handed it over could state it.")
    askedBy = serializers.CharField(allow_blank=True)
    askedAt = serializers.DateTimeField()
    dueAt = serializers.DateTimeField(allow_null=True)
    expiresAt = serializers.DateTimeField(allow_null=True)
    answeredBy = serializers.CharField(allow_blank=True)
    answeredAt = serializers.DateTimeField(allow_null=True)
    reason = serializers.CharField(allow_blank=True)
    items = TransferItemSerializer(many=True, required=False)


class TransfersSerializer(serializers.Serializer[Any]):
    """A page of transfers; `before` is where the next one begins, 0 for none."""

    transfers = TransferSerializer(many=True)
    before = serializers.IntegerField()


class HandedSerializer(serializers.Serializer[Any]):
    """What a request comes to: how much is stated at once or on its date, how much is offered, what is refused."""

    stated = serializers.IntegerField()
    offered = serializers.IntegerField()
    same = serializers.IntegerField()
    refused = serializers.ListField(child=serializers.DictField())
    transfers = TransferSerializer(many=True)


def shown(row: Transfer) -> dict[str, Any]:
    """A transfer as the API tells it, without its entities."""
    return {
        "id": row.pk,
        "to": row.to_ref,
        "why": row.why,
        "state": row.state,
        "count": row.count,
        "isDirect": row.is_direct,
        "askedBy": row.asked_by_label,
        "askedAt": row.asked_at.isoformat(),
        "dueAt": row.due_at.isoformat() if row.due_at else None,
        "expiresAt": row.expires_at.isoformat() if row.expires_at else None,
        "answeredBy": row.answered_by_label,
        "answeredAt": row.answered_at.isoformat() if row.answered_at else None,
        "reason": row.reason,
    }


def whole_transfer(row: Transfer) -> dict[str, Any]:
    """A transfer with its entities."""
    items = [
        {
            "uid": str(each.entity_uid),
            "entity": each.ref,
            "owner": each.was_ref,
            "outcome": each.outcome,
            "sentence": OUTCOMES[each.outcome],
        }
        for each in items_of(row)[:ITEMS]
    ]
    return {**shown(row), "items": items}


class TransfersView(CatalogView):
    """All transfers, and new ones."""

    permission: ClassVar[str | dict[str, str]] = {"get": "catalog.view", "post": "ownership.state"}

    @extend_schema(
        tags=["Ownership"],
        operation_id="list_transfers",
        parameters=[
            one_of("box", list(reading.BOXES), about="Which: what waits for you, what you offered, all open ones, …"),
            whole("before", about="Those older than this one."),
        ],
        responses={200: TransfersSerializer},
    )
    def get(self, request: Request, org: str) -> Response:
        """The transfers of a box, the newest first."""
        rows = reading.transfers(self.access, request.query_params.get("box", "open")).order_by("-pk")
        if before := request.query_params.get("before"):
            rows = rows.filter(pk__lt=int(before))
        found = list(rows[: PAGE + 1])
        after = found[PAGE - 1].pk if len(found) > PAGE else 0
        return Response({"transfers": [shown(row) for row in found[:PAGE]], "before": after})

    @extend_schema(
        tags=["Ownership"],
        operation_id="hand_over",
        request={"application/json": NEW},
        responses={200: HandedSerializer},
    )
    def post(self, request: Request, org: str) -> Response:
        """Hands over: stated where you may, else offered. All or nothing: with anything refused nothing is made."""
        body = self.body(request)
        day = body.get("on")
        terms = Terms(due_on(_day(day)) if day else None, body.get("ask", False))
        plan = plan_for(self.access, self.wishes(body), terms)
        refused = [{"number": each.number, "entity": each.ref, "sentence": each.sentence} for each in plan.refused]
        made = [] if body.get("dryRun") else hand_over(self.access, plan, terms)
        return Response(
            {
                "stated": len(plan.changes),
                "offered": len(plan.offers),
                "same": plan.same,
                "refused": refused,
                "transfers": [shown(each) for each in made],
            }
        )

    def wishes(self, body: dict[str, Any]) -> list[OwnerWish]:
        """What is asked for, by exactly one of the three ways. Raises Invalid."""
        said = [name for name in ("entities", "filter", "csv") if name in body]
        if len(said) != 1:
            raise Invalid("Say exactly one of entities, filter and csv.", field="entities")
        if said == ["csv"]:
            return lines_of(body["csv"])
        if not body.get("holder", "").strip():
            raise Invalid("Say who gets them.", field="holder")
        return wishes_for(self.refs(body), body["holder"], body.get("why", "").replace("\0", ""))

    def refs(self, body: dict[str, Any]) -> list[str]:
        """The references that are meant."""
        if "entities" in body:
            return [completed(ref.lower(), kind="component") for ref in dict.fromkeys(body["entities"])]
        found = find(self.access.organisation, condition(self.access.organisation, body["filter"]))
        rows = entities_of(self.access.organisation).filter(num__in=found.numbers(MOST + 1))
        return list(rows.order_by("ref").values_list("ref", flat=True))


def _day(text: str) -> date:
    try:
        return date.fromisoformat(text)
    except ValueError as error:
        raise Invalid(f"{text[:20]} is no day.", field="on") from error


class TransferView(CatalogView):
    """One transfer."""

    @extend_schema(tags=["Ownership"], operation_id="get_transfer", responses={200: TransferSerializer})
    def get(self, request: Request, org: str, transfer: int) -> Response:
        """The transfer with its entities."""
        return Response(whole_transfer(answering.transfer_for(self.access, transfer)))


class TransferAnswerView(CatalogView):
    """What is said to a transfer."""

    permission: ClassVar[str | dict[str, str]] = {"get": "ownership.state", "post": "ownership.state"}
    http_method_names = ["post", "options"]

    @extend_schema(
        tags=["Ownership"],
        operation_id="answer_transfer",
        request={"application/json": ANSWER},
        responses={200: TransferSerializer},
    )
    def post(self, request: Request, org: str, transfer: int) -> Response:
        """Accepts, declines, withdraws or undoes it."""
        body, found = self.body(request), answering.transfer_for(self.access, transfer)
        answering.say(access=self.access, transfer=found, word=body["say"], reason=body.get("reason", ""))
        return Response(whole_transfer(found))
