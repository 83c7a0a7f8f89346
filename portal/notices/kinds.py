"""The kinds of notices about what the rooms below do: people and teams, and this room's own destinations."""

from __future__ import annotations

from datetime import timedelta

from portal.accounts.models import Invitation, Membership, Team
from portal.notices.people import Reasons, by_address, of_teams, together, who_may
from portal.notices.registry import MAIL, NOW, PORTAL, Audience, Happened, NoticeKind, NoticeText, register_kind


def page(happened: Happened, path: str) -> str:
    """A path inside the organisation: page(happened, "people/")."""
    return f"/o/{happened.org}/{path}"


def _inviter(happened: Happened) -> Audience:
    """Whoever sent the invitation by which somebody joined."""
    member = Membership.objects.for_tenant(happened.organisation).filter(pk=happened.subject_id).first()
    rows = Invitation.objects.for_tenant(happened.organisation).exclude(accepted_at=None)
    found = rows.filter(accepted_by=member.user_id).order_by("-accepted_at").first() if member else None
    if found is None or found.invited_by_id is None:
        return Audience()
    return Audience({found.invited_by_id: f"You invited {found.email}."})


def _own_role(happened: Happened) -> Audience:
    rows = Membership.objects.for_tenant(happened.organisation).filter(pk=happened.subject_id)
    return Audience(dict.fromkeys(rows.values_list("user_id", flat=True), "It is your role."))


def _role_words(happened: Happened) -> NoticeText:
    role = str(happened.data.get("is", ""))
    article = "an" if role == "admin" else "a"
    return NoticeText(f"You are now {article} {role} here", page(happened, "people/"), f"{happened.actor} changed it.")


def _team_people(happened: Happened) -> Audience:
    """The leads of the team that changed, and whoever was brought into it or taken out of it."""
    team = Team.objects.for_tenant(happened.organisation).filter(pk=happened.subject_id).first()
    ref = team.ref if team else ""
    about = by_address(happened.organisation, [str(happened.data.get("user", ""))])
    own: Reasons = dict.fromkeys(about.values(), "It is about you.")
    return Audience(together(own, of_teams(happened.organisation, [ref], leads_only=True)), teams=[ref] if ref else [])


def _who_confirms(happened: Happened) -> Audience:
    """Those who may let a team give rights, while it waits: of a team that was made and stands nobody is told."""
    rows = Team.objects.for_tenant(happened.organisation).exclude(waits_since=None)
    is_waiting = rows.filter(pk=happened.subject_id).exists() if happened.subject_id.isdigit() else False
    return Audience(who_may(happened.organisation, "teams.manage") if is_waiting else {})


def _who_manages(happened: Happened) -> Audience:
    return Audience(who_may(happened.organisation, "notices.manage"))


def register() -> None:
    """Makes the kinds known."""
    register_kind(
        NoticeKind(
            "member.joined",
            "Somebody you invited",
            "People and teams",
            "somebody accepts your invitation.",
            _inviter,
            lambda it: NoticeText(f"{it.subject_label} joined", page(it, "people/"), it.summary + "."),
            verbs=("member.joined",),
        ),
        NoticeKind(
            "member.role-changed",
            "Your role",
            "People and teams",
            "your role here changes.",
            _own_role,
            _role_words,
            verbs=("member.role-changed",),
            channels={PORTAL: NOW, MAIL: NOW},
        ),
        NoticeKind(
            "team.people",
            "People of your teams",
            "People and teams",
            "somebody joins or leaves a team that you lead, or you are brought into one.",
            _team_people,
            lambda it: NoticeText(it.summary, _team_page(it), f"By {it.actor}."),
            verbs=("team.member-added", "team.member-removed", "team.lead-changed"),
        ),
        NoticeKind(
            "team.waits",
            "Teams that wait",
            "People and teams",
            "a team waits for somebody to confirm it, and you may.",
            _who_confirms,
            lambda it: NoticeText(
                f"The team {it.subject_label} waits to be confirmed",
                page(it, "teams/"),
                "Until somebody confirms it, it gives nobody any right.",
            ),
            verbs=("team.created",),
            grouping=lambda it: "",
            window=timedelta(hours=1),
        ),
        NoticeKind(
            "destination.disabled",
            "Destinations that fail",
            "Notices",
            "a destination of this organisation is switched off because it refuses.",
            _who_manages,
            lambda it: NoticeText(
                it.summary, page(it, "notices/destinations/"), "What waited for it can be sent again there."
            ),
            verbs=("destination.disabled",),
            channels={PORTAL: NOW, MAIL: NOW},
        ),
    )


def _team_page(happened: Happened) -> str:
    team = Team.objects.for_tenant(happened.organisation).filter(pk=happened.subject_id).first()
    return page(happened, f"teams/{team.slug}/" if team else "teams/")
