"""Whoever acts is named: person, token, address and way in, on the day and later, when a worker carries it out."""

from __future__ import annotations

import ast
import json
from collections.abc import Iterator
from datetime import timedelta

import pytest
from django.core.management import call_command
from django.utils import timezone

from portal.accounts import audit
from portal.accounts.access import Access
from portal.accounts.actor import Actor, Agent
from portal.accounts.models import ApiToken, AuditEvent, Membership, Organisation, Way
from portal.accounts.tenancy import tenant
from portal.kit.errors import Forbidden
from portal.provisioning.models import Run
from tests.accounts.test_audit import RECORD, VERBS, modules
from tests.conftest import by
from tests.githosts.conftest import token_for
from tests.provisioning.conftest import finish, make_version, silent

__all__ = ["finish", "silent", "token_for"]
ADDRESS = "203.0.113.7"
PUBLISHING = [
    {"id": "fetch", "action": "fetch:plain", "input": {"url": "."}},
    {"id": "publish", "action": "publish:slipway", "input": {"repo": "orders"}},
]


@pytest.fixture(autouse=True)
def repositories(tmp_path, settings) -> None:
    """A folder that no other test has written to."""
    settings.GIT_ROOT = tmp_path / "git"


def facts(event: AuditEvent) -> tuple[str, str, str, str | None]:
    return event.actor_label, event.way, event.via.split(" ")[0], event.ip


def events(world, *verbs: str) -> dict[str, AuditEvent]:
    with tenant(world.acme):
        return {event.verb: event for event in AuditEvent.objects.filter(verb__in=verbs)}


def launch(world, client, **headers) -> int:
    make_version(world, PUBLISHING, slug="asker", files={"README.md": b"# Orders\n"})
    answer = client.post(
        "/api/o/acme/runs/",
        {"path": "asker", "values": {"name": "orders"}},
        content_type="application/json",
        REMOTE_ADDR=ADDRESS,
        **headers,
    )
    assert answer.status_code == 201, answer.content
    return answer.json()["id"]


# --- page, API, git, command ---


@pytest.mark.django_db
def test_a_run_launched_and_cancelled_by_token_names_token_and_address(world, client, silent, token_for):
    bearer = {"HTTP_AUTHORIZATION": f"Bearer {token_for(world.dev, world.acme, 'write')}"}
    run = launch(world, client, **bearer)
    assert client.post(f"/api/o/acme/runs/{run}/cancel/", REMOTE_ADDR=ADDRESS, **bearer).status_code == 200
    with tenant(world.acme):
        token = ApiToken.objects.get()
    found = events(world, "run.launched", "run.cancelled")
    for verb in ("run.launched", "run.cancelled"):
        assert facts(found[verb]) == ("Dev", "api", "test", ADDRESS), verb
        assert (found[verb].actor, found[verb].token_id) == (world.dev, token.pk), verb


@pytest.mark.django_db
def test_a_run_cancelled_on_its_page_names_the_page(world, client_for, silent):
    browser = client_for(world.dev)
    run = launch(world, browser)
    assert browser.post(f"/o/acme/runs/{run}/cancel/", REMOTE_ADDR=ADDRESS).status_code == 302
    found = events(world, "run.launched", "run.cancelled")
    assert facts(found["run.launched"]) == ("Dev", "api", "", ADDRESS)
    assert facts(found["run.cancelled"]) == ("Dev", "page", "", ADDRESS)


@pytest.mark.django_db
def test_what_a_worker_does_later_names_who_really_acted(world, client, silent, finish, token_for):
    bearer = {"HTTP_AUTHORIZATION": f"Bearer {token_for(world.dev, world.acme, 'write')}"}
    run = launch(world, client, **bearer)
    with tenant(world.acme):
        row = Run.objects.get(pk=run)
    ended = finish(row)
    assert ended.status == "succeeded", ended.error_text
    made = events(world, "repository.created")["repository.created"]
    assert facts(made) == ("Dev", "api", "test", ADDRESS)

    mae = {"HTTP_AUTHORIZATION": f"Bearer {token_for(world.mae, world.acme, 'write')}"}
    assert client.post(f"/api/o/acme/runs/{run}/undo/", REMOTE_ADDR="203.0.113.8", **mae).status_code == 200
    assert finish(row).status == "undone"
    gone = events(world, "repository.deleted")["repository.deleted"]
    assert facts(gone) == ("Mae", "api", "test", "203.0.113.8"), "the undo is Mae's, not the launcher's"


@pytest.mark.django_db
def test_the_name_stays_when_the_person_goes(world, client, silent, finish, token_for):
    bearer = {"HTTP_AUTHORIZATION": f"Bearer {token_for(world.dev, world.acme, 'write')}"}
    run = launch(world, client, **bearer)
    world.dev.delete()
    with tenant(world.acme):
        row = Run.objects.get(pk=run)
        assert (row.launcher.person, str(row.launcher), row.launcher.address) == (None, "Dev", ADDRESS)
    ended = finish(row)
    assert ended.status == "succeeded", ended.error_text
    made = events(world, "repository.created")["repository.created"]
    assert (made.actor, made.actor_label, made.via.split(" ")[0]) == (None, "Dev", "test")


@pytest.mark.django_db
def test_the_command_line_is_a_way_in(world):
    call_command("organisation", "third", "Third", world.dev.email)
    with tenant(Organisation.objects.get(slug="third")):
        assert facts(AuditEvent.objects.get()) == ("Dev", "command", "", None)


def test_a_row_from_before_acts_as_its_persons_background_work():
    assert Actor.kept({}, None) == Actor.slipway()
    assert Actor.kept({}, None).way is Way.TASK


# --- an agent ---


def agent(**changes) -> Agent:
    known = {"key": "a-1", "name": "Copilot", "scopes": ("read",), "budget": 2}
    return Agent(**{**known, "expires_at": timezone.now() + timedelta(hours=1), **changes})


@pytest.mark.django_db
def test_facts_come_back_as_they_went(world):
    with tenant(world.acme):
        token = ApiToken.objects.create(
            organisation=world.acme, user=world.dev, name="ci", prefix="slw_1", digest="d", expires_at=timezone.now()
        )
    actor = Actor.entered(world.dev, Way.MCP, address=ADDRESS, token=token, agent=agent())
    assert Actor.kept(actor.facts(), world.dev) == actor
    assert str(actor) == "Copilot for Dev"
    assert Actor.kept(json.loads(json.dumps(actor.facts())), world.dev) == actor, "a row keeps them as JSON"


@pytest.mark.django_db
def test_an_agent_is_never_more_than_its_person_or_its_scopes(world):
    with tenant(world.acme):
        member = {user: Membership.objects.get(user=user) for user in (world.vic, world.ada)}

        def access(user, found):
            return Access(world.acme, user, member[user], way=Way.MCP, address=None, agent=found)

        assert access(world.ada, agent()).can("catalog.view")
        assert not access(world.ada, agent()).can("people.manage"), "its person may, its scopes do not"
        assert access(world.ada, agent(scopes=("write",))).can("people.manage")
        assert not access(world.vic, agent(scopes=("write",))).can("runs.launch"), "its person may not"
        over = access(world.ada, agent(expires_at=timezone.now() - timedelta(seconds=1)))
        assert "its time is over" in over.can("catalog.view").sentence


@pytest.mark.django_db
def test_an_agent_stops_when_its_budget_or_its_time_is_spent(world):
    def act(found: Agent) -> AuditEvent:
        actor = Actor.entered(world.dev, Way.MCP, address=None, agent=found)
        return audit.record(organisation=world.acme, actor=actor, verb="x.done", summary="Did it")

    with tenant(world.acme):
        event = act(agent())
        assert (event.actor, event.actor_label, event.agent) == (world.dev, "Copilot for Dev", "a-1")
        act(agent())
        with pytest.raises(Forbidden, match="budget of 2"):
            act(agent())
        act(agent(key="a-2"))  # another's budget is its own
        with pytest.raises(Forbidden, match="time is over"):
            act(agent(key="a-3", expires_at=timezone.now() - timedelta(seconds=1)))


# --- every action takes one, and one only ---


def actions() -> Iterator[tuple[str, ast.FunctionDef]]:
    """Every function of ours with a parameter `actor`, methods included."""
    for module, tree in modules():
        for node in ast.walk(tree):
            if isinstance(node, ast.FunctionDef) and "actor" in {a.arg for a in parameters(node)}:
                yield f"{module}.{node.name}", node


def parameters(node: ast.FunctionDef) -> list[ast.arg]:
    return [*node.args.posonlyargs, *node.args.args, *node.args.kwonlyargs]


def test_every_action_takes_an_actor_and_no_request():
    wrong = []
    for name, node in actions():
        said = {each.arg: ast.unparse(each.annotation) if each.annotation else "" for each in parameters(node)}
        if said["actor"].strip("'\"") != "Actor" or "request" in said:
            wrong.append(f"{name}({said['actor']})")
    assert wrong == []
    assert len(list(actions())) >= len(VERBS) >= 25


def test_nobody_writes_events_but_the_one_writer():
    """Else an event could stand there without its way in, or without its place in the outbox."""
    writers = []
    for module, tree in modules():
        for node in ast.walk(tree):
            called = ast.unparse(node.func) if isinstance(node, ast.Call) else ""
            if called in {"AuditEvent", "OutboxEntry"} or called.startswith(
                ("AuditEvent.objects.create", "AuditEvent.objects.bulk", "OutboxEntry.objects.create")
            ):
                writers.append(module)
    assert set(writers) == {RECORD.rpartition(".")[0]}


@pytest.mark.django_db
def test_slipway_itself_has_a_name(world):
    with tenant(world.acme):
        event = audit.record(organisation=world.acme, actor=Actor.slipway(), verb="x.done", summary="Did it")
        assert facts(event) == ("Slipway", "task", "", None)
        assert facts(audit.record(organisation=world.acme, actor=by(world.dev), verb="x.done", summary="Did it")) == (
            "Dev", "task", "", None,
        )  # fmt: skip
