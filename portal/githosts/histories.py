"""What a repository's newest commits touched, and whose they are. Asks git: never inside a request."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from portal.githosts import gitcli

MOST_COMMITS = 5000
# git's own answer: so many bytes of names are read.
MOST_TEXT = 64 * 2**20


@dataclass(frozen=True)
class Touched:
    """A commit that is no merge: its author's address in lower case, when it was made, the files that it changed."""

    mail: str
    at: datetime
    paths: tuple[str, ...]


def touched(path: Path, commit: str, *, since: datetime, limit: int = MOST_COMMITS) -> list[Touched]:
    """The newest commits that lead to `commit` and are younger than `since`, newest first."""
    told = gitcli.run(
        [
            "log", "--no-merges", "--no-renames", "-z", "--name-only",
            "--format=%x1e%ae%x1f%at", f"-n{limit}", f"--since={since.isoformat()}", commit,
        ],
        path, limit=MOST_TEXT,
    )  # fmt: skip
    return list(_parsed(told.decode("utf-8", "replace")))


def _parsed(text: str) -> Iterator[Touched]:
    for record in text.split("\x1e")[1:]:
        head, _, names = record.partition("\0")
        mail, _, at = head.strip().partition("\x1f")
        paths = tuple(name for each in names.split("\0") if (name := each.strip("\n")))
        yield Touched(mail.lower()[:254], datetime.fromtimestamp(int(at or 0), UTC), paths)
