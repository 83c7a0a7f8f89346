"""The inbox of problems for programs."""

from __future__ import annotations

from typing import Any

from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from catalog import api_shapes as shapes
from catalog import inbox
from catalog.api import CatalogView
from catalog.descriptors.problemkinds import SEVERITIES
from catalog.models import Problem
from portal.accounts.contract import flag, one_of, text, whole


def shown(row: Problem) -> dict[str, Any]:
    """A problem with what its row knows beyond the finding."""
    return {
        "id": row.pk,
        **row.finding.plain(),
        "ownerRef": row.owner_ref,
        "source": str(row.source.uid),
        "firstSeenAt": row.first_seen_at.isoformat(),
        "commit": row.commit,
        "isAside": row.is_aside,
    }


class ProblemsView(CatalogView):
    """What is wrong in the files that the catalog is read from."""

    @extend_schema(
        tags=["Catalog"],
        operation_id="list_problems",
        responses={200: shapes.ProblemPageSerializer},
        parameters=[
            text("code", most=40),
            one_of("severity", SEVERITIES),
            text(
                "owner",
                most=400,
                about="A reference, a team with all teams below it; `mine` for my teams', `none` for nobody's.",
            ),
            whole("source", most=10**9 - 1, about="The number of a source."),
            one_of("age", inbox.AGES),
            one_of("order", ("new", "old")),
            flag("aside", about="Those set aside instead."),
            text("cursor", most=2000),
        ],
    )
    def get(self, request: Request, org: str) -> Response:
        """A page of problems, newest first; `nextCursor` leads on."""
        given = request.query_params
        query = {name: str(given[name]) for name in given if (name, given[name]) != ("aside", "false")}
        narrow = inbox.narrow_of(query)
        rows = inbox.narrowed(self.access, narrow)
        page = inbox.page_of(rows, oldest_first=bool(narrow.order), after=query.get("cursor", ""))
        info = {"nextCursor": page.after} if page.after else {}
        return Response({"items": [shown(row) for row in page.rows], "totalItems": rows.count(), "pageInfo": info})
