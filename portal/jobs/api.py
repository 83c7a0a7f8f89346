"""The API of jobs: how far one is, and calling it off."""

from typing import Any, ClassVar
from uuid import UUID

from django.http import HttpResponse
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from portal.accounts.apiview import TenantAPIView
from portal.jobs import actions
from portal.jobs.models import Job
from portal.jobs.states import JOB_STATES
from portal.jobs.views import find


class JobSerializer(serializers.Serializer[Any]):
    """A job as programs see it."""

    id = serializers.UUIDField(source="uid")
    kind = serializers.CharField()
    title = serializers.CharField()
    state = serializers.ChoiceField(choices=list(JOB_STATES))
    progress = serializers.SerializerMethodField()
    result = serializers.JSONField()
    text = serializers.CharField(source="result_text")
    error = serializers.SerializerMethodField()
    createdAt = serializers.DateTimeField(source="created_at")
    endedAt = serializers.DateTimeField(source="ended_at", allow_null=True)

    def get_progress(self, job: Job) -> dict[str, Any]:
        return {"text": job.progress_text, "done": job.progress_done, "total": job.progress_total}

    def get_error(self, job: Job) -> dict[str, Any] | None:
        return dict(job.refusal) or None


class JobView(TenantAPIView):
    """One job."""

    permission: ClassVar[str | dict[str, str]] = "org.view"

    @extend_schema(tags=["Jobs"], operation_id="job", responses={200: JobSerializer})
    def get(self, request: Request, org: str, uid: UUID) -> Response:
        """How far it is and how it ended."""
        return Response(JobSerializer(find(self.access, uid)).data)

    @extend_schema(tags=["Jobs"], operation_id="cancel_job", responses={204: None})
    def delete(self, request: Request, org: str, uid: UUID) -> HttpResponse:
        """Calls it off; what it has written stays."""
        actions.cancel(
            organisation=self.access.organisation,
            actor=self.access.actor,
            job=find(self.access, uid),
        )
        return HttpResponse(status=204)
