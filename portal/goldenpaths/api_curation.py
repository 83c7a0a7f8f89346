"""Candidates and trust for programs: the same acts as on the pages."""

from __future__ import annotations

from typing import Any, ClassVar
from uuid import UUID

from drf_spectacular.utils import extend_schema, inline_serializer
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from catalog.models import Source
from portal.accounts.apiview import TenantAPIView
from portal.goldenpaths.curation import deciding, trusting
from portal.goldenpaths.curation.deciding import candidate_or_404
from portal.goldenpaths.models import Candidate, Trust
from portal.goldenpaths.questions.keywords import ignored
from portal.kit.errors import NotFound

SHOWN = 100


class CandidateSerializer(serializers.ModelSerializer[Candidate]):
    """What a source brought."""

    id = serializers.UUIDField(source="uid")
    origin = serializers.CharField(source="origin_label")

    class Meta:
        model = Candidate
        fields = (
            "id", "ref", "title", "origin", "template_path", "commit", "author", "digest", "problems", "state",
            "found_at", "decided_at", "reason",
        )  # fmt: skip


class TrustSerializer(serializers.ModelSerializer[Trust]):
    """A trust, standing or ended."""

    id = serializers.UUIDField(source="uid")

    class Meta:
        model = Trust
        fields = ("id", "label", "place", "rights", "reason", "granted_at", "ended_at", "ended_because")


class Decision(serializers.Serializer[Any]):
    """Which bytes are meant."""

    digest = serializers.CharField(max_length=64)


class Declining(Decision):
    """Which bytes are meant, and what is wrong with them."""

    reason = serializers.CharField(max_length=1000)


class Granting(serializers.Serializer[Any]):
    """Which source is trusted, and why."""

    location = serializers.UUIDField(help_text="The id of the source, as /catalog/locations has it.")
    reason = serializers.CharField(max_length=1000)


CANDIDATE = inline_serializer(
    "CandidateDetail",
    {
        "candidate": CandidateSerializer(),
        "files": inline_serializer(
            "CandidateFile",
            {
                "path": serializers.CharField(),
                "size": serializers.IntegerField(),
                "executable": serializers.BooleanField(),
                "digest": serializers.CharField(),
            },
            many=True,
        ),
        "document": serializers.JSONField(),
        "warnings": serializers.ListField(child=serializers.CharField()),
    },
)
PUBLISHED = inline_serializer(
    "CandidatePublished",
    {"path": serializers.CharField(), "number": serializers.IntegerField(), "digest": serializers.CharField()},
)


class Candidates(TenantAPIView):
    """Everything that waits."""

    permission = "paths.view"

    @extend_schema(
        operation_id="path_candidates",
        responses=inline_serializer("CandidateList", {"items": CandidateSerializer(many=True)}),
    )
    def get(self, request: Request, org: str) -> Response:
        rows = Candidate.objects.for_tenant(self.access.organisation).filter(state=Candidate.State.WAITING)
        return Response({"items": CandidateSerializer(rows.order_by("found_at")[:SHOWN], many=True).data})


class CandidateDetail(TenantAPIView):
    """One candidate with its files' names."""

    permission = "paths.view"

    @extend_schema(operation_id="path_candidate", responses={200: CANDIDATE})
    def get(self, request: Request, org: str, uid: UUID) -> Response:
        found = candidate_or_404(self.access.organisation, uid)
        files = [
            {"path": path, "size": len(file.content), "executable": file.is_executable, "digest": file.digest}
            for path, file in found.bundle().items()
        ]
        return Response(
            {
                "candidate": CandidateSerializer(found).data,
                "files": files,
                "document": found.document,
                "warnings": ignored(found.document)[:SHOWN] if found.document else [],
            }
        )


class CandidatePublication(TenantAPIView):
    """Publishing one."""

    permission = "paths.publish"

    @extend_schema(operation_id="publish_candidate", request=Decision, responses={201: PUBLISHED})
    def post(self, request: Request, org: str, uid: UUID) -> Response:
        found = candidate_or_404(self.access.organisation, uid)
        body = Decision(data=request.data)
        body.is_valid(raise_exception=True)
        version = deciding.publish_candidate(
            organisation=self.access.organisation,
            actor=self.access.actor,
            candidate=found,
            digest=body.validated_data["digest"],
        )
        return Response({"path": version.path.slug, "number": version.number, "digest": version.digest}, status=201)


class CandidateRefusal(TenantAPIView):
    """Declining one."""

    permission = "paths.publish"

    @extend_schema(operation_id="decline_candidate", request=Declining, responses={204: None})
    def post(self, request: Request, org: str, uid: UUID) -> Response:
        found = candidate_or_404(self.access.organisation, uid)
        body = Declining(data=request.data)
        body.is_valid(raise_exception=True)
        deciding.decline(
            organisation=self.access.organisation,
            actor=self.access.actor,
            candidate=found,
            digest=body.validated_data["digest"],
            reason=body.validated_data["reason"],
        )
        return Response(status=204)


class Trusts(TenantAPIView):
    """Trusted sources; trusting one."""

    permission: ClassVar[str | dict[str, str]] = {"get": "paths.view", "post": "paths.publish"}

    @extend_schema(
        operation_id="path_trusts", responses=inline_serializer("TrustList", {"items": TrustSerializer(many=True)})
    )
    def get(self, request: Request, org: str) -> Response:
        rows = Trust.objects.for_tenant(self.access.organisation).order_by("-granted_at")[:SHOWN]
        return Response({"items": TrustSerializer(rows, many=True).data})

    @extend_schema(operation_id="grant_path_trust", request=Granting, responses={201: TrustSerializer})
    def post(self, request: Request, org: str) -> Response:
        body = Granting(data=request.data)
        body.is_valid(raise_exception=True)
        rows = Source.objects.for_tenant(self.access.organisation).filter(uid=body.validated_data["location"])
        source = rows.exclude(kind=Source.Kind.PORTAL).first()
        if source is None:
            raise NotFound("There is no such location.")
        trust = trusting.grant(
            organisation=self.access.organisation,
            actor=self.access.actor,
            source=source,
            reason=body.validated_data["reason"],
        )
        return Response(TrustSerializer(trust).data, status=201)


class TrustDetail(TenantAPIView):
    """Ending a trust."""

    permission = "paths.publish"

    @extend_schema(operation_id="withdraw_path_trust", responses={204: None})
    def delete(self, request: Request, org: str, uid: UUID) -> Response:
        found = Trust.objects.for_tenant(self.access.organisation).filter(uid=uid).first()
        if found is None:
            raise NotFound("There is no such trust.")
        trusting.withdraw(organisation=self.access.organisation, actor=self.access.actor, trust=found)
        return Response(status=204)
