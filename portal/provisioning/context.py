"""What a step may touch: its run's facts, its workspace, its log, and the ledger of effects."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Any

from django.utils import timezone

from portal.accounts.actor import Actor
from portal.accounts.models import Organisation
from portal.goldenpaths.files import File
from portal.kit.errors import Conflict
from portal.provisioning import keys
from portal.provisioning.failpoints import failpoint
from portal.provisioning.keeper import Keeper
from portal.provisioning.lease import Cancelled, Lease
from portal.provisioning.models import Effect

if TYPE_CHECKING:
    from portal.goldenpaths.models import Version


@dataclass(frozen=True)
class Target:
    """One thing a step is about to make or change outside.

    target is its name among the step's effects, label what a person reads, before what stands there now (None:
    nothing), reference what it takes to find the thing again.
    """

    target: str
    label: str
    before: dict[str, Any] | None = None
    reference: dict[str, Any] = field(default_factory=dict)


@dataclass
class Intent:
    """A ledger row as its step sees it."""

    row: Effect

    @property
    def before(self) -> dict[str, Any] | None:
        """What stood there before the first attempt of this run, however often it was tried since."""
        before: dict[str, Any] | None = self.row.before
        return before

    @property
    def reference(self) -> dict[str, Any]:
        """How to find the thing."""
        reference: dict[str, Any] = self.row.reference
        return reference

    def confirm(self, outcome: str, reference: dict[str, Any]) -> None:
        """It is made: `created`, `updated`, `adopted` or `unchanged`. Written with the step's outcome."""
        self.row.outcome = outcome
        self.row.reference = reference
        self.row.confirmed_at = timezone.now()


@dataclass
class StepContext:
    """Handed to a step's `run`. Everything else a step needs, it gets from its rendered input."""

    organisation: Organisation
    actor: Actor
    run_id: int
    run_title: str
    run_created_at: datetime
    owner_ref: str
    version: "Version"
    values: dict[str, Any]
    step_id: int
    step_idx: int
    step_key: str
    step_started_at: datetime
    # What the step answered when it last chose to wait: said again only when it changes.
    last_sentence: str
    iteration: int
    workspace: dict[str, File]
    lease: Lease
    keeper: Keeper
    intents: list[Intent] = field(default_factory=list)

    @property
    def marker(self) -> str:
        """What this run writes on things outside to know them again."""
        return keys.marker(self.organisation.pk, self.run_id)

    def log(self, text: str, level: str = "info") -> None:
        """Say something in the run's log; secrets are masked on the way."""
        self.lease.logbook.write(text, level=level, step_idx=self.step_idx)

    def check(self) -> None:
        """Call between two requests to the outside: raises when the run is cancelled or another worker has it."""
        self.keeper.check()

    def intend(self, kind: str, targets: Sequence[Target]) -> list[Intent]:
        """Write down what is about to be made, in one transaction, before anything is made.

        Raises Cancelled if the run was asked to stop: the last moment at which nothing has happened yet.
        """
        self.failpoint("before-intent")
        wanted = {keys.effect_key(self.run_id, self.step_key, self.iteration, kind, t.target): t for t in targets}
        if len(wanted) != len(targets):
            raise Conflict("The step names the same thing twice; each may appear once.", code="named-twice")
        with self.lease.fenced() as run:
            if run.cancel_requested_at is not None:
                raise Cancelled
            Effect.objects.bulk_create(
                [self._row(kind, key, target) for key, target in wanted.items()], ignore_conflicts=True
            )
            rows = {row.key: row for row in Effect.objects.for_tenant(self.organisation).filter(key__in=wanted)}
        intents = [Intent(rows[key]) for key in wanted]
        self.intents += intents
        self.failpoint("after-intent")
        return intents

    def _row(self, kind: str, key: str, target: Target) -> Effect:
        return Effect(
            organisation=self.organisation,
            run_id=self.run_id,
            step_id=self.step_id,
            key=key,
            kind=kind,
            label=target.label[:400],
            before=target.before,
            reference=target.reference,
        )

    def failpoint(self, name: str) -> None:
        """A place where tests end the process."""
        failpoint(f"{self.step_key}.{name}", self.lease.key)


@dataclass
class UndoContext:
    """Handed to the taking back of one effect."""

    organisation: Organisation
    actor: Actor
    run_id: int
    lease: Lease
    keeper: Keeper

    @property
    def marker(self) -> str:
        """What the run wrote on things outside."""
        return keys.marker(self.organisation.pk, self.run_id)

    def log(self, text: str, level: str = "info") -> None:
        """Say something in the run's log."""
        self.lease.logbook.write(text, level=level)

    def check(self) -> None:
        """Raises when another worker has the run."""
        self.keeper.check()


@dataclass(frozen=True)
class Undone:
    """The effect is taken back, or was gone already; the sentence says which."""

    sentence: str


@dataclass(frozen=True)
class LeftBehind:
    """The effect stays, on purpose; the sentence says why and what a person can do."""

    sentence: str
