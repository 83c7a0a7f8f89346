"""Many entities changed at once, for programs: asking, what became of each, undoing."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any, ClassVar
from uuid import UUID

from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from catalog.api import CatalogView
from catalog.api_lists import QUERY, TAGS
from catalog.asking.query import entities_of
from catalog.lists import bulk as many
from catalog.lists.choosing import ListChoice
from catalog.lists.models import Bulk, BulkRow
from catalog.lists.reading import Listed
from portal.accounts.contract import one_of, whole
from portal.kit.errors import Invalid
from portal.kit.refs import BadRef, parse_ref

PAGE = 500
ASK: dict[str, Any] = {
    "type": "object",
    "required": ["act"],
    "additionalProperties": False,
    "properties": {
        "act": {"type": "string", "enum": [act.name for act in many.ACTS.values() if not act.page]},
        "value": {"type": "string", "maxLength": 200, "description": "The tag or lifecycle."},
        "entities": {
            "type": "array",
            "items": {"type": "string", "maxLength": 400},
            "minItems": 1,
            "maxItems": many.MOST,
            "description": "References.",
        },
        "query": QUERY | {"description": "Instead of `entities`: all that a list shows, in words of its address."},
    },
}


class BulkRowSerializer(serializers.Serializer[Any]):
    """One entity of it: what became of it, and why, where it was not simply done."""

    uid = serializers.UUIDField()
    ref = serializers.CharField()
    outcome = serializers.ChoiceField(list(many.OUTCOMES))
    sentence = serializers.CharField(allow_blank=True)
    place = serializers.CharField(allow_blank=True, help_text="The file to change, where it is not ours to write.")
    line = serializers.IntegerField()


class BulkSerializer(serializers.Serializer[Any]):
    """A change of many: how many came to what, and a page of its entities."""

    id = serializers.IntegerField()
    act = serializers.CharField()
    value = serializers.CharField(allow_blank=True)
    job = serializers.UUIDField(allow_null=True)
    isOver = serializers.BooleanField()
    canUndo = serializers.BooleanField()
    counts = serializers.DictField(child=serializers.IntegerField())
    items = BulkRowSerializer(many=True)
    nextAfter = serializers.IntegerField(allow_null=True, help_text="`after` of the next page.")


def shown(bulk: Bulk, outcome: str = "", after: int = 0) -> dict[str, Any]:
    """A change as the API tells it."""
    rows = BulkRow.objects.for_tenant(bulk.organisation_id).filter(bulk=bulk)
    counts = Counter(rows.values_list("outcome", flat=True))
    chosen = rows.filter(outcome=outcome) if outcome else rows
    page = list(chosen.filter(pk__gt=after).defer("before", "after").order_by("pk")[: PAGE + 1])
    return {
        "id": bulk.pk,
        "act": bulk.act,
        "value": bulk.value,
        "job": str(bulk.job_uid) if bulk.job_uid else None,
        "isOver": bulk.ended_at is not None,
        "canUndo": bulk.ended_at is not None and many.can_undo(bulk),
        "counts": dict(counts),
        "items": [
            {
                "uid": str(row.entity_uid),
                "ref": row.ref,
                "outcome": row.outcome,
                "sentence": row.sentence,
                "place": row.place,
                "line": row.line,
            }
            for row in page[:PAGE]
        ],
        "nextAfter": page[PAGE - 1].pk if len(page) > PAGE else None,
    }


class BulksView(CatalogView):
    """Asking for a change of many."""

    permission: ClassVar[str | dict[str, str]] = {"get": "catalog.edit", "post": "catalog.edit"}
    http_method_names = ["post", "options"]
    works_by_jobs = True

    @extend_schema(
        tags=TAGS, operation_id="change_many", request={"application/json": ASK}, responses={202: BulkSerializer}
    )
    def post(self, request: Request, org: str) -> Response:
        """A worker does it, to each entity as you may: the answer leads to what became of each."""
        said = self.body(request)
        if ("entities" in said) == ("query" in said):
            raise Invalid("Name either entities or a query.", field="entities")
        act = many.act_of(said["act"])
        value = many.clean_value(act, said.get("value", ""))
        begun = many.begin(access=self.access, act=act, value=value, uids=self._uids(said))
        return Response(shown(begun), status=202)

    def _uids(self, said: dict[str, Any]) -> list[UUID]:
        if "entities" in said:
            return self._named(said["entities"])
        return Listed(self.access, ListChoice.from_query(said["query"]), is_counted=False).uids(many.MOST + 1)

    def _named(self, texts: Sequence[str]) -> list[UUID]:
        """All or nothing: a name that there is not is refused, not passed over."""
        try:
            refs = list(dict.fromkeys(str(parse_ref(text)) for text in texts))
        except BadRef as error:
            raise Invalid(str(error), field="entities") from error
        found = dict(entities_of(self.access.organisation).filter(ref__in=refs).values_list("ref", "uid"))
        missing = next((ref for ref in refs if ref not in found), None)
        if missing is not None:
            raise Invalid(f"There is no {missing} in the catalog. Nothing was changed.", field="entities")
        return [found[ref] for ref in refs]


class BulkView(CatalogView):
    """What became of it."""

    @extend_schema(
        tags=TAGS,
        operation_id="get_change_of_many",
        responses={200: BulkSerializer},
        parameters=[one_of("outcome", many.OUTCOMES), whole("after", most=10**18 - 1)],
    )
    def get(self, request: Request, org: str, bulk: int) -> Response:
        """For whoever asked for it and for those who may read the audit log; kept for thirty days."""
        given = request.query_params
        found = many.find(self.access, bulk)
        return Response(shown(found, given.get("outcome", ""), int(given.get("after", 0))))


class BulkUndoView(CatalogView):
    """Taking it back."""

    permission: ClassVar[str | dict[str, str]] = {"get": "catalog.edit", "post": "catalog.edit"}
    http_method_names = ["post", "options"]
    works_by_jobs = True

    @extend_schema(tags=TAGS, operation_id="undo_change_of_many", request=None, responses={202: BulkSerializer})
    def post(self, request: Request, org: str, bulk: int) -> Response:
        """Everything that was done, back as it was; what was changed since stays."""
        begun = many.undo(access=self.access, bulk=many.find(self.access, bulk))
        return Response(shown(begun), status=202)
