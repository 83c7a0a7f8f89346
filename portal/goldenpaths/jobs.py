"""What workers do for golden paths: examine what is to be published, with renderers, and publish it."""

from __future__ import annotations

from collections.abc import Mapping

from django.urls import reverse

from portal.accounts.access import Access
from portal.accounts.tenancy import tenant
from portal.goldenpaths import actions, shipped_paths
from portal.goldenpaths.files import File, checked
from portal.goldenpaths.origins import API, SHIPPED
from portal.goldenpaths.packing import packed, unpacked
from portal.goldenpaths.preparing import prepare
from portal.goldenpaths.questions.keywords import ignored
from portal.jobs.actions import submit
from portal.jobs.models import Job
from portal.jobs.registry import JobDone, JobKind, register
from portal.jobs.work import Work

MOST_WARNINGS = 100
PUBLISH, PUBLISH_SHIPPED = "paths.publish", "paths.publish-shipped"


def ask_to_publish(access: Access, files: Mapping[str, File], template_path: str) -> Job:
    """Ask for these files to be published. Raises Refusal for a tree that cannot be kept at all, and TooMany."""
    return submit(
        organisation=access.organisation,
        actor=access.actor,
        kind=PUBLISH,
        title="Publish a golden path",
        arguments={"template_path": template_path},
        payload=packed(checked(files)),
    )


def ask_to_publish_shipped(access: Access) -> Job:
    """Ask for the shipped paths; asking twice while it is under way is asking once. Raises TooMany."""
    return submit(
        organisation=access.organisation,
        actor=access.actor,
        kind=PUBLISH_SHIPPED,
        title="Publish the shipped paths",
        key="shipped",
        back_to=reverse("paths", kwargs={"org": access.organisation.slug}),
    )


def publish(work: Work) -> JobDone:
    """Examine the files that came along, then publish them in one transaction."""
    work.tell("Checking the template and everything that it renders…")
    prepared = prepare(unpacked(work.payload), str(work.arguments["template_path"]))
    work.check()
    with tenant(work.organisation):
        version = actions.publish_prepared(
            organisation=work.organisation, actor=work.actor, prepared=prepared, origin=API
        )
        slug = version.path.slug
    warnings = ignored(version.document)[:MOST_WARNINGS]
    return JobDone(
        " ".join([f"Published {version}.", *warnings]),
        {"path": slug, "number": version.number, "digest": version.digest, "warnings": warnings},
        reverse("path", kwargs={"org": work.organisation.slug, "path": slug}),
        is_doubtful=bool(warnings),
    )


def publish_shipped(work: Work) -> JobDone:
    """The paths that come with the product, each as a new version only where its files changed."""
    names = shipped_paths.names()
    said_of: list[str] = []
    for done, name in enumerate(names):
        work.tell(f"Checking {name}…", done, len(names))
        prepared = prepare(shipped_paths.read(name))
        work.check()
        with tenant(work.organisation):
            version = actions.publish_prepared(
                organisation=work.organisation, actor=work.actor, prepared=prepared, origin=SHIPPED
            )
            said_of.append(f"{version.path.title} (version {version.number})")
    said = " and ".join(said_of)
    return JobDone(f"Published: {said}.", {}, reverse("paths", kwargs={"org": work.organisation.slug}))


def register_kinds() -> None:
    """Makes the kinds known."""
    register(JobKind(PUBLISH, "Publish a golden path", publish, lane="asking"))
    register(JobKind(PUBLISH_SHIPPED, "Publish the shipped paths", publish_shipped, lane="asking"))
