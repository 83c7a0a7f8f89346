"""The inbox of problems: narrowed by the address, counted, in pages by key. What nobody set aside, newest first."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import urlencode

from django.core.cache import cache
from django.db import connection
from django.db.models import Count, Q
from django.utils.timezone import now

from catalog.asking.paging import seal, unseal
from catalog.descriptors.problemkinds import PROBLEM_KINDS, SEVERITIES, kind_of_problem
from catalog.models import Problem, Source
from catalog.problems import open_of
from portal.accounts import paths
from portal.accounts.access import Access
from portal.accounts.tenancy import TenantQuerySet
from portal.kit.errors import Invalid

PAGE = 30
MOST_CHOICES = 12
# In the navigation more than this are "99+".
MOST_COUNTED = 99
# How long the number in the navigation may be old; the inbox itself is always exact.
COUNT_SECONDS = 15
MINE, NOBODY = "mine", "none"
AGES = {"new": "Since yesterday", "week": "A week or older", "month": "A month or older"}
Rows = TenantQuerySet[Problem]


@dataclass(frozen=True)
class Narrow:
    """What the address asks for; an empty value asks for everything.

    owner  a reference (a team: with those below it, unless `direct`), `mine` (what my teams and those below them own)
           or `none`
    aside  whether those set aside are shown instead
    """

    severity: str = ""
    code: str = ""
    owner: str = ""
    source: int = 0
    age: str = ""
    order: str = ""
    aside: bool = False
    direct: bool = False

    @property
    def is_narrow(self) -> bool:
        return self != Narrow(aside=self.aside, order=self.order, direct=self.direct)

    def query(self, **changes: object) -> str:
        """The address's query with changes, without what is empty: `?owner=mine&code=tag`."""
        told = replace(self, **changes)  # type: ignore[arg-type]  # by field, checked when asked
        values = {name: 1 if value is True else value for name, value in vars(told).items() if value}
        return "?" + urlencode(values)


def narrow_of(query: Mapping[str, str]) -> Narrow:
    """Reads an address; what makes no sense asks for nothing."""
    severity, source = query.get("severity", ""), query.get("source", "")
    age, code = query.get("age", ""), query.get("code", "")
    return Narrow(
        severity=severity if severity in SEVERITIES else "",
        code=code if code in PROBLEM_KINDS else "",
        owner=query.get("owner", "").replace("\0", "").strip().lower()[:400],
        source=int(source) if source.isdecimal() and len(source) < 18 else 0,
        age=age if age in AGES else "",
        order="old" if query.get("order") == "old" else "",
        aside=bool(query.get("aside")),
        direct=bool(query.get("direct")) and bool(query.get("owner")),
    )


def narrowed(access: Access, narrow: Narrow) -> Rows:
    """The problems that are asked for, in no order."""
    moment = now()
    if narrow.aside:
        rows: Rows = Problem.objects.for_tenant(access.organisation).filter(aside_until__gt=moment)
    else:
        rows = open_of(access.organisation)
    if narrow.severity:
        rows = rows.filter(severity=SEVERITIES.index(narrow.severity))
    if narrow.code:
        rows = rows.filter(code=narrow.code)
    if narrow.source:
        rows = rows.filter(source_id=narrow.source)
    if narrow.owner == MINE:
        rows = rows.filter(owner_ref__in=sorted(access.team_refs))
    elif narrow.owner == NOBODY:
        rows = rows.filter(owner_ref="")
    elif narrow.owner and narrow.direct:
        rows = rows.filter(owner_ref=narrow.owner)
    elif narrow.owner:
        rows = rows.filter(owner_ref__in=paths.with_below(access.organisation, narrow.owner))
    if narrow.age == "new":
        rows = rows.filter(first_seen_at__gte=moment - timedelta(days=1))
    elif narrow.age:
        rows = rows.filter(first_seen_at__lt=moment - timedelta(days=7 if narrow.age == "week" else 30))
    return rows


@dataclass(frozen=True)
class InboxPage:
    """One page; `after` is the cursor of the next one, "" at the end."""

    rows: list[Problem]
    after: str = ""


def page_of(rows: Rows, *, oldest_first: bool = False, after: str = "") -> InboxPage:
    """A page in the order of age. Raises Invalid for a cursor that is not ours."""
    if after:
        at, ident = _place(after)
        if oldest_first:
            rows = rows.filter(Q(first_seen_at__gt=at) | Q(first_seen_at=at, id__gt=ident))
        else:
            rows = rows.filter(Q(first_seen_at__lt=at) | Q(first_seen_at=at, id__lt=ident))
    order = ("first_seen_at", "id") if oldest_first else ("-first_seen_at", "-id")
    # Joined in one statement, the wall around sources hides from the planner how many there are, and it sorts them all.
    found = list(rows.prefetch_related("source", "aside_by").order_by(*order)[: PAGE + 1])
    last = found[PAGE - 1] if len(found) > PAGE else None
    return InboxPage(found[:PAGE], seal([last.first_seen_at.isoformat(), last.pk]) if last else "")


def _place(cursor: str) -> tuple[datetime, int]:
    content = unseal(cursor)
    try:
        at, ident = content
        return datetime.fromisoformat(at), int(ident)
    except (TypeError, ValueError) as error:
        raise Invalid("The cursor belongs to another list. Start again from the first page.", field="after") from error


@dataclass(frozen=True)
class InboxCounts:
    """How many there are of what is asked for, in all and by what one could narrow it to: (value, words, count)."""

    total: int = 0
    severities: list[tuple[str, str, int]] = field(default_factory=list)
    kinds: list[tuple[str, str, int]] = field(default_factory=list)
    owners: list[tuple[str, int]] = field(default_factory=list)
    sources: list[tuple[Source, int]] = field(default_factory=list)


def counts_of(rows: Rows) -> InboxCounts:
    """Three statements, whatever there is."""
    inner, values = rows.values_list("severity", "code").query.sql_with_params()
    with connection.cursor() as cursor:
        cursor.execute(
            f"SELECT severity, code, count(*) FROM ({inner}) AS asked (severity, code)"  # noqa: S608 - Django's own SQL
            " GROUP BY GROUPING SETS ((severity), (code), ()) ORDER BY 3 DESC, 1, 2",
            values,
        )
        told = cursor.fetchall()
    owners = _most(rows, "owner_ref")
    sources = dict(_most(rows, "source_id"))
    known = {row.pk: row for row in Source.objects.filter(pk__in=sources).only("id", "kind", "target")}
    return InboxCounts(
        total=next((count for severity, code, count in told if severity is None and code is None), 0),
        severities=[
            (SEVERITIES[severity], SEVERITIES[severity].capitalize(), count)
            for severity, _, count in sorted(told, key=lambda row: (row[0] is None, row[0]))
            if severity is not None
        ],
        kinds=[(code, kind_of_problem(code).title, count) for _, code, count in told if code is not None],
        owners=owners,
        sources=[(known[pk], count) for pk, count in sources.items() if pk in known],
    )


def _most(rows: Rows, column: str) -> list[tuple[Any, int]]:
    told = rows.order_by().values_list(column).annotate(count=Count("id")).order_by("-count", column)
    return list(told[:MOST_CHOICES])


def navigation_count(access: Access) -> str:
    """What stands beside "Problems" in the navigation: those of my teams; of everything for whoever is in none."""
    key = f"problems:{access.organisation.pk}:{access.user.pk}"
    told = cache.get(key)
    if told is None:
        rows = narrowed(access, Narrow(owner=MINE if access.team_refs else ""))
        count = rows.order_by()[: MOST_COUNTED + 1].count()
        told = f"{MOST_COUNTED}+" if count > MOST_COUNTED else str(count or "")
        cache.set(key, told, COUNT_SECONDS)
    return str(told)


def forget_count(access: Access) -> None:
    """After the person changed it themselves: the next page counts anew."""
    cache.delete(f"problems:{access.organisation.pk}:{access.user.pk}")
