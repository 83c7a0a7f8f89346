"""Addresses on the web pages of git hosts: of a file itself, where it is seen, where it is edited."""

import re
from urllib.parse import quote, unquote

from portal.kit.plain import split_url

_GITHUB = re.compile(r"^https://github\.com/([^/]+)/([^/]+)/(?:blob|raw|tree|edit)/(.+)$")
# Behind the repository: blob/<ref>/<path> and its brothers on GitHub, GitLab (-/), Gitea (src/branch/), Bitbucket.
_FILE = re.compile(r"^(?:-/)?(?:blob|raw|tree|edit|src)/(?:(?:branch|tag|commit)/)?(.+)$")
_SCP = re.compile(r"^[^/@]+@([^/:]+):(.+)$")
_GITLAB = re.compile(r"^(https://[^/]+/.+)/-/(?:blob|tree|edit)/(.+)$")


def raw_address(target: str) -> str:
    """The address of the file itself when somebody pasted the address of its page on GitHub or GitLab."""
    if found := _GITHUB.match(target):
        return f"https://raw.githubusercontent.com/{found[1]}/{found[2]}/{found[3]}"
    if found := _GITLAB.match(target):
        return f"{found[1]}/-/raw/{found[2]}"
    return target


def file_page(repository: str, revision: str, path: str) -> str:
    """Where a file of a repository (its https address) is seen; "" is the default branch."""
    return f"{_page(repository)}/blob/{_quoted(revision or 'HEAD')}/{_quoted(path)}"


def edit_page(repository: str, revision: str, path: str) -> str:
    """Where a file of a repository (its https address) is edited."""
    base = _page(repository)
    return f"{base}/{'-/' if 'gitlab' in base else ''}edit/{_quoted(revision or 'HEAD')}/{_quoted(path)}"


def path_at(repository: str, revision: str, address: str) -> str | None:
    """The path of a repository's file whose page, or raw form, has this address; None for what lies elsewhere.

    `repository` is the address that is cloned. Where its default branch is read (`revision` is ""), the first part of
    the address behind the repository is taken for the branch; another branch than the one that is read lies elsewhere.
    """
    parts = split_url(address)
    if parts is None or parts.scheme not in ("https", "http"):
        return None
    is_raw = parts.netloc.lower() == "raw.githubusercontent.com"
    place, home = f"{'github.com' if is_raw else parts.netloc}{unquote(parts.path)}", _home(repository)
    if not home or not place.lower().startswith(f"{home}/"):
        return None
    behind = place[len(home) + 1 :]
    if not is_raw:
        found = _FILE.match(behind)
        behind = found[1] if found else ""
    ref = revision or behind.partition("/")[0]
    return behind.removeprefix(f"{ref}/") if behind.startswith(f"{ref}/") else None


def _quoted(part: str) -> str:
    """A branch or a path as it stands in an address: `feature/#12` is no fragment."""
    return quote(part, safe="/:@!$&'()*+,;=~-._")


def _home(repository: str) -> str:
    """host/owner/name of the address of a repository, however it is cloned; "" where it has no host."""
    if scp := _SCP.match(repository):
        return f"{scp[1]}/{_page(scp[2])}".lower()
    parts = split_url(repository)
    if parts is None or not parts.hostname:
        return ""
    host = parts.netloc.rpartition("@")[2] if parts.scheme == "https" else parts.hostname
    return f"{host}{_page(parts.path)}".lower()


def edit_page_of(page: str) -> str:
    """Where the file is edited whose page's address is given; "" when that cannot be known."""
    return page.replace("/blob/", "/edit/", 1) if page.startswith("https://github.com/") else ""


def _page(repository: str) -> str:
    return repository.removesuffix(".git").rstrip("/")
