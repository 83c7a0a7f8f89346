"""Entities written in the portal: their texts are kept on their own rows."""

from collections.abc import Iterator
from contextlib import contextmanager

from catalog.intake.sources.tree import MemoryTree, Tree
from catalog.models import Entity, Source
from catalog.packing import unpack
from portal.accounts.tenancy import tenant
from portal.kit.refs import Ref


def path_of(ref: Ref) -> str:
    """The file that an entity written in the portal would lie in."""
    return f"{ref.kind}/{ref.namespace}/{ref.name}.yaml".lower()


def files_of(source: Source) -> dict[str, bytes]:
    """Every text of the source, by its path. Must run inside the tenant."""
    rows = Entity.objects.for_tenant(source.organisation_id).filter(source=source, removed_at=None)
    return {path: unpack(packed)[1].encode() for path, packed in rows.values_list("path", "body__packed")}


@contextmanager
def opened(source: Source) -> Iterator[Tree]:
    """The texts as files."""
    with tenant(source.organisation_id):
        files = files_of(source)
    yield MemoryTree(files, "")
