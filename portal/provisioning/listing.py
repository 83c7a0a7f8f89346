"""Which runs a list shows: filters from the address, newest first, pages by key."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

from django.db.models import QuerySet

from portal.accounts.models import Organisation, User
from portal.provisioning.models import Run
from portal.provisioning.states import RUN_STATES

PAGE = 25


@dataclass(frozen=True)
class Filters:
    """What the address asks for; an empty value asks for everything."""

    status: str = ""
    path: str = ""
    who: str = ""
    entity: str = ""
    before: int = 0

    @property
    def is_narrow(self) -> bool:
        """Whether anything is left out, or earlier pages were turned."""
        return bool(self.status or self.path or self.who or self.entity or self.before)

    def query(self, **changes: str) -> str:
        """The address's query for these filters with changes, without empty ones."""
        values = {"status": self.status, "path": self.path, "who": self.who, "entity": self.entity, **changes}
        return urlencode({key: value for key, value in values.items() if value})


def filters_of(query: Mapping[str, str]) -> Filters:
    """Read an address; what makes no sense asks for nothing."""
    status, before = query.get("status", ""), query.get("before", "")
    return Filters(
        status=status if status in RUN_STATES else "",
        path=query.get("path", "")[:130],
        who=query.get("who", "")[:20],
        entity=query.get("entity", "").lower()[:300],
        before=int(before) if before.isdecimal() and len(before) < 19 else 0,
    )


def runs(organisation: Organisation | int, filters: Filters, user: User | None) -> QuerySet[Run]:
    """The runs, newest first, with what a row shows. `who=me` is the person who asks, if anybody does."""
    rows: QuerySet[Run] = Run.objects.for_tenant(organisation).select_related("requester", "version__path")
    if filters.status:
        rows = rows.filter(status=filters.status)
    if filters.path:
        rows = rows.filter(version__path__slug=filters.path)
    if filters.who == "me":
        rows = rows.filter(requester=user)
    elif filters.who.isdecimal():
        rows = rows.filter(requester_id=int(filters.who))
    if filters.entity:
        rows = rows.filter(entity_refs__contains=[filters.entity])
    if filters.before:
        rows = rows.filter(pk__lt=filters.before)
    return rows.defer("values", "output", "secrets", "version__document").order_by("-pk")


def page_of(rows: QuerySet[Run]) -> tuple[list[Run], int]:
    """One page, and the key from which the next one starts (0: there is none)."""
    found: list[Any] = list(rows[: PAGE + 1])
    return found[:PAGE], found[PAGE - 1].pk if len(found) > PAGE else 0
