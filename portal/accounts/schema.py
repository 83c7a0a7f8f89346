"""The OpenAPI description of the API, as JSON, and how it names the two ways to sign in."""

from typing import Any

from django.conf import settings
from drf_spectacular.extensions import OpenApiAuthenticationExtension
from rest_framework.request import Request
from rest_framework.response import Response

from portal.accounts.apiview import TenantAPIView
from portal.accounts.contract import document


class BearerScheme(OpenApiAuthenticationExtension):  # type: ignore[misc]  # drf-spectacular is untyped
    """How the document describes API tokens."""

    target_class = "portal.accounts.authentication.TokenAuthentication"
    name = "apiToken"

    def get_security_definition(self, auto_schema: Any) -> dict[str, Any]:
        return {"type": "http", "scheme": "bearer", "description": "An API token, made under API tokens."}


class SessionScheme(OpenApiAuthenticationExtension):  # type: ignore[misc]  # drf-spectacular is untyped
    """How the document describes the signed-in browser."""

    target_class = "portal.accounts.authentication.BrowserSession"
    name = "browserSession"

    def get_security_definition(self, auto_schema: Any) -> dict[str, Any]:
        return {"type": "apiKey", "in": "cookie", "name": settings.SESSION_COOKIE_NAME}


class SchemaView(TenantAPIView):
    """GET /api/o/<org>/schema/ : the OpenAPI 3 document."""

    permission = "org.view"
    schema = None

    def get(self, request: Request, org: str) -> Response:
        return Response(document())
