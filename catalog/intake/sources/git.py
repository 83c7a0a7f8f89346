"""Git repositories anywhere: https, ssh, or local below the operator's folders."""

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from catalog.intake.sources.tree import FolderTree, Tree
from catalog.models import Source
from portal.githosts.fetch import fetch_tree


@contextmanager
def opened(source: Source) -> Iterator[Tree]:
    """The repository's files at the wanted revision, in a folder that lives as long as the block."""
    with tempfile.TemporaryDirectory(prefix="slipway-catalog-") as folder:
        commit = fetch_tree(source.target, source.revision, Path(folder))
        yield FolderTree(Path(folder), commit)
