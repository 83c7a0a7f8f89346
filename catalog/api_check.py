"""The check for pipelines: files in, problems out, before a merge."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import IO, Any, ClassVar

from django.http import HttpResponse
from drf_spectacular.utils import extend_schema
from rest_framework.parsers import BaseParser
from rest_framework.request import Request
from rest_framework.response import Response

from catalog import api_shapes as shapes
from catalog.api import CatalogView
from catalog.checking import CHECK, files_of
from catalog.descriptors.findings import found_in
from catalog.descriptors.reports import as_github, as_text
from catalog.intake.sources.upload import MAX_UPLOAD
from portal.accounts.contract import one_of, text
from portal.jobs.actions import submit
from portal.jobs.models import Job
from portal.jobs.waiting import AcceptedSerializer, AwaitingView
from portal.kit.errors import Invalid, TooLarge
from portal.kit.parsing import JSONParser

ARCHIVES = {
    "application/zip": "files.zip",
    "application/x-tar": "files.tar",
    "application/gzip": "files.tar.gz",
}


ANSWERS: Any = {
    200: shapes.CheckedSerializer,
    (200, "text/plain"): str,
    202: AcceptedSerializer,
}


class ArchiveParser(BaseParser):
    """A zip or tar archive as it is, within the bound of uploads."""

    media_type = "application/*"

    def parse(
        self, stream: IO[bytes], media_type: str | None = None, parser_context: Mapping[str, Any] | None = None
    ) -> Any:
        """The bytes."""
        content = stream.read(MAX_UPLOAD + 1)
        if len(content) > MAX_UPLOAD:
            raise TooLarge(f"The archive is larger than {MAX_UPLOAD // 2**20} MiB. Pack the descriptors alone.")
        return content


def _parser_for(name: str) -> type[BaseParser]:
    return type("ArchiveParser", (ArchiveParser,), {"media_type": name})


class CheckView(CatalogView, AwaitingView):
    """Checking files."""

    permission: ClassVar[str | dict[str, str]] = "catalog.view"
    http_method_names = ["post", "options"]
    parser_classes = [JSONParser, *map(_parser_for, ARCHIVES)]

    @extend_schema(
        tags=["Catalog"],
        operation_id="check_files",
        request={
            "application/json": shapes.CHECK,
            **{kind: {"type": "string", "format": "binary"} for kind in ARCHIVES},
        },
        responses=ANSWERS,
        parameters=[
            text("start", most=500, about="The file, or pattern of files, to begin with."),
            text("source", most=1000, about="The uid or address of the source that the files belong to."),
            one_of("as", ("json", "text", "github"), about="What is answered: JSON, lines, or workflow annotations."),
        ],
    )
    def post(self, request: Request, org: str) -> Response:
        """What reading these files would find; nothing is written. 202 when that takes longer than a moment."""
        data: Any = request.data
        query = request.query_params
        is_archive = isinstance(data, bytes)
        if not is_archive and not isinstance(data, dict):
            raise Invalid("Send a JSON object, or an archive.")
        payload = data if is_archive else json.dumps(files_of(data)).encode()
        kind = (request.content_type or "").partition(";")[0].strip().lower()
        self.awaits = submit(
            organisation=self.access.organisation,
            actor=self.access.actor,
            kind=CHECK,
            title="Check files",
            arguments={
                "archive": is_archive,
                "filename": ARCHIVES.get(kind, ""),
                "start": query.get("start") or ("" if is_archive else str(data.get("start") or "")),
                "source": query.get("source") or "",
            },
            payload=payload,
        )
        return Response(status=202)

    def answer(self, request: Request, job: Job) -> Response | HttpResponse:  # type: ignore[override]  # lines are no JSON
        """The problems, in the form that was asked for."""
        told, form = job.result, request.query_params.get("as", "json")
        if form == "json":
            return Response(told)
        write = as_github if form == "github" else as_text
        body = write([found_in(each) for each in told["problems"]])
        return HttpResponse(body, content_type="text/plain; charset=utf-8")
