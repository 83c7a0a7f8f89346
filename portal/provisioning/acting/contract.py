"""What an action is: its names, its schemas and its functions; and what each of those functions may touch."""

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Any, Protocol

from portal.accounts.actor import Actor
from portal.accounts.models import Organisation
from portal.goldenpaths.files import File
from portal.goldenpaths.vocabulary import ActionSpec
from portal.provisioning.acting.outcomes import Outcome
from portal.provisioning.acting.pretence import Pretence
from portal.provisioning.models import Effect

if TYPE_CHECKING:
    from portal.goldenpaths.models import Version


@dataclass(frozen=True)
class EffectTarget:
    """One thing a step is about to make or change outside.

    target is its name among the step's effects, label what a person reads, before what stands there now (None:
    nothing), reference what it takes to find the thing again.
    """

    target: str
    label: str
    before: dict[str, Any] | None = None
    reference: dict[str, Any] = field(default_factory=dict)


class Intent(Protocol):
    """A row of the ledger as its step sees it."""

    @property
    def before(self) -> dict[str, Any] | None:
        """What stood there before the first attempt of this run, however often it was tried since."""

    @property
    def reference(self) -> dict[str, Any]:
        """How to find the thing."""

    @property
    def key(self) -> str:
        """The row's name in the ledger."""

    def keep(self, before: dict[str, Any]) -> None:
        """Write down, at once, what stands there and is about to be changed. Raises when another worker has the run."""

    def confirm(self, outcome: str, reference: dict[str, Any]) -> None:
        """It is made: `created`, `updated`, `adopted` or `unchanged`. Written with the step's outcome."""


class StepContext(Protocol):
    """Handed to an action's `run`. Everything else it needs, it gets from its rendered input."""

    organisation: Organisation
    actor: Actor
    run_id: int
    run_title: str
    run_created_at: datetime
    owner_ref: str
    version: "Version"
    step_key: str
    iteration: int
    step_started_at: datetime
    # What the step answered when it last chose to wait: said again only when it changes.
    last_sentence: str
    workspace: dict[str, File]

    @property
    def marker(self) -> str:
        """What this run writes on things outside to know them again."""

    def log(self, text: str, level: str = "info") -> None:
        """Say something in the run's log; secrets are masked on the way."""

    def check(self) -> None:
        """Call between two requests to the outside: raises when the run is cancelled or another worker has it."""

    def intend(self, kind: str, targets: Sequence[EffectTarget]) -> Sequence[Intent]:
        """Write down what is about to be made, in one transaction, before anything is made."""

    def fenced(self) -> AbstractContextManager[Any]:
        """One transaction inside the organisation, in which this worker still has the run."""

    def failpoint(self, name: str) -> None:
        """A place where tests end the process."""


class UndoContext(Protocol):
    """Handed to the taking back of one effect."""

    organisation: Organisation
    actor: Actor
    run_id: int

    @property
    def marker(self) -> str:
        """What the run wrote on things outside."""

    def log(self, text: str, level: str = "info") -> None:
        """Say something in the run's log."""

    def check(self) -> None:
        """Raises when another worker has the run."""


@dataclass(frozen=True)
class Undone:
    """The effect is taken back, or was gone already; the sentence says which."""

    sentence: str


@dataclass(frozen=True)
class LeftBehind:
    """The effect stays, on purpose; the sentence says why and what a person can do."""

    sentence: str


Run = Callable[[StepContext, dict[str, Any]], Outcome]
Pretend = Callable[[Pretence, dict[str, Any]], dict[str, Any]]
Undo = Callable[[UndoContext, Effect], Undone | LeftBehind]


@dataclass(frozen=True, kw_only=True)
class Action(ActionSpec):
    """All there is to one action; its file ends with one of these, under the name ACTION.

    `pretend` is `run` in a world where nothing is made: the same refusals, an output of the same shape, and a note of
    what would have been made. `undo` holds, by the kind of effect, what takes it back. `touches_workspace_only` says
    that nothing outside is touched, so that the step can be done again whenever its files are gone.
    """

    run: Run
    pretend: Pretend
    undo: Mapping[str, Undo] = field(default_factory=dict)
    touches_workspace_only: bool = False
