"""What the list of entities is narrowed by: choices, how many there are of each, and the page that they leave."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from catalog.asking.filters import In
from catalog.asking.paging import seal, unseal
from catalog.index.finding import text_node
from catalog.index.ordering import Place
from catalog.index.reading import Condition, Found, Question, all_of
from catalog.index.rows import by_name
from catalog.models import Entity
from portal.accounts.models import Organisation
from portal.kit.errors import Invalid

# So many values are offered at once, the commonest; of more, the ones that begin as somebody types.
MOST_OFFERED = 50

# What a list may be narrowed by -> the key that says it. Values are compared without regard to case, as the API does.
KEYS: Mapping[str, str] = {
    "kind": "kind",
    "type": "spec.type",
    "owner": "relations.ownedby",
    "lifecycle": "spec.lifecycle",
    "tag": "metadata.tags",
}


@dataclass(frozen=True)
class Choice:
    """What a list shows: empty means any."""

    kind: str = ""
    type: str = ""
    owner: str = ""
    lifecycle: str = ""
    tag: str = ""
    text: str = ""

    def node(self, *, without: str = "") -> Condition:
        """All choices together, but for one: what the choices of that one are counted under."""
        chosen: list[Condition] = [
            In(key, (getattr(self, name).lower(),))
            for name, key in KEYS.items()
            if name != without and getattr(self, name)
        ]
        return all_of([*chosen, text_node(self.text)] if self.text else chosen)


@dataclass(frozen=True)
class Listed:
    """A page of the list. `counts`: for each choice (value as written, how many it would show), the commonest ones;
    `more`: the choices that have more values than these."""

    rows: list[Entity]
    total: int
    counts: Mapping[str, list[tuple[str, int]]]
    more: frozenset[str]
    after: str = ""
    before: str = ""


def listed(organisation: Organisation, choice: Choice, *, size: int, after: str = "", before: str = "") -> Listed:
    """The page behind `after` or before `before`, cursors of another page: two statements."""
    question = Question(organisation)
    wanted = question.filter(choice.node())
    under = {name: question.filter(choice.node(without=name)) for name in KEYS}
    values = {
        name: question.values(key, most=None if name == "kind" else MOST_OFFERED + 1) for name, key in KEYS.items()
    }
    question.ask()
    counts = {}
    for name, known in values.items():
        bits = under[name].bits
        counts[name] = known.count(None if bits == question.live else bits)
    found = Found(question.organisation_id, wanted.bits, question.live)
    _, rows, is_more = by_name(found, size, after=_place(after), before=_place(before))
    first, last = (_cursor(rows[0]), _cursor(rows[-1])) if rows else ("", "")
    has_before = is_more if before else bool(after)
    has_after = bool(before) or is_more
    more = frozenset(name for name, known in values.items() if name != "kind" and len(known.rows) > MOST_OFFERED)
    return Listed(rows, found.total, counts, more, last if has_after else "", first if has_before else "")


def offered(organisation: Organisation, choice: Choice, name: str, typed: str) -> list[tuple[str, int]]:
    """(value, how many) of one choice under the others, of those that begin as typed: one statement."""
    question = Question(organisation)
    under = question.filter(choice.node(without=name))
    beginnings = [typed.lower()]
    if name == "owner" and typed and ":" not in typed:
        beginnings = [f"group:default/{typed.lower()}", f"user:default/{typed.lower()}"]
    values = [question.values(KEYS[name], most=MOST_OFFERED, prefix=each) for each in beginnings]
    question.ask()
    found = [pair for each in values for pair in each.count(under.bits)]
    return sorted(found, key=lambda pair: (-pair[1], pair[0]))[:MOST_OFFERED]


def _cursor(row: Entity) -> str:
    return seal([row.sort_name, row.num])


def _place(cursor: str) -> Place | None:
    if not cursor:
        return None
    match unseal(cursor):
        case [str() as name, int() as number]:
            return name, "", number
    raise Invalid("The cursor belongs to another list. Start again from the first page.", field="cursor")
