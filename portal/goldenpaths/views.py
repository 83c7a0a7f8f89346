"""Pages of golden paths: the gallery, the form, the history. The review stands above, with what launches."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from uuid import UUID

from django.http import HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import render
from django.views.decorators.http import require_GET, require_POST, require_safe

from portal.accounts.access import TenantRequest, gate
from portal.goldenpaths import jobs, shipped_paths
from portal.goldenpaths.curation import deciding
from portal.goldenpaths.files import tree_digest
from portal.goldenpaths.models import GoldenPath, Version
from portal.goldenpaths.questions import answers, choices
from portal.goldenpaths.questions.answers import PREFIX
from portal.goldenpaths.questions.fields import FormField, fields_of
from portal.goldenpaths.questions.forms import (
    Cleaned,
    FormPage,
    clean,
    pages_of,
)
from portal.goldenpaths.questions.schemas import FORM, declared
from portal.jobs.lease import as_refusal
from portal.jobs.models import Job
from portal.jobs.views import follow
from portal.kit.errors import NotFound, Refusal, TooMany
from portal.kit.references import named


def path_or_404(request: TenantRequest, slug: str) -> GoldenPath:
    """The path of this address in the person's organisation."""
    path: GoldenPath | None = GoldenPath.objects.for_tenant(request.access.organisation).filter(slug=slug).first()
    if path is None:
        raise NotFound("There is no golden path here, or it is not yours to see.")
    return path


@gate("paths.view")
@require_safe
def paths(request: TenantRequest) -> HttpResponse:
    """The gallery; with `job`, why the shipped paths were not published."""
    return _gallery(request, _refused(request))


def _refused(request: TenantRequest) -> Refusal | None:
    try:
        wanted = UUID(request.GET.get("job", ""))
    except ValueError:
        return None
    rows = Job.objects.for_tenant(request.access.organisation).filter(kind=jobs.PUBLISH_SHIPPED)
    job = rows.defer("payload").filter(uid=wanted, actor=request.access.user).first()
    return as_refusal(job.refusal) if job is not None and job.refusal else None


def _gallery(request: TenantRequest, refusal: Refusal | None = None) -> HttpResponse:
    query = request.GET.get("q", "").strip()
    rows = GoldenPath.objects.for_tenant(request.access.organisation).order_by("title")
    found = [path for path in rows if _says(path, query)]
    may_publish = bool(request.access.can("paths.publish"))
    context = {
        "paths": found,
        "names": named(request.access.organisation.pk, [path.owner_ref for path in found]),
        "query": query,
        "has_any": bool(found) or rows.exists(),
        "may_publish": may_publish,
        "may_launch": request.access.can("runs.launch"),
        "has_news": may_publish and _has_news(request),
        "waiting": deciding.waiting_for(request.access),
        "refusal": refusal,
    }
    return render(request, "goldenpaths/paths.html", context, status=refusal.status if refusal else 200)


def _says(path: GoldenPath, query: str) -> bool:
    words = f"{path.title} {path.name} {path.description} {path.type} {' '.join(path.tags)}".lower()
    return all(word in words for word in query.lower().split())


def _has_news(request: TenantRequest) -> bool:
    """Whether a shipped path is unpublished here or has changed since it was."""
    shipped = {tree_digest(shipped_paths.read(name)) for name in shipped_paths.names()}
    known = Version.objects.for_tenant(request.access.organisation).filter(digest__in=shipped)
    return known.count() < len(shipped)


@gate("paths.publish")
@require_POST
def paths_publish(request: TenantRequest) -> HttpResponseBase:
    """Asks for the shipped paths to be published."""
    try:
        job = jobs.ask_to_publish_shipped(request.access)
    except TooMany as refusal:
        return _gallery(request, refusal)
    return follow(request.access.organisation, job)


@gate("paths.view")
def path(request: TenantRequest, path: str) -> HttpResponse:
    """The form, one page at a time; every page carries the answers of the others."""
    golden = path_or_404(request, path)
    version = golden.current
    if request.method != "POST":
        return form_page(request, version, 1, {}, {})
    values = answers.posted(version.document, request.POST)
    number, go = _page_number(request, version), request.POST.get("go", "next")
    if go.startswith(("add:", "remove:")):
        return form_page(request, version, number, answers.changed_rows(values, go), {})
    if go == "refresh":
        return form_page(request, version, number, values, {})
    if go == "back":
        return form_page(request, version, number - 1, values, {})
    if go.startswith("page:") and go[5:].isdigit():
        return form_page(request, version, int(go[5:]), values, {})
    cleaned = clean(version, values, request.access)
    errors = _errors_on(version, number, cleaned)
    if errors:
        return form_page(request, version, number, values, errors, status=422)
    return form_page(request, version, number + 1, values, {})


@gate("paths.view")
@require_POST
def path_field(request: TenantRequest, path: str) -> HttpResponse:
    """One field again, checked: what htmx asks for when an answer changes."""
    version = path_or_404(request, path).current
    values = answers.posted(version.document, request.POST)
    cleaned = clean(version, values, request.access)
    wanted = request.POST.get("field", "")
    errors = {wanted: cleaned.errors[wanted]} if wanted in cleaned.errors else {}
    for page in pages_of(version):
        found = _find(fields_of(page.schema, values, errors, request.access, names=page.names), wanted)
        if found:
            return render(request, "goldenpaths/_field.html", {"field": found, "path": version.path})
    raise NotFound("The form has no such field any more.")


@gate("paths.view")
@require_GET
def path_options(request: TenantRequest, path: str) -> HttpResponse:
    """What a picker offers for what has been typed so far: the options of its list."""
    version = path_or_404(request, path).current
    wanted = request.GET.get("field", "")
    child = _question(version, wanted)
    # A field that a newer version no longer has offers nothing.
    found = choices.options(child, request.access, text=request.GET.get(f"{PREFIX}{wanted}", "")) if child else []
    return render(request, "goldenpaths/_options.html", {"options": found})


def _question(version: Version, path: str) -> Mapping[str, Any] | None:
    """The question at a field's path, whichever branch asks it."""
    names: Mapping[str, Any] = {name: child for page in pages_of(version) for name, child in page.names.items()}
    child: Mapping[str, Any] | None = None
    for part in path.split("."):
        if part.isdigit() and child is not None:
            child = child.get("items") if isinstance(child.get("items"), Mapping) else None
        else:
            child = names.get(part)
        if child is None:
            return None
        names = declared(child)
    return child


def _find(fields: list[FormField], wanted: str) -> FormField | None:
    for field in fields:
        if field.path == wanted:
            return field
        if found := _find([*field.fields, *field.rows], wanted):
            return found
    return None


@gate("paths.view")
@require_GET
def path_versions(request: TenantRequest, path: str) -> HttpResponse:
    """The history: what was published when and by whom."""
    golden = path_or_404(request, path)
    rows = (
        Version.objects.for_tenant(request.access.organisation)
        .filter(path=golden)
        .select_related("published_by", "trusted_by")
        .order_by("-number")
    )
    context = {
        "path": golden,
        "versions": rows[:200],
    }
    return render(request, "goldenpaths/versions.html", context)


def _page_number(request: TenantRequest, version: Version) -> int:
    text = request.POST.get("page", "1")
    return int(text) if text.isdigit() and len(text) < 4 else 1


def _names_on(page: FormPage) -> set[str]:
    return {*page.names, FORM}


def _errors_on(version: Version, number: int, cleaned: Cleaned) -> dict[str, str]:
    pages = pages_of(version)
    if not 1 <= number <= len(pages):
        return {}
    names = _names_on(pages[number - 1])
    return {field: text for field, text in cleaned.errors.items() if field.split(".")[0] in names}


def first_faulty(version: Version, cleaned: Cleaned) -> int:
    """The number of the first page with an answer to put right."""
    pages = pages_of(version)
    return next((page.number for page in pages if _errors_on(version, page.number, cleaned)), 1)


def carried(
    request: TenantRequest, version: Version, values: Mapping[str, Any], shown: set[str]
) -> list[tuple[str, str]]:
    """The answers of the pages that are not shown, to travel along as they were given."""
    given = [(name, text) for name, texts in request.POST.lists() if name.startswith(PREFIX) for text in texts]
    # A launch sends its answers as one value: they are taken apart again.
    given = given or answers.as_posted(version.document, values)
    return [(name, text) for name, text in given if name.removeprefix(PREFIX).split(".")[0] not in shown]


def form_page(
    request: TenantRequest,
    version: Version,
    number: int,
    values: Mapping[str, Any],
    errors: Mapping[str, str],
    *,
    status: int = 200,
) -> HttpResponse:
    """The form at one of its pages, with what was answered so far and what is wrong with it."""
    pages = pages_of(version)
    number = min(max(number, 1), max(len(pages), 1))
    page = pages[number - 1] if pages else FormPage(1, "Nothing to ask", "This path needs no answers.", {}, {})
    fields = fields_of(page.schema, values, errors, request.access, names=page.names)
    if not any(field.is_first for field in fields) and fields and not errors:
        fields[0].is_first = number > 1
    own = {field: text for field, text in errors.items() if field.split(".")[0] in _names_on(page)}
    context = {
        "path": version.path,
        "version": version,
        "pages": pages,
        "page": page,
        "fields": fields,
        "is_last": number >= len(pages),
        "summary": [(_find(fields, field), text) for field, text in own.items()],
        "other_errors": [text for field, text in errors.items() if field not in own],
        "carried": carried(request, version, values, _names_on(page)),
        "may_launch": request.access.can("runs.launch"),
        "owner": choices.entity_of_name(request.access.organisation, version.path.owner_ref),
        "words": (version.document["spec"].get("presentation") or {}).get("buttonLabels") or {},
    }
    is_part = request.wants_fragment and request.POST.get("go") == "refresh"
    return render(request, "goldenpaths/path.html#form" if is_part else "goldenpaths/path.html", context, status=status)
