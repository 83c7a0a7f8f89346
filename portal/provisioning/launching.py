"""From a golden path's answers to a run: the review page's button and the API end here."""

from collections.abc import Mapping
from typing import Any

from django.http import HttpResponse
from django.shortcuts import redirect
from django.views.decorators.http import require_POST

from catalog.goldenpaths.answers import reviewed
from catalog.goldenpaths.forms import clean
from catalog.goldenpaths.models import GoldenPath, Version
from portal.accounts.access import Access, TenantRequest, gate
from portal.kit.errors import Invalid, NotFound
from portal.provisioning import actions
from portal.provisioning.models import Run


def version_of(access: Access, slug: str) -> Version:
    """The path's current version."""
    path = GoldenPath.objects.for_tenant(access.organisation).filter(slug=slug).first()
    if path is None:
        raise NotFound("There is no such golden path here.")
    return path.current


def launch_checked(
    access: Access,
    version: Version,
    *,
    values: Mapping[str, Any],
    secrets: Mapping[str, str],
    idempotency_key: str,
) -> Run:
    """Launch with answers that are checked once more: what was reviewed may have been sent by anybody."""
    cleaned = clean(version, values, access, secrets=secrets)
    if cleaned.errors:
        field, sentence = next(iter(cleaned.errors.items()))
        raise Invalid(f"Nothing was launched. {sentence}", field=field, detail={"errors": cleaned.errors})
    return actions.launch(
        organisation=access.organisation,
        actor=access.user,
        version=version,
        values=cleaned.values,
        secrets=cleaned.secrets,
        idempotency_key=idempotency_key,
    )


@require_POST
@gate("runs.launch")
def path_launch(request: TenantRequest, path: str) -> HttpResponse:
    """POST from the review page, whose form `answers.reviewed` knows; a double click finds the same run."""
    version = version_of(request.access, path)
    sent = reviewed(request.POST, version, request.user)
    run = launch_checked(
        request.access, version, values=sent.values, secrets=sent.secrets, idempotency_key=sent.idempotency_key
    )
    return redirect("run", org=request.access.organisation.slug, run=run.pk)
