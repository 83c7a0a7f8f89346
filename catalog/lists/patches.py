"""What has to be changed in files that are not ours to write, as a patch. Data in, data out."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Iterator

from catalog.lists.models import BulkRow

_HUNK = re.compile(r"^@@ -(\d+)((?:,\d+)?) \+(\d+)((?:,\d+)?) @@")


def patch_of(rows: Iterable[BulkRow]) -> str:
    """One patch of all rows with a new text, by file and line. Lines are counted from where each entity's text begins:
    git finds a place that has moved."""
    return "".join(line for row in rows if row.after for line in _one(row))


def _one(row: BulkRow) -> Iterator[str]:
    before, after = row.before.splitlines(keepends=True), row.after.splitlines(keepends=True)
    for line in difflib.unified_diff(before, after, f"a/{row.place}", f"b/{row.place}"):
        if found := _HUNK.match(line):
            moved = row.line - 1
            line = f"@@ -{int(found[1]) + moved}{found[2]} +{int(found[3]) + moved}{found[4]} @@\n"
        yield line if line.endswith("\n") else f"{line}\n\\ No newline at end of file\n"
