"""What the repository pages show of a bare repository: a folder, a file, its history."""

import posixpath
from dataclasses import dataclass
from urllib.parse import unquote, urlencode, urlsplit

from django.urls import reverse
from django.utils.safestring import SafeString

from portal.githosts import bare
from portal.githosts.models import Repository
from portal.githosts.protocol import Commit, TreeEntry
from portal.kit.errors import NotFound
from portal.kit.paths import visible
from portal.kit.prose import ANCHOR, to_html

SHOWN_BYTES = 512 * 1024
SHOWN_LINES = 10_000
README = ("readme.md", "readme.markdown", "readme.txt", "readme")
MARKDOWN = (".md", ".markdown")
PAGE = 50


@dataclass(frozen=True)
class TreePlace:
    """Where a visitor stands: a commit by its branch, tag or id, and a path inside it."""

    ref: str
    commit: str
    path: str = ""

    @property
    def crumbs(self) -> list[tuple[str, str]]:
        """Each folder on the way, as (name, path)."""
        parts = self.path.split("/") if self.path else []
        return [(part, "/".join(parts[: index + 1])) for index, part in enumerate(parts)]


@dataclass(frozen=True)
class Shown:
    """A file as a page can show it: `lines` is None when it is binary or too large, and `why` says so."""

    entry: TreeEntry
    lines: list[str] | None
    why: str = ""
    text: str = ""

    @property
    def is_markdown(self) -> bool:
        return self.lines is not None and self.entry.name.lower().endswith(MARKDOWN)


def place(repository: Repository, ref: str, path: str = "") -> TreePlace | None:
    """The commit a visitor asks for; None while the repository is empty. NotFound for a ref that is not there."""
    if not bare.is_repository(repository.path):
        raise NotFound(f"The files of {repository.name} are gone from the disk. Ask the operator of this portal.")
    wanted = ref or repository.default_branch
    commit = bare.resolve(repository.path, wanted)
    if commit is None and not ref:
        # Somebody pushed another branch than the default one: better that than an empty page.
        wanted = next(iter(bare.branches(repository.path)), "")
        commit = bare.resolve(repository.path, wanted) if wanted else None
    if commit is None:
        if ref:
            raise NotFound(f"{repository.name} has no branch, tag or commit “{visible(ref[:80])}”.")
        return None
    return TreePlace(wanted, commit, path.removesuffix("/"))


def entry(repository: Repository, at: TreePlace) -> TreeEntry:
    """What lies at the place's path; NotFound otherwise."""
    found = bare.entry_at(repository.path, at.commit, at.path)
    if found is None:
        raise NotFound(f"There is no “{visible(at.path[:200])}” in {repository.name} at {at.ref}.")
    return found


def show(repository: Repository, at: TreePlace, found: TreeEntry) -> Shown:
    """The file, if it is text of a size that a page can hold."""
    if found.kind != "file":
        return Shown(found, None, "This entry points elsewhere and has no content of its own.")
    if found.size > SHOWN_BYTES:
        return Shown(found, None, "This file is too large to show here.")
    text = as_text(bare.content(repository.path, at.commit, found.path))
    if text is None:
        return Shown(found, None, "This file is binary.")
    lines = text.splitlines()
    if len(lines) > SHOWN_LINES:
        return Shown(found, None, "This file has too many lines to show here.")
    return Shown(found, lines, text=text)


def as_text(content: bytes) -> str | None:
    """The content as text, or None when it is binary."""
    if b"\0" in content:
        return None
    try:
        return content.decode()
    except UnicodeDecodeError:
        return None


def readme(repository: Repository, at: TreePlace, entries: list[TreeEntry]) -> Shown | None:
    """The README among a folder's entries, if it can be shown."""
    by_name = {found.name.lower(): found for found in entries if found.kind == "file"}
    found = next((by_name[name] for name in README if name in by_name), None)
    if found is None:
        return None
    shown = show(repository, at, found)
    return shown if shown.lines is not None else None


def written(repository: Repository, at: TreePlace, shown: Shown, organisation: str) -> SafeString:
    """A Markdown file as HTML: relative addresses lead to the files of the same commit's branch."""
    folder = posixpath.dirname(shown.entry.path)

    def link(target: str) -> str:
        parts = urlsplit(target)
        path = posixpath.normpath(posixpath.join("" if parts.path.startswith("/") else folder, unquote(parts.path)))
        path = path.removeprefix("/")
        if path.split("/")[0] == ".." or "\0" in path:
            return ""
        kwargs = {"org": organisation, "repo": repository.name}
        page = reverse("repo", kwargs=kwargs) if path == "." else reverse("repo-file", kwargs={**kwargs, "path": path})
        anchor = f"#{ANCHOR}{parts.fragment.lower()}" if parts.fragment else ""
        return f"{page}?{urlencode({'ref': at.ref})}{anchor}"

    return to_html(shown.text, link=link)


def commits(repository: Repository, at: TreePlace, *, page: int) -> tuple[list[Commit], bool]:
    """One page of the history (of the place's path), and whether there is more."""
    found = bare.history(repository.path, at.commit, limit=PAGE + 1, skip=(page - 1) * PAGE, inner=at.path)
    return found[:PAGE], len(found) > PAGE
