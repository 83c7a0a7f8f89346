"""Answers that are kept until what they were made from changes: what was looked at is noted as it is looked at.

A unit of work (a pod's health, an entity's row) is asked once. Whatever it read from the store, whichever other units
it asked, and every moment with which it compared the clock is noted. A change forgets exactly the units that read what
has changed, and those that asked them; a timer wakes exactly the units whose comparison turns out differently by then.
No rule has to say what it depends on, so none can say it wrongly.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable, Hashable, Iterable
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from typing import Any, TypeVar, cast

from portal.clusters.health.memory import Memory
from portal.clusters.health.terms import Around, Health
from portal.clusters.store import Key, Store, key_of, links_of
from portal.clusters.structs import KubeObject

_T = TypeVar("_T")

# What an answer may be made from: a Key, (index, value) as in links_of, ("uid", uid), ("count", kind), or another unit.
Dep = Hashable
# What is asked: a word and what it is about. The word is none of those above.
Unit = tuple[str, Any]

HEALTH = "health"
# A comparison turns just after its moment, not at it.
JUST_AFTER = 0.01
# A rule that computes with the clock in a way that is not followed here is asked again after this long (seconds).
CLOCK_EVERY = 15.0
_MISSING = object()


class Age(float):
    """Seconds since a moment. It notes every length of time that it is compared with and has not reached yet."""

    __slots__ = ("_looking",)
    _looking: Looking

    @classmethod
    def of(cls, seconds: float, looking: Looking) -> Age:
        made = cls(seconds)
        made._looking = looking
        return made

    def _note(self, other: object) -> None:
        # two ages grow at the same pace: how they compare never changes
        if isinstance(other, int | float) and not isinstance(other, Age) and other >= float(self):
            self._looking.holds_for(other - float(self))

    def __lt__(self, other: float) -> bool:
        self._note(other)
        return float.__lt__(self, other)

    def __le__(self, other: float) -> bool:
        self._note(other)
        return float.__le__(self, other)

    def __gt__(self, other: float) -> bool:
        self._note(other)
        return float.__gt__(self, other)

    def __ge__(self, other: float) -> bool:
        self._note(other)
        return float.__ge__(self, other)


class Elapsed(timedelta):
    """What lies between now and a moment."""

    looking: Looking

    def total_seconds(self) -> Age:
        return Age.of(super().total_seconds(), self.looking)


class Now(datetime):
    """The moment of a look: what is subtracted from it is an age that notes its comparisons, and so does it itself."""

    looking: Looking

    @classmethod
    def at(cls, now: datetime, looking: Looking) -> Now:
        made = cls.fromtimestamp(now.timestamp(), now.tzinfo)
        made.looking = looking
        return made

    def plain(self) -> datetime:
        """The same moment, without a memory."""
        return datetime.fromtimestamp(self.timestamp(), self.tzinfo)

    def __sub__(self, other: Any) -> Any:
        if isinstance(other, datetime):
            between = self.plain() - other
            made = Elapsed(days=between.days, seconds=between.seconds, microseconds=between.microseconds)
            made.looking = self.looking
            return made
        self.looking.holds_for(CLOCK_EVERY)
        return self.plain() - other

    def __add__(self, other: timedelta) -> Any:
        self.looking.holds_for(CLOCK_EVERY)
        return self.plain() + other

    def astimezone(self, tz: Any = None) -> Any:
        self.looking.holds_for(CLOCK_EVERY)
        return self.plain().astimezone(tz)

    def _note(self, other: date) -> None:
        if isinstance(other, datetime):
            self.looking.holds_for((other - self.plain()).total_seconds())

    def __lt__(self, other: date) -> bool:
        self._note(other)
        return datetime.__lt__(self, other)  # type: ignore[operator]

    def __le__(self, other: date) -> bool:
        self._note(other)
        return datetime.__le__(self, other)  # type: ignore[operator]

    def __gt__(self, other: date) -> bool:
        self._note(other)
        return datetime.__gt__(self, other)  # type: ignore[operator]

    def __ge__(self, other: date) -> bool:
        self._note(other)
        return datetime.__ge__(self, other)  # type: ignore[operator]


class NotingStore(Store):
    """A store's objects, with a note of what was read. It never changes them."""

    def __init__(self, store: Store) -> None:
        self._objects = store._objects
        self._by_uid = store._by_uid
        self._links = store._links
        self.deps: set[Dep] = set()

    def get(self, key: Key) -> KubeObject | None:
        self.deps.add(key)
        return super().get(key)

    def by_uid(self, uid: str) -> KubeObject | None:
        self.deps.add(("uid", uid))
        key = self._by_uid.get(uid)
        return self._objects[key.kind].get(key) if key else None

    def linked(self, index: str, value: str, kind: str = "") -> list[KubeObject]:
        self.deps.add((index, value))
        return super().linked(index, value, kind)

    def count(self, kind: str) -> int:
        self.deps.add(("count", kind))
        return super().count(kind)

    def put(self, obj: KubeObject) -> KubeObject | None:
        raise TypeError("A look changes nothing.")

    def drop(self, key: Key) -> KubeObject | None:
        raise TypeError("A look changes nothing.")

    def of_kind(self, kind: str) -> list[KubeObject]:
        raise TypeError("A rule that looks at every object of a kind would be judged again at each change of any.")

    def keys(self, kind: str) -> list[Key]:
        raise TypeError("A rule that looks at every object of a kind would be judged again at each change of any.")


def deps_of(obj: KubeObject) -> Iterable[Dep]:
    """Everything by which an object can have been read."""
    yield key_of(obj)
    if obj.metadata.uid:
        yield "uid", obj.metadata.uid
    yield from links_of(obj)


@dataclass(frozen=True)
class Looking(Around):
    """One look of one unit at everything around it."""

    memo: Memo = field(kw_only=True)

    def kept(self, obj: KubeObject, rule: Callable[[Any, Around], Health]) -> Health:
        unit = (HEALTH, key_of(obj))
        self.note(unit)

        def work(looking: Looking) -> Health:
            looking.note(key_of(obj))  # the rule is handed the object: it does not read it from the store itself
            return rule(obj, looking)

        return self.memo.ask(unit, work)

    def note(self, dep: Dep) -> None:
        """Notes something else that the answer is made from."""
        assert isinstance(self.store, NotingStore)
        self.store.deps.add(dep)

    def holds_for(self, seconds: float) -> None:
        """The answer may be another one after so many seconds."""
        if seconds >= 0:
            self.memo.shorten(seconds)


class Memo:
    """The answers of one cluster. `clock` tells the time; `asked` counts the units that were really worked out."""

    def __init__(self, store: Store, memory: Memory, clock: Callable[[], datetime]) -> None:
        self.store = store
        self.memory = memory
        self.clock = clock
        self.asked = 0
        self._answers: dict[Unit, Any] = {}
        self._reads: dict[Unit, tuple[Dep, ...]] = {}
        self._readers: dict[Dep, set[Unit]] = {}
        self._until: dict[Unit, float] = {}
        self._timers: list[tuple[float, Unit]] = []
        self._holding: list[float] = []  # of the units that are being worked out, innermost last

    def ask(self, unit: Unit, work: Callable[[Looking], _T]) -> _T:
        """The kept answer, or the one that `work` finds now."""
        found = self._answers.get(unit, _MISSING)
        if found is not _MISSING:
            return cast(_T, found)  # what a unit answers is told by its word
        self.asked += 1
        now = self.clock()
        seen = NotingStore(self.store)
        self._holding.append(float("inf"))
        try:
            answer = work(self._looking(seen, now))
        finally:
            holds = self._holding.pop()
        self._keep(unit, answer, seen.deps, now.timestamp() + holds + JUST_AFTER)
        return answer

    def _looking(self, seen: NotingStore, now: datetime) -> Looking:
        looking = Looking(seen, now, self.memory, memo=self)
        object.__setattr__(looking, "now", Now.at(now, looking))
        return looking

    def shorten(self, seconds: float) -> None:
        """What is being worked out holds for no longer than that."""
        if self._holding:
            self._holding[-1] = min(self._holding[-1], seconds)

    def _keep(self, unit: Unit, answer: Any, deps: set[Dep], until: float) -> None:
        self._answers[unit] = answer
        self._reads[unit] = tuple(deps)
        for dep in deps:
            self._readers.setdefault(dep, set()).add(unit)
        if until != float("inf"):
            self._until[unit] = until
            if len(self._timers) > 2 * len(self._until) + 100:
                self._timers = [(at, item) for item, at in self._until.items()]
                heapq.heapify(self._timers)
            else:
                heapq.heappush(self._timers, (until, unit))

    def forget(self, unit: Unit) -> set[Unit]:
        """Forgets an answer and those that were made from it; answers which."""
        gone = {unit} if self._drop(unit) else set()
        return gone | self.touch([unit])

    def _drop(self, unit: Unit) -> bool:
        if unit not in self._answers:
            return False
        del self._answers[unit]
        self._until.pop(unit, None)
        for dep in self._reads.pop(unit):
            readers = self._readers[dep]
            readers.discard(unit)
            if not readers:
                del self._readers[dep]
        return True

    def touch(self, deps: Iterable[Dep]) -> set[Unit]:
        """Something changed: forgets every answer that was made from it, directly or not; answers which."""
        gone: set[Unit] = set()
        waiting = list(deps)
        while waiting:
            for unit in tuple(self._readers.get(waiting.pop(), ())):
                self._drop(unit)
                gone.add(unit)
                waiting.append(unit)
        return gone

    def wake(self) -> set[Unit]:
        """Forgets every answer whose time has come; answers which."""
        gone: set[Unit] = set()
        now = self.clock().timestamp()
        while self._timers and self._timers[0][0] <= now:
            at, unit = heapq.heappop(self._timers)
            if self._until.get(unit) == at:
                gone |= self.forget(unit)
        return gone

    def next_wake(self) -> float | None:
        """In how many seconds `wake` has something to do; None when only a change can bring it about."""
        while self._timers and self._until.get(self._timers[0][1]) != self._timers[0][0]:
            heapq.heappop(self._timers)
        return max(self._timers[0][0] - self.clock().timestamp(), 0.0) if self._timers else None

    def __len__(self) -> int:
        return len(self._answers)
