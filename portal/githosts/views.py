"""Pages of the built-in git host: the list, a repository's files and history, and raw downloads."""

from typing import Any
from urllib.parse import quote

from django.conf import settings
from django.db.models import Q, QuerySet
from django.http import HttpResponse, HttpResponseBase
from django.shortcuts import redirect, render

from portal.accounts.access import TenantRequest, gate
from portal.githosts import bare, browse, rights
from portal.githosts.builtin import clone_path
from portal.githosts.models import Repository
from portal.githosts.protocol import TreeEntry
from portal.kit.errors import NotFound
from portal.kit.references import named

PAGE = 50


def find(request: TenantRequest, name: str) -> Repository:
    """The organisation's repository of that name; NotFound otherwise."""
    found = Repository.objects.for_tenant(request.access.organisation).filter(name=name).first()
    if found is None:
        raise NotFound(f"There is no repository named “{name}”.")
    return found


def plain(request: TenantRequest, name: str) -> str:
    """A query value without the one character that PostgreSQL cannot hold."""
    return request.GET.get(name, "").replace("\0", "")


def search(request: TenantRequest) -> QuerySet[Repository]:
    """The organisation's repositories that match the words in `q`, by name."""
    found = Repository.objects.for_tenant(request.access.organisation).order_by("name")
    for word in plain(request, "q").split()[:5]:
        found = found.filter(Q(name__icontains=word) | Q(description__icontains=word) | Q(owner_ref__icontains=word))
    return found


@gate("repos.view")
def repos(request: TenantRequest) -> HttpResponse:
    """Every repository of the organisation, in pages that continue after a name."""
    found = search(request)
    if after := plain(request, "after"):
        found = found.filter(name__gt=after)
    rows = list(found[: PAGE + 1])
    context = {
        "repositories": rows[:PAGE],
        "names": named(request.access.organisation.pk, [row.owner_ref for row in rows]),
        "after": rows[PAGE - 1].name if len(rows) > PAGE else "",
        "q": plain(request, "q"),
        "can_launch": request.access.can("runs.launch"),
        "can_connect": request.access.can("repos.connect"),
    }
    return render(request, "githosts/repos.html", context)


def _shared(request: TenantRequest, repository: Repository, at: browse.TreePlace | None) -> dict[str, Any]:
    """What the pages of one repository have in common."""
    clone_url = f"{settings.PUBLIC_URL}{clone_path(request.access.organisation.slug, repository.name)}"
    return {
        "repository": repository,
        "names": named(request.access.organisation.pk, [repository.owner_ref]),
        "place": at,
        "branches": bare.branches(repository.path) if at else [],
        "clone_url": clone_url,
        "can_push": rights.may_push(request.access, repository),
        "clone_command": f"git clone {clone_url}",
    }


def _listed(
    request: TenantRequest, repository: Repository, at: browse.TreePlace, entries: list[TreeEntry]
) -> dict[str, Any]:
    """A folder's entries and its README."""
    readme = browse.readme(repository, at, entries)
    is_markdown = readme is not None and readme.is_markdown
    written = browse.written(repository, at, readme, request.access.organisation.slug) if readme and is_markdown else ""
    return {"entries": entries, "readme": readme, "written": written}


@gate("repos.view")
def repo(request: TenantRequest, repo: str) -> HttpResponse:
    """A repository: how to clone it, its files and its README."""
    repository = find(request, repo)
    at = browse.place(repository, request.GET.get("ref", ""))
    context = _shared(request, repository, at)
    if at is None:
        return render(request, "githosts/repo_empty.html", context)
    entries = bare.folder(repository.path, at.commit)
    context |= _listed(request, repository, at, entries)
    context |= {
        "latest": bare.history(repository.path, at.commit, limit=1)[0],
        "commit_count": bare.count(repository.path, at.commit),
    }
    return render(request, "githosts/repo.html", context)


@gate("repos.view")
def repo_file(request: TenantRequest, repo: str, path: str) -> HttpResponse:
    """A folder or a file inside a repository."""
    repository = find(request, repo)
    at = browse.place(repository, request.GET.get("ref", ""), path)
    if at is None:
        raise NotFound(f"{repository.name} is empty.")
    if not at.path:
        return redirect("repo", org=request.access.organisation.slug, repo=repo)
    found = browse.entry(repository, at)
    context = _shared(request, repository, at)
    if found.kind == "folder":
        entries = bare.folder(repository.path, at.commit, at.path)
        context |= _listed(request, repository, at, entries)
        return render(request, "githosts/folder.html", context)
    shown = browse.show(repository, at, found)
    context |= {"shown": shown, "as_source": "source" in request.GET}
    if shown.is_markdown:
        context["written"] = browse.written(repository, at, shown, request.access.organisation.slug)
    return render(request, "githosts/file.html", context)


@gate("repos.view")
def repo_raw(request: TenantRequest, repo: str, path: str) -> HttpResponse:
    """A file's bytes, always as a download: what somebody pushed must never run as a page of ours."""
    repository = find(request, repo)
    at = browse.place(repository, request.GET.get("ref", ""), path)
    if at is None:
        raise NotFound(f"{repository.name} is empty.")
    content = bare.content(repository.path, at.commit, at.path, limit=settings.GIT_PUSH_LIMIT)
    kind = "application/octet-stream" if browse.as_text(content) is None else "text/plain; charset=utf-8"
    name = at.path.rpartition("/")[2]
    response = HttpResponse(content, content_type=kind)
    response["Content-Disposition"] = f"attachment; filename*=UTF-8''{quote(name, safe='')}"
    response["X-Content-Type-Options"] = "nosniff"
    return response


@gate("repos.view")
def repo_commits(request: TenantRequest, repo: str) -> HttpResponse:
    """The history of a repository, or of one path in it (`path=`)."""
    repository = find(request, repo)
    at = browse.place(repository, request.GET.get("ref", ""), request.GET.get("path", ""))
    context = _shared(request, repository, at)
    if at is None:
        return render(request, "githosts/repo_empty.html", context)
    number = request.GET.get("page", "1")
    page = min(int(number), 10_000) if number.isdecimal() and int(number) > 0 else 1
    found, has_more = browse.commits(repository, at, page=page)
    context |= {"commits": found, "page": page, "newer": page - 1, "older": page + 1 if has_more else 0}
    return render(request, "githosts/commits.html", context)


@gate("repos.view")
def repo_of_clone_url(request: TenantRequest, repo: str) -> HttpResponseBase:
    """A clone address opened in a browser leads to the repository's page."""
    return redirect("repo", org=request.access.organisation.slug, repo=find(request, repo).name)
