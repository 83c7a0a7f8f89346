"""The review for programs: what a launch with these answers would make; nothing is made."""

from typing import Any

from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from portal.goldenpaths.api import path_of
from portal.goldenpaths.questions.forms import clean
from portal.jobs.models import Job
from portal.jobs.waiting import AwaitingView
from portal.kit.errors import Invalid
from portal.provisioning import previewing


class Answers(serializers.Serializer[Any]):
    """Answers to try."""

    values = serializers.DictField(default=dict)


class PathPreview(AwaitingView):
    """What a launch with these answers would make; nothing is made."""

    permission = "paths.view"

    @extend_schema(
        operation_id="preview_path",
        request=Answers,
        responses={200: serializers.DictField(), 202: serializers.DictField()},
    )
    def post(self, request: Request, org: str, path: str) -> Response:
        """202 with the job's address when it takes longer than a moment: its `result` is this answer."""
        body = Answers(data=request.data)
        body.is_valid(raise_exception=True)
        version = path_of(self, path).current
        cleaned = clean(version, body.validated_data["values"], self.access)
        if not cleaned.is_valid:
            first = next(iter(cleaned.errors.values()))
            raise Invalid(first, code="invalid-answers", detail={"errors": cleaned.errors})
        self.awaits = previewing.ask(self.access, version, cleaned.values)
        return Response(status=202)

    def answer(self, request: Request, job: Job) -> Response:
        """What the worker saw."""
        return Response(job.result)
