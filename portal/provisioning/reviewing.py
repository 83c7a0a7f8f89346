"""The review: everything that a launch would make, shown before anything is made."""

from collections.abc import Mapping
from typing import Any

from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse

from portal.accounts.access import TenantRequest, gate
from portal.goldenpaths.models import Version
from portal.goldenpaths.questions import answers
from portal.goldenpaths.questions.forms import CONFIDENTIAL, Cleaned, clean, pages_of, secret_questions
from portal.goldenpaths.views import carried, first_faulty, form_page, path_or_404
from portal.kit.references import named
from portal.provisioning.answering import shown_answers, tree_of
from portal.provisioning.walking.preview import preview


@gate("paths.view")
def path_review(request: TenantRequest, path: str) -> HttpResponse:
    """Everything a launch would make; or the form again, at the first page with something to put right."""
    golden = path_or_404(request, path)
    if request.method != "POST":
        return redirect("path", org=request.access.organisation.slug, path=golden.slug)
    version = golden.current
    values = answers.posted(version.document, request.POST)
    cleaned = clean(version, values, request.access)
    return reviewed(request, version, values, cleaned)


def reviewed(request: TenantRequest, version: Version, values: Mapping[str, Any], cleaned: Cleaned) -> HttpResponse:
    """The review of checked answers; where one is wrong, the form at its page, with everything that was answered.

    A secret that is missing is said on the review, which is where secrets are asked for.
    """
    missing = {name: text for name, text in cleaned.errors.items() if name.startswith(CONFIDENTIAL)}
    if cleaned.errors.keys() - missing.keys():
        return form_page(request, version, first_faulty(version, cleaned), values, cleaned.errors, status=422)
    golden = version.path
    made = preview(version, cleaned.values, request.access)
    context = {
        "path": golden,
        "version": version,
        "pages": pages_of(version),
        "preview": made,
        "names": named(request.access.organisation.pk, [entity.owner for entity in made.entities]),
        "tree": tree_of(made.files),
        "answers": shown_answers(version, cleaned.values),
        "secrets": {
            name: {**question, "error": missing.get(f"{CONFIDENTIAL}{name}", "")}
            for name, question in secret_questions(version.document).items()
        },
        "carried": carried(request, version, values, set()),
        "values": answers.as_sent(cleaned.values),
        "key": answers.new_key(),
        "may_launch": request.access.can("runs.launch"),
        "launch_url": reverse("path-launch", kwargs={"org": golden.organisation.slug, "path": golden.slug}),
        "words": (version.document["spec"].get("presentation") or {}).get("buttonLabels") or {},
    }
    return render(request, "provisioning/review.html", context, status=422 if missing else 200)
