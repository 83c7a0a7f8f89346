"""The OpenAPI description of the API, as JSON; made once per process, for it is the same for everybody."""

import functools
from typing import Any

from drf_spectacular.generators import SchemaGenerator
from rest_framework.request import Request
from rest_framework.response import Response

from portal.accounts.apiview import TenantAPIView


@functools.cache
def document() -> dict[str, Any]:
    """The whole OpenAPI 3 document as plain data."""
    made: dict[str, Any] = SchemaGenerator().get_schema(request=None, public=True)
    return made


class SchemaView(TenantAPIView):
    """GET /api/o/<org>/schema/ : the OpenAPI 3 document."""

    permission = "org.view"
    schema = None

    def get(self, request: Request, org: str) -> Response:
        return Response(document())
