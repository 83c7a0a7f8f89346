"""Git repositories anywhere: https, ssh, or local below the operator's folders."""

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

from catalog.intake.sources.tree import SUBMODULE, SYMLINK, FolderTree, Tree
from catalog.models import Source
from portal.githosts.hosts import host_for
from portal.githosts.weburls import path_at


@contextmanager
def opened(source: Source) -> Iterator[Tree]:
    """The repository's files at the wanted revision, in a folder that lives as long as the block."""
    with tempfile.TemporaryDirectory(prefix="slipway-catalog-") as folder:
        fetched = host_for(source.organisation_id, source.target).fetch(source.target, source.revision, Path(folder))
        odd = dict.fromkeys(fetched.links, SYMLINK) | dict.fromkeys(fetched.submodules, SUBMODULE)
        yield FolderTree(
            Path(folder),
            fetched.commit,
            author=fetched.author,
            odd=odd,
            by_address=partial(path_at, source.target, source.revision),
        )
