"""The review for programs: what a launch with these answers would make; nothing is made."""

from typing import Any

from drf_spectacular.utils import extend_schema, inline_serializer
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from portal.goldenpaths.api import path_of
from portal.goldenpaths.questions.forms import clean
from portal.jobs.models import Job
from portal.jobs.waiting import AcceptedSerializer, AwaitingView
from portal.kit.errors import Invalid
from portal.provisioning import previewing


class Answers(serializers.Serializer[Any]):
    """Answers to try."""

    values = serializers.DictField(default=dict)


def _record(name: str, /, **fields: type[serializers.Field[Any, Any, Any, Any]]) -> serializers.Serializer[Any]:
    made: serializers.Serializer[Any] = inline_serializer(
        name, {key: kind() for key, kind in fields.items()}, many=True
    )
    return made


TEXT, YES, ANY = serializers.CharField, serializers.BooleanField, serializers.JSONField
REPOSITORY = {"name": TEXT(), "branch": TEXT(), "files": serializers.IntegerField()}


class PreviewSerializer(serializers.Serializer[Any]):
    """Everything that a launch would make."""

    version = serializers.IntegerField()
    launchable = serializers.BooleanField()
    problems = _record("PreviewProblem", sentence=TEXT, blocks=YES)
    steps = _record("PreviewStep", id=TEXT, name=TEXT, action=TEXT, runs=YES, input=ANY)
    repository = inline_serializer("PreviewRepository", REPOSITORY, allow_null=True)
    repositories = inline_serializer("PreviewRepositories", REPOSITORY, many=True)
    output = serializers.JSONField()
    entities = _record("PreviewEntity", ref=TEXT, kind=TEXT, name=TEXT, description=TEXT, owner=TEXT)
    manifests = inline_serializer(
        "PreviewManifest",
        {
            **{name: TEXT() for name in ("apiVersion", "kind", "namespace", "name", "cluster", "path")},
            "line": serializers.IntegerField(),
            "optional": YES(),
            "served": serializers.BooleanField(allow_null=True),
        },
        many=True,
    )
    claims = inline_serializer(
        "PreviewClaim",
        {
            "object": TEXT(),
            "sentence": TEXT(),
            "adoptable": YES(),
            "whyNot": TEXT(),
            "adopt": serializers.CharField(help_text="For the launch's `adopt`; empty where nothing can be adopted."),
            "diff": serializers.ListField(child=TEXT()),
        },
        many=True,
    )
    files = inline_serializer(
        "PreviewFile",
        {
            "path": TEXT(),
            "size": serializers.IntegerField(),
            "executable": YES(),
            "text": serializers.CharField(allow_null=True),
        },
        many=True,
    )


class PathPreview(AwaitingView):
    """What a launch with these answers would make; nothing is made."""

    permission = "paths.view"
    asks = True

    @extend_schema(
        operation_id="preview_path",
        request=Answers,
        responses={200: PreviewSerializer, 202: AcceptedSerializer},
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
