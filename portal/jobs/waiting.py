"""For clients that need the answer in the same request: wait for a job with no transaction and no connection held."""

from __future__ import annotations

import time
from typing import Any
from uuid import UUID

from django.conf import settings
from django.db import connection, transaction
from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.urls import reverse
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from portal.accounts.access import Access, admit, enter
from portal.accounts.apiview import TenantAPIView
from portal.accounts.tenancy import tenant
from portal.jobs.lease import as_refusal
from portal.jobs.models import Job
from portal.kit.answers import wait_for_answer
from portal.kit.errors import Conflict, Refusal

# The row is looked at this often even when nobody calls: the call may be lost.
LOOK_EVERY = 2.0


def wait(organisation_id: int, uid: UUID, seconds: float) -> Job:
    """The job once it is over, or as it is after so many seconds. Must run outside any transaction.

    How many wait is bounded by how many jobs a person may have in flight.
    """
    if connection.in_atomic_block:
        raise transaction.TransactionManagementError("Nothing waits inside a transaction but for PostgreSQL.")
    end = time.monotonic() + seconds
    while True:
        with tenant(organisation_id):
            job = Job.objects.for_tenant(organisation_id).defer("payload").get(uid=uid)
        left = end - time.monotonic()
        if job.is_over or left <= 0:
            return job
        connection.close()  # back to the pool: who waits holds none
        wait_for_answer(f"job:{uid}", min(left, LOOK_EVERY))


class AcceptedSerializer(serializers.Serializer[Any]):
    """The work takes longer than a request waits; the address of the job is in the Location header."""

    job = serializers.UUIDField()
    state = serializers.CharField()
    title = serializers.CharField()


class AwaitingView(TenantAPIView):
    """An API view whose answer is a job's: it submits in one transaction, waits in none, and answers in another.

    A method sets `self.awaits = job` and returns what it has; `answer()` makes the response from the finished job. A
    refused job is answered as the refusal, one that takes longer with 202 and its address.
    """

    awaits: Job | None = None
    works_by_jobs = True

    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        response = super().dispatch(request, *args, **kwargs)
        if self.awaits is None or response.status_code >= 400:
            return response
        job = wait(self.awaits.organisation_id, self.awaits.uid, float(settings.JOB_ANSWER_SECONDS))
        with transaction.atomic():
            try:
                answered = self._answered(job, kwargs["org"])
            except Exception as error:  # noqa: BLE001 - REST framework's own hook: it raises again what is no refusal
                answered = self.handle_exception(error)
            self.response = self.finalize_response(self.request, answered, *args, **kwargs)
            if getattr(self.response, "exception", False):
                transaction.set_rollback(True)
        return self.response

    def _answered(self, job: Job, org: str) -> Response:
        was = self.access
        access: Access = enter(was.user, org, way=was.way, address=was.address, token=was.token, agent=was.agent)
        admit(access, self.permission_for(self.request.method or "GET"))
        self.access = access
        if job.refusal:
            return self.refused(self.request, job, as_refusal(job.refusal))
        if job.state == "cancelled":
            raise Conflict("The work was called off.", code="job-cancelled")
        if not job.is_over:
            return accepted(job, org)
        return self.answer(self.request, job)

    def answer(self, request: Request, job: Job) -> Response:
        """The response, from the job that succeeded; runs inside the tenant's transaction."""
        raise NotImplementedError

    def refused(self, request: Request, job: Job, refusal: Refusal) -> Response:
        """The answer to a refused job: the refusal, unless a view knows better."""
        raise refusal


def accepted(job: Job, org: str) -> Response:
    """202 with the address where the job can be followed."""
    place = reverse("api-job", kwargs={"org": org, "uid": job.uid})
    response = Response({"job": str(job.uid), "state": job.state, "title": job.title}, status=202)
    response["Location"] = place
    return response
