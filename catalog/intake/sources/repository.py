"""Repositories of the built-in git host."""

from collections.abc import Iterator
from contextlib import contextmanager

from catalog.intake.sources.tree import MAX_INCLUDED_BYTES, SourceUnreadable, Tree, missing, text_of, too_large
from catalog.models import Source
from portal.accounts.models import Organisation
from portal.accounts.tenancy import tenant
from portal.githosts.hosts import HOSTS
from portal.githosts.protocol import GitHost, Repo
from portal.kit.errors import NotFound


class RepositoryTree:
    """The files of one commit."""

    def __init__(self, host: GitHost, repo: Repo, revision: str) -> None:
        self.host, self.repo, self.revision = host, repo, revision
        self.sizes = {entry.path: entry.size for entry in host.list_tree(repo, revision) if entry.kind == "file"}

    def read(self, path: str) -> str:
        if path not in self.sizes:
            raise missing(path)
        if self.sizes[path] > MAX_INCLUDED_BYTES:
            raise too_large(path)
        try:
            return text_of(self.host.read_file(self.repo, path, self.revision), path)
        except NotFound as error:
            raise missing(path) from error

    def paths(self) -> list[str]:
        return sorted(self.sizes)


@contextmanager
def opened(source: Source) -> Iterator[Tree]:
    """The repository's files at the head of the wanted branch."""
    host = HOSTS["slipway"]
    with tenant(source.organisation_id):
        organisation = Organisation.objects.get(pk=source.organisation_id)
        repo = host.find_repository(organisation, source.target)
        if repo is None:
            raise SourceUnreadable(f'There is no repository "{source.target}" here.', field="target")
        head = host.head(repo, source.revision)
        if head is None:
            raise SourceUnreadable(f'The repository "{source.target}" has no commit yet.', field="target")
        yield RepositoryTree(host, repo, head)
