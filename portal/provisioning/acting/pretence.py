"""The pretend world: what a launch would make, collected while actions pretend. Nothing here writes a row."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from catalog.descriptors.findings import Finding
from portal.accounts.models import Organisation
from portal.clusters.models import Cluster
from portal.goldenpaths.discovery import Served
from portal.goldenpaths.files import Workspace
from portal.provisioning.acting.claiming import LATER, Claim, Doer

__all__ = ["HIDDEN", "LATER", "Pretence", "Preview"]

# Stands for a secret, here and wherever answers are shown.
HIDDEN = "••••••"
Ask = Callable[[Cluster, list[tuple[str, str]]], Served]


@dataclass(frozen=True, slots=True)
class PreviewFile:
    """One file of the new repository."""

    path: str
    size: int
    is_executable: bool
    text: str | None

    @property
    def lines(self) -> list[str]:
        return (self.text or "").splitlines()


@dataclass(frozen=True, slots=True)
class PreviewManifest:
    """One object that would go to a cluster. `is_served` is None when the cluster could not be asked."""

    api_version: str
    kind: str
    namespace: str
    name: str
    where: str
    line: int
    is_optional: bool
    cluster: str
    is_served: bool | None = None


@dataclass(frozen=True, slots=True)
class PreviewEntity:
    """One entity that would come into the catalog."""

    ref: str
    kind: str
    name: str
    description: str
    owner: str


@dataclass(frozen=True, slots=True)
class PreviewRepository:
    """A repository that would be made."""

    name: str
    branch: str
    files: int


@dataclass(frozen=True, slots=True)
class PreviewStep:
    """One step, whether it would run with these answers, and with which input (a list of them with `each`)."""

    id: str
    name: str
    action: str
    runs: bool
    input: Any = None


def launch_problem(sentence: str, *, blocks: bool) -> Finding:
    """Something to know before launching; what `blocks` would make the run fail."""
    return Finding("", 0, "launch-blocked" if blocks else "launch-note", sentence)


@dataclass(slots=True)
class Preview:
    """Everything a launch would make, and what stands in its way."""

    files: list[PreviewFile] = field(default_factory=list)
    manifests: list[PreviewManifest] = field(default_factory=list)
    problems: list[Finding] = field(default_factory=list)
    repositories: list[PreviewRepository] = field(default_factory=list)
    entities: list[PreviewEntity] = field(default_factory=list)
    steps: list[PreviewStep] = field(default_factory=list)
    output: dict[str, Any] = field(default_factory=dict)
    claims: list[Claim] = field(default_factory=list)

    @property
    def adoptable(self) -> list[Claim]:
        """What stands there already and this person may take over, if they confirm it."""
        return [claim for claim in self.claims if claim.is_adoptable]

    @property
    def applied(self) -> list[PreviewManifest]:
        """The objects that would really be made: not those that their cluster does not serve."""
        return [one for one in self.manifests if one.is_served is not False]

    @property
    def is_blocked(self) -> bool:
        return any(problem.is_error for problem in self.problems)


@dataclass
class Pretence:
    """Handed to an action's `pretend`: the organisation's rows to read, a workspace to change, a preview to fill."""

    organisation: Organisation
    bundle: Workspace
    ask: Ask
    # Who would launch it and for whom; without one nothing is looked at in the clusters.
    doer: Doer | None = None
    workspace: Workspace = field(default_factory=dict)
    preview: Preview = field(default_factory=Preview)

    def problem(self, sentence: str, *, blocks: bool = True) -> None:
        """Note what stands in the way and go on, so that a person learns of everything at once."""
        if sentence not in {problem.sentence for problem in self.preview.problems}:
            self.preview.problems.append(launch_problem(sentence, blocks=blocks))
