"""One member's notices: narrowed, counted by kind, in pages by key, newest first."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from urllib.parse import urlencode

from django.db.models import Count, Q
from django.utils import timezone

from portal.accounts.access import Access
from portal.accounts.tenancy import TenantQuerySet
from portal.kit.errors import Invalid
from portal.notices.models import Notice
from portal.notices.registry import KINDS

PAGE = 30
BROKEN = "This link to a page of notices is broken. Start from the first page."


@dataclass(frozen=True)
class NoticeChoice:
    """What the address asks for: unread ones unless `is_all`, of one kind or of every kind ("")."""

    is_all: bool = False
    kind: str = ""

    @classmethod
    def read(cls, query: Mapping[str, str]) -> NoticeChoice:
        """Reads an address; what makes no sense asks for nothing."""
        kind = query.get("kind", "")
        return cls(query.get("show") == "all", kind if kind in KINDS else "")

    def query(self, **changes: Any) -> str:
        """The address's query with changes."""
        told = NoticeChoice(**{**vars(self), **changes})
        said = {**({"show": "all"} if told.is_all else {}), **({"kind": told.kind} if told.kind else {})}
        return f"?{urlencode(said)}"


def mine(access: Access) -> TenantQuerySet[Notice]:
    """All of the person's own, in no order."""
    return Notice.objects.for_tenant(access.organisation).filter(membership=access.membership)


def chosen(access: Access, choice: NoticeChoice) -> TenantQuerySet[Notice]:
    """Those that are asked for, in no order."""
    rows = mine(access)
    if not choice.is_all:
        rows = rows.filter(read_at=None)
    return rows.filter(kind=choice.kind) if choice.kind else rows


@dataclass(frozen=True)
class NoticePage:
    """One page; `after` is the cursor of the next one, "" at the end."""

    rows: list[Notice]
    after: str = ""


def page_of(rows: TenantQuerySet[Notice], after: str = "") -> NoticePage:
    """A page. Raises Invalid for a cursor that is not ours."""
    if after:
        at, pk = _place(after)
        rows = rows.filter(Q(at__lt=at) | Q(at=at, pk__lt=pk))
    found = list(rows.order_by("-at", "-pk")[: PAGE + 1])
    last = found[PAGE - 1] if len(found) > PAGE else None
    return NoticePage(found[:PAGE], f"{last.at.isoformat()}~{last.pk}" if last else "")


def _place(cursor: str) -> tuple[datetime, int]:
    at, _, pk = cursor.partition("~")
    try:
        moment, ident = datetime.fromisoformat(at.replace(" ", "+")), int(pk)
    except ValueError as error:
        raise Invalid(BROKEN, field="after") from error
    if timezone.is_naive(moment) or not 0 <= ident < 2**63:
        raise Invalid(BROKEN, field="after")
    return moment, ident


def kinds_of(access: Access, choice: NoticeChoice) -> list[tuple[str, str, int]]:
    """(kind, label, how many) of what could be narrowed to, the most first. One statement."""
    rows = chosen(access, NoticeChoice(choice.is_all)).order_by().values_list("kind").annotate(count=Count("pk"))
    return [(kind, KINDS[kind].label, count) for kind, count in rows.order_by("-count", "kind") if kind in KINDS]
