"""What the tests of notices share: a kind that everybody in Acme may be told, and turns of the live process."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from portal.accounts import audit
from portal.accounts.actor import Actor
from portal.accounts.models import AuditEvent
from portal.notices import consuming, registry
from portal.notices.models import Delivery, Notice
from portal.notices.registry import MAIL, NOW, PORTAL, Audience, NoticeKind, NoticeText, register_kind
from tests.conftest import World

VERB = "kettle.boiled"


@pytest.fixture(autouse=True)
def kettle() -> Iterator[None]:
    """A kind of notice about kettles, for whom the event names: data.people are ids, data.teams references."""
    register_kind(
        NoticeKind(
            "kettle",
            "Kettles",
            "Kitchen",
            "a kettle boils.",
            lambda it: Audience(
                {int(one): "You like tea." for one in it.data.get("people", ())},
                teams=it.data.get("teams", ()),
                mails=dict.fromkeys(it.data.get("mails", ()), "It is your kettle."),
            ),
            lambda it: NoticeText(it.summary, f"/o/{it.org}/", f"Said by {it.actor}."),
            verbs=(VERB,),
            grouping=lambda it: str(it.data.get("kettle", it.key)),
            channels={PORTAL: NOW, MAIL: NOW, "team-mail": NOW},
        )
    )
    yield
    del registry.KINDS["kettle"]
    register_kind()


@pytest.fixture
def boil(committed_world: World) -> Callable[..., AuditEvent]:
    """boil("one", people=[…]) -> the event, by Slipway itself unless `by` names a person."""

    def say(summary: str, *, people: Any = (), by: Any = None, organisation: Any = None, **data: Any) -> AuditEvent:
        where = organisation or committed_world.acme
        with committed_world.tenant(where):
            return audit.record(
                organisation=where,
                actor=Actor.task(by) if by else Actor.slipway(),
                verb=VERB,
                summary=summary,
                data={"people": [person.pk for person in people], **data},
            )

    return say


@pytest.fixture
def turn(monkeypatch: pytest.MonkeyPatch) -> Callable[[], int]:
    """One turn of the live process, whose nudges go nowhere: a test sends by itself."""
    monkeypatch.setattr(consuming, "nudge", lambda organisation_id: True)
    return consuming.turn


def notices_of(world: World, person: Any) -> list[Notice]:
    with world.tenant():
        return list(Notice.objects.filter(membership__user=person).select_related("membership").order_by("pk"))


def deliveries_of(world: World, **wanted: Any) -> list[Delivery]:
    with world.tenant():
        return list(Delivery.objects.filter(**wanted).select_related("membership__user", "notice").order_by("pk"))


def unread_of(world: World, person: Any) -> int:
    from portal.accounts.models import Membership

    with world.tenant():
        return Membership.objects.get(user=person).unread_notices
