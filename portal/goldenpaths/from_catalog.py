"""Templates that the catalog found: published from their source, when the source's registrar may publish."""

from __future__ import annotations

from catalog.descriptors.findings import Finding
from catalog.intake.sources.registry import OPENERS
from catalog.intake.sources.tree import FileUnreadable, Tree
from catalog.models import Entity, Source
from portal.accounts.actor import Actor
from portal.accounts.models import Membership, Organisation
from portal.accounts.permissions import decide
from portal.goldenpaths import actions
from portal.goldenpaths.files import MAX_FILES, File, Workspace
from portal.goldenpaths.models import GoldenPath, Version
from portal.goldenpaths.templates import folder_of
from portal.kit.errors import Invalid, NotFound, Refusal, TooLarge

CODE = "golden-path"


def after_ingest(organisation: Organisation, source: Source, entities: list[Entity]) -> list[Finding]:
    """Publish the templates among what an ingestion added or changed; gives what is wrong with them."""
    findings: list[Finding] = []
    for entity in entities:
        if entity.kind != "Template":
            continue
        try:
            _require_publisher(organisation, source)
            publish_entity(organisation=organisation, actor=Actor.task(source.created_by), entity=entity)
        except Refusal as refusal:
            findings.append(Finding(entity.path, entity.line, CODE, refusal.text, entity.ref))
    return findings


def _require_publisher(organisation: Organisation, source: Source) -> None:
    member = Membership.objects.for_tenant(organisation).filter(user=source.created_by_id).first()
    if member is None or not decide("paths.publish", role=member.role):
        raise Invalid(
            "This template is in the catalog but cannot be launched yet: an admin publishes it under Golden paths."
        )


def publish_entity(*, organisation: Organisation, actor: Actor, entity: Entity) -> Version:
    """Publish the template that an entity describes, with the files beside it in its source. Raises Refusal."""
    source = entity.source
    if source is None or source.kind == Source.Kind.PORTAL:
        raise NotFound(f"{entity.display_name} has no source whose files could be published.")
    with OPENERS[source.kind](source) as tree:
        files = _files(tree, entity.path)
    return actions.publish(
        organisation=organisation,
        actor=actor,
        files=files,
        template_path=entity.path,
        origin=f"{source.label} at {tree.revision[:12]}" if tree.revision else source.label,
    )


def _files(tree: Tree, template_path: str) -> Workspace:
    folder = folder_of(template_path)
    prefix = f"{folder}/" if folder else ""
    paths = [path for path in tree.paths() if path.startswith(prefix)]
    if len(paths) > MAX_FILES:
        raise TooLarge(
            f"There are {len(paths):,} files beside {template_path}; give the golden path a folder of its own."
        )
    files: Workspace = {}
    for path in paths:
        try:
            files[path] = File(tree.read(path).encode())
        except FileUnreadable as error:
            raise Invalid(f"{path} cannot be a part of a golden path: {error}", code="unreadable-file") from None
    return files


def unpublished(organisation: Organisation) -> list[Entity]:
    """Templates of the catalog that no golden path was published from."""
    known = GoldenPath.objects.for_tenant(organisation).values_list("ref", flat=True)
    rows = Entity.objects.for_tenant(organisation).filter(kind="Template", removed_at=None, source__isnull=False)
    return list(rows.exclude(ref__in=list(known)).select_related("source").order_by("sort_name")[:100])


def template_of(organisation: Organisation, ref: str) -> Entity:
    """The catalog's template of this reference. Raises NotFound."""
    rows = Entity.objects.for_tenant(organisation).filter(kind="Template", removed_at=None, ref=ref.lower())
    entity: Entity | None = rows.select_related("source").first()
    if entity is None:
        raise NotFound("There is no such template in the catalog.")
    return entity
