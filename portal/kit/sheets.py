"""A long list of a few hundred or thousand rows by numbered pages: `?page=2`. (What may be longer goes by keys.)"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

SIZE = 50


@dataclass(frozen=True)
class Sheet:
    """One page. `newer` and `older`: the numbers of its neighbours, 0 at an end; `shown` says which rows these are."""

    rows: Sequence[Any]
    total: int
    newer: int = 0
    older: int = 0
    shown: str = ""


def sheet(rows: Any, number: str, *, size: int = SIZE) -> Sheet:
    """The page of that number (any text: what is none is the first) of a sequence or a queryset."""
    total = rows.count() if hasattr(rows, "query") else len(rows)
    last = max(0, (total - 1) // size)
    at = min(max(int(number), 1), last + 1) - 1 if number.isdigit() and len(number) < 9 else 0
    part = list(rows[at * size : (at + 1) * size])
    shown = f"{at * size + 1} to {at * size + len(part)} of {total}" if last else ""
    return Sheet(part, total, at, at + 2 if at < last else 0, shown)
