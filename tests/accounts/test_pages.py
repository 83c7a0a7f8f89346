"""Every page of people, teams, tokens and audit opens, says what it should, and writes down what was done."""

import json
from datetime import timedelta

import pytest
from asgiref.sync import async_to_sync
from django.core import mail
from django.core.management import CommandError, call_command
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone

from portal.accounts import actions
from portal.accounts import teams as team_actions
from portal.accounts.models import (
    ApiToken,
    AuditEvent,
    Invitation,
    Membership,
    Organisation,
    Team,
    TeamMembership,
    User,
)
from portal.accounts.tenancy import tenant
from portal.embedded import free_port
from tests.conftest import by, prove

pytestmark = pytest.mark.django_db


def url(name: str, **kwargs) -> str:
    return reverse(name, kwargs={"org": "acme", **kwargs})


def said(response) -> str:
    """The last message that the person was shown."""
    return [str(message) for message in response.context["messages"]][-1]


def taken_out(response) -> str:
    """A streamed answer as text."""

    async def collect() -> bytes:
        return b"".join([chunk async for chunk in response.streaming_content])

    return async_to_sync(collect)().decode()


def queries(client, address: str) -> int:
    with CaptureQueriesContext(connection) as captured:
        assert client.get(address).status_code == 200
    return len(captured)


def events(world, **where):
    with tenant(world.acme):
        return list(AuditEvent.objects.filter(**where).order_by("id"))


def member(world, user) -> Membership:
    with tenant(world.acme):
        return Membership.objects.get(user=user)


def test_people_are_listed_with_roles_and_teams(world, client_for):
    text = client_for(world.vic).get(url("people")).content.decode()
    for name in ("Ada", "Mae", "Dev", "Vic"):
        assert name in text
    assert "Payments · lead" in text
    assert "Eve" not in text
    assert "Invite" not in text


def test_twenty_more_people_cost_no_more_queries(world, client_for):
    client = client_for(world.ada)
    client.get(url("people"))
    few = queries(client, url("people"))
    with tenant(world.acme):
        for number in range(20):
            user = User.objects.create_user(f"p{number}@acme.example", None, name=f"P{number}")
            Membership.objects.create(organisation=world.acme, user=user)
            TeamMembership.objects.create(organisation=world.acme, team=world.payments, user=user)
            actions.invite(actor=by(world.ada), organisation=world.acme, email=f"q{number}@x.example", role="viewer")
    assert queries(client, url("people")) == few


def test_an_admin_changes_a_role(world, client_for):
    answer = client_for(world.ada).post(url("member-role", member=member(world, world.vic).pk), {"role": "developer"})
    assert answer.status_code == 302
    assert member(world, world.vic).role == "developer"
    [event] = events(world, verb="member.role-changed")
    assert (event.actor, event.data["was"], event.data["is"]) == (world.ada, "viewer", "developer")
    assert event.ip == "127.0.0.1"


def test_the_last_admin_stays(world, client_for):
    client = client_for(world.ada)
    ada = member(world, world.ada)
    for answer in (
        client.post(url("member-role", member=ada.pk), {"role": "viewer"}, follow=True),
        client.post(url("member-remove", member=ada.pk), follow=True),
        client.post(url("member-leave"), follow=True),
    ):
        assert said(answer) == "Ada is the last admin. Make somebody else an admin first."
    assert member(world, world.ada).role == "admin"


def test_with_a_second_admin_the_first_may_leave(world, client_for):
    client = client_for(world.ada)
    client.post(url("member-role", member=member(world, world.mae).pk), {"role": "admin"})
    assert client.post(url("member-leave")).status_code == 302
    assert client.get(url("people")).status_code == 404
    assert events(world, verb="member.left")[0].actor == world.ada


def test_removing_a_person_ends_their_teams_and_tokens(world, client_for):
    with tenant(world.acme):
        ApiToken.objects.create(
            organisation=world.acme,
            user=world.dev,
            name="x",
            prefix="slw_x",
            digest="d",
            scopes=["read"],
            expires_at=timezone.now() + timedelta(days=1),
        )
    client_for(world.ada).post(url("member-remove", member=member(world, world.dev).pk))
    with tenant(world.acme):
        assert not Membership.objects.filter(user=world.dev).exists()
        assert not TeamMembership.objects.filter(user=world.dev).exists()
        assert ApiToken.objects.get().revoked_at is not None
    assert client_for(world.dev).get(url("people")).status_code == 404


def test_a_role_that_does_not_exist_is_refused(world, client_for):
    answer = client_for(world.ada).post(
        url("member-role", member=member(world, world.vic).pk), {"role": "root"}, follow=True
    )
    assert said(answer) == "There is no such role."
    assert member(world, world.vic).role == "viewer"


# --- invitations ---


def invite(world, client_for, callbacks, email="new@acme.example", role="developer") -> str:
    """Invites as Ada and returns the link's path."""
    with callbacks(execute=True):
        answer = client_for(world.ada).post(url("people-invite"), {"email": email, "role": role})
    assert answer.status_code == 302
    link = next(word for word in mail.outbox[-1].body.split() if "/join/" in word)
    return link[link.index("/join/") :]


def test_an_invitation_makes_an_account_and_a_member(world, client_for, client, django_capture_on_commit_callbacks):
    path = invite(world, client_for, django_capture_on_commit_callbacks)
    assert mail.outbox[-1].to == ["new@acme.example"]
    assert "Ada invites you to Acme" in mail.outbox[-1].subject
    page = client.get(path)
    assert "Create your account" in page.content.decode()
    assert client.get(reverse("account_signup")).status_code == 200
    assert "by invitation" in client.get(reverse("account_signup")).content.decode()
    signup = client.post(path, {"go": "signup"})
    assert signup["Location"] == f"{reverse('account_signup')}?email=new%40acme.example"
    assert 'value="new@acme.example"' in client.get(signup["Location"]).content.decode()
    assert "by invitation" not in client.get(signup["Location"]).content.decode()
    made = client.post(
        signup["Location"], {"name": "Newt", "email": "new@acme.example", "password1": "correct-horse-battery"}
    )
    assert made.status_code == 302, made.context["form"].errors
    assert made["Location"] == "/join/acme/", "the link proves the address: no second mail"
    assert "Join as Newt" in client.get(made["Location"]).content.decode()
    joined = client.post(made["Location"])
    assert joined["Location"] == url("home")
    with tenant(world.acme):
        newt = Membership.objects.get(user__email="new@acme.example")
        assert (newt.role, newt.user.name) == ("developer", "Newt")
        assert [event.verb for event in AuditEvent.objects.order_by("id")] == ["invitation.sent", "member.joined"]
    assert client.post(path).status_code == 404, "works once"


def test_an_invitation_brings_somebody_with_an_account(world, client_for, django_capture_on_commit_callbacks):
    path = invite(world, client_for, django_capture_on_commit_callbacks, email=world.eve.email, role="viewer")
    eve = client_for(world.eve)
    assert "Join as Eve" in eve.get(path).content.decode()
    assert eve.post(path)["Location"] == url("home")
    assert member(world, world.eve).role == "viewer"
    assert eve.get(reverse("start"))["Location"] == url("home")


def test_an_invitation_is_for_its_address_alone(world, client_for, django_capture_on_commit_callbacks):
    path = invite(world, client_for, django_capture_on_commit_callbacks)
    answer = client_for(world.eve).post(path)
    assert answer.status_code == 403
    assert "This invitation is for new@acme.example; you are signed in as eve@rival.example." in answer.content.decode()
    with tenant(world.acme):
        assert not Membership.objects.filter(user=world.eve).exists()


def test_an_invitation_admits_the_invited_address_alone(world, client_for, client, django_capture_on_commit_callbacks):
    path = invite(world, client_for, django_capture_on_commit_callbacks)
    client.post(path, {"go": "signup"})
    typed = {"name": "X", "email": "other@x.example", "password1": "correct-horse-battery"}
    answer = client.post(reverse("account_signup"), typed)
    assert answer.status_code == 200
    assert "The invitation is for new@acme.example." in answer.content.decode()
    assert not User.objects.filter(email="other@x.example").exists()
    assert client.post(reverse("account_signup"), {**typed, "email": "NEW@acme.example"}).status_code == 302


@pytest.mark.parametrize("how", ["expired", "revoked", "resent"])
def test_a_closed_invitation_says_so(world, client_for, client, django_capture_on_commit_callbacks, how):
    path = invite(world, client_for, django_capture_on_commit_callbacks)
    with tenant(world.acme):
        invitation = Invitation.objects.get()
        assert path.rstrip("/").rpartition("/")[2] not in json.dumps(list(Invitation.objects.values()), default=str), (
            "the secret is not kept"
        )
        if how == "expired":
            Invitation.objects.update(expires_at=timezone.now() - timedelta(seconds=1))
    if how == "revoked":
        client_for(world.ada).post(url("invitation-revoke", invitation=invitation.pk))
    if how == "resent":
        with django_capture_on_commit_callbacks(execute=True):
            client_for(world.ada).post(url("invitation-resend", invitation=invitation.pk))
        assert path not in mail.outbox[-1].body
    page = client.get(path)
    assert page.status_code == 404
    assert "no longer valid" in page.content.decode()


def test_made_up_invitations_tell_nothing(world, client):
    known, unknown = client.get("/join/acme/made-up/"), client.get("/join/nowhere/made-up/")
    assert known.status_code == unknown.status_code == 404
    assert known.context["refusal"].text == unknown.context["refusal"].text


def test_inviting_a_member_again_is_said_beside_the_field(world, client_for):
    answer = client_for(world.ada).post(url("people-invite"), {"email": world.dev.email, "role": "viewer"})
    assert answer.status_code == 422
    assert "is in this organisation already" in answer.content.decode()
    assert 'value="dev@acme.example"' in answer.content.decode(), "nothing typed is lost"


# --- organisations and profile ---


def test_the_first_person_makes_the_first_organisation(db, client_for, settings):
    first = User.objects.create_user("first@x.example", "correct-horse-battery", name="First")
    client = client_for(first)
    assert "Make an organisation" in client.get(reverse("start")).content.decode()
    answer = client.post(reverse("organisation-new"), {"name": "Blue Whale"})
    assert answer["Location"] == "/o/blue-whale/people/"
    with tenant(Organisation.objects.get()):
        assert Membership.objects.get().role == "admin"
    assert client.get(reverse("organisation-new")).status_code == 403
    settings.ORGANISATIONS = "open"
    for name, slug, words in (
        ("Two", "blue-whale", "is taken"),
        ("Two", "api", "needs for itself"),
        ("?", "", "address"),
    ):
        answer = client.post(reverse("organisation-new"), {"name": name, "slug": slug})
        assert answer.status_code == 422
        assert words in answer.content.decode()


def test_profile_keeps_name_and_time_zone(world, client_for):
    client = client_for(world.dev)
    assert client.post(reverse("profile"), {"name": "Devi", "timezone": "Europe/Oslo"}).status_code == 302
    world.dev.refresh_from_db()
    assert (world.dev.name, world.dev.timezone) == ("Devi", "Europe/Oslo")
    assert client.post(reverse("profile"), {"name": "", "timezone": "Mars/Olympus"}).status_code == 422


def test_an_admin_renames_the_organisation(world, client_for):
    client_for(world.ada).post(url("settings"), {"name": "Acme International"})
    assert Organisation.objects.get(slug="acme").name == "Acme International"
    assert events(world, verb="organisation.renamed")[0].data == {"was": "Acme", "is": "Acme International"}


# --- teams ---


def test_a_manager_makes_a_team_and_puts_people_in_it(world, client_for):
    client = client_for(world.mae)
    answer = client.post(url("team-new"), {"name": "Card Payments", "parent": world.payments.pk})
    assert answer["Location"] == url("team-edit", team="card-payments")
    assert client.get(answer["Location"]).status_code == 200
    client.post(url("team-member-add", team="card-payments"), {"person": world.vic.pk})
    with tenant(world.acme):
        cards = Team.objects.get(slug="card-payments")
        assert (cards.ref, cards.parent) == ("group:default/card-payments", world.payments)
        assert TeamMembership.objects.get(team=cards).user == world.vic
    again = client.post(url("team-new"), {"name": "Card payments"})
    assert again.status_code == 422
    assert "exists already" in again.content.decode()


def test_a_lead_manages_their_team_and_those_below_and_no_other(world, client_for):
    with tenant(world.acme):
        below = Team.objects.create(
            organisation=world.acme, slug="cards", name="Cards", ref="group:default/cards", parent=world.payments
        )
        other = Team.objects.create(organisation=world.acme, slug="search", name="Search", ref="group:default/search")
    client = client_for(world.dev)
    assert client.get(url("team-edit", team="payments")).status_code == 200
    assert client.get(url("team-edit", team=below.slug)).status_code == 200
    refused = client.get(url("team-edit", team=other.slug))
    assert refused.status_code == 403
    assert "You cannot change Search. Ask one of its leads, or a manager." in refused.content.decode()
    assert client.post(url("team-new"), {"name": "Refunds", "parent": world.payments.pk}).status_code == 302
    assert client.post(url("team-new"), {"name": "Top"}).status_code == 422
    with tenant(world.acme):
        TeamMembership.objects.filter(user=world.dev).update(is_lead=False)
    assert client.get(url("team-edit", team="payments")).status_code == 403
    assert client.get(url("team-new")).status_code == 403


def test_a_lead_cannot_move_their_team(world, client_for):
    with tenant(world.acme):
        top = Team.objects.create(organisation=world.acme, slug="top", name="Top", ref="group:default/top")
    client_for(world.dev).post(url("team-edit", team="payments"), {"name": "Money", "parent": top.pk})
    with tenant(world.acme):
        world.payments.refresh_from_db()
        assert (world.payments.name, world.payments.parent) == ("Money", None)


def test_a_team_cannot_be_below_itself(world, client_for):
    with tenant(world.acme):
        below = Team.objects.create(
            organisation=world.acme, slug="cards", name="Cards", ref="group:default/cards", parent=world.payments
        )
    answer = client_for(world.mae).post(url("team-edit", team="payments"), {"name": "Payments", "parent": below.pk})
    assert answer.status_code == 422
    assert "Cards is Payments itself or below it." in answer.content.decode()
    with tenant(world.acme):
        world.payments.refresh_from_db()
        assert world.payments.parent is None


def test_lineage_ends_even_where_the_data_forms_a_circle(world):
    with tenant(world.acme):
        below = Team.objects.create(
            organisation=world.acme, slug="cards", name="Cards", ref="group:default/cards", parent=world.payments
        )
        Team.objects.filter(pk=world.payments.pk).update(parent=below)
        world.payments.refresh_from_db()
        assert [team.slug for team in team_actions.lineage(world.payments)] == ["payments", "cards"]


def test_deleting_a_team_moves_those_below_up(world, client_for):
    with tenant(world.acme):
        top = Team.objects.create(organisation=world.acme, slug="top", name="Top", ref="group:default/top")
        Team.objects.filter(pk=world.payments.pk).update(parent=top)
        Team.objects.create(
            organisation=world.acme, slug="cards", name="Cards", ref="group:default/cards", parent=world.payments
        )
    assert client_for(world.mae).post(url("team-delete", team="payments")).status_code == 302
    with tenant(world.acme):
        assert Team.objects.get(slug="cards").parent == top
    assert events(world, verb="team.deleted")[0].data == {"ref": "group:default/payments", "moved_up": 1}


def test_a_lead_who_steps_down_lands_where_they_may_be(world, client_for):
    answer = client_for(world.dev).post(url("team-member-lead", team="payments", person=world.dev.pk), {})
    assert answer["Location"] == url("people")


def test_nobody_from_outside_gets_into_a_team(world, client_for):
    answer = client_for(world.mae).post(url("team-member-add", team="payments"), {"person": world.eve.pk})
    assert answer.status_code == 422
    with tenant(world.acme):
        assert not TeamMembership.objects.filter(user=world.eve).exists()


# --- tokens ---


def make_token(client, **fields) -> tuple[str, object]:
    wanted = {"name": "dev-box", "scopes": ["read"], "days": "30", **fields}
    page = prove(client).post(url("tokens"), wanted, follow=True)
    assert page.redirect_chain, page.context["form"].errors
    return page.context["secret"], page


def test_a_token_is_shown_once_and_works(world, client_for, client):
    browser = client_for(world.dev)
    secret, page = make_token(browser)
    assert secret in page.content.decode()
    assert "no-store" in page["Cache-Control"]
    assert secret not in browser.get(url("tokens")).content.decode()
    answer = client.get("/api/o/acme/me/", headers={"Authorization": f"Bearer {secret}"})
    assert answer.json()["email"] == "dev@acme.example"
    assert answer.json()["token"] == "dev-box"
    assert "runs.launch" not in answer.json()["permissions"], "the scope is read"
    with tenant(world.acme):
        token = ApiToken.objects.get()
        assert token.last_used_at is not None
        assert secret not in json.dumps(list(ApiToken.objects.values()), default=str)
    assert secret not in json.dumps([event.data | {"s": event.summary} for event in events(world)])


def test_tokens_that_must_not_work(world, client_for, client):
    secret, _ = make_token(client_for(world.dev))

    def ask(path="/api/o/acme/me/", value=secret):
        return client.get(path, headers={"Authorization": f"Bearer {value}"}).status_code

    assert ask() == 200
    assert ask(path="/api/o/rival/me/") == 401
    assert ask(path="/api/o/nowhere/me/") == 401
    assert ask(value=secret[:-1]) == 401
    assert ask(path="/api/o/acme/audit/") == 403
    assert ask(path="/api/o/acme/tokens/") == 403, "a read token lists no tokens"
    with tenant(world.acme):
        ApiToken.objects.update(expires_at=timezone.now())
    assert ask() == 401
    with tenant(world.acme):
        ApiToken.objects.update(expires_at=timezone.now() + timedelta(days=1))
    assert ask() == 200
    with tenant(world.acme):
        pk = ApiToken.objects.get().pk
    client_for(world.dev).post(url("token-revoke", token=pk))
    assert ask() == 401


def test_a_token_does_not_outlive_membership_or_account(world, client_for, client):
    secret, _ = make_token(client_for(world.dev))
    headers = {"Authorization": f"Bearer {secret}"}
    world.dev.is_active = False
    world.dev.save()
    assert client.get("/api/o/acme/me/", headers=headers).status_code == 401
    world.dev.is_active = True
    world.dev.save()
    with tenant(world.acme):
        Membership.objects.filter(user=world.dev).delete()
    assert client.get("/api/o/acme/me/", headers=headers).status_code == 404


def test_admins_see_and_revoke_everybodys_tokens_and_others_only_their_own(world, client_for):
    make_token(client_for(world.dev))
    with tenant(world.acme):
        pk = ApiToken.objects.get().pk
    assert "dev-box" not in client_for(world.mae).get(url("tokens")).content.decode()
    assert client_for(world.mae).post(url("token-revoke", token=pk)).status_code == 404
    assert "dev-box" in client_for(world.ada).get(url("tokens")).content.decode()
    assert client_for(world.ada).post(url("token-revoke", token=pk)).status_code == 302
    assert events(world, verb="token.revoked")[0].summary == "Revoked the API token dev-box of Dev"


def test_a_token_needs_a_scope_and_an_end(world, client_for):
    client = prove(client_for(world.dev))
    for wrong in ({"scopes": []}, {"scopes": ["root"]}, {"days": "9999"}, {"name": ""}):
        page = client.post(url("tokens"), {"name": "x", "scopes": ["read"], "days": "30", **wrong})
        assert page.status_code == 422
    with tenant(world.acme):
        assert not ApiToken.objects.exists()


# --- audit ---


def fill_audit(world, count: int) -> None:
    at = timezone.now().replace(microsecond=0)
    with tenant(world.acme):
        AuditEvent.objects.bulk_create(
            AuditEvent(
                organisation=world.acme,
                actor=world.dev if number % 2 else world.mae,
                actor_label="Dev" if number % 2 else "Mae",
                verb="run.launched" if number % 3 else "team.changed",
                subject_label=f"thing {number}",
                summary=f"Event {number:03d}",
                at=at - timedelta(days=number // 10),
            )
            for number in range(count)
        )


def test_the_audit_log_pages_without_losing_or_repeating(world, client_for):
    fill_audit(world, 120)
    client = client_for(world.mae)
    seen, address = [], url("audit")
    while address:
        page = client.get(address)
        seen += [event.summary for event in page.context["events"]]
        after = page.context["after"]
        address = f"{url('audit')}?{_query(after=after)}" if after else ""
    assert len(seen) == len(set(seen)) == 120


def _query(**values) -> str:
    from urllib.parse import urlencode

    return urlencode(values)


def test_the_audit_log_narrows(world, client_for):
    fill_audit(world, 60)
    client = client_for(world.mae)

    def summaries(**where):
        return [e.summary for e in client.get(f"{url('audit')}?{_query(**where)}").context["events"]]

    assert summaries(actor=world.dev.pk, verb="team.changed") == [
        f"Event {n:03d}" for n in sorted(range(60), key=lambda n: (n // 10, -n)) if n % 2 and n % 3 == 0
    ]
    assert len(summaries(verb="run")) == 40
    assert summaries(subject="thing 59") == ["Event 059"]
    day = (timezone.now() - timedelta(days=2)).date().isoformat()
    assert len(summaries(since=day, until=day)) == 10
    assert client.get(f"{url('audit')}?since=yesterday").status_code == 422
    assert client.get(f"{url('audit')}?after=broken").status_code == 400
    assert summaries(subject="\0") == []
    assert client.get(f"{url('audit-export')}?since=yesterday").status_code == 400, "rather than too much of it"


def test_the_audit_log_can_be_taken_out_and_that_is_written_down(world, client_for):
    fill_audit(world, 30)
    with tenant(world.acme):
        AuditEvent.objects.create(
            organisation=world.acme, actor_label="Mallory", verb="team.changed", summary="=HYPERLINK()"
        )
    client = client_for(world.mae)
    lines = taken_out(client.get(url("audit-export") + "?format=csv&verb=run.launched")).splitlines()
    assert lines[0].startswith("at,actor,verb")
    assert len(lines) == 21
    rows = [json.loads(line) for line in taken_out(client.get(url("audit-export") + "?format=jsonl")).splitlines()]
    assert {row["verb"] for row in rows} == {"run.launched", "team.changed", "audit.exported"}
    everything = taken_out(client.get(url("audit-export")))
    assert "'=HYPERLINK()" in everything
    assert len(events(world, verb="audit.exported")) == 3


def test_the_api_lists_people_teams_and_audit(world, client_for):
    fill_audit(world, 3)
    client = client_for(world.mae)
    assert [row["email"] for row in client.get("/api/o/acme/members/").json()] == [
        "ada@acme.example",
        "dev@acme.example",
        "mae@acme.example",
        "vic@acme.example",
    ]
    assert client.get("/api/o/acme/teams/").json()[0]["members"] == [
        {"email": "dev@acme.example", "name": "Dev", "is_lead": True}
    ]
    assert len(client.get("/api/o/acme/audit/").json()["items"]) == 3
    assert client.get("/api/o/acme/audit/?since=never").status_code == 400
    assert client.get("/api/o/acme/tokens/").json() == []


def test_every_refusal_of_a_role_is_a_sentence(world, client_for):
    answer = client_for(world.vic).get(url("settings"))
    assert answer.status_code == 403
    assert "Ask an admin." in answer.content.decode()


def test_open_invitations_do_not_count_expired_ones(world):
    with tenant(world.acme):
        actions.invite(actor=by(world.ada), organisation=world.acme, email="a@x.example", role="viewer")
        Invitation.objects.update(expires_at=timezone.now())
        assert actions.open_invitations(world.acme).count() == 0
        assert actions.open_invitations(world.acme, with_expired=True).count() == 1


def test_the_organisation_that_was_open_last_is_the_one_to_come_back_to(world, client_for):
    with tenant(world.rival):
        Membership.objects.create(organisation=world.rival, user=world.dev, role="viewer")
    client = client_for(world.dev)
    assert client.get(reverse("start"))["Location"] == url("home")
    client.get(reverse("people", kwargs={"org": "rival"}))
    assert client.get(reverse("start"))["Location"] == "/o/rival/"
    client.get(url("people"))
    assert client.get(reverse("start"))["Location"] == url("home")


def test_the_operator_makes_an_organisation_for_somebody(world, capsys):
    call_command("organisation", "blue", "Blue Whale", "DEV@acme.example")
    assert "Blue Whale is at /o/blue/; Dev is its admin." in capsys.readouterr().out
    for slug, email, words in (("blue", "dev@acme.example", "taken"), ("B B", "dev@acme.example", "lower-case")):
        with pytest.raises(CommandError, match=words):
            call_command("organisation", slug, "X", email)
    with pytest.raises(CommandError, match="Nobody"):
        call_command("organisation", "x", "X", "nobody@x.example")


def test_after_a_sign_in_one_is_back_at_the_form_and_not_at_its_button(world, client):
    """The session ended while somebody filled in a form: its address has no page to come back to."""
    button = url("people-invite")
    form = f"http://testserver{url('people')}?page=2"
    for headers in ({"referer": form}, {"referer": form, "HX-Request": "true"}):
        answer = client.post(button, {"email": "new@acme.example"}, headers=headers)
        where = answer.get("HX-Redirect") or answer["Location"]
        assert where == f"{reverse('account_login')}?next=/o/acme/people/%3Fpage%3D2"
    foreign = client.post(button, headers={"referer": "https://elsewhere.example/o/acme/people/"})
    assert foreign["Location"] == f"{reverse('account_login')}?next=/"
    assert client.get(url("people"))["Location"] == f"{reverse('account_login')}?next=/o/acme/people/"


def test_the_address_of_a_button_is_a_page_in_words(world, client_for):
    answer = client_for(world.ada).get(url("people-invite"))
    assert answer.status_code == 405
    assert answer["Allow"] == "POST"
    assert "there is no page behind it" in answer.content.decode()


def test_a_member_who_may_make_no_organisation_is_told_who_may(world, client_for):
    answer = client_for(world.ada).get(reverse("organisation-new"))
    assert answer.status_code == 403
    assert "made by the operator of this portal" in answer.content.decode()


def test_a_mail_server_that_is_away_is_a_sentence_and_the_invitation_is_kept(committed_world, client_for, settings):
    settings.EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
    settings.EMAIL_HOST, settings.EMAIL_PORT = "127.0.0.1", free_port()
    ada = client_for(committed_world.ada)
    answer = ada.post(url("people-invite"), {"email": "new@acme.example", "role": "viewer"})
    assert answer.status_code == 503
    assert "the mail server is away" in answer.content.decode()
    assert "new@acme.example" in ada.get(url("people")).content.decode()
    reset = ada.post(reverse("account_reset_password"), {"email": committed_world.dev.email})
    assert reset.status_code == 503
