"""References to things that a higher room knows: what they are called, where they lead; portal/kit/refs reads them.

The kit shows references on every page and knows none of the things behind them: the room that does gives its Guide.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True)
class Named:
    """What a reference stands for: its title, its page ("" where it has none) and a line about reaching it.

    is_there  False for something that is known by another way alone, such as a team that nothing describes any more
    """

    ref: str
    title: str
    url: str = ""
    note: str = ""
    is_there: bool = True


class Guide(Protocol):
    """What the kit asks about references."""

    def icon(self, kind: str) -> str:
        """The icon of a kind, in any case; a neutral one for kinds that are not known."""
        ...

    def address(self, organisation_slug: str, ref: str) -> str:
        """The page of a complete reference; "" for one that no address can hold."""
        ...

    def owner(self, text: str) -> str:
        """The complete reference of an owner, who may be written short; "" for a text that is no reference."""
        ...

    def named(self, organisation_id: int, refs: Iterable[str]) -> Mapping[str, Named]:
        """Those that are known, by reference: one statement, however many. Must run inside the tenant."""
        ...


GUIDES: list[Guide] = []


def register_guide(guide: Guide) -> None:
    """The room that knows the things says so; called from its app's ready()."""
    GUIDES[:] = [guide]


def guide() -> Guide:
    """The one that was registered."""
    return GUIDES[0]


def named(organisation_id: int, refs: Iterable[str]) -> Mapping[str, Named]:
    """Titles for a page: hand it to the template as `names`, and its tags show titles instead of references.

    An owner may be written short. One statement, none without references."""
    wanted = {guide().owner(ref) for ref in refs if ref} - {""}
    return guide().named(organisation_id, wanted) if wanted else {}
