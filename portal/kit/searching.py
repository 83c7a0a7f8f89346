"""What can be found by typing: each room names its own in its app's ready(); the desk asks them all and ranks.

A room gives candidates, few and quickly; it need not order them. What it gives, the person may open: a room that has
things of different rights leaves out what the person may not see.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

# More candidates than this of one sort are no help to anybody who types.
MOST = 60


@dataclass(frozen=True)
class Sought:
    """What somebody typed, taken apart (catalog/asking/words.py).

    text     as typed, filters left out, single spaces; "" where there are only filters
    words    its finest parts in lower case, each once: `paymentGateway v2` -> payment, gateway, v2
    whole    the parts run together: paymentgatewayv2
    filters  field -> value in lower case: owner, kind, type, tag, lifecycle, system
    """

    text: str = ""
    words: tuple[str, ...] = ()
    whole: str = ""
    filters: Mapping[str, str] = field(default_factory=dict)

    def __bool__(self) -> bool:
        return bool(self.words or self.filters)


@dataclass(frozen=True)
class Hit:
    """One thing that may be what was meant.

    key      who it is, whoever found it: a reference in lower case, or page:audit, run:12, do:log-out
    kind     what sort of thing it is, as people read it
    names    what it is called: found first, in all parts and with small mistakes
    words    what else finds it: tags, type, synonyms
    weight   how much likelier it is meant than another with the same name, at most 30
    does     what a script does in place of following the address: theme:dark; submit, for the form that leads there
    """

    key: str
    title: str
    kind: str
    url: str
    names: tuple[str, ...]
    note: str = ""
    icon: str = ""
    words: tuple[str, ...] = ()
    weight: float = 0.0
    owner_ref: str = ""
    lifecycle: str = ""
    does: str = ""


# (access, what was asked, how many at most) -> candidates. Called inside the tenant, with at least one word or filter.
Finder = Callable[[Any, Sought, int], list[Hit]]


@dataclass(frozen=True)
class Searchable:
    """One sort of thing that is found.

    title       the heading that its hits stand under
    permission  who finds any of it
    order       its place among those that match equally well
    kinds       what `kind:` calls it, in lower case; a `kind:` that it does not know leaves it out
    has_fields  whether it can be narrowed by owner, type, tag, lifecycle and system
    """

    name: str
    title: str
    permission: str
    order: int
    find: Finder
    kinds: frozenset[str] = frozenset()
    has_fields: bool = False

    def answers(self, filters: Mapping[str, str]) -> bool:
        """Whether anything of its sort can be what these filters want."""
        kind = filters.get("kind", "")
        others = filters.keys() - {"kind"}
        return (not kind or kind in self.kinds) and (not others or self.has_fields)


@dataclass(frozen=True)
class Command:
    """Something to do that is not a page of the menu: where it is done, and what finds it.

    view   the URL name of the page; `query` and a fragment follow it as they are
    org    False for a page outside any organisation
    does   see Hit.does
    """

    name: str
    label: str
    icon: str
    permission: str
    view: str
    words: str = ""
    query: str = ""
    org: bool = True
    does: str = ""


SEARCHABLES: dict[str, Searchable] = {}
COMMANDS: dict[str, Command] = {}


def register_searchable(*rows: Searchable) -> None:
    """Makes a sort of thing findable; called from an app's ready()."""
    SEARCHABLES.update({row.name: row for row in rows})


def register_command(*rows: Command) -> None:
    """Makes something to do findable; called from an app's ready()."""
    COMMANDS.update({row.name: row for row in rows})


def in_order() -> list[Searchable]:
    """All sorts, as they stand."""
    return sorted(SEARCHABLES.values(), key=lambda row: row.order)
