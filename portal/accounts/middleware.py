"""What stands between sign-in and the world outside."""

from urllib.parse import urlsplit

from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import render
from django.utils.deprecation import MiddlewareMixin


class LeaveByPageMiddleware(MiddlewareMixin):
    """A sign-in form that would redirect to an identity provider answers with a page that leads there instead.

    Chromium applies `form-action` to every redirect that follows a form, however many there are, and which hosts a
    company's provider passes people through cannot be listed. A page that leads on is an ordinary navigation.
    """

    def process_response(self, request: HttpRequest, response: HttpResponseBase) -> HttpResponseBase:
        if request.method != "POST" or response.status_code != 302 or not request.path.startswith("/accounts/"):
            return response
        where = urlsplit(response["Location"])
        if where.scheme not in {"http", "https"} or where.netloc == request.get_host():
            return response
        page: HttpResponse = render(
            request, "socialaccount/leaving.html", {"url": where.geturl(), "host": where.netloc}
        )
        page.cookies = response.cookies
        page["Cache-Control"] = "no-store"
        return page
