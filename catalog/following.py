"""Whom what happens in the catalog concerns: those who own it, those who star it, those who follow its team."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import timedelta
from typing import Any
from uuid import UUID

from django.urls import reverse

from catalog.asking.query import entities_of
from catalog.lists.models import Star
from catalog.models import Role, Source
from catalog.naming import address
from catalog.owners.telling import VERB as OWNERSHIP
from portal.accounts.models import Membership, Organisation
from portal.kit.refs import kind_of, name_of
from portal.notices.people import Reasons, by_address, following_teams, of_teams, together, who_may
from portal.notices.registry import (
    DAILY,
    MAIL,
    MOST_LINES,
    NOW,
    PORTAL,
    Audience,
    Happened,
    NoticeKind,
    NoticeText,
    register_kind,
)

HEALTH, CHANGED, FAILED = "entity.health", "entity.followed", "source.failed"
SECTION = "Catalog"


def followers(organisation: Organisation, uids: Collection[UUID | str], owners: Collection[str]) -> Reasons:
    """Those who starred one of the entities, or follow one of the teams. Two statements."""
    stars = Star.objects.for_tenant(organisation).filter(entity_uid__in=uids).values_list("user_id", flat=True)
    return together(dict.fromkeys(stars, "You starred it."), following_teams(organisation, owners))


# ---- who answers for it ---------------------------------------------------------------------------------------------


def _handed(happened: Happened) -> Sequence[dict[str, str]]:
    found: Sequence[dict[str, str]] = happened.data.get("entities", ())
    return found


def _whom_it_was_handed(happened: Happened) -> Audience:
    """The people on either side, and who follows what was handed over."""
    handed, organisation = _handed(happened), happened.organisation
    refs = {ref for one in handed for ref in (one["from"], one["to"]) if ref}
    teams = sorted(ref for ref in refs if kind_of(ref) == "group")
    people = _people(organisation, [ref for ref in refs if kind_of(ref) == "user"])
    following = followers(organisation, [one["uid"] for one in handed], teams)
    return Audience(together(people, of_teams(organisation, teams), following), teams=teams)


def _people(organisation: Organisation, refs: Collection[str]) -> Reasons:
    """The members whom these User entities describe, by the mail address in their profile."""
    if not refs:
        return {}
    rows = entities_of(organisation).filter(ref__in=refs).select_related("body")
    mails = [str((row.spec.get("profile") or {}).get("email", "")) for row in rows]
    return dict.fromkeys(by_address(organisation, mails).values(), "It names you.")


def _handed_words(happened: Happened) -> NoticeText:
    handed = _handed(happened)
    lines = [(_handed_line(one), page_of(happened.org, one["ref"])) for one in handed]
    why = str(happened.data.get("why", "") or "")
    if len(handed) == 1:
        by = f"By {happened.actor}." if happened.actor else ""
        return NoticeText(lines[0][0], lines[0][1], f"{by} {why}".strip())
    entities = len({one["ref"] for one in handed})
    title = f"Who answers for {entities:,} entit{'y' if entities == 1 else 'ies'} has changed"
    return NoticeText(title, reverse("catalog", kwargs={"org": happened.org}), why, lines[:MOST_LINES])


def _handed_line(one: dict[str, str]) -> str:
    called, to = name_of(one["ref"]), name_of(one["to"]) if one["to"] else "nobody"
    was = f", before {name_of(one['from'])}" if one["from"] else ""
    if one["role"] == Role.OWNER.value:
        return f"{called} belongs to {to}{was}"
    return f"{Role(one['role']).label} of {called}: {to}{was}"


def page_of(org: str, ref: str) -> str:
    """The page of an entity, or the catalog's for a reference that no address can hold."""
    return address(org, ref) or reverse("catalog", kwargs={"org": org})


# ---- what is followed -----------------------------------------------------------------------------------------------


def _who_follows(happened: Happened) -> Audience:
    owner = str(happened.data.get("owner", ""))
    return Audience(
        followers(happened.organisation, [happened.subject_id], [owner] if owner else []),
        teams=[owner] if owner else [],
    )


def _as_told(happened: Happened) -> NoticeText:
    return NoticeText(
        happened.summary, page_of(happened.org, happened.subject_label), str(happened.data.get("text", ""))
    )


# ---- sources --------------------------------------------------------------------------------------------------------


def _whose_source(happened: Happened) -> Audience:
    """Whoever registered it; when they are gone, those who look after what is nobody's."""
    made_by = happened.data.get("created_by")
    rows = Membership.objects.for_tenant(happened.organisation).filter(user=made_by) if made_by else None
    if rows is not None and rows.exists():
        return Audience({int(str(made_by)): "You registered it."})
    return Audience(who_may(happened.organisation, "catalog.remove"))


def _source_words(happened: Happened) -> NoticeText:
    where = {"org": happened.org, "source": int(happened.subject_id)}
    rows = Source.objects.for_tenant(happened.organisation).filter(pk=happened.subject_id)
    link = reverse("source", kwargs=where) if rows.exists() else reverse("sources", kwargs={"org": happened.org})
    return NoticeText(happened.summary, link, str(happened.data.get("text", "")))


def register() -> None:
    """Makes the kinds known."""
    told: Any = {PORTAL: NOW, MAIL: DAILY}
    register_kind(
        NoticeKind(
            OWNERSHIP,
            "Who answers for it",
            SECTION,
            "the owner or another role of what is yours, or of what you follow, changes.",
            _whom_it_was_handed,
            _handed_words,
            verbs=(OWNERSHIP,),
            grouping=lambda it: "",
            channels=told,
            permission="catalog.view",
        ),
        NoticeKind(
            HEALTH,
            "Health of what you follow",
            SECTION,
            "something that you follow goes down, and when it is mended.",
            _who_follows,
            _as_told,
            channels={PORTAL: NOW, MAIL: NOW},
            permission="catalog.view",
        ),
        NoticeKind(
            CHANGED,
            "Changes of what you follow",
            SECTION,
            "something that you follow is removed, its lifecycle changes, or its file breaks.",
            _who_follows,
            _as_told,
            channels=told,
            permission="catalog.view",
        ),
        NoticeKind(
            FAILED,
            "Sources that fail",
            SECTION,
            "a source that you registered can no longer be read.",
            _whose_source,
            _source_words,
            window=timedelta(hours=1),
            channels=told,
            permission="catalog.view",
        ),
    )
