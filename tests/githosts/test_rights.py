"""Who may push where, tried with real git: owners, grants, protection, and everybody else."""

import json
import subprocess

import pytest
from django.test import RequestFactory
from django.urls import reverse

from portal.accounts.models import ApiToken, AuditEvent, Membership, Team, TeamMembership, User
from portal.accounts.tenancy import tenant
from portal.githosts import actions, serve, smart
from portal.githosts.hosts import HOSTS
from portal.githosts.models import Grant, Repository
from tests.conftest import by
from tests.githosts.conftest import git, make_repository

host = HOSTS["slipway"]


def person(world, name, role="developer", team=None):
    user = User.objects.create_user(f"{name.lower()}@acme.example", "correct-horse-battery", name=name)
    with tenant(world.acme):
        Membership.objects.create(organisation=world.acme, user=user, role=role)
        if team is not None:
            TeamMembership.objects.create(organisation=world.acme, team=team, user=user)
    return user


def team(world, slug, parent=None):
    with tenant(world.acme):
        return Team.objects.create(
            organisation=world.acme, slug=slug, name=slug.title(), ref=f"group:default/{slug}", parent=parent
        )


def repository(world, name="checkout") -> Repository:
    with tenant(world.acme):
        return Repository.objects.get(name=name)


@pytest.fixture
def clone(address, committed_world, token_for, tmp_path):
    """clone(user, *scopes) -> a working copy that pushes as that person."""

    def make(user, *scopes):
        url = address(token_for(user, committed_world.acme, *(scopes or ("repo:write",))))
        place = tmp_path / f"{user.name}-{len(list(tmp_path.iterdir()))}"
        done = git("clone", "-q", url, str(place), cwd=tmp_path)
        assert done.returncode == 0, done.stderr
        return place

    return make


def commit(work, text="change"):
    (work / "note.txt").write_text(text)
    git("add", ".", cwd=work)
    assert git("commit", "-qm", text, cwd=work).returncode == 0


def push(work, *args):
    done = git("push", "origin", *(args or ("main",)), cwd=work)
    return done.returncode == 0, done.stderr


def test_the_owning_team_and_the_teams_above_it_push(committed_world, clone):
    world = committed_world
    commerce = team(world, "commerce")
    with tenant(world.acme):
        Team.objects.filter(pk=world.payments.pk).update(parent=commerce)
    for user in (world.dev, person(world, "Una", team=commerce), world.mae, world.ada):
        work = clone(user)
        commit(work, user.name)
        pushed, said = push(work)
        assert pushed, said


def test_another_teams_developer_does_not_push_and_is_told_whom_to_ask(committed_world, clone):
    world = committed_world
    search = team(world, "search", parent=world.payments)
    for user in (person(world, "Una", team=search), person(world, "Max")):
        work = clone(user)
        commit(work)
        for args in (
            ["main"],
            ["--force", "main"],
            ["HEAD:refs/heads/new"],
            ["--delete", "main"],
            ["HEAD:refs/tags/x"],
        ):
            pushed, said = push(work, *args)
            assert not pushed
            assert (
                "remote: You cannot push to checkout: it belongs to Payments. Ask that team, or a manager, to let you."
                in said
            )
    assert (
        host.head(host.find_repository(world.acme, "checkout")) == git("rev-parse", "HEAD~1", cwd=work).stdout.strip()
    )


@pytest.mark.parametrize("to", ["person", "team", "team above"])
def test_a_grant_lets_push_and_its_end_ends_it(committed_world, clone, to):
    world = committed_world
    above = team(world, "platform")
    search = team(world, "search", parent=above)
    una = person(world, "Una", team=above if to == "team above" else search)
    work = clone(una)
    commit(work)
    assert not push(work)[0]
    who = {"person": una} if to == "person" else {"team": search}
    with tenant(world.acme):
        grant = actions.let_push(organisation=world.acme, actor=by(world.dev), repository=repository(world), **who)
    pushed, said = push(work)
    assert pushed, said
    with tenant(world.acme):
        actions.withdraw(organisation=world.acme, actor=by(world.dev), repository=repository(world), grant=grant)
    commit(work, "again")
    assert not push(work)[0]
    with tenant(world.acme):
        verbs = list(AuditEvent.objects.filter(verb__startswith="repository.push-").values_list("verb", "actor__name"))
    assert sorted(verbs) == [("repository.push-granted", "Dev"), ("repository.push-withdrawn", "Dev")]


def test_a_grant_lifts_neither_a_viewer_nor_a_token(committed_world, clone):
    world = committed_world
    una = person(world, "Una")
    with tenant(world.acme):
        for user in (world.vic, una):
            actions.let_push(organisation=world.acme, actor=by(world.ada), repository=repository(world), person=user)
    viewers, readers = clone(world.vic), clone(una, "repo:read")
    commit(viewers)
    commit(readers)
    assert "as a viewer" in push(viewers)[1]
    assert "was not given that scope" in push(readers)[1]
    assert "was not given that scope" in push(clone(world.ada, "read"), "main:refs/heads/x")[1]


def test_nobody_rewrites_or_deletes_the_default_branch(committed_world, clone):
    """Not even an admin: the sentence says what is so and who can change it; other branches and tags are free."""
    world = committed_world
    for user in (world.dev, world.ada):
        work = clone(user)
        before = git("rev-parse", "origin/main", cwd=work).stdout
        git("commit", "-q", "--amend", "-m", f"Rewritten by {user.name}", cwd=work)
        pushed, said = push(work, "--force", "main")
        assert not pushed
        assert "remote: The branch main is protected: nobody rewrites its history." in said
        assert "An admin can lift the protection: " in said
        assert "/o/acme/repos/checkout/access/" in said
        pushed, said = push(work, "--delete", "main")
        assert not pushed
        assert "remote: The branch main is protected: nobody deletes it." in said
        pushed, said = push(work, "--force", "main:main", "main:refs/heads/side")
        assert not pushed, "one refused reference refuses the push; nothing of it is kept"
        assert git("ls-remote", "origin", "refs/heads/main", cwd=work).stdout.split()[0] == before.strip()
        assert push(work, "main:refs/heads/side")[0]
        git("commit", "-q", "--amend", "-m", "Rewritten again", cwd=work)
        assert push(work, "--force", "main:refs/heads/side")[0]
        assert push(work, "--delete", "side")[0]


def test_a_refused_rewrite_leaves_no_object_behind(committed_world, clone):
    work = clone(committed_world.dev)
    git("commit", "-q", "--amend", "-m", "Rewritten", cwd=work)
    rewritten = git("rev-parse", "HEAD", cwd=work).stdout.strip()
    assert not push(work, "--force", "main")[0]
    path = repository(committed_world).path
    kept = subprocess.run(["git", "cat-file", "-e", rewritten], cwd=path, capture_output=True, check=False)
    assert kept.returncode != 0


def test_an_admin_lifts_the_protection_and_it_is_told(committed_world, clone, client_for):
    world = committed_world
    path = reverse("repo-protect", kwargs={"org": "acme", "repo": "checkout"})
    assert client_for(world.dev).post(path, {"protected": "0"}).status_code == 403
    assert client_for(world.mae).post(path, {"protected": "0"}).status_code == 403
    assert client_for(world.ada).post(path, {"protected": "0"}).status_code == 302
    work = clone(world.dev)
    git("commit", "-q", "--amend", "-m", "Rewritten", cwd=work)
    pushed, said = push(work, "--force", "main")
    assert pushed, said
    pushed, said = push(work, "--delete", "main")
    assert pushed, said
    assert client_for(world.dev).post(path, {"protected": "1"}).status_code == 302
    pushed, said = push(work, "main")
    assert pushed, said
    git("commit", "-q", "--amend", "-m", "Once more", cwd=work)
    assert not push(work, "--force", "main")[0]
    with tenant(world.acme):
        events = AuditEvent.objects.filter(verb__in=["repository.unprotected", "repository.protected"]).order_by("pk")
        assert [(event.verb, event.actor) for event in events] == [
            ("repository.unprotected", world.ada),
            ("repository.protected", world.dev),
        ]


@pytest.mark.parametrize("loses", ["nothing", "grant", "scope", "membership"])
def test_what_is_lost_while_a_push_is_on_its_way_does_not_pass_the_hook(committed_world, token_for, tmp_path, loses):
    """The gate let the request in; the hook is told what is so when everything has arrived."""
    world = committed_world
    make_repository(world.acme)
    una = person(world, "Una")
    with tenant(world.acme):
        actions.let_push(organisation=world.acme, actor=by(world.ada), repository=repository(world), person=una)
    request = RequestFactory().post(
        "/", headers={"Authorization": f"Bearer {token_for(una, world.acme, 'repo:write')}"}
    )
    assert serve.visit(request, "acme", "checkout", "git-receive-pack").actor.person == una
    with tenant(world.acme):
        if loses == "grant":
            Grant.objects.all().delete()
        elif loses == "scope":
            ApiToken.objects.filter(user=una).update(scopes=["repo:read"])
        elif loses == "membership":
            Membership.objects.filter(user=una).delete()
    git("clone", "-q", str(repository(world).path), "work", cwd=tmp_path)
    commit(tmp_path / "work")
    told = serve.decided(request, "acme", "checkout")
    hooked = f"git -c core.hooksPath={smart.HOOKS} receive-pack"
    done = git("push", f"--receive-pack={hooked}", "origin", "main", cwd=tmp_path / "work", **told)
    assert (done.returncode == 0) is (loses == "nothing")
    assert {
        "nothing": "main -> main",
        "grant": "remote: You cannot push to checkout",
        "scope": "was not given that scope",
        "membership": "not yours to see",
    }[loses] in done.stderr


def test_a_push_around_the_portal_is_refused_by_the_hook(committed_world, address, tmp_path):
    """Somebody on the machine who runs git's own program with our hook: without the gate's word nothing passes."""
    path = repository(committed_world).path
    git("clone", "-q", str(path), "work", cwd=tmp_path)
    commit(tmp_path / "work")
    hooked = f"git -c core.hooksPath={smart.HOOKS} receive-pack"
    done = git("push", f"--receive-pack={hooked}", "origin", "main", cwd=tmp_path / "work")
    assert done.returncode != 0
    assert "Push to the address that the page of this repository shows." in done.stderr


def test_a_hook_that_cannot_run_stops_every_push(tmp_path, monkeypatch):
    """Git would skip it with a warning, and let everything in."""
    (tmp_path / "pre-receive").write_text("#!/bin/sh\n")
    monkeypatch.setattr(smart, "HOOKS", tmp_path)
    with pytest.raises(RuntimeError, match="not executable"):
        smart.command("git-receive-pack", tmp_path, advertise=False, limit=1)


# --- what is made, and by whom ---


@pytest.mark.django_db
def test_who_makes_a_repository_that_no_team_owns_may_push_to_it(world):
    make_repository(
        world.acme, "orphan", files={}, owner_ref="group:default/nobody", marker="run:2", actor=by(world.dev)
    )
    make_repository(world.acme, "owned", files={}, marker="run:3", actor=by(world.dev))
    with tenant(world.acme):
        assert [(grant.repository.name, grant.person) for grant in Grant.objects.all()] == [("orphan", world.dev)]


# --- page and API ---


def at(name, **more):
    return reverse(name, kwargs={"org": "acme", "repo": "checkout", **more})


@pytest.mark.django_db
def test_the_page_says_who_may_push_and_lets_the_owner_change_it(world, client_for):
    make_repository(world.acme)
    search = team(world, "search")
    una = person(world, "Una", team=search)
    html = client_for(una).get(at("repo-access")).content.decode()
    assert "Who may push" in html
    assert "is protected" in html
    assert "You cannot push to checkout" in html
    assert "Let them push" not in html
    assert client_for(una).post(at("repo-grant"), {"person": una.pk}).status_code == 403
    dev = client_for(world.dev)
    assert dev.post(at("repo-grant"), {}).status_code == 422
    assert dev.post(at("repo-grant"), {"person": una.pk, "team": search.pk}).status_code == 422
    assert dev.post(at("repo-grant"), {"person": world.eve.pk}).status_code == 422
    assert dev.post(at("repo-grant"), {"person": una.pk}).status_code == 302
    assert "una@acme.example" in dev.get(at("repo-access")).content.decode()
    assert client_for(una).post(at("repo-grant"), {"team": search.pk}).status_code == 403, "a grant is not passed on"
    with tenant(world.acme):
        grant = Grant.objects.get()
    assert dev.post(at("repo-withdraw", grant=grant.pk)).status_code == 302
    assert dev.post(at("repo-withdraw", grant=grant.pk)).status_code == 404
    assert dev.post(at("repo-hand-over"), {"team": search.pk}).status_code == 302
    assert dev.post(at("repo-hand-over"), {"team": world.payments.pk}).status_code == 403
    assert client_for(una).post(at("repo-hand-over"), {"team": world.payments.pk}).status_code == 302


@pytest.mark.django_db
def test_the_same_by_the_api(world, client_for):
    make_repository(world.acme)
    team(world, "search")
    una = person(world, "Una")

    def send(user, method, path, body=None):
        ask = getattr(client_for(user), method)
        answer = ask(path, json.dumps(body), content_type="application/json") if body is not None else ask(path)
        return answer.status_code, answer.json() if answer.content else None

    status, body = send(una, "get", at("api-repo"))
    assert (status, body["owner_ref"], body["is_protected"]) == (200, "group:default/payments", True)
    assert body["access"] == {
        "may_push": False,
        "may_manage": False,
        "why_not": "You cannot push to checkout: it belongs to Payments. Ask that team, or a manager, to let you.",
    }
    assert send(una, "post", at("api-repo-grants"), {"person": "una@acme.example"})[0] == 403
    assert send(world.dev, "post", at("api-repo-grants"), {})[0] == 400
    assert send(world.dev, "post", at("api-repo-grants"), {"person": "eve@rival.example"})[0] == 400
    assert send(world.dev, "post", at("api-repo-grants"), {"team": "group:default/none"})[0] == 400
    status, grant = send(world.dev, "post", at("api-repo-grants"), {"person": "UNA@acme.example"})
    assert (status, grant["person"], grant["team"]) == (201, "una@acme.example", None)
    assert send(una, "get", at("api-repo"))[1]["access"]["may_push"] is True
    assert [one["id"] for one in send(una, "get", at("api-repo-grants"))[1]] == [grant["id"]]
    assert send(una, "delete", at("api-repo-grant", grant=grant["id"]))[0] == 403
    assert send(world.dev, "delete", at("api-repo-grant", grant=grant["id"]))[0] == 204
    assert send(world.dev, "patch", at("api-repo"), {"is_protected": False})[0] == 403
    assert send(world.ada, "patch", at("api-repo"), {"is_protected": False})[1]["is_protected"] is False
    assert send(world.dev, "patch", at("api-repo"), {"owner_ref": "group:default/nothing"})[0] == 400
    status, body = send(world.dev, "patch", at("api-repo"), {"owner_ref": "group:default/search", "is_protected": True})
    assert (status, body["owner_ref"], body["is_protected"]) == (200, "group:default/search", True)
    assert send(world.dev, "patch", at("api-repo"), {"is_protected": True})[0] == 403
