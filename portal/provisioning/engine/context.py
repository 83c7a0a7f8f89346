"""The real world as an action sees it: its run's facts, its workspace, its log, and the ledger of effects."""

from collections.abc import Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Any

from django.conf import settings
from django.utils import timezone

from portal.accounts.actor import Actor
from portal.accounts.models import Organisation
from portal.goldenpaths.files import File
from portal.kit.errors import Conflict
from portal.kit.failpoints import failpoint
from portal.provisioning.acting.contract import EffectTarget
from portal.provisioning.engine import keys
from portal.provisioning.engine.keeper import StepKeeper
from portal.provisioning.engine.lease import Cancelled, RunLease
from portal.provisioning.models import Effect

if TYPE_CHECKING:
    from portal.goldenpaths.models import Version


@dataclass
class LedgerIntent:
    """A ledger row as its step sees it: the step reads what it wrote, the row holds it with secrets masked."""

    row: Effect
    before: dict[str, Any] | None
    reference: dict[str, Any]
    lease: RunLease
    is_confirmed: bool = False

    @property
    def key(self) -> str:
        """The row's name in the ledger."""
        return str(self.row.key)

    def keep(self, before: dict[str, Any]) -> None:
        """Write down, at once, what stands there and is about to be changed; secrets in it are the caller's to seal."""
        self.before = before
        with self.lease.fenced():
            Effect.objects.for_tenant(self.row.organisation_id).filter(pk=self.row.pk).update(before=before)

    def confirm(self, outcome: str, reference: dict[str, Any]) -> None:
        """It is made: `created`, `updated`, `adopted` or `unchanged`. Written with the step's outcome."""
        self.row.outcome = outcome
        self.reference = reference
        self.row.confirmed_at = timezone.now()
        self.is_confirmed = True


@dataclass
class RunContext:
    """Handed to an action's `run`: the StepContext of the real world.

    `runs_always`: the step's condition calls `always()` or `failure()`; a wish to stop does not stop it.
    """

    organisation: Organisation
    actor: Actor
    run_id: int
    run_title: str
    run_created_at: datetime
    owner_ref: str
    version: "Version"
    step_id: int
    step_idx: int
    step_key: str
    step_started_at: datetime
    last_sentence: str
    iteration: int
    workspace: dict[str, File]
    lease: RunLease
    keeper: StepKeeper
    runs_always: bool = False
    intents: list[LedgerIntent] = field(default_factory=list)

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

    def intend(self, kind: str, targets: Sequence[EffectTarget]) -> list[LedgerIntent]:
        """Write down what is about to be made, in one transaction, before anything is made.

        Raises Cancelled if the run was asked to stop: the last moment at which nothing has happened yet.
        """
        self.failpoint("before-intent")
        wanted = {self._key(kind, target): target for target in targets}
        if len(wanted) != len(targets):
            raise Conflict("The step names the same thing twice; each may appear once.", code="named-twice")
        with self.lease.fenced() as run:
            if run.cancel_requested_at is not None and not self.runs_always:
                raise Cancelled
            Effect.objects.bulk_create(
                [self._row(kind, key, target) for key, target in wanted.items()], ignore_conflicts=True
            )
            rows = {row.key: row for row in Effect.objects.for_tenant(self.organisation).filter(key__in=wanted)}
        intents = [
            LedgerIntent(rows[key], rows[key].before, self._reference(rows[key], wanted[key]), self.lease)
            for key in wanted
        ]
        self.intents += intents
        self.failpoint("after-intent")
        return intents

    def _key(self, kind: str, target: EffectTarget) -> str:
        name = target.target
        if self.lease.logbook.redactor.clean(name) != name:
            name = keys.hidden(name, settings.SECRET_KEY)
        return keys.effect_key(self.run_id, self.step_key, self.iteration, kind, name)

    def _reference(self, row: Effect, target: EffectTarget) -> dict[str, Any]:
        """What the row knows of the thing, unless it had to be masked there: then what the step says of it now."""
        reference: dict[str, Any] = row.reference
        return target.reference if reference == self.lease.logbook.redactor.clean_value(target.reference) else reference

    def _row(self, kind: str, key: str, target: EffectTarget) -> Effect:
        redactor = self.lease.logbook.redactor
        return Effect(
            organisation=self.organisation,
            run_id=self.run_id,
            step_id=self.step_id,
            key=key,
            kind=kind,
            label=redactor.clean(target.label)[:400],
            before=redactor.clean_value(target.before),
            reference=redactor.clean_value(target.reference),
        )

    def fenced(self) -> AbstractContextManager[Any]:
        """One transaction inside the organisation, in which this worker still has the run."""
        return self.lease.fenced()

    def failpoint(self, name: str) -> None:
        """A place where tests end the process."""
        failpoint(f"{self.step_key}.{name}", self.lease.key)


@dataclass
class TakingBack:
    """Handed to the taking back of one effect: the UndoContext of the real world."""

    organisation: Organisation
    actor: Actor
    run_id: int
    lease: RunLease
    keeper: StepKeeper

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
