"""The review: everything that a launch would make, worked out by a worker and shown before anything is made."""

from collections.abc import Mapping
from typing import Any
from uuid import UUID

from django.http import HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import redirect, render
from django.urls import reverse
from django.views.decorators.http import require_safe

from portal.accounts.access import TenantRequest, gate
from portal.goldenpaths.models import Version
from portal.goldenpaths.questions import answers
from portal.goldenpaths.questions.confidence import CONFIDENTIAL, secret_questions
from portal.goldenpaths.questions.forms import Cleaned, clean, pages_of
from portal.goldenpaths.views import carried, first_faulty, form_page, path_or_404
from portal.jobs.models import Job
from portal.jobs.views import follow
from portal.kit.errors import NotFound, TooMany
from portal.kit.references import named
from portal.provisioning import actions, previewing
from portal.provisioning.answering import refs_in, shown_answers, tree_of

# The place of a sentence that belongs to no answer.
NOWHERE = ""


@gate("paths.view")
def path_review(request: TenantRequest, path: str) -> HttpResponseBase:
    """Asks for the review of the form's answers, or shows the form again, at the first page with a wrong one.

    GET with `job` is the way back from a review that came to nothing: its answers, and why.
    """
    golden = path_or_404(request, path)
    if request.method != "POST":
        return _back(request, golden.current)
    version = golden.current
    values = answers.posted(version.document, request.POST)
    return asked(request, version, values, clean(version, values, request.access))


def asked(request: TenantRequest, version: Version, values: Mapping[str, Any], cleaned: Cleaned) -> HttpResponseBase:
    """Leads to the review of checked answers; where one is wrong, the form at its page, with all that was answered.

    A secret that is missing is no reason to wait: the review is where secrets are asked for.
    """
    if set(cleaned.errors) - missing_secrets(cleaned).keys():
        return form_page(request, version, first_faulty(version, cleaned), values, cleaned.errors, status=422)
    try:
        job = previewing.ask(request.access, version, cleaned.values)
    except TooMany as refusal:
        return form_page(request, version, len(pages_of(version)), values, {NOWHERE: refusal.text}, status=429)
    return follow(request.access.organisation, job)


def missing_secrets(cleaned: Cleaned) -> dict[str, str]:
    """The sentences about secrets among those about answers."""
    return {name: text for name, text in cleaned.errors.items() if name.startswith(CONFIDENTIAL)}


def _back(request: TenantRequest, version: Version) -> HttpResponse:
    job = review_job(request, request.GET.get("job", ""))
    if job is None or not job.is_over or job.arguments["version"] != version.pk:
        return redirect("path", org=request.access.organisation.slug, path=version.path.slug)
    errors = {NOWHERE: job.sentence} if job.sentence else {}
    page = len(pages_of(version))
    return form_page(request, version, page, previewing.values_of(job), errors, status=422 if errors else 200)


def review_job(request: TenantRequest, uid: UUID | str) -> Job | None:
    """The person's own review of this number. Nobody else's: it holds their answers."""
    try:
        wanted = UUID(str(uid))
    except ValueError:
        return None
    rows = Job.objects.for_tenant(request.access.organisation).defer("payload").select_related("actor")
    found: Job | None = rows.filter(uid=wanted, kind=previewing.REVIEW, actor=request.access.user).first()
    return found


@gate("paths.view")
@require_safe
def path_reviewed(request: TenantRequest, path: str, uid: UUID) -> HttpResponseBase:
    """The review, once it is done; until then its progress. It can be come back to for a day."""
    golden = path_or_404(request, path)
    job = review_job(request, uid)
    if job is None or (version := previewing.version_of(job)).path_id != golden.pk:
        raise NotFound("There is no such review. What was reviewed is kept for a day: review it again.")
    if job.state != "succeeded":
        return follow(request.access.organisation, job)
    return shown(request, version, job, {})


def shown(request: TenantRequest, version: Version, job: Job, missing: Mapping[str, str]) -> HttpResponse:
    """The review's page; `missing` are sentences about secrets (see `missing_secrets`)."""
    golden, values = version.path, previewing.values_of(job)
    made, answered = previewing.preview_of(job.result), shown_answers(version, values)
    context = {
        "path": golden,
        "version": version,
        "is_current": golden.current_number == version.number,
        "pages": pages_of(version),
        "preview": made,
        "adoptable": [
            {"object": one.label, "adopt": one.key, "sentence": one.sentence, "diff": one.diff}
            for one in made.adoptable
        ],
        "names": named(
            request.access.organisation.pk, [*(entity.owner for entity in made.entities), *refs_in(answered)]
        ),
        "tree": tree_of(made.files),
        "answers": answered,
        "secrets": {
            name: {**question, "error": missing.get(f"{CONFIDENTIAL}{name}", "")}
            for name, question in secret_questions(version.document).items()
        },
        "carried": carried(request, version, values, set()),
        "values": answers.as_sent(values),
        "review": job.uid,
        "digest": actions.digest_of_review(version, values, request.access.user),
        "key": answers.new_key(),
        "may_launch": request.access.can("runs.launch"),
        "launch_url": reverse("path-launch", kwargs={"org": golden.organisation.slug, "path": golden.slug}),
        "words": (version.document["spec"].get("presentation") or {}).get("buttonLabels") or {},
    }
    return render(request, "provisioning/review.html", context, status=422 if missing else 200)
