"""The doors of smart HTTP: portal tokens as passwords, the organisation's wall, and a word to others after a push."""

import asyncio
import base64
import binascii
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO, TypeVar

from asgiref.sync import sync_to_async
from django.conf import settings
from django.db import transaction
from django.http import HttpRequest, HttpResponse, HttpResponseBase, StreamingHttpResponse
from django.urls import reverse
from django.views.decorators.csrf import csrf_exempt

from portal.accounts.access import address_of, enter, note_use, person_of_token
from portal.accounts.actor import Actor
from portal.accounts.models import Organisation, Way
from portal.githosts import bare, rights, smart
from portal.githosts.models import Repository
from portal.githosts.pushes import note_push
from portal.kit.errors import Forbidden, Invalid, NotFound, Refusal, TooLarge, Unauthenticated

Response = TypeVar("Response", bound=HttpResponseBase)
PUSHES = "git-receive-pack"

# The event loop holds tasks weakly; a push whose pusher went away lives on here.
_pushing: set[asyncio.Future[bytes]] = set()


@dataclass(frozen=True)
class GitVisit:
    """Somebody's git at somebody's repository, let in."""

    organisation: Organisation
    actor: Actor
    repository: Repository
    path: Path
    request: HttpRequest


def _secret(request: HttpRequest) -> str:
    """The password of HTTP Basic (the user name does not matter), or the bearer token."""
    scheme, _, value = request.headers.get("Authorization", "").partition(" ")
    if scheme.lower() == "bearer":
        return value.strip()
    if scheme.lower() != "basic":
        raise Unauthenticated("Give an API token as the password; the user name does not matter.")
    try:
        decoded = base64.b64decode(value.strip(), validate=True).decode()
    except (binascii.Error, UnicodeDecodeError) as error:
        raise Unauthenticated("The sign-in is not valid HTTP Basic.") from error
    return decoded.partition(":")[2]


def visit(request: HttpRequest, org: str, repo: str, service: str) -> GitVisit:
    """Let git in or raise the refusal; the same rules as for pages, and every request is checked again."""
    if service not in smart.SERVICES:
        raise Invalid("Only the smart protocol is served: git 1.6.6 or newer speaks it.")
    with transaction.atomic():
        user, token, entering = person_of_token(org, _secret(request))
        access = enter(user, org, token=token, way=Way.GIT, address=address_of(request), entering=entering)
        access.require("repos.view")
        repository = Repository.objects.for_tenant(access.organisation).filter(name=repo).first()
        if repository is None or not bare.is_repository(repository.path):
            raise NotFound(f"There is no repository named “{repo}”.")
        if service == PUSHES and not (verdict := rights.may_push(access, repository)):
            raise Forbidden(verdict.sentence)
    note_use(token)
    return GitVisit(access.organisation, access.actor, repository, repository.path, request)


def decided(request: HttpRequest, org: str, repo: str) -> dict[str, str]:
    """What the hook is told about the pusher: asked anew when all has arrived, which may have taken minutes."""
    try:
        visitor = visit(request, org, repo, PUSHES)
    except Refusal as refusal:
        return {"SLIPWAY_PUSH": "refused", "SLIPWAY_REFUSAL": refusal.text}
    page = reverse("repo-access", kwargs={"org": org, "repo": repo})
    return {
        "SLIPWAY_PUSH": "allowed",
        "SLIPWAY_PROTECTED": rights.protected_ref(visitor.repository),
        "SLIPWAY_PROTECTION": f"An admin can lift the protection: {settings.PUBLIC_URL}{page}",
    }


def _refused(refusal: Refusal) -> HttpResponse:
    """Plain text, which git shows to the person behind `remote:`."""
    response = HttpResponse(refusal.text + "\n", status=refusal.status, content_type="text/plain; charset=utf-8")
    if refusal.status == 401:
        response["WWW-Authenticate"] = 'Basic realm="Slipway", charset="UTF-8"'
    return _uncached(response)


def _uncached(response: Response) -> Response:
    response["Cache-Control"] = "no-store"
    response["X-Content-Type-Options"] = "nosniff"
    return response


def _environment(request: HttpRequest) -> dict[str, str]:
    return smart.environment(request.headers.get("Git-Protocol", ""))


def _permit(visitor: GitVisit) -> dict[str, str]:
    return decided(visitor.request, visitor.organisation.slug, visitor.repository.name)


@csrf_exempt
async def info_refs(request: HttpRequest, org: str, repo: str) -> HttpResponseBase:
    """What the repository offers: the first request of every clone and push."""
    service = request.GET.get("service", "")
    try:
        visitor = await sync_to_async(visit)(request, org, repo, service)
    except Refusal as refusal:
        return _refused(refusal)
    args = smart.command(service, visitor.path, advertise=True, limit=settings.GIT_PUSH_LIMIT)
    offered = await smart.whole(args, _environment(request))
    head = smart.packet(f"# service={service}\n") + b"0000"
    return _uncached(HttpResponse(head + offered, content_type=f"application/x-{service}-advertisement"))


@csrf_exempt
async def upload_pack(request: HttpRequest, org: str, repo: str) -> HttpResponseBase:
    """Clone and fetch: streamed as git packs it."""
    service = "git-upload-pack"
    try:
        visitor, body = await sync_to_async(_opened)(request, org, repo, service)
    except Refusal as refusal:
        return _refused(refusal)
    args = smart.command(service, visitor.path, advertise=False, limit=settings.GIT_PUSH_LIMIT)
    stream = smart.streamed(args, _environment(request), body)
    return _uncached(StreamingHttpResponse(stream, content_type=f"application/x-{service}-result"))


@csrf_exempt
async def receive_pack(request: HttpRequest, org: str, repo: str) -> HttpResponseBase:
    """A push. It is finished even if the pusher goes away, so that what moved is always told."""
    service = "git-receive-pack"
    try:
        visitor, body = await sync_to_async(_opened)(request, org, repo, service)
    except Refusal as refusal:
        return _refused(refusal)
    pushing = asyncio.ensure_future(_receive(visitor, service, body, _environment(request)))
    _pushing.add(pushing)
    pushing.add_done_callback(_pushing.discard)
    answer = await asyncio.shield(pushing)
    return _uncached(HttpResponse(answer, content_type=f"application/x-{service}-result"))


async def _receive(visitor: GitVisit, service: str, body: IO[bytes], env: dict[str, str]) -> bytes:
    args = smart.command(service, visitor.path, advertise=False, limit=settings.GIT_PUSH_LIMIT)
    permit = await sync_to_async(_permit)(visitor)
    with tempfile.NamedTemporaryFile(prefix="slipway-moved-") as moved:
        answer = smart.told(await smart.whole(args, env | permit | {"SLIPWAY_MOVED": moved.name}, body))
        await sync_to_async(_note)(visitor, moved.read())
    return answer


def _note(visitor: GitVisit, moved: bytes) -> None:
    note_push(
        organisation=visitor.organisation,
        actor=visitor.actor,
        repository=visitor.repository,
        moved=bare.moved(moved),
    )


def _opened(request: HttpRequest, org: str, repo: str, service: str) -> tuple[GitVisit, IO[bytes]]:
    """The visitor and the request's body; refuses by the announced size before it reads."""
    if request.method != "POST":
        raise Refusal("Git posts here.", status=405)
    if request.content_type != f"application/x-{service}-request":
        raise Invalid("This is not a request of git.", status=415)
    visitor = visit(request, org, repo, service)
    limit = settings.GIT_PUSH_LIMIT
    announced = request.headers.get("Content-Length", "")
    if announced.isdecimal() and int(announced) > limit:
        raise TooLarge(f"A push of more than {limit // 2**20} MiB is refused. Push in smaller parts.")
    gzipped = request.headers.get("Content-Encoding", "") in {"gzip", "x-gzip"}
    return visitor, smart.spool(_chunks(request), gzipped=gzipped, limit=limit)


def _chunks(request: HttpRequest) -> Iterator[bytes]:
    while chunk := request.read(smart.CHUNK):
        yield chunk


# The URL walk reads these: the doors check their visitors themselves, because git does not sign in as a browser does.
info_refs.permission = "repos.view"  # type: ignore[attr-defined]
upload_pack.permission = "repos.view"  # type: ignore[attr-defined]
receive_pack.permission = "repos.push"  # type: ignore[attr-defined]
