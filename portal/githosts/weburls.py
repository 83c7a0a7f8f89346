"""Addresses on the web pages of git hosts: of a file itself, where it is seen, where it is edited."""

import re

_GITHUB = re.compile(r"^https://github\.com/([^/]+)/([^/]+)/(?:blob|raw|tree|edit)/(.+)$")
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
    return f"{_page(repository)}/blob/{revision or 'HEAD'}/{path}"


def edit_page(repository: str, revision: str, path: str) -> str:
    """Where a file of a repository (its https address) is edited."""
    base = _page(repository)
    return f"{base}/{'-/' if 'gitlab' in base else ''}edit/{revision or 'HEAD'}/{path}"


def edit_page_of(page: str) -> str:
    """Where the file is edited whose page's address is given; "" when that cannot be known."""
    return page.replace("/blob/", "/edit/", 1) if page.startswith("https://github.com/") else ""


def _page(repository: str) -> str:
    return repository.removesuffix(".git").rstrip("/")
