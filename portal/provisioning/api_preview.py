"""The review for programs: what a launch with these answers would make; nothing is made."""

from typing import Any

from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from portal.accounts.apiview import TenantAPIView
from portal.goldenpaths.api import path_of
from portal.goldenpaths.models import Version
from portal.goldenpaths.questions.forms import clean
from portal.kit.errors import Invalid
from portal.provisioning.acting.pretence import Preview
from portal.provisioning.walking.preview import preview


class Answers(serializers.Serializer[Any]):
    """Answers to try."""

    values = serializers.DictField(default=dict)


class PathPreview(TenantAPIView):
    """What a launch with these answers would make; nothing is made."""

    permission = "paths.view"
    asks = True

    @extend_schema(operation_id="preview_path", request=Answers, responses={200: serializers.DictField()})
    def post(self, request: Request, org: str, path: str) -> Response:
        body = Answers(data=request.data)
        body.is_valid(raise_exception=True)
        version = path_of(self, path).current
        cleaned = clean(version, body.validated_data["values"], self.access)
        if not cleaned.is_valid:
            first = next(iter(cleaned.errors.values()))
            raise Invalid(first, code="invalid-answers", detail={"errors": cleaned.errors})
        return Response(_body(version, preview(version, cleaned.values, self.access)))


def _body(version: Version, made: Preview) -> dict[str, Any]:
    repositories = [{"name": one.name, "branch": one.branch, "files": one.files} for one in made.repositories]
    return {
        "version": version.number,
        "launchable": not made.is_blocked,
        "problems": [{"sentence": one.sentence, "blocks": one.blocks} for one in made.problems],
        "steps": [
            {"id": one.id, "name": one.name, "action": one.action, "runs": one.runs, "input": one.input}
            for one in made.steps
        ],
        "repository": repositories[0] if repositories else None,
        "repositories": repositories,
        "output": made.output,
        "entities": [{"ref": one.ref, "kind": one.kind, "owner": one.owner} for one in made.entities],
        "manifests": [
            {
                "apiVersion": one.api_version,
                "kind": one.kind,
                "namespace": one.namespace,
                "name": one.name,
                "cluster": one.cluster,
                "path": one.where,
                "optional": one.is_optional,
                "served": one.is_served,
            }
            for one in made.manifests
        ],
        "claims": [
            {
                "object": one.label,
                "sentence": one.sentence,
                "adoptable": one.is_adoptable,
                "whyNot": one.why_not,
                "adopt": one.key if one.is_adoptable else "",
                "diff": list(one.diff) if one.is_adoptable else [],
            }
            for one in made.claims
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
