"""The review as a job: a worker walks the path in the pretend world, and what it saw is the job's result."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from django.urls import reverse

from portal.accounts import sealing
from portal.accounts.access import Access
from portal.accounts.tenancy import tenant
from portal.goldenpaths.models import Version
from portal.goldenpaths.questions.unseen import veiled
from portal.jobs.actions import submit
from portal.jobs.models import Job
from portal.jobs.registry import JobDone, JobKind, register
from portal.jobs.work import Work
from portal.kit.errors import NotFound, Unavailable
from portal.provisioning import actions
from portal.provisioning.acting.claiming import Claim
from portal.provisioning.acting.pretence import (
    HIDDEN,
    Preview,
    PreviewEntity,
    PreviewFile,
    PreviewManifest,
    PreviewRepository,
    PreviewStep,
    launch_problem,
)
from portal.provisioning.walking.preview import preview

REVIEW = "paths.review"


def ask(access: Access, version: Version, values: Mapping[str, Any]) -> Job:
    """Ask for the review of checked answers; the same answers again while it is under way are the same job.

    Secrets are no part of it: the review itself asks for them. The answers lie sealed in the job, for a form may have
    asked for one unseen. Raises TooMany. Must run inside the tenant.
    """
    sealed = sealing.seal(json.dumps(dict(values)), _purpose(access.organisation.pk, access.user.pk))
    slug = access.organisation.slug
    return submit(
        organisation=access.organisation,
        actor=access.actor,
        kind=REVIEW,
        title=f"Review of {version.path.title}",
        arguments={"version": version.pk, "sealed": sealed},
        key=actions.digest_of_review(version, values, access.user),
        back_to=reverse("path-review", kwargs={"org": slug, "path": version.path.slug}),
    )


def review(work: Work) -> JobDone:
    """Walk the path. What stands in the way of a launch is in the result; the walk itself always comes to an end."""
    version = version_of(work.job)
    made = preview(
        version,
        veiled(version.document, values_of(work.job), HIDDEN),
        organisation=work.organisation,
        person=work.actor.person,
        doer=work.actor,
        watch=work.tell,
    )
    where = {"org": work.organisation.slug, "path": version.path.slug, "uid": work.job.uid}
    return JobDone("", body_of(version, made), reverse("path-reviewed", kwargs=where))


def _purpose(organisation_id: int, person_id: int | None) -> str:
    return f"review answers {organisation_id} {person_id}"


def values_of(job: Job) -> dict[str, Any]:
    """The answers that a review is of. Raises Unavailable where the key that sealed them is gone."""
    try:
        values: dict[str, Any] = json.loads(
            sealing.unseal(job.arguments["sealed"], _purpose(job.organisation_id, job.actor_id))
        )
    except sealing.Unsealable as error:
        raise Unavailable("The answers of this review can no longer be read. Fill in the form again.") from error
    return values


def version_of(job: Job) -> Version:
    """The version that a review walked. Raises NotFound."""
    with tenant(job.organisation_id):
        rows = Version.objects.for_tenant(job.organisation_id).select_related("path__organisation")
        found: Version | None = rows.filter(pk=job.arguments["version"]).first()
    if found is None:
        raise NotFound("The golden path is gone.")
    return found


def register_kinds() -> None:
    """Makes the kind known."""
    register(JobKind(REVIEW, "Review a launch", review, lane="asking", kept=timedelta(days=1), is_private=True))


def body_of(version: Version, made: Preview) -> dict[str, Any]:
    """A preview as plain data, in the shape that programs read."""
    repositories = [{"name": one.name, "branch": one.branch, "files": one.files} for one in made.repositories]
    return {
        "version": version.number,
        "launchable": not made.is_blocked,
        "problems": [{"sentence": one.sentence, "blocks": one.is_error} for one in made.problems],
        "steps": [
            {"id": one.id, "name": one.name, "action": one.action, "runs": one.runs, "input": one.input}
            for one in made.steps
        ],
        "repository": repositories[0] if repositories else None,
        "repositories": repositories,
        "output": made.output,
        "entities": [
            {"ref": one.ref, "kind": one.kind, "name": one.name, "description": one.description, "owner": one.owner}
            for one in made.entities
        ],
        "manifests": [
            {
                "apiVersion": one.api_version,
                "kind": one.kind,
                "namespace": one.namespace,
                "name": one.name,
                "cluster": one.cluster,
                "path": one.where,
                "line": one.line,
                "optional": one.is_optional,
                "served": one.is_served,
            }
            for one in made.manifests
        ],
        "claims": [
            {
                "object": one.label,
                "sentence": one.sentence,
                "adoptable": one.is_adoptable,
                "whyNot": one.why_not,
                "adopt": one.key if one.is_adoptable else "",
                "diff": list(one.diff) if one.is_adoptable else [],
            }
            for one in made.claims
        ],
        "files": [
            {"path": one.path, "size": one.size, "executable": one.is_executable, "text": one.text}
            for one in made.files
        ],
    }


def preview_of(body: Mapping[str, Any]) -> Preview:
    """The preview that `body_of` made plain."""
    return Preview(
        files=[PreviewFile(one["path"], one["size"], one["executable"], one["text"]) for one in body["files"]],
        manifests=[
            PreviewManifest(
                api_version=one["apiVersion"],
                kind=one["kind"],
                namespace=one["namespace"],
                name=one["name"],
                where=one["path"],
                line=one["line"],
                is_optional=one["optional"],
                cluster=one["cluster"],
                is_served=one["served"],
            )
            for one in body["manifests"]
        ],
        problems=[launch_problem(**one) for one in body["problems"]],
        repositories=[PreviewRepository(**one) for one in body["repositories"]],
        entities=[PreviewEntity(**one) for one in body["entities"]],
        steps=[PreviewStep(**one) for one in body["steps"]],
        output=body["output"],
        claims=[_claim_of(one) for one in body.get("claims", [])],
    )


def _claim_of(told: Mapping[str, Any]) -> Claim:
    token, _, place = told["adopt"].partition("@")
    return Claim(
        place, told["object"], told["sentence"], told["adoptable"], told["whyNot"], token=token, diff=told["diff"]
    )
