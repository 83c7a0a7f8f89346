"""From a golden path's answers to a run: the review page's button and the API end here."""

import json
from collections.abc import Mapping
from typing import Any

from django.http import HttpResponse
from django.shortcuts import redirect
from django.views.decorators.http import require_POST

from catalog.goldenpaths.forms import clean
from catalog.goldenpaths.models import GoldenPath, Version
from portal.accounts.access import Access, TenantRequest, gate
from portal.kit.errors import Invalid, NotFound
from portal.provisioning import actions
from portal.provisioning.models import Run

MAX_KEY = 64


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
        idempotency_key=idempotency_key[:MAX_KEY],
    )


@gate("runs.launch")
@require_POST
def path_launch(request: TenantRequest, path: str) -> HttpResponse:
    """POST from the review page: `values` (JSON), `version`, `key` (the same for a double click), `secret.<name>`."""
    try:
        values = json.loads(request.POST.get("values", ""))
    except json.JSONDecodeError:
        values = None
    key = request.POST.get("key", "")
    if not isinstance(values, dict) or not key:
        raise Invalid("The answers did not arrive whole. Go back to the form and review them again.")
    number = request.POST.get("version", "")
    version = version_of(request.access, path, int(number) if number.isdecimal() and len(number) < 9 else None)
    secrets = {
        name.removeprefix("secret."): str(value) for name, value in request.POST.items() if name.startswith("secret.")
    }
    run = launch_checked(request.access, version, values=values, secrets=secrets, idempotency_key=key)
    return redirect("run", org=request.access.organisation.slug, run=run.pk)
