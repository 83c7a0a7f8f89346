"""What follows a push: the row remembers it, the audit log tells it, and whatever reads the repository hears of it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from django.utils import timezone

from portal.accounts import audit
from portal.accounts.actor import Actor
from portal.accounts.models import Organisation
from portal.accounts.tenancy import tenant
from portal.githosts.models import Repository

# What a reference stood at and stands at now, as ids; None where it was not, or is no more.
Move = tuple[str | None, str | None]


@dataclass(frozen=True)
class Push:
    """A push that moved something. `refs` are the full names of what moved; `actor` is who pushed, or Slipway."""

    organisation: Organisation
    repository: Repository
    refs: tuple[str, ...]
    actor: Actor

    def moved(self, revision: str) -> bool:
        """Whether the branch or tag moved; "" is the default branch."""
        name = revision or self.repository.default_branch
        return f"refs/heads/{name}" in self.refs or f"refs/tags/{name}" in self.refs


# Called inside the tenant's transaction after a push that moved something, by those who read repositories.
AFTER_PUSH: dict[str, Callable[[Push], None]] = {}


def tell(push: Push) -> None:
    """Lets those who read the repository know; must run inside the tenant."""
    for nudge in AFTER_PUSH.values():
        nudge(push)


def note_push(
    *,
    organisation: Organisation,
    actor: Actor,
    repository: Repository,
    moved: Mapping[str, Move],
) -> None:
    """Writes down what a person's push moved, and tells; `moved` is by the full names of the references.

    It is what this push moved and nothing else: whoever's content is published by trust is who pushed it.
    """
    if not moved:
        return
    names = ", ".join(name.removeprefix("refs/heads/").removeprefix("refs/tags/") for name in list(moved)[:5])
    more = f" and {len(moved) - 5} more" if len(moved) > 5 else ""
    with tenant(organisation):
        Repository.objects.for_tenant(organisation).filter(pk=repository.pk).update(pushed_at=timezone.now())
        audit.record(
            organisation=organisation,
            actor=actor,
            verb="repository.pushed",
            subject=repository,
            summary=f"Pushed {names}{more} of {repository.name}",
            data={"refs": {name: {"was": was, "is": now} for name, (was, now) in list(moved.items())[:20]}},
        )
        tell(Push(organisation, repository, tuple(moved), actor))
