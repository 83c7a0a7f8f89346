"""Folders on the portal's own disk, below those that the operator named in SOURCE_FOLDERS."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from django.conf import settings

from catalog.intake.sources.tree import FolderTree, SourceUnreadable, Tree
from catalog.models import Source


def allowed(target: str) -> Path:
    """The folder, if the operator allows it; raises SourceUnreadable."""
    if not target.startswith("/") or "\0" in target:
        raise SourceUnreadable("Write the folder's whole path, starting with a slash.", field="target")
    place = Path(target).resolve()
    if not any(place.is_relative_to(Path(folder).resolve()) for folder in settings.SOURCE_FOLDERS):
        raise SourceUnreadable(
            "This folder is not open to the portal. The operator lists folders in SOURCE_FOLDERS.", field="target"
        )
    if not place.is_dir():
        raise SourceUnreadable(f'There is no folder "{target}".', field="target")
    return place


@contextmanager
def opened(source: Source) -> Iterator[Tree]:
    """The folder's files."""
    yield FolderTree(allowed(source.target))
