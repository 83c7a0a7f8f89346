"""A small drawing of an entity among its neighbours: who points at it on the left, what it points at on the right."""

from collections.abc import Sequence
from dataclasses import dataclass

BOX, STEP, ROW, GAP = 204, 248, 44, 10  # three boxes and two gaps fill the page's wider column
MOST = 9
_RIGHT = (
    "dependsOn",
    "consumesApi",
    "providesApi",
    "partOf",
    "hasMember",
    "parentOf",
    "memberOf",
    "hasPart",
    "ownerOf",
)


@dataclass(frozen=True)
class GraphNode:
    """A box: its place, the reference it stands for, and how it relates."""

    ref: str
    label: str
    relation: str
    x: int
    y: int
    is_known: bool = True
    width: int = BOX
    height: int = ROW

    @property
    def middle(self) -> int:
        return self.y + self.height // 2

    @property
    def text_x(self) -> int:
        return self.x + 12

    @property
    def text_y(self) -> int:
        return self.middle + 4

    @property
    def word_y(self) -> int:
        return self.y + 17

    @property
    def label_y(self) -> int:
        return self.y + 34


@dataclass(frozen=True)
class GraphLine:
    """A line from box to box, as an SVG path, with its word in the middle."""

    path: str


@dataclass(frozen=True)
class Graph:
    """Everything the template draws."""

    width: int
    height: int
    centre: GraphNode
    nodes: Sequence[GraphNode]
    edges: Sequence[GraphLine]
    hidden: int


@dataclass(frozen=True)
class Neighbour:
    """One relation of the entity, with the name to show for the other end."""

    type: str
    ref: str
    label: str
    is_known: bool


def draw(ref: str, label: str, neighbours: Sequence[Neighbour]) -> Graph | None:
    """The drawing, or None when the entity stands alone. Owners are left out: the page names them anyway."""
    seen: dict[str, Neighbour] = {}
    for each in neighbours:
        if each.type not in ("ownedBy", "ownerOf"):
            seen.setdefault(each.ref, each)
    if not seen:
        return None
    right = [each for each in seen.values() if each.type in _RIGHT]
    left = [each for each in seen.values() if each.type not in _RIGHT]
    shown_left, shown_right = left[:MOST], right[:MOST]
    rows = max(len(shown_left), len(shown_right), 1)
    height = rows * (ROW + GAP) + GAP
    middle = STEP if shown_left else 0
    centre = GraphNode(ref, _short(label), "", middle, (height - ROW) // 2)
    nodes = [*_column(shown_left, 0, height), *_column(shown_right, middle + STEP, height)]
    edges = [GraphLine(_curve(node, centre)) for node in nodes]
    hidden = len(left) + len(right) - len(nodes)
    width = max(node.x for node in (centre, *nodes)) + BOX + 4
    return Graph(width, height, centre, nodes, edges, hidden)


def _column(neighbours: Sequence[Neighbour], x: int, height: int) -> list[GraphNode]:
    top = (height - len(neighbours) * (ROW + GAP) + GAP) // 2
    return [
        GraphNode(each.ref, _short(each.label), each.type, x, top + index * (ROW + GAP), each.is_known)
        for index, each in enumerate(neighbours)
    ]


def _curve(node: GraphNode, centre: GraphNode) -> str:
    is_left = node.x < centre.x
    start = node.x + node.width if is_left else node.x
    end = centre.x if is_left else centre.x + centre.width
    bend = (start + end) // 2
    return f"M{start},{node.middle} C{bend},{node.middle} {bend},{centre.middle} {end},{centre.middle}"


def _short(label: str) -> str:
    return label if len(label) <= 28 else f"{label[:27]}…"
