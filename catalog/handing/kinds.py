"""Whom a transfer concerns, and in which words."""

from __future__ import annotations

from typing import Any

from django.urls import reverse

from catalog.asking.query import entities_of
from catalog.handing import answering, carrying, offering
from catalog.handing.models import Transfer
from catalog.handing.plans import applying, drafting
from catalog.handing.suggesting import FOUND
from catalog.handing.sweeping import OFFERED
from catalog.holders import member_number
from catalog.naming import named
from portal.accounts.models import Organisation
from portal.kit.refs import kind_of, name_of
from portal.notices.people import Reasons, by_address, of_teams, who_may
from portal.notices.registry import MAIL, NOW, PORTAL, Audience, Happened, NoticeKind, NoticeText, register_kind

SECTION = "Changing hands"
ANSWERED, PLANNED = "transfer.answered", "reorganisation.over"


def whoever_answers(organisation: Organisation, ref: str) -> Reasons:
    """Leads of the team, or managers where nobody leads it; the person."""
    if kind_of(ref) == "group":
        leads = of_teams(organisation, [ref], leads_only=True)
        return leads or who_may(organisation, "teams.manage")
    number = member_number(ref)
    if number is not None:
        return {number: "It is offered to you."}
    rows = entities_of(organisation).filter(ref=ref).select_related("body")
    mails = [str((row.spec.get("profile") or {}).get("email", "")) for row in rows]
    return dict.fromkeys(by_address(organisation, mails).values(), "It is offered to you.")


def _receivers(happened: Happened) -> Audience:
    to = str(happened.data.get("to", ""))
    return Audience(
        whoever_answers(happened.organisation, to), teams=[to] if kind_of(to) == "group" else []
    )  # fmt: skip


def _askers(happened: Happened) -> Audience:
    """Whoever offered it; what nobody had to answer concerns nobody but who does it, or did it for a date."""
    people = {}
    for name, why in (("answered_by", "You accepted it."), ("asked_by", "You offered it.")):
        if number := happened.data.get(name):
            people[int(number)] = why
    return Audience(people)


def _offer(happened: Happened) -> NoticeText:
    to, count = str(happened.data.get("to", "")), int(happened.data.get("count", 0))
    called = named(happened.organisation.pk, [to])
    title = called[to].title if to in called else name_of(to)
    what = f"{count:,} entit{'y' if count == 1 else 'ies'}"
    start = happened.actor or "Somebody"
    said = happened.summary if happened.verb == OFFERED else f"{start} offers {what} to {title}"
    return NoticeText(said, _page(happened), str(happened.data.get("why", "")))


def _answer(happened: Happened) -> NoticeText:
    return NoticeText(happened.summary, _page(happened), str(happened.data.get("reason", "")))


def _page(happened: Happened) -> str:
    number = int(happened.subject_id)
    is_there = Transfer.objects.for_tenant(happened.organisation).filter(pk=number).exists()
    where = {"org": happened.org}
    return reverse("transfer", kwargs={**where, "transfer": number}) if is_there else reverse("transfers", kwargs=where)


def _leads(happened: Happened) -> Audience:
    to = str(happened.data.get("to", ""))
    return Audience(of_teams(happened.organisation, [to], leads_only=True), teams=[to])


def _suggested(happened: Happened) -> NoticeText:
    return NoticeText(f"{happened.summary}, {name_of(str(happened.data.get('to', '')))}",
                      f"{reverse('suggestions', kwargs={'org': happened.org})}?whose=mine")  # fmt: skip


def _plan_words(happened: Happened) -> NoticeText:
    link = reverse("reorganisation", kwargs={"org": happened.org, "plan": int(happened.subject_id)})
    return NoticeText(happened.summary, link)


def register() -> None:
    """Makes the kinds known."""
    at_once: Any = {PORTAL: NOW, MAIL: NOW}
    register_kind(
        NoticeKind(
            OFFERED,
            "Offered to you or your team",
            SECTION,
            "somebody offers to hand something over to you or to a team that you lead, and before the offer expires.",
            _receivers,
            _offer,
            verbs=(offering.ASKED,),
            channels=at_once,
            permission="catalog.view",
        ),
        NoticeKind(
            ANSWERED,
            "Answers to what you offered",
            SECTION,
            "what you offered is accepted, declined, handed over on its date, undone, or expires.",
            _askers,
            _answer,
            verbs=(
                answering.ACCEPTED, answering.DECLINED, answering.EXPIRED, answering.UNDONE, answering.WITHDRAWN,
                carrying.DONE, carrying.VOID,
            ),
            channels=at_once,
            permission="catalog.view",
        ),
        NoticeKind(
            PLANNED,
            "Reorganisations that you drafted",
            SECTION,
            "a reorganisation that you drafted is applied, undone, or cannot be applied on its day.",
            lambda it: Audience({int(it.data["made_by"]): "You drafted it."} if it.data.get("made_by") else {}),
            _plan_words,
            verbs=(applying.APPLIED, applying.UNDONE, drafting.FAILED),
            channels=at_once,
            permission="catalog.view",
        ),
        NoticeKind(
            FOUND,
            "Things that may be yours",
            SECTION,
            "evidence says that something which is nobody’s belongs to a team that you lead.",
            _leads,
            _suggested,
            grouping=lambda it: str(it.data.get("to", "")),
            channels={PORTAL: NOW, MAIL: "weekly"},
            permission="catalog.view",
        ),
    )  # fmt: skip
