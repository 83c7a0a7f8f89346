"""The verbs of golden paths: publishing."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.db import transaction
from django.utils import timezone

from portal.accounts.actor import Actor
from portal.accounts.audit import record
from portal.accounts.models import Organisation
from portal.goldenpaths import shipped_paths
from portal.goldenpaths.files import File, Workspace, checked, tree_digest, within
from portal.goldenpaths.models import GoldenPath, Version, VersionFile
from portal.goldenpaths.questions import schemas
from portal.goldenpaths.templates import examine, folder_of, refuse
from portal.kit.errors import Conflict

# Words that stand where a path's slug stands in addresses.
RESERVED_SLUGS = frozenset({"publish"})


def publish(
    *,
    organisation: Organisation,
    actor: Actor,
    files: Mapping[str, File],
    template_path: str = "template.yaml",
    origin: str = "",
) -> Version:
    """Publish a golden path from its files; the same files again are the same version.

    `template_path` says which of `files` is the template; what lies beside and below it is stored with it.
    Raises InvalidTemplate with every fault and its line.
    """
    tree = checked(files)
    examined = examine(tree, template_path)
    refuse(examined.faults)
    document = _in_order(examined.document or {})
    bundle = _bundle(tree, template_path)
    with transaction.atomic():
        path, is_new = _path(organisation, document)
        version = _version(path, document, bundle, actor=actor, origin=origin)
        if path.current_number == version.number:
            return version
        _show(path, version)
        record(
            organisation=organisation,
            actor=actor,
            verb="path.published",
            subject=path,
            subject_label=path.title,
            summary=f"Published {path.title}, version {version.number}" + (" (a new path)" if is_new else ""),
            data={"path": path.slug, "version": version.number, "digest": version.digest, "origin": origin},
        )
    return version


def publish_shipped(*, organisation: Organisation, actor: Actor) -> list[Version]:
    """Publish the paths that come with the product, each as a new version only where its files changed."""
    return [
        publish(
            organisation=organisation,
            actor=actor,
            files=shipped_paths.read(name),
            origin="Shipped with Slipway",
        )
        for name in shipped_paths.names()
    ]


def _in_order(document: dict[str, Any]) -> dict[str, Any]:
    """The document with the order of every form's fields written out: the database keeps no order of keys."""
    for page in schemas.pages_of(document):
        _write_order(page)
    return document


def _write_order(schema: dict[str, Any]) -> None:
    names = schemas.declared(schema)
    if names:
        schema.setdefault("ui:order", [*names, "*"])
    for child in names.values():
        if isinstance(child, dict):
            _write_order(child)


def reference_of(document: Mapping[str, Any]) -> str:
    """The lower-cased catalog reference of a template document."""
    metadata = document["metadata"]
    return f"template:{metadata.get('namespace') or 'default'}/{metadata['name']}".lower()


def slug_of(document: Mapping[str, Any]) -> str:
    """How the path is called in addresses: its name, with its namespace before it unless that is the default one."""
    namespace, _, name = reference_of(document).partition(":")[2].partition("/")
    full = name if namespace == "default" else f"{namespace}-{name}"
    return "-".join(part for part in full.replace("_", "-").replace(".", "-").split("-") if part)


def _bundle(tree: Workspace, template_path: str) -> Workspace:
    folder = folder_of(template_path)
    bundle = within(tree, folder)
    name = template_path.rpartition("/")[2]
    # The template itself is stored under one name, whatever its file was called.
    if name != "template.yaml":
        bundle["template.yaml"] = bundle.pop(name)
    return bundle


def _path(organisation: Organisation, document: Mapping[str, Any]) -> tuple[GoldenPath, bool]:
    """The path of this reference, locked, made if it is new."""
    ref, slug = reference_of(document), slug_of(document)
    rows = GoldenPath.objects.for_tenant(organisation).select_for_update()
    if path := rows.filter(ref=ref).first():
        return path, False
    if slug in RESERVED_SLUGS or rows.filter(slug=slug).exists():
        raise Conflict(
            f"Another golden path already has the address “{slug}”; choose another metadata.name.", code="slug-taken"
        )
    return _worded(GoldenPath(organisation=organisation, slug=slug, ref=ref), document), True


def _worded(path: GoldenPath, document: Mapping[str, Any]) -> GoldenPath:
    metadata, spec = document["metadata"], document["spec"]
    path.name = metadata["name"]
    path.title = str(metadata.get("title") or metadata["name"])[:200]
    path.description = str(metadata.get("description") or "").strip()
    path.owner_ref = _owner(str(spec.get("owner") or ""), str(metadata.get("namespace") or "default"))
    path.type = str(spec["type"])[:63]
    path.tags = [str(tag)[:63] for tag in metadata.get("tags") or []]
    path.icon = str((metadata.get("annotations") or {}).get("slipway.io/icon") or "")[:63]
    path.updated_at = timezone.now()
    path.save()
    return path


def _owner(ref: str, namespace: str) -> str:
    """The owner as a full lower-cased reference: a bare name is a group of the template's own namespace."""
    if not ref:
        return ""
    kind, _, rest = ref.rpartition(":")
    full = rest if "/" in rest else f"{namespace}/{rest}"
    return f"{kind or 'group'}:{full}".lower()


def _version(path: GoldenPath, document: dict[str, Any], bundle: Workspace, *, actor: Actor, origin: str) -> Version:
    """The version with exactly these files, made if there is none."""
    organisation = path.organisation
    digest = tree_digest(bundle)
    known = Version.objects.for_tenant(organisation).filter(path=path)
    if version := known.filter(digest=digest).first():
        return version
    number = (known.order_by("-number").values_list("number", flat=True).first() or 0) + 1
    version = Version.objects.create(
        organisation=organisation,
        path=path,
        number=number,
        digest=digest,
        document=document,
        origin=origin[:300],
        published_by=actor.person,
    )
    VersionFile.objects.bulk_create(
        VersionFile(
            organisation=organisation,
            version=version,
            path=name,
            mode=file.mode,
            size=len(file.content),
            digest=file.digest,
            content=file.content,
        )
        for name, file in bundle.items()
    )
    return version


def _show(path: GoldenPath, version: Version) -> None:
    path.current_number = version.number
    _worded(path, version.document)
