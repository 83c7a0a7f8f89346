"""Reorganisations for programs: drafted, foreseen, applied, dated, undone."""

from __future__ import annotations

from datetime import date
from typing import Any, ClassVar

from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from catalog.api import CatalogView
from catalog.handing.forms import due_on
from catalog.handing.models import Reorganisation
from catalog.handing.plans import drafting, foreseeing
from catalog.handing.plans.unfolding import KINDS, MOST, MOST_STEPS
from portal.kit.errors import Invalid

TEXT = {"type": "string", "maxLength": 400}
ROWS = {
    "type": "array",
    "maxItems": MOST,
    "items": {"type": "array", "items": TEXT, "minItems": 2, "maxItems": 2},
    "description": "Pairs of an entity and whose it becomes.",
}
STEP = {
    "type": "object",
    "required": ["kind"],
    "additionalProperties": False,
    "properties": {
        "kind": {"type": "string", "enum": list(KINDS)},
        **{name: ROWS if name == "rows" else TEXT for names in KINDS.values() for name in names},
    },
}
NEW = {
    "type": "object",
    "required": ["name"],
    "additionalProperties": False,
    "properties": {
        "name": {"type": "string", "maxLength": 120},
        "steps": {"type": "array", "maxItems": MOST_STEPS, "items": STEP},
    },
}
DO = {
    "type": "object",
    "required": ["do"],
    "additionalProperties": False,
    "properties": {
        "do": {
            "type": "string",
            "enum": ["apply", "date", "draft", "undo", "share", "hide", "drop", "files", "addStep", "dropStep"],
        },
        "on": {"type": "string", "format": "date", "description": "For `date`: from the beginning of this day, UTC."},
        "step": STEP,
        "number": {"type": "integer", "minimum": 1, "maximum": MOST_STEPS, "description": "For `dropStep`."},
    },
}


class ReorganisationSerializer(serializers.Serializer[Any]):
    """A plan; while it is open, what applying it would change."""

    id = serializers.IntegerField()
    name = serializers.CharField()
    state = serializers.CharField()
    isShared = serializers.BooleanField()
    steps = serializers.ListField(child=serializers.DictField())
    dueAt = serializers.DateTimeField(allow_null=True)
    appliedAt = serializers.DateTimeField(allow_null=True)
    undoneAt = serializers.DateTimeField(allow_null=True)
    reason = serializers.CharField(allow_blank=True)
    changes = serializers.ListField(child=serializers.DictField(), required=False)
    teams = serializers.ListField(child=serializers.CharField(), required=False)
    rights = serializers.ListField(child=serializers.DictField(), required=False)
    files = serializers.ListField(child=serializers.DictField(), required=False)
    told = serializers.IntegerField(required=False)
    wrong = serializers.ListField(child=serializers.DictField(), required=False)


class ReorganisationsSerializer(serializers.Serializer[Any]):
    """Every plan that one may read, the newest first."""

    reorganisations = ReorganisationSerializer(many=True)


def shown(plan: Reorganisation) -> dict[str, Any]:
    """A plan as the API tells it, without what it would change."""
    return {
        "id": plan.pk,
        "name": plan.name,
        "state": plan.state,
        "isShared": plan.is_shared,
        "steps": plan.steps,
        "dueAt": plan.due_at.isoformat() if plan.due_at else None,
        "appliedAt": plan.applied_at.isoformat() if plan.applied_at else None,
        "undoneAt": plan.undone_at.isoformat() if plan.undone_at else None,
        "reason": plan.reason,
    }


class ReorganisationsView(CatalogView):
    """All plans, and new ones."""

    permission: ClassVar[str | dict[str, str]] = {"get": "catalog.view", "post": "teams.manage"}

    @extend_schema(tags=["Ownership"], operation_id="list_reorganisations", responses={200: ReorganisationsSerializer})
    def get(self, request: Request, org: str) -> Response:
        """Those that one may read."""
        rows = Reorganisation.objects.for_tenant(self.access.organisation).order_by("-pk").defer("before")
        found = rows if drafting.may_plan(self.access) else rows.filter(is_shared=True)
        return Response({"reorganisations": [shown(row) for row in found[:200]]})

    @extend_schema(
        tags=["Ownership"],
        operation_id="draft_reorganisation",
        request={"application/json": NEW},
        responses={200: ReorganisationSerializer},
    )
    def post(self, request: Request, org: str) -> Response:
        """Drafts one, with its steps."""
        body = self.body(request)
        plan = drafting.begin(access=self.access, name=body["name"])
        for step in body.get("steps", ()):
            drafting.add_step(access=self.access, plan=plan, said=step)
        return Response(shown(plan))


class ReorganisationView(CatalogView):
    """One plan."""

    permission: ClassVar[str | dict[str, str]] = {"get": "catalog.view", "post": "teams.manage"}

    @extend_schema(tags=["Ownership"], operation_id="get_reorganisation", responses={200: ReorganisationSerializer})
    def get(self, request: Request, org: str, plan: int) -> Response:
        """The plan; of an open one, everything that applying it would change."""
        found = drafting.plan_for(self.access, plan)
        told = shown(found)
        if found.state in ("draft", "dated"):
            seen = foreseeing.foresee(self.access, found)
            told |= {
                "changes": [
                    {"entity": each.entity.ref, "role": each.role, "from": each.was, "to": each.to}
                    for each in seen.changes
                ],
                "teams": seen.teams,
                "rights": [{"person": each.person, "gains": each.gains, "loses": each.loses} for each in seen.rights],
                "files": _files(seen.files),
                "told": seen.told,
                "wrong": [{"step": number, "sentence": sentence} for number, sentence in seen.wrong],
            }
        else:
            told["files"] = _files(foreseeing.still_other(found))
        return Response(told)

    @extend_schema(
        tags=["Ownership"],
        operation_id="change_reorganisation",
        request={"application/json": DO},
        responses={200: ReorganisationSerializer},
    )
    def post(self, request: Request, org: str, plan: int) -> Response:
        """Does one thing with it."""
        body, found = self.body(request), drafting.plan_for(self.access, plan)
        access, word = self.access, body["do"]
        if word == "apply":
            drafting.apply(access=access, plan=found)
        elif word == "undo":
            drafting.undo(access=access, plan=found)
        elif word in ("date", "draft"):
            drafting.date(access=access, plan=found, due_at=_due(body) if word == "date" else None)
        elif word in ("share", "hide"):
            drafting.share(access=access, plan=found, is_shared=word == "share")
        elif word == "drop":
            drafting.drop(access=access, plan=found)
        elif word == "files":
            drafting.settle_files(access=access, plan=found)
        elif word == "addStep":
            drafting.add_step(access=access, plan=found, said=body.get("step", {}))
        else:
            drafting.drop_step(access=access, plan=found, number=body.get("number", 0))
        return Response(shown(found))


def _files(files: list[foreseeing.OtherFile]) -> list[dict[str, Any]]:
    return [
        {"entity": each.ref, "path": each.path, "source": each.source, "isOurs": each.is_ours} for each in files
    ]  # fmt: skip


def _due(body: dict[str, Any]) -> Any:
    try:
        found = due_on(date.fromisoformat(body.get("on", "")))
    except ValueError as error:
        raise Invalid("Say on which day.", field="on") from error
    if found is None:
        raise Invalid("The day has to be after today.", field="on")
    return found
