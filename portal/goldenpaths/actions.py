"""The verbs of golden paths: publishing."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

from django.db import transaction
from django.db.models import Q
from django.utils import timezone

from catalog.descriptors.kinds import owner_ref
from portal.accounts.actor import Actor
from portal.accounts.audit import record
from portal.accounts.models import Organisation, User
from portal.goldenpaths import shipped_paths
from portal.goldenpaths.files import File
from portal.goldenpaths.models import GoldenPath, Version, VersionFile
from portal.goldenpaths.origins import API, SHIPPED, Origin, owner_in_words
from portal.goldenpaths.preparing import Prepared, prepare
from portal.goldenpaths.templates import refuse
from portal.kit.errors import Conflict
from portal.kit.refs import ref_of
from portal.kit.yamltext import load_all

# Words that stand where a path's slug stands in addresses.
RESERVED_SLUGS = frozenset({"publish", "candidates", "trust"})


@dataclass(frozen=True, slots=True)
class Provenance:
    """Who stands behind the bytes: the commit and its author by the source's own words, who pushed it if that is known,
    and who granted the trust by which it is published without anybody's act."""

    commit: str = ""
    author: str = ""
    pushed_by: User | None = None
    trusted_by: User | None = None

    @property
    def words(self) -> str:
        """For the end of a sentence: "; commit 1234abcd by Bo, pushed by Dev"."""
        parts = [f"commit {self.commit[:8]}" + (f" by {self.author}" if self.author else "")] if self.commit else []
        parts += [f"pushed by {self.pushed_by}"] if self.pushed_by else []
        parts += [f"by the trust that {self.trusted_by} granted"] if self.trusted_by else []
        return "".join(f"; {part}" for part in parts[:1]) + "".join(f", {part}" for part in parts[1:])


def publish(
    *,
    organisation: Organisation,
    actor: Actor,
    files: Mapping[str, File],
    template_path: str = "template.yaml",
    origin: Origin = API,
) -> Version:
    """Publish a golden path from its files; the same files again are the same version.

    `template_path` says which of `files` is the template; what lies beside and below it is stored with it.
    Raises InvalidTemplate with every fault and its line, and Conflict where the name belongs to another origin.
    """
    prepared = prepare(files, template_path)
    refuse(prepared.findings)
    return publish_prepared(organisation=organisation, actor=actor, prepared=prepared, origin=origin)


def publish_prepared(
    *,
    organisation: Organisation,
    actor: Actor,
    prepared: Prepared,
    origin: Origin,
    provenance: Provenance = Provenance(),
) -> Version:
    """Publish what `prepare` found sound. Waits for nothing but the database.

    Where the trust in a source publishes, the actor is Slipway itself. Raises InvalidTemplate and Conflict as
    `publish` does.
    """
    refuse(prepared.findings)
    document = prepared.document or {}
    with transaction.atomic():
        path, is_new = _path(organisation, document, origin)
        version = _version(path, document, prepared, actor=actor, origin=origin, provenance=provenance)
        if path.current_number == version.number:
            return version
        path.origin_key, path.origin_label, path.origin_address = origin.key, origin.label[:1000], origin.address
        _show(path, version)
        record(
            organisation=organisation,
            actor=actor,
            verb="path.published",
            subject=path,
            subject_label=path.title,
            summary=f"Published {path.title}, version {version.number}"
            + (" (a new path)" if is_new else "")
            + provenance.words,
            data={
                "path": path.slug,
                "version": version.number,
                "digest": version.digest,
                "origin": origin.words,
                "commit": provenance.commit,
                "author": provenance.author,
                "pushed_by": str(provenance.pushed_by or ""),
                "trusted_by": str(provenance.trusted_by or ""),
            },
        )
    return version


def publish_shipped(*, organisation: Organisation, actor: Actor) -> list[Version]:
    """Publish the paths that come with the product, each as a new version only where its files changed."""
    return [
        publish(
            organisation=organisation,
            actor=actor,
            files=shipped_paths.read(name),
            origin=SHIPPED,
        )
        for name in shipped_paths.names()
    ]


def reference_of(document: Mapping[str, Any]) -> str:
    """The lower-cased catalog reference of a template document."""
    return str(ref_of(document))


def slug_of(document: Mapping[str, Any]) -> str:
    """How the path is called in addresses: its name, with its namespace before it unless that is the default one."""
    return "-".join(part for part in re.split(r"[-_./]", ref_of(document).short.lower()) if part)


def whose(organisation: Organisation, document: Mapping[str, Any], origin: Origin) -> str:
    """A sentence when the name of this template belongs to another origin than `origin`; "" when it may have it."""
    ref, slug = reference_of(document), slug_of(document)
    if origin.key != SHIPPED.key and slug in shipped_slugs():
        return _belongs(slug, owner_in_words(SHIPPED.key, ""))
    path = GoldenPath.objects.for_tenant(organisation).filter(Q(ref=ref) | Q(slug=slug)).first()
    if path is None:
        return "" if slug not in RESERVED_SLUGS else f"“{slug}” cannot be a path's name; choose another metadata.name."
    if path.ref != ref:
        return f"Another golden path already has the address “{slug}”; choose another metadata.name."
    is_same = path.origin_key == "" or origin.is_same(path.origin_key, path.origin_address)
    return "" if is_same else _belongs(path.slug, owner_in_words(path.origin_key, path.origin_label))


def _belongs(slug: str, owner: str) -> str:
    return f"The name “{slug}” belongs to {owner}. A name stays with its origin: choose another metadata.name."


@cache
def shipped_slugs() -> frozenset[str]:
    """The addresses of the shipped paths: Slipway's own in every organisation, published there or not."""
    return frozenset(
        slug_of(load_all(shipped_paths.read(name)["template.yaml"].text() or "", name)[0].data)
        for name in shipped_paths.names()
    )


def _path(organisation: Organisation, document: Mapping[str, Any], origin: Origin) -> tuple[GoldenPath, bool]:
    """The path of this reference, locked, made if it is new. Raises Conflict where the name is another's."""
    ref, slug = reference_of(document), slug_of(document)
    path = GoldenPath.objects.for_tenant(organisation).select_for_update().filter(ref=ref).first()
    if sentence := whose(organisation, document, origin):
        raise Conflict(sentence, code="name-taken")
    if path is not None:
        return path, False
    return _worded(GoldenPath(organisation=organisation, slug=slug, ref=ref), document), True


def _worded(path: GoldenPath, document: Mapping[str, Any]) -> GoldenPath:
    metadata, spec = document["metadata"], document["spec"]
    path.name = metadata["name"]
    path.title = str(metadata.get("title") or metadata["name"])[:200]
    path.description = str(metadata.get("description") or "").strip()
    path.owner_ref = owner_ref(str(spec.get("owner") or ""), namespace=ref_of(document).namespace)
    path.type = str(spec["type"])[:63]
    path.tags = [str(tag)[:63] for tag in metadata.get("tags") or []]
    path.icon = str((metadata.get("annotations") or {}).get("slipway.io/icon") or "")[:63]
    path.updated_at = timezone.now()
    path.save()
    return path


def _version(
    path: GoldenPath,
    document: dict[str, Any],
    prepared: Prepared,
    *,
    actor: Actor,
    origin: Origin,
    provenance: Provenance,
) -> Version:
    """The version with exactly these files, made if there is none."""
    organisation = path.organisation
    digest = prepared.digest
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
        origin=origin.words[:300],
        published_by=actor.person,
        commit=provenance.commit,
        author=provenance.author,
        trusted_by=provenance.trusted_by,
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
        for name, file in prepared.bundle.items()
    )
    return version


def _show(path: GoldenPath, version: Version) -> None:
    path.current_number = version.number
    _worded(path, version.document)
