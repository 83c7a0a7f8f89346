"""Teams as a page of their tree: where each stands, how many people and things it has, with all teams below or alone.

A small organisation is shown whole; of a large one its highest teams, each leading on to those inside it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from django.db import connection

from catalog.asking.filters import In
from catalog.asking.within import OWNED_BY
from catalog.descriptors.kinds import KINDS
from catalog.index.reading import IndexQuestion
from portal.accounts import paths
from portal.accounts.models import Organisation, Team
from portal.kit.sheets import Sheet, sheet

# Up to so many teams are shown as one tree.
WHOLE = 500
# The deepest level that still moves to the right; parts.css has a rule for each.
DEEPEST = 5


@dataclass
class Branch:
    """A team with its place in the tree and what it answers for; `inside` is how many teams are below it."""

    team: Team
    depth: int = 0
    people: int = 0
    inside: int = 0
    owned: dict[str, int] = field(default_factory=dict)
    is_mine: bool = False

    @property
    def indent(self) -> str:
        """The class that moves the name to the right, by depth."""
        return f"depth-{min(self.depth, DEEPEST)}"

    @property
    def owned_words(self) -> str:
        """`12 components, 1 API`."""
        return ", ".join(_counted(name, count) for name in KINDS if (count := self.owned.get(name)))


def _counted(kind: str, count: int) -> str:
    word = kind if count == 1 else KINDS[kind].plural
    return f"{count} {word if word.startswith('API') else word.lower()}"


def page_of_teams(organisation: Organisation, words: str, number: str, *, direct: bool) -> Sheet:
    """A page of branches by its number: those whose name has the words, or the tree. Six statements at most."""
    teams = Team.objects.for_tenant(organisation).order_by("name", "pk")
    found: Sheet
    if words:
        found = sheet(teams.filter(name__icontains=words), number)
    elif teams.count() > WHOLE:
        found = sheet(teams.filter(parent=None), number)
    else:
        found = sheet(in_tree_order(list(teams)), number)
    branches = [row if isinstance(row, Branch) else Branch(row) for row in found.rows]
    count(organisation, branches, direct=direct)
    return Sheet(branches, found.total, found.newer, found.older, found.shown)


def in_tree_order(teams: Sequence[Team]) -> list[Branch]:
    """Parents before their children; a circle of parents is cut, never followed."""
    branches = {team.pk: Branch(team) for team in teams}
    children: dict[int | None, list[Branch]] = {}
    for branch in sorted(branches.values(), key=lambda each: each.team.name.lower()):
        parent = branch.team.parent_id if branch.team.parent_id in branches else None
        children.setdefault(parent, []).append(branch)
    ordered: list[Branch] = []
    waiting = [(branch, 0) for branch in reversed(children.get(None, []))]
    while waiting:
        branch, depth = waiting.pop()
        branch.depth = min(depth, DEEPEST + 1)
        ordered.append(branch)
        waiting += [(child, depth + 1) for child in reversed(children.get(branch.team.pk, []))]
    placed = {branch.team.pk for branch in ordered}
    return ordered + [branch for branch in branches.values() if branch.team.pk not in placed]


def count(organisation: Organisation, branches: Sequence[Branch], *, direct: bool) -> None:
    """Puts people, teams inside and what is owned on these branches: three statements, however many."""
    numbers = _numbers(organisation, [branch.team.pk for branch in branches], direct=direct)
    refs = [branch.team.ref for branch in branches]
    below = {ref: [ref] for ref in refs} if direct else paths.below(organisation, refs)
    owned = owned_by_kind(organisation, below)
    for branch in branches:
        branch.inside, branch.people = numbers.get(branch.team.pk, (0, 0))
        branch.owned = owned.get(branch.team.ref, {})


def _numbers(organisation: Organisation, keys: Sequence[int], *, direct: bool) -> dict[int, tuple[int, int]]:
    """(teams below, people) by team; people once each, through all teams below or of the team alone. One statement."""
    if not keys:
        return {}
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT p.above_id, count(DISTINCT p.below_id) - 1,"
            " count(DISTINCT m.user_id) FILTER (WHERE NOT %s OR p.depth = 0)"
            " FROM accounts_teampath p LEFT JOIN accounts_teammembership m"
            "  ON m.organisation_id = p.organisation_id AND m.team_id = p.below_id"
            " WHERE p.organisation_id = %s AND p.above_id = ANY(%s) GROUP BY p.above_id",
            [direct, organisation.pk, list(keys)],
        )
        return {key: (inside, people) for key, inside, people in cursor.fetchall()}


def owned_by_kind(organisation: Organisation, below: Mapping[str, Sequence[str]]) -> dict[str, dict[str, int]]:
    """For each key how many of each kind its references own together: one statement."""
    question = IndexQuestion(organisation)
    kinds = {name: question.filter(In("kind", (name.lower(),))) for name in KINDS}
    owned = {key: question.filter(In(OWNED_BY, tuple(refs))) for key, refs in below.items()}
    question.ask()
    sets = {name: wanted.bits for name, wanted in kinds.items()}
    found = dict[str, dict[str, int]]()
    for key, wanted in owned.items():
        if bits := wanted.bits:
            found[key] = {name: number for name, kind in sets.items() if (number := (bits & kind).bit_count())}
    return found
