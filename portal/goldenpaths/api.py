"""Golden paths for programs: list, read and publish."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping
from typing import Any

from drf_spectacular.utils import extend_schema, inline_serializer
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from portal.accounts.apiview import TenantAPIView
from portal.goldenpaths import jobs
from portal.goldenpaths.files import File
from portal.goldenpaths.models import GoldenPath, Version
from portal.goldenpaths.questions import schemas
from portal.goldenpaths.questions.keywords import ignored
from portal.jobs.models import Job
from portal.jobs.waiting import AcceptedSerializer, AwaitingView
from portal.kit.errors import Invalid, NotFound


class PathSerializer(serializers.ModelSerializer[GoldenPath]):
    """A golden path as programs see it."""

    version = serializers.IntegerField(source="current_number")

    class Meta:
        model = GoldenPath
        fields = ("slug", "ref", "title", "description", "owner_ref", "type", "tags", "version", "updated_at")


class VersionSerializer(serializers.ModelSerializer[Version]):
    """One published version."""

    class Meta:
        model = Version
        fields = ("number", "digest", "origin", "published_at")


class PublishedSerializer(serializers.ModelSerializer[Version]):
    """The version that was made, with its path's name."""

    path = serializers.CharField(source="path.slug")
    warnings = serializers.SerializerMethodField(help_text="What its form says that does nothing here.")

    class Meta:
        model = Version
        fields = ("path", *VersionSerializer.Meta.fields, "warnings")

    def get_warnings(self, version: Version) -> list[str]:
        return ignored(version.document)[: jobs.MOST_WARNINGS]


class PublishedFile(serializers.Serializer[Any]):
    """A file on its way in."""

    path = serializers.CharField(max_length=400)
    base64Content = serializers.CharField(allow_blank=True, trim_whitespace=False)  # the name that dry-run clients use
    executable = serializers.BooleanField(default=False)


class Publication(serializers.Serializer[Any]):
    """A golden path to publish."""

    files = PublishedFile(many=True)
    templatePath = serializers.CharField(default="template.yaml", max_length=400)


def path_of(view: TenantAPIView, slug: str) -> GoldenPath:
    path: GoldenPath | None = GoldenPath.objects.for_tenant(view.access.organisation).filter(slug=slug).first()
    if path is None:
        raise NotFound("There is no such golden path.")
    return path


class Paths(AwaitingView):
    """Every golden path; publishing one."""

    permission = {"get": "paths.view", "post": "paths.publish"}

    @extend_schema(
        operation_id="paths",
        responses=inline_serializer("PathList", {"items": PathSerializer(many=True)}),
    )
    def get(self, request: Request, org: str) -> Response:
        rows = GoldenPath.objects.for_tenant(self.access.organisation).order_by("title")
        return Response({"items": PathSerializer(rows, many=True).data})

    @extend_schema(
        operation_id="publish_path",
        request=Publication,
        responses={201: PublishedSerializer, 202: AcceptedSerializer},
    )
    def post(self, request: Request, org: str) -> Response:
        """Publishes a path; 202 with the job's address when its checks take longer than a moment."""
        body = Publication(data=request.data)
        body.is_valid(raise_exception=True)
        data = body.validated_data
        files = {item["path"]: _file(item) for item in data["files"]}
        self.awaits = jobs.ask_to_publish(self.access, files, data["templatePath"])
        return Response(status=202)

    def answer(self, request: Request, job: Job) -> Response:
        """The version that came of it, and what its form says that does nothing here."""
        rows = Version.objects.for_tenant(self.access.organisation).select_related("path")
        version = rows.get(path__slug=job.result["path"], number=job.result["number"])
        return Response(PublishedSerializer(version).data, status=201)


def _file(item: Mapping[str, Any]) -> File:
    try:
        content = base64.b64decode(item["base64Content"], validate=True)
    except (binascii.Error, ValueError):
        raise Invalid(f"The content of {item['path']} is not valid base64.", code="bad-base64") from None
    return File(content, 0o755 if item["executable"] else 0o644)


class PathDetail(TenantAPIView):
    """One golden path with its history."""

    permission = "paths.view"

    @extend_schema(
        operation_id="path",
        responses=inline_serializer("PathDetail", {"path": PathSerializer(), "versions": VersionSerializer(many=True)}),
    )
    def get(self, request: Request, org: str, path: str) -> Response:
        found = path_of(self, path)
        versions = Version.objects.for_tenant(self.access.organisation).filter(path=found).order_by("-number")[:200]
        return Response({"path": PathSerializer(found).data, "versions": VersionSerializer(versions, many=True).data})


class ParameterSchema(TenantAPIView):
    """The form as JSON Schema, page by page, in the shape that scaffolder clients read."""

    permission = "paths.view"

    @extend_schema(
        operation_id="path_parameter_schema",
        responses=inline_serializer(
            "PathParameterSchema",
            {
                "title": serializers.CharField(),
                "description": serializers.CharField(),
                "steps": inline_serializer(
                    "PathPage",
                    {
                        "title": serializers.CharField(),
                        "description": serializers.CharField(),
                        "schema": serializers.DictField(),
                    },
                    many=True,
                ),
                "presentation": serializers.DictField(required=False),
            },
        ),
    )
    def get(self, request: Request, org: str, path: str) -> Response:
        found = path_of(self, path)
        document = found.current.document
        steps = [
            {"title": page.get("title", ""), "description": page.get("description", ""), "schema": page}
            for page in schemas.pages_of(document)
        ]
        body = {"title": found.title, "description": found.description, "steps": steps}
        if presentation := document["spec"].get("presentation"):
            body["presentation"] = presentation
        return Response(body)
