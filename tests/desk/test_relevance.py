"""How well search puts what is meant at the top. The floor is what was reached last: it may only rise."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from portal.accounts.access import Access
from portal.accounts.models import Membership, Organisation, User, Way
from portal.accounts.tenancy import tenant
from portal.desk.finding.answering import answer
from portal.desk.finding.questions import read_question
from portal.desk.finding.search import find
from portal.desk.finding.typed import read
from tests.desk.corpus import settle
from tests.desk.relevance import SET, Expected

# Mean reciprocal rank, and the share of queries whose first hit is what was meant.
FLOOR_MRR, FLOOR_TOP = 0.989, 0.989
DEEPEST = 20


def shown(access: Access, query: str) -> list[str]:
    """Keys in the order in which the page shows them: the answer first."""
    typed = read(query)
    question = read_question(typed.asked.text)
    card = answer(access, question) if question else None
    return [*([card.key] if card else []), *(hit.key for hit in find(access, typed).hits[:DEEPEST])]


def place(keys: list[str], expected: Expected) -> int:
    """1 for the top, 0 for nowhere."""
    return next((at for at, key in enumerate(keys, 1) if key in expected.tops), 0)


def enter(organisation: Organisation, who: str) -> Access:
    return enter_as(organisation, User.objects.get(email=f"{who}@slipway.example"))


def enter_as(organisation: Organisation, user: User) -> Access:
    """A person inside, as the gate lets them in. Needs the tenant."""
    member = Membership.objects.for_tenant(organisation).get(user=user)
    return Access(organisation=organisation, user=user, membership=member, way=Way.PAGE)


@pytest.mark.django_db
def test_what_is_meant_stands_at_the_top(tmp_path: Path, capsys: Any) -> None:
    organisation = settle(tmp_path)
    assert len(SET) >= 80
    assert len({row.query for row in SET}) == len(SET)
    places: list[int] = []
    report: list[str] = []
    with tenant(organisation):
        people = {who: enter(organisation, who) for who in ("dev", "ada", "mae", "vic")}
        for row in SET:
            keys = shown(people[row.who], row.query)
            at = place(keys, row)
            places.append(at)
            if at != 1:
                report.append(f"  {row.query!r} ({row.who}): {at or 'not found'}, wanted {row.tops[0]}, got {keys[:4]}")
    mrr = sum(1 / at for at in places if at) / len(places)
    top = sum(at == 1 for at in places) / len(places)
    with capsys.disabled():
        print(f"\nRelevance over {len(SET)} queries: MRR {mrr:.3f} (floor {FLOOR_MRR}), top-1 {top:.3f} ({FLOOR_TOP})")
        print("\n".join(report))
    assert mrr >= FLOOR_MRR
    assert top >= FLOOR_TOP
