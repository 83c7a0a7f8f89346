"""What other rooms know of a source, as lines of its page: rooms register theirs when their app is ready."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from catalog.models import Source
from portal.accounts.access import Access


@dataclass(frozen=True)
class SourceFact:
    """One line: what it is about, a sentence, and where more stands ("" for nowhere)."""

    title: str
    sentence: str
    url: str = ""


# Asked inside the tenant; None where there is nothing to say. One statement each at most.
SOURCE_FACTS: dict[str, Callable[[Access, Source], SourceFact | None]] = {}


def facts_of(access: Access, source: Source) -> list[SourceFact]:
    """All lines, in the order of their names."""
    told = (SOURCE_FACTS[name](access, source) for name in sorted(SOURCE_FACTS))
    return [fact for fact in told if fact is not None]
