"""API views behind the same gate as pages."""

from functools import partial
from typing import Any, ClassVar

from django.db import transaction
from django.http import HttpRequest
from django.http.response import HttpResponseBase
from rest_framework.request import Request
from rest_framework.views import APIView

from portal.accounts.access import Access, address_of, admit, enter, entering_of, note_use
from portal.accounts.contract import check
from portal.accounts.models import ApiToken, Way
from portal.kit.answers import asked_outside
from portal.kit.errors import Unauthenticated


class TenantAPIView(APIView):
    """An API view behind the gate. `permission` is one name, or a name for each method; a view that `asks` workers
    short questions may be run more than once for a request (portal.kit.answers)."""

    permission: ClassVar[str | dict[str, str]]
    asks: ClassVar[bool] = False
    access: Access
    token: ApiToken | None = None

    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        if self.asks:
            # A second go reads the body again.
            _ = request.body
        response = asked_outside(partial(self._inside, request, *args, **kwargs))
        # Refused calls count as well: they show that somebody uses the token.
        if self.token is not None:
            note_use(self.token)
        return response

    def _inside(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        with transaction.atomic():
            response = super().dispatch(request, *args, **kwargs)
            if getattr(response, "exception", False):
                transaction.set_rollback(True)
        return response

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        super().initial(request, *args, **kwargs)
        if not request.user.is_authenticated:
            raise Unauthenticated("Sign in, or send an API token as a bearer token.")
        token = self.token = request.auth if isinstance(request.auth, ApiToken) else None
        access = enter(
            request.user,
            kwargs["org"],
            way=Way.API,
            address=address_of(request._request),
            token=token,
            entering=entering_of(request._request),
        )
        admit(access, self.permission_for(request.method or "GET"))
        check(request)
        self.access = access
        request.access = access  # type: ignore[attr-defined]
        request._request.access = access  # type: ignore[attr-defined]

    @classmethod
    def permission_for(cls, method: str) -> str:
        if isinstance(cls.permission, str):
            return cls.permission
        return cls.permission.get(method.lower()) or cls.permission.get(method) or cls.permission["get"]
