"""Golden paths for programs: list, read, publish, and preview without making anything."""

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
from portal.goldenpaths import actions
from portal.goldenpaths.files import File
from portal.goldenpaths.models import GoldenPath, Version
from portal.goldenpaths.preview import Preview, preview
from portal.goldenpaths.questions import schemas
from portal.goldenpaths.questions.forms import clean
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


class PublishedFile(serializers.Serializer[Any]):
    """A file on its way in."""

    path = serializers.CharField(max_length=400)
    base64Content = serializers.CharField(allow_blank=True, trim_whitespace=False)  # the name that dry-run clients use
    executable = serializers.BooleanField(default=False)


class Publication(serializers.Serializer[Any]):
    """A golden path to publish."""

    files = PublishedFile(many=True)
    templatePath = serializers.CharField(default="template.yaml", max_length=400)


class Answers(serializers.Serializer[Any]):
    """Answers to try."""

    values = serializers.DictField(default=dict)


def _path(view: TenantAPIView, slug: str) -> GoldenPath:
    path: GoldenPath | None = GoldenPath.objects.for_tenant(view.access.organisation).filter(slug=slug).first()
    if path is None:
        raise NotFound("There is no such golden path.")
    return path


class Paths(TenantAPIView):
    """Every golden path; publishing one."""

    permission = {"get": "paths.view", "post": "paths.publish"}

    @extend_schema(
        operation_id="paths",
        responses=inline_serializer("PathList", {"items": PathSerializer(many=True)}),
    )
    def get(self, request: Request, org: str) -> Response:
        rows = GoldenPath.objects.for_tenant(self.access.organisation).order_by("title")
        return Response({"items": PathSerializer(rows, many=True).data})

    @extend_schema(operation_id="publish_path", request=Publication, responses={201: VersionSerializer})
    def post(self, request: Request, org: str) -> Response:
        body = Publication(data=request.data)
        body.is_valid(raise_exception=True)
        data = body.validated_data
        version = actions.publish(
            organisation=self.access.organisation,
            actor=self.access.actor,
            files={item["path"]: _file(item) for item in data["files"]},
            template_path=data["templatePath"],
            origin="Published through the API",
        )
        return Response({"path": version.path.slug, **VersionSerializer(version).data}, status=201)


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
        found = _path(self, path)
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
                "steps": serializers.ListField(child=serializers.DictField()),
            },
        ),
    )
    def get(self, request: Request, org: str, path: str) -> Response:
        found = _path(self, path)
        document = found.current.document
        steps = [
            {"title": page.get("title", ""), "description": page.get("description", ""), "schema": page}
            for page in schemas.pages_of(document)
        ]
        body = {"title": found.title, "description": found.description, "steps": steps}
        if presentation := document["spec"].get("presentation"):
            body["presentation"] = presentation
        return Response(body)


class PathPreview(TenantAPIView):
    """What a launch with these answers would make; nothing is made."""

    permission = "paths.view"

    @extend_schema(operation_id="preview_path", request=Answers, responses={200: serializers.DictField()})
    def post(self, request: Request, org: str, path: str) -> Response:
        body = Answers(data=request.data)
        body.is_valid(raise_exception=True)
        version = _path(self, path).current
        cleaned = clean(version, body.validated_data["values"], self.access)
        if not cleaned.is_valid:
            first = next(iter(cleaned.errors.values()))
            raise Invalid(first, code="invalid-answers", detail={"errors": cleaned.errors})
        return Response(_body(version, preview(version, cleaned.values, self.access)))


def _body(version: Version, made: Preview) -> dict[str, Any]:
    repository = made.repository
    return {
        "version": version.number,
        "launchable": not made.is_blocked,
        "problems": [{"sentence": one.sentence, "blocks": one.blocks} for one in made.problems],
        "steps": [{"id": one.id, "name": one.name, "action": one.action, "runs": one.runs} for one in made.steps],
        "repository": (
            {"name": repository.name, "branch": repository.branch, "files": repository.files} if repository else None
        ),
        "entities": [{"ref": one.ref, "kind": one.kind, "owner": one.owner} for one in made.entities],
        "manifests": [
            {
                "apiVersion": one.manifest.api_version,
                "kind": one.manifest.kind,
                "namespace": one.manifest.namespace,
                "name": one.manifest.name,
                "cluster": one.cluster,
                "path": one.manifest.where,
                "optional": one.manifest.is_optional,
                "served": one.is_served,
            }
            for one in made.manifests
        ],
        "files": [
            {
                "path": one.path,
                "size": one.size,
                "executable": one.is_executable,
                "text": one.text,
            }
            for one in made.files
        ],
    }
