"""Which kind of source is opened how: one entry a kind."""

from collections.abc import Callable
from contextlib import AbstractContextManager

from catalog.intake.sources import folder, git, portal, repository, upload, url
from catalog.intake.sources.tree import Tree
from catalog.models import Source

Opener = Callable[[Source], AbstractContextManager[Tree]]

OPENERS: dict[str, Opener] = {
    Source.Kind.FOLDER: folder.opened,
    Source.Kind.GIT: git.opened,
    Source.Kind.URL: url.opened,
    Source.Kind.UPLOAD: upload.opened,
    Source.Kind.REPOSITORY: repository.opened,
    Source.Kind.PORTAL: portal.opened,
}


def start_of(source: Source) -> str:
    """The file, or pattern of files, that reading begins with."""
    if source.kind == Source.Kind.URL:
        return url.start_of(source.target)
    return source.path.removeprefix("/") or "catalog-info.yaml"
