"""What the portal asks of a git host, whichever it is."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from pathlib import Path

    from portal.accounts.actor import Actor
    from portal.accounts.models import Organisation
    from portal.githosts.fetch import Fetched


class TreeFile(Protocol):
    """A file to commit: its bytes, and a mode of which only "may be executed" counts."""

    @property
    def content(self) -> bytes: ...

    @property
    def mode(self) -> int: ...


@dataclass(frozen=True)
class Repo:
    """A repository on a host, as far as the portal must know it to work with it."""

    host: str
    organisation_id: int
    organisation_slug: str
    name: str
    default_branch: str


@dataclass(frozen=True)
class Author:
    """Who a commit names as author and committer."""

    name: str
    email: str


@dataclass(frozen=True)
class TreeEntry:
    """One line of a tree: kind is "file", "folder", "link" or "submodule"; size in bytes, 0 unless a file."""

    path: str
    kind: str
    mode: str
    size: int
    id: str

    @property
    def name(self) -> str:
        return self.path.rpartition("/")[2]


@dataclass(frozen=True)
class Commit:
    """One commit of a history."""

    id: str
    author: Author
    at: datetime
    subject: str

    @property
    def short(self) -> str:
        return self.id[:8]


class GitSource(Protocol):
    """A git host as far as the portal only reads from it."""

    def fetch(self, url: str, ref: str, into: "Path") -> "Fetched":
        """Put the files of `url` at `ref` ("" = its default branch) into the empty folder `into`, byte for byte."""
        ...


class GitHost(Protocol):
    """A git host. Everything may be called twice: the second call finds what the first one made."""

    def create_repository(
        self,
        organisation: "Organisation",
        *,
        name: str,
        description: str,
        owner_ref: str,
        marker: str,
        actor: "Actor",
        created_by_run: int | None = None,
        default_branch: str = "main",
    ) -> Repo:
        """Make it, or adopt the one that carries the same marker; Conflict when it is somebody else's."""
        ...

    def find_repository(self, organisation: "Organisation", name: str) -> Repo | None:
        """The repository of that name, if there is one."""
        ...

    def push_tree(
        self,
        repo: Repo,
        files: Mapping[str, TreeFile],
        *,
        message: str,
        author: Author,
        when: datetime,
        branch: str = "",
        parent: str = "",
    ) -> str:
        """Commit exactly these files (paths are relative, with slashes) on top of `parent` ("" = a first commit).

        The commit's id depends on nothing but the arguments. A branch that already contains that commit is left alone;
        one that stands anywhere but at `parent` is a Conflict: nobody's commits are ever overwritten.
        Returns the commit's id.
        """
        ...

    def change_file(
        self,
        repo: Repo,
        path: str,
        content: bytes,
        *,
        message: str,
        author: Author,
        when: datetime,
        branch: str,
        parent: str,
        actor: "Actor",
    ) -> str:
        """Commit other bytes for one file that is there, on top of `parent`; every other file stays as it is.

        Raises as push_tree does, and NotFound where there is no such file. Rights are the caller's to check; the push
        is told as the actor's. Returns the commit's id.
        """
        ...

    def head(self, repo: Repo, branch: str = "") -> str | None:
        """The commit a branch stands at, or None while it has none."""
        ...

    def read_file(self, repo: Repo, path: str, ref: str = "") -> bytes:
        """A file's bytes; NotFound when there is no such file at that ref."""
        ...

    def read_blobs(self, repo: Repo, ids: Sequence[str]) -> list[bytes]:
        """The bytes of files by their ids (`Entry.id`), in order, in one go."""
        ...

    def author_of(self, repo: Repo, commit: str, path: str = "") -> Author:
        """Who a commit names as its author; with a path, the newest commit up to there that changed this file."""
        ...

    def list_tree(self, repo: Repo, ref: str = "") -> list[TreeEntry]:
        """Every file of the repository at that ref; [] while there is no commit."""
        ...

    def delete_repository(self, repo: Repo, *, actor: "Actor", expected_head: str | None = None) -> None:
        """Delete it; with `expected_head`, Conflict when any reference points elsewhere ("": anywhere)."""
        ...

    def clone_url(self, repo: Repo) -> str:
        """The address for `git clone`."""
        ...

    def web_url(self, repo: Repo) -> str:
        """The address of the repository's page."""
        ...
