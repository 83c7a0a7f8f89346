"""From a golden path's answers to a run: the review page's button and the API end here."""

import hmac
import re
from collections.abc import Collection, Mapping
from typing import Any

from django.contrib import messages
from django.http.response import HttpResponseBase
from django.shortcuts import redirect
from django.views.decorators.http import require_POST

from portal.accounts.access import Access, TenantRequest, gate
from portal.goldenpaths.models import GoldenPath, Version
from portal.goldenpaths.questions.forms import Cleaned, clean
from portal.goldenpaths.views import form_page
from portal.kit.errors import Conflict, Invalid, NotFound
from portal.kit.plain import read_json
from portal.provisioning import actions
from portal.provisioning.models import Run
from portal.provisioning.reviewing import NOWHERE, missing_secrets, review_job, shown
from portal.provisioning.reviewing import asked as to_review

KEY = re.compile(r"[!-~]{1,64}")


def version_of(access: Access, slug: str, number: int | None = None) -> Version:
    """The path's current version, or the one that was reviewed."""
    path = GoldenPath.objects.for_tenant(access.organisation).filter(slug=slug).first()
    if path is None:
        raise NotFound("There is no such golden path here.")
    versions = Version.objects.for_tenant(access.organisation).filter(path=path)
    version: Version | None = versions.filter(number=number or path.current_number).select_related("path").first()
    if version is None:
        raise NotFound(f"{path.title} has no version {number}.")
    return version


def launch_checked(
    access: Access,
    version: Version,
    *,
    values: Mapping[str, Any],
    secrets: Mapping[str, str],
    idempotency_key: str,
    adoptions: Collection[str] = (),
) -> Run:
    """Launch with answers that are checked once more: what was reviewed may have been sent by anybody."""
    asked = actions.digest_of(values, secrets)
    if known := _launched(access, version, idempotency_key, asked):
        return known
    if sentence := moved_on(version):
        raise Conflict(sentence, code="path-moved-on")
    cleaned = clean(version, values, access, secrets=secrets)
    if cleaned.errors:
        field, sentence = next(iter(cleaned.errors.items()))
        raise Invalid(f"Nothing was launched. {sentence}", field=field, detail={"errors": cleaned.errors})
    return _launch(access, version, cleaned, idempotency_key, asked, adoptions)


def _launched(access: Access, version: Version, idempotency_key: str, asked: str) -> Run | None:
    """What this key has started before: by now its own name may be taken, which is no reason to refuse.

    Raises Conflict when it was something else.
    """
    rows = Run.objects.for_tenant(access.organisation).select_related("version__path", "requester")
    found: Run | None = rows.filter(idempotency_key=idempotency_key).first()
    if found is not None:
        actions.require_same(found, access.actor, version.path_id, asked)
    return found


def _launch(
    access: Access, version: Version, cleaned: Cleaned, idempotency_key: str, asked: str, adoptions: Collection[str]
) -> Run:
    return actions.launch(
        organisation=access.organisation,
        actor=access.actor,
        version=version,
        values=cleaned.values,
        secrets=cleaned.secrets,
        idempotency_key=idempotency_key,
        asked=asked,
        adoptions=adoptions,
    )


@gate("runs.launch")
@require_POST
def path_launch(request: TenantRequest, path: str) -> HttpResponseBase:
    """POST from the review page: `values` (JSON), `version` and `digest` of what was shown, `review` (its number),
    `key` (the same for a double click), `secret.<name>`, and `adopt` once for each object that stands there already
    and is confirmed to be taken over.

    What is launched is what was shown. Answers that have stopped being right since lead back to the form, or the
    review, with their sentence; so does a path that has moved on.
    """
    key = request.POST.get("key", "")
    values = _values(request.POST.get("values", ""))
    if values is None or not KEY.fullmatch(key):
        raise Invalid("The answers did not arrive whole. Go back to the form and review them again.")
    number = request.POST.get("version", "")
    version = version_of(request.access, path, int(number) if number.isdecimal() and len(number) < 9 else None)
    secrets = {
        name.removeprefix("secret."): str(value) for name, value in request.POST.items() if name.startswith("secret.")
    }
    asked = actions.digest_of(values, secrets)
    known = _launched(request.access, version, key, asked)
    if known is None:
        if sentence := _not_as_shown(request, version, values):
            return form_page(request, version.path.current, 1, values, {NOWHERE: sentence}, status=409)
        cleaned = clean(version, values, request.access, secrets=secrets)
        if not cleaned.is_valid:
            return _another_look(request, version, values, cleaned)
        known = _launch(request.access, version, cleaned, key, asked, request.POST.getlist("adopt"))
    return redirect("run", org=request.access.organisation.slug, run=known.pk)


def _not_as_shown(request: TenantRequest, version: Version, values: Mapping[str, Any]) -> str:
    """Why this is not what the person was shown, or ""."""
    if sentence := moved_on(version):
        return sentence
    shown_to_them = actions.digest_of_review(version, values, request.access.user)
    if not hmac.compare_digest(shown_to_them, request.POST.get("digest", "")):
        return "Nothing was launched: these are not the answers that you reviewed. Review them again."
    return ""


def moved_on(version: Version) -> str:
    """A sentence when the path has another version by now, or ""."""
    path = version.path
    if version.number == path.current_number:
        return ""
    return (
        f"Nothing was launched: {path.title} is at version {path.current_number} by now, and version {version.number} "
        "was reviewed. Review it again."
    )


def _another_look(
    request: TenantRequest, version: Version, values: Mapping[str, Any], cleaned: Cleaned
) -> HttpResponseBase:
    """The review again where only a secret is missing and it is still kept; else the way through the form."""
    messages.error(request, "Nothing was launched: an answer needs another look.")
    missing = missing_secrets(cleaned)
    job = review_job(request, request.POST.get("review", ""))
    if job is not None and job.state == "succeeded" and cleaned.errors.keys() == missing.keys():
        return shown(request, version, job, missing)
    return to_review(request, version, values, cleaned)


def _values(text: str) -> dict[str, Any] | None:
    """The answers as the review page sent them; None when they did not arrive as it wrote them."""
    try:
        values = read_json(text)
    except Invalid:
        return None
    return values if isinstance(values, dict) else None
