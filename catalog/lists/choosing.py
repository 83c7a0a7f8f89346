"""What a list shows, as its address says it: the choices, the order and the columns. Data in, data out."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from typing import Literal
from urllib.parse import parse_qsl, urlencode

from catalog.asking.filters import All, Either, Exists, In, Node, Not
from catalog.asking.owned import OWNER_HOW
from catalog.descriptors.kinds import KINDS, OWNED_BY, REVERSE, owner_ref
from portal.kit.refs import completed
from portal.kit.words import HEALTH_TONES

MOST_TEXT = 200
Whose = Literal["", "mine", "teams", "nobody"]
WHOSE: Mapping[str, str] = {"mine": "Mine", "teams": "My teams’", "nobody": "Unowned"}
# Health as people choose it: the worst first, which is also its order.
HEALTH = ("Down", "Stuck", "Reduced", "Progressing", "Unknown", "Paused", "Idle", "Healthy")
assert set(HEALTH) == set(HEALTH_TONES)


@dataclass(frozen=True)
class Column:
    """A column of a list. `key` is the field of the catalog that it shows and is sorted by; "" where live decides."""

    name: str
    label: str
    key: str = ""


COLUMNS: Mapping[str, Column] = {
    column.name: column
    for column in (
        Column("name", "Name", "metadata.name"),
        Column("kind", "Kind", "kind"),
        Column("type", "Type", "spec.type"),
        Column("lifecycle", "Lifecycle", "spec.lifecycle"),
        Column("owner", "Owner", "relations.ownedby"),
        Column("system", "System", "relations.partof"),
        Column("health", "Health"),
        Column("tier", "Tier", "metadata.labels.tier"),
        Column("tags", "Tags", "metadata.tags"),
        Column("namespace", "Namespace", "metadata.namespace"),
    )
}
# What a list of all kinds shows, and in which order it stands: by kind, so that it does not begin with people.
OF_ALL = ("kind", "owner", "lifecycle", "health")
ALL_SORT = "kind"


def columns_of(kind: str) -> tuple[str, ...]:
    """The columns of a list of this kind ("" for all kinds) for whoever has chosen none."""
    known = KINDS.get(kind)
    return known.columns if known else OF_ALL


def clean_columns(names: Sequence[str]) -> tuple[str, ...]:
    """Those that there are, each once, in the order given; the name is always the first and is not among them."""
    return tuple(dict.fromkeys(name for name in names if name in COLUMNS and name != "name"))


@dataclass(frozen=True)
class ListChoice:
    """What a list shows: empty means any. `sort` is a column's name, with a minus for the other direction."""

    kind: str = ""
    type: str = ""
    owner: str = ""
    lifecycle: str = ""
    system: str = ""
    tag: str = ""
    tier: str = ""
    health: str = ""
    whose: str = ""
    text: str = ""
    problems: bool = False
    starred: bool = False
    unseen: bool = False
    direct: bool = False
    fallback: bool = False
    alone: bool = False
    sort: str = ""

    @classmethod
    def read(cls, said: Mapping[str, str]) -> ListChoice:
        """From an address. What cannot be meant is left out: a list is never refused for its address."""
        texts = {name: _clean(said.get(name, "")) for name in (*_TEXTS, "q")}
        kind = next((name for name in KINDS if name.lower() == texts["kind"].lower()), texts["kind"])
        sort = texts["sort"] if texts["sort"].removeprefix("-") in COLUMNS else ""
        return cls(
            kind=kind,
            type=texts["type"],
            owner=owner_ref("-".join(texts["owner"].lower().split())),
            lifecycle=texts["lifecycle"],
            system=completed("-".join(texts["system"].lower().split()), kind="system"),
            tag=texts["tag"].lower(),
            tier=texts["tier"].lower().removeprefix("tier-"),
            health=next((word for word in HEALTH if word.lower() == texts["health"].lower()), ""),
            whose=texts["whose"] if texts["whose"] in WHOSE else "",
            text=texts["q"],
            problems=bool(said.get("problems")),
            starred=bool(said.get("starred")),
            unseen=bool(said.get("unseen")),
            direct=bool(said.get("direct")) and bool(texts["owner"]),
            fallback=bool(said.get("fallback")),
            alone=bool(said.get("alone")),
            sort=sort,
        )

    @classmethod
    def from_query(cls, query: str) -> ListChoice:
        """From what `query` wrote."""
        return cls.read(dict(parse_qsl(query.removeprefix("?"), keep_blank_values=True)))

    @property
    def query(self) -> str:
        """The same as it stands in an address, in one spelling. A list of all kinds says so."""
        said = {"kind": self.kind}
        for name, value in self.chosen.items():
            said["q" if name == "text" else name] = "1" if value is True else str(value)
        if self.sort:
            said["sort"] = self.sort
        return urlencode(said)

    @property
    def chosen(self) -> dict[str, str | bool]:
        """What narrows the list beside the kind."""
        names = (field.name for field in fields(self) if field.name not in ("kind", "sort"))
        return {name: value for name in names if (value := getattr(self, name))}

    @property
    def order(self) -> tuple[str, bool]:
        """(column, whether the other way round). A list of all kinds is by kind; a search by name."""
        if self.sort:
            return self.sort.removeprefix("-"), self.sort.startswith("-")
        return ("name" if self.kind else ALL_SORT), False

    def without(self, *names: str) -> ListChoice:
        """The same with these choices open."""
        return replace(self, **{name: type(getattr(self, name))() for name in names})


_TEXTS = ("kind", "type", "owner", "lifecycle", "system", "tag", "tier", "health", "whose", "sort")
# The key of each choice whose values are counted.
KEYS: Mapping[str, str] = {
    "kind": "kind",
    "type": "spec.type",
    "owner": "relations.ownedby",
    "lifecycle": "spec.lifecycle",
    "system": "relations.partof",
    "tag": "metadata.tags",
}


def _clean(text: str) -> str:
    return text.replace("\0", "").strip()[:MOST_TEXT]


@dataclass(frozen=True)
class Mine:
    """Who asks: references that answer for what is theirs, and those of their teams with all teams below.

    nobody  owners that are named and that the catalog does not know
    owners  the owner that was chosen, with all teams below it; none where it alone is meant
    """

    refs: frozenset[str] = frozenset()
    teams: frozenset[str] = frozenset()
    nobody: frozenset[str] = frozenset()
    owners: tuple[str, ...] = ()


def node_of(wanted: ListChoice, mine: Mine) -> Node:
    """The choices as a filter of the catalog; text, health, problems and stars are not among its words."""
    parts: list[Node] = [
        In(key, (str(value).lower(),))
        for name, key in KEYS.items()
        if name != "owner" and (value := getattr(wanted, name))
    ]
    if wanted.owner:
        parts.append(In(KEYS["owner"], mine.owners or (wanted.owner.lower(),)))
    if wanted.fallback:
        parts.append(In(BY_HOW, (FALLBACK,)))
    if wanted.tier:
        parts.append(tier_node(wanted.tier))
    if wanted.alone:
        parts += [Not(Exists(f"relations.{kind.lower()}")) for kind in sorted(REVERSE) if kind != OWNED_BY]
    if wanted.whose:
        parts.append(whose_node(wanted.whose, mine))
    return All(tuple(parts))


def whose_node(whose: str, mine: Mine) -> Node:
    """`nobody` means what should have an owner and names none, or one that there is not."""
    if whose == "nobody":
        owned = tuple(sorted(name.lower() for name, kind in KINDS.items() if kind.is_owned))
        unknown = In(KEYS["owner"], tuple(sorted(mine.nobody)))
        return All((In("kind", owned), Either((Not(Exists(KEYS["owner"])), unknown))))
    return In(KEYS["owner"], tuple(sorted(mine.refs if whose == "mine" else mine.teams)))


# An owner whom nobody named: that of the system or domain.
BY_HOW, FALLBACK = f"metadata.annotations.{OWNER_HOW}", "inheritance"
# How a descriptor says which tier something is in: a tag, a label or a field of its own.
TIER_TAG = "tier-"
TIER_KEYS = ("metadata.labels.tier", "spec.tier")


def tier_node(tier: str) -> Node:
    """`1` finds the tag tier-1, and the label or field tier with 1 or tier-1."""
    values = (tier, f"{TIER_TAG}{tier}")
    return Either((In(KEYS["tag"], (f"{TIER_TAG}{tier}",)), *(In(key, values) for key in TIER_KEYS)))


def tier_of(tags: Collection[str], document: Mapping[str, object]) -> str:
    """The tier that an entity says, in whichever way; "" for none."""
    spec, metadata = document.get("spec"), document.get("metadata")
    labels = metadata.get("labels") if isinstance(metadata, Mapping) else None
    for place in (spec, labels):
        if isinstance(place, Mapping) and isinstance(place.get("tier"), str | int):
            return str(place["tier"]).lower().removeprefix(TIER_TAG)
    return next((tag.removeprefix(TIER_TAG) for tag in sorted(tags) if tag.startswith(TIER_TAG)), "")
