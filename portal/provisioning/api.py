"""Runs over the API: list, one, its log, and the four verbs."""

import uuid
from typing import Any

from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from portal.accounts.apiview import TenantAPIView
from portal.accounts.contract import one_of, text, whole
from portal.provisioning import actions, launching, listing
from portal.provisioning.models import Effect, LogLine, Run, Step
from portal.provisioning.states import RUN_STATES
from portal.provisioning.steering import require_control, run_for

MOST_LINES = 1000


class RunSerializer(serializers.ModelSerializer[Run]):
    """One run, as a row."""

    path = serializers.CharField(source="version.path.slug")
    version = serializers.IntegerField(source="version.number")
    requester = serializers.CharField(source="requester.email", default=None, allow_null=True)

    class Meta:
        model = Run
        fields = [
            "id", "title", "subject", "path", "version", "requester", "owner_ref", "entity_refs", "status",
            "error_code", "error_text", "created_at", "started_at", "ended_at",
        ]  # fmt: skip


class StepSerializer(serializers.ModelSerializer[Step]):
    """One step of a run; `input` and `output` are null until there is one."""

    input = serializers.JSONField()
    output = serializers.JSONField()
    error_detail = serializers.SerializerMethodField()

    def get_error_detail(self, step: Step) -> dict[str, Any]:
        """Without what an adoption would change: that is for those who may adopt, on the page of the retry."""
        claims = [{key: one[key] for key in ("object", "adopt")} for one in step.error_detail.get("claims", ())]
        return {**step.error_detail, **({"claims": claims} if claims else {})}

    class Meta:
        model = Step
        fields = [
            "key", "name", "action", "status", "attempt", "sentence", "error_code", "error_text", "error_detail",
            "input", "output", "started_at", "ended_at",
        ]  # fmt: skip


class EffectSerializer(serializers.ModelSerializer[Effect]):
    """One thing that a run made."""

    class Meta:
        model = Effect
        fields = ["kind", "label", "reference", "outcome", "intended_at", "confirmed_at", "undo", "undo_text"]


class LineSerializer(serializers.ModelSerializer[LogLine]):
    """One line of a run's log."""

    step = serializers.IntegerField(source="step_idx")

    class Meta:
        model = LogLine
        fields = ["seq", "step", "at", "level", "text"]


class RunDetailSerializer(RunSerializer):
    """One run with its steps and what it made."""

    steps = StepSerializer(many=True)
    effects = EffectSerializer(many=True)

    class Meta(RunSerializer.Meta):
        fields = [*RunSerializer.Meta.fields, "values", "output", "log_seq", "steps", "effects"]


class RunPageSerializer(serializers.Serializer[Any]):
    """A page of runs; `before` of the next page, or 0."""

    items = RunSerializer(many=True)
    before = serializers.IntegerField()


class LogSerializer(serializers.Serializer[Any]):
    """Lines after a number; ask again with the last `seq` until `is_over`."""

    lines = LineSerializer(many=True)
    is_over = serializers.BooleanField()


class LaunchSerializer(serializers.Serializer[Any]):
    """A launch. The same idempotency key again answers with the run it started before."""

    path = serializers.SlugField()
    values = serializers.DictField(default=dict)
    secrets = serializers.DictField(child=serializers.CharField(), default=dict)
    idempotency_key = serializers.CharField(max_length=64, required=False)
    version = serializers.IntegerField(
        min_value=1, required=False, help_text="The version that was previewed; 409 when the path has moved on."
    )
    # The `adopt` of each claim of the preview that is to be taken over.
    adopt = serializers.ListField(child=serializers.CharField(max_length=800), default=list, max_length=100)


class RetrySerializer(serializers.Serializer[Any]):
    """A retry; secrets are asked for again."""

    secrets = serializers.DictField(child=serializers.CharField(), default=dict)
    # The `adopt` of each claim in the refused step's `error_detail` that is to be taken over.
    adopt = serializers.ListField(child=serializers.CharField(max_length=800), default=list, max_length=100)


class RunsView(TenantAPIView):
    """All runs, newest first; or a new one."""

    permission = {"get": "runs.view", "post": "runs.launch"}
    asks = True

    @extend_schema(
        operation_id="runs",
        parameters=[
            one_of("status", RUN_STATES),
            text("path", pattern="^[-a-zA-Z0-9_]{1,130}$", about="A golden path's name."),
            text("who", pattern="^(me|[0-9]{1,18})$", about="A person's number, or `me`."),
            text("entity", about="Reference of an entity that the run made.", most=300),
            whole("before", least=1, most=10**18 - 1, about="Only runs with a smaller number."),
        ],
        responses=RunPageSerializer,
    )
    def get(self, request: Request, **kwargs: Any) -> Response:
        filters = listing.filters_of(request.query_params)
        found, before = listing.page_of(listing.runs(self.access.organisation, filters, self.access.user))
        return Response({"items": RunSerializer(found, many=True).data, "before": before})

    @extend_schema(request=LaunchSerializer, responses={201: RunDetailSerializer})
    def post(self, request: Request, **kwargs: Any) -> Response:
        asked = LaunchSerializer(data=request.data)
        asked.is_valid(raise_exception=True)
        given = asked.validated_data
        run = launching.launch_checked(
            self.access,
            launching.version_of(self.access, given["path"], given.get("version")),
            values=given["values"],
            secrets=given["secrets"],
            idempotency_key=given.get("idempotency_key") or uuid.uuid4().hex,
            adoptions=given["adopt"],
        )
        return Response(RunDetailSerializer(run).data, status=201)


class RunView(TenantAPIView):
    """One run with its steps and effects."""

    permission = "runs.view"

    @extend_schema(operation_id="run", responses=RunDetailSerializer)
    def get(self, request: Request, run: int, **kwargs: Any) -> Response:
        return Response(RunDetailSerializer(run_for(self.access, run)).data)


class RunEventsView(TenantAPIView):
    """The log of a run, from a line on."""

    permission = "runs.view"

    @extend_schema(
        parameters=[whole("after", most=10**18 - 1, about="Only lines with a greater `seq`.")], responses=LogSerializer
    )
    def get(self, request: Request, run: int, **kwargs: Any) -> Response:
        row = run_for(self.access, run)
        after = int(request.query_params.get("after", "0"))
        lines = LogLine.objects.for_tenant(self.access.organisation).filter(run=row)
        found = lines.filter(seq__gt=after).order_by("seq")[:MOST_LINES]
        shown = LineSerializer(found, many=True).data
        is_over = row.state.is_final and (not shown or shown[-1]["seq"] == row.log_seq)
        return Response({"lines": shown, "is_over": is_over})


class _Verb(TenantAPIView):
    permission = "runs.control"

    def controlled(self, run: int) -> Run:
        """The run, if this person may steer it."""
        row = run_for(self.access, run)
        require_control(self.access, row)
        return row


class CancelView(_Verb):
    """Stop a run before its next effect."""

    @extend_schema(request=None, responses=RunSerializer)
    def post(self, request: Request, run: int, **kwargs: Any) -> Response:
        row = actions.cancel(organisation=self.access.organisation, actor=self.access.actor, run=self.controlled(run))
        return Response(RunSerializer(row).data)


class RetryView(_Verb):
    """Queue a failed or cancelled run again; it goes on at the step that stopped."""

    @extend_schema(request=RetrySerializer, responses=RunSerializer)
    def post(self, request: Request, run: int, **kwargs: Any) -> Response:
        asked = RetrySerializer(data=request.data)
        asked.is_valid(raise_exception=True)
        row = actions.retry(
            organisation=self.access.organisation,
            actor=self.access.actor,
            run=self.controlled(run),
            secrets=asked.validated_data["secrets"],
            adoptions=asked.validated_data["adopt"],
        )
        return Response(RunSerializer(row).data)


class UndoView(_Verb):
    """Take back what a run made, last first."""

    @extend_schema(request=None, responses=RunSerializer)
    def post(self, request: Request, run: int, **kwargs: Any) -> Response:
        row = actions.undo(organisation=self.access.organisation, actor=self.access.actor, run=self.controlled(run))
        return Response(RunSerializer(row).data)
