"""Whose each thing should be, from gathered facts; and how often that is right, by hiding owners and comparing."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field, replace

from catalog.handing import weighing
from catalog.handing.gathering import Gathered, Known, counted_by_place
from catalog.handing.weighing import Evidence, Suggested, Thing
from portal.kit.refs import name_of


class Judge:
    """All that can be worked out once for all things. `hidden`: keys whose owner is taken for unknown."""

    def __init__(self, facts: Gathered, hidden: Collection[str] = ()) -> None:
        self.facts = facts
        known = [replace(each, owner="") if each.key in hidden else each for each in facts.known]
        self.known = {each.key: each for each in known}
        self.places = counted_by_place(known)
        things = [Thing(each.key, each.repository, each.folder, each.owner) for each in known if each.repository]
        self.work = weighing.work_on(things, facts.histories)
        self.belongs = weighing.belonging(things, self.work, facts.members)
        self.folders: dict[str, set[str]] = {}
        for thing in things:
            self.folders.setdefault(thing.repository, set()).add(thing.folder)
        self.named = {
            thing.key: told
            for thing in things
            if (history := facts.histories.get(thing.repository)) is not None
            and (told := weighing.named_in_file(history, thing.folder, self.folders[thing.repository])) is not None
        }
        self.learned = weighing.names_learned(things, self.named)

    def evidence(self, key: str) -> list[Evidence]:
        """Everything that speaks for somebody."""
        one, facts = self.known[key], self.facts
        thing = Thing(key, one.repository, one.folder)
        found = [
            *weighing.by_code_owners(self.named.get(key), self.resolve),
            *weighing.by_commits(thing, self.work, self.belongs),
            *weighing.by_neighbours(name_of(one.place), self.places.get(one.place, {}) if one.place else {}),
            *weighing.by_namespace(facts.namespaces.get(key, {})),
        ]
        if key in facts.launches:
            found += weighing.by_launch(*facts.launches[key])
        return found

    def suggest(self, key: str, refused: Collection[str] = ()) -> Suggested | None:
        """Whom it should belong to; None for silence."""
        return weighing.weigh(self.evidence(key), refused)

    def resolve(self, owner: str) -> Sequence[str]:
        """The teams that a name in CODEOWNERS means here: by what it is called, else by what it owns."""
        name = owner.lower().removeprefix("@")
        names = self.facts.names
        found = names.get(name) or names.get(name.rpartition("/")[2])
        return found or ([self.learned[owner]] if owner in self.learned else [])


@dataclass
class Measured:
    """How it went: of `asked` hidden owners it spoke for `spoken`, and `right` of these were so.

    by_word  confidence in words -> [spoken, right]; wrong: (reference, suggested, true owner) -> how often
    """

    asked: int = 0
    spoken: int = 0
    right: int = 0
    by_word: dict[str, list[int]] = field(default_factory=dict)
    wrong: Counter[tuple[str, str, str]] = field(default_factory=Counter)

    @property
    def coverage(self) -> float:
        return self.spoken / self.asked if self.asked else 0.0

    @property
    def precision(self) -> float:
        return self.right / self.spoken if self.spoken else 0.0


def measure(facts: Gathered, *, share: float, turns: int, seed: int = 1) -> Measured:
    """Hides a share (0..1) of the owners at random, all at once, suggests, compares; so many times.

    Only things whose repository is at hand are asked for: without a history there is nothing to find out.
    """
    truth = {each.key: each for each in facts.known if each.owner and each.repository in facts.histories}
    found = Measured()
    for turn in range(turns):
        hidden = random.Random(seed + turn).sample(sorted(truth), int(len(truth) * share))  # noqa: S311 - no secret
        judge = Judge(facts, set(hidden))
        for key in hidden:
            _compare(found, truth[key], judge.suggest(key))
    return found


def _compare(found: Measured, truth: Known, said: Suggested | None) -> None:
    found.asked += 1
    if said is None:
        return
    is_right = said.to_ref == truth.owner
    counts = found.by_word.setdefault(said.word, [0, 0])
    found.spoken, found.right = found.spoken + 1, found.right + is_right
    counts[0], counts[1] = counts[0] + 1, counts[1] + is_right
    if not is_right:
        found.wrong[(truth.ref, said.to_ref, truth.owner)] += 1


def in_words(found: Measured, turns: int) -> list[str]:
    """A report, line by line."""
    lines = [
        f"{found.asked:,} owners hidden in {turns} turns: spoke for {found.coverage:.1%}, right {found.precision:.1%}.",
    ]
    lines += [f"  {word}: {spoken:,} said, {right / spoken:.1%} right" for word, (spoken, right) in
              sorted(found.by_word.items())]  # fmt: skip
    lines += [
        f"  wrong {count}x: {ref} to {said}, is {true}" for (ref, said, true), count in found.wrong.most_common(10)
    ]
    return lines
