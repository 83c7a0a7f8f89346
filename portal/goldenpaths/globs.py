"""File patterns as golden paths write them: `*`, `**`, `?`, `[…]`, `{a,b}`, a folder's name for all that is in it."""

import re
from collections.abc import Iterable, Sequence

from portal.kit.errors import Invalid


def select(paths: Iterable[str], patterns: Sequence[str]) -> set[str]:
    """The paths that match a pattern and no later or earlier `!pattern`."""
    wanted = [_compiled(pattern) for pattern in patterns if not pattern.startswith("!")]
    unwanted = [_compiled(pattern[1:]) for pattern in patterns if pattern.startswith("!")]
    return {
        path
        for path in paths
        if any(pattern.fullmatch(path) for pattern in wanted)
        and not any(pattern.fullmatch(path) for pattern in unwanted)
    }


def _compiled(pattern: str) -> re.Pattern[str]:
    if not isinstance(pattern, str) or len(pattern) > 400:
        raise Invalid("A file pattern must be a text of at most 400 characters.", code="bad-pattern")
    bare = pattern.strip().removeprefix("./").rstrip("/")
    try:
        return re.compile(f"{_regex(bare)}(?:/.*)?", re.DOTALL)
    except re.error:
        raise Invalid(f"The file pattern “{pattern}” is not valid.", code="bad-pattern") from None


_TOKEN = re.compile(r"\*\*/|\*+|\?|\[!?[^\]/]+\]|\{[^{}/]*\}|.", re.DOTALL)


def _regex(pattern: str) -> str:
    return "".join(_part(token) for token in _TOKEN.findall(pattern))


def _part(piece: str) -> str:
    if piece == "**/":
        return "(?:[^/]+/)*"
    if piece == "**":
        return ".*"
    if piece.startswith("*"):
        return "[^/]*"
    if piece == "?":
        return "[^/]"
    if piece.startswith("[") and len(piece) > 1:
        inner = piece[1:-1].replace("\\", "\\\\")
        return f"[^{inner[1:]}/]" if inner.startswith("!") else f"[{inner}]"
    if piece.startswith("{") and len(piece) > 1:
        return "(?:" + "|".join(_regex(option) for option in piece[1:-1].split(",")) + ")"
    return re.escape(piece)
