"""Repositories of the built-in git host."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from catalog.intake.sources.tree import (
    MAX_INCLUDED_BYTES,
    SUBMODULE,
    SYMLINK,
    Basket,
    Bounds,
    RawFile,
    SourceUnreadable,
    Tree,
    from_root,
    missing,
    prefix_of,
    text_of,
    too_large,
)
from catalog.models import Source
from portal.accounts.models import Organisation
from portal.accounts.tenancy import tenant
from portal.githosts.hosts import HOSTS
from portal.githosts.protocol import GitHost, Repo
from portal.kit.errors import NotFound

# So many bytes of files are fetched at once.
AT_ONCE = 16 * 1024 * 1024


class RepositoryTree:
    """The files of one commit."""

    def __init__(self, host: GitHost, repo: Repo, revision: str) -> None:
        self.host, self.repo, self.revision = host, repo, revision
        self.entries = {entry.path: entry for entry in host.list_tree(repo, revision)}
        self.sizes = {path: entry.size for path, entry in self.entries.items() if entry.kind == "file"}
        self._near: dict[str, bytes] = {}

    @property
    def author(self) -> str:
        """Who the commit names; who pushed it is in the audit log."""
        author = self.host.author_of(self.repo, self.revision)
        return f"{author.name} <{author.email}>"

    def read(self, path: str) -> str:
        if path not in self.sizes:
            raise missing(path)
        if self.sizes[path] > MAX_INCLUDED_BYTES:
            raise too_large(path)
        near = self._near.get(path)
        try:
            if near is None:
                [near] = self.host.read_blobs(self.repo, [self.entries[path].id])
            return text_of(near, path)
        except NotFound as error:
            raise missing(path) from error

    def mark(self, path: str) -> str:
        return self.entries[path].id if self.sizes.get(path, MAX_INCLUDED_BYTES + 1) <= MAX_INCLUDED_BYTES else ""

    def ahead(self, paths: Sequence[str]) -> None:
        if not paths or paths[0] in self._near:
            return
        wanted, size = list[str](), 0
        for path in paths:
            size += self.sizes.get(path, 0)
            if size > AT_ONCE:
                break
            if self.mark(path):
                wanted.append(path)
        contents = self.host.read_blobs(self.repo, [self.entries[path].id for path in wanted])
        self._near = dict(zip(wanted, contents, strict=True))

    def own(self, address: str) -> str | None:
        return from_root(address)

    def paths(self) -> list[str]:
        return sorted(self.sizes)

    def below(self, folder: str, bounds: Bounds) -> dict[str, RawFile]:
        basket, prefix = Basket(bounds), prefix_of(folder)
        wanted = [entry for path, entry in sorted(self.entries.items()) if path.startswith(prefix)]
        planned = Basket(bounds)
        for entry in wanted:
            planned.expect(entry.path.removeprefix(prefix), entry.size, _ODD.get(entry.kind, ""))
            planned.files[entry.path] = RawFile(b"")
            planned.size += entry.size
        contents = self.host.read_blobs(self.repo, [entry.id for entry in wanted])
        for entry, content in zip(wanted, contents, strict=True):
            basket.put(entry.path.removeprefix(prefix), content, is_executable=entry.mode == "100755")
        return basket.files


_ODD = {"link": SYMLINK, "submodule": SUBMODULE}


@contextmanager
def opened(source: Source) -> Iterator[Tree]:
    """The repository's files at the head of the wanted branch."""
    host = HOSTS["slipway"]
    with tenant(source.organisation_id):
        organisation = Organisation.objects.get(pk=source.organisation_id)
        repo = host.find_repository(organisation, source.target)
        if repo is None:
            raise SourceUnreadable(f'There is no repository "{source.target}" here.', field="target")
    # Outside the transaction: from here on git is asked, and nothing waits for the database.
    head = host.head(repo, source.revision)
    if head is None:
        raise SourceUnreadable(f'The repository "{source.target}" has no commit yet.', field="target")
    yield RepositoryTree(host, repo, head)
