"""Telling what is no audit event: a change of health, a problem that appeared. One row in the caller's transaction;
everybody whom it concerns is found afterwards."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from django.utils.timezone import now

from portal.accounts.models import Organisation
from portal.notices.models import Happening
from portal.notices.registry import KINDS


@dataclass(frozen=True, kw_only=True)
class Telling:
    """One thing to tell.

    kind  the key of a registered kind
    key   what makes it the same thing when it is told again: then nothing happens
    by    the id of the person who did it and is therefore not told; None for Slipway itself
    data  facts for the kind's audience and words, plain JSON
    """

    kind: str
    key: str
    summary: str
    at: datetime | None = None
    by: int | None = None
    by_name: str = ""
    subject_kind: str = ""
    subject_id: str = ""
    subject_label: str = ""
    data: Mapping[str, Any] = field(default_factory=dict)


def tell(organisation: Organisation | int, things: Iterable[Telling]) -> None:
    """Writes down what is to be told. Must run inside the tenant; raises KeyError for a kind that nobody registered."""
    organisation_id = organisation if isinstance(organisation, int) else organisation.pk
    rows = [
        Happening(
            organisation_id=organisation_id,
            kind=KINDS[thing.kind].key,
            key=thing.key[:200],
            at=thing.at or now(),
            summary=thing.summary[:500],
            actor_id=thing.by,
            actor_label=thing.by_name[:254],
            subject_kind=thing.subject_kind[:40],
            subject_id=thing.subject_id[:80],
            subject_label=thing.subject_label[:300],
            data=dict(thing.data),
        )
        for thing in things
    ]
    Happening.objects.bulk_create(rows, batch_size=500, ignore_conflicts=True)
