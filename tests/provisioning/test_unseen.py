"""What a form asks for unseen is a secret: sealed while the run works, masked wherever it turns up, gone at the end."""

from __future__ import annotations

import importlib
import json
from typing import Any

import pytest
from django.apps import apps
from django.db import connection

from portal.accounts.access import Access
from portal.accounts.models import AuditEvent, Membership
from portal.goldenpaths.questions.forms import clean
from portal.goldenpaths.questions.unseen import LONGEST_NAME, unseen_in
from portal.kit.errors import Invalid
from portal.provisioning import actions
from portal.provisioning.acting.outcomes import Done
from portal.provisioning.engine.advance import advance
from portal.provisioning.models import Run, Step, Workspace
from tests.conftest import by
from tests.provisioning.conftest import acts, make_version, reload, rows, start_run, texts
from tests.provisioning.test_confidence import BUNDLE, SECRET, leaks, quoted

pytestmark = pytest.mark.django_db(transaction=True)

PIN, MASKED, DEEP = 7_391_846_205, "olive-trees-at-noon", "a-deep-pässword"
DOTS = {"type": "string", "title": "Password", "pattern": "^[^ ]+$", "ui:widget": "password"}
ASKED = {
    "properties": {
        "name": {"type": "string"},
        "word": DOTS,
        "pin": {"type": "integer", "ui:options": {"widget": "password"}},
        "note": {"type": "string", "ui:backstage": {"review": {"mask": "hush"}}},
        "hosts": {"type": "array", "items": {"type": "object", "properties": {"at": {"type": "string"}, "key": DOTS}}},
        "kind": {"enum": ["a", "b"], "default": "a"},
    },
    "dependencies": {
        "kind": {
            "oneOf": [
                {"properties": {"kind": {"const": "a"}, "extra": {"type": "string"}}},
                {"properties": {"kind": {"const": "b"}, "extra": {"type": "string", "ui:widget": "password"}}},
            ]
        }
    },
}
VALUES = {
    "name": "orders", "word": SECRET, "pin": PIN, "note": MASKED, "hosts": [{"at": "here", "key": DEEP}],
    "kind": "a", "extra": "of-a-branch",
}  # fmt: skip
TOLD = [SECRET, str(PIN), MASKED, DEEP, DEEP.upper(), json.dumps(DEEP)[1:-1], "of-a-branch"]
NAMES = ["parameters/extra", "parameters/hosts/0/key", "parameters/note", "parameters/pin", "parameters/word"]
FETCH = {
    "id": "fetch",
    "action": "fetch:template",
    "input": {"url": "./skeleton", "values": {"token": "${{ parameters.word }}", "pin": "${{ parameters.pin }}"}},
}
SAYS = {
    "id": "say",
    "action": "debug:log",
    "input": {
        "message": "${{ parameters.word }} ${{ parameters.word | upper }} ${{ parameters.pin }} ${{ parameters.note }} "
        "${{ parameters.extra }} ${{ parameters | dump }}"
    },
}
EACH = {
    "id": "each",
    "action": "debug:log",
    "each": "${{ parameters.hosts }}",
    "input": {"message": "${{ each.value.at }}: ${{ each.value.key | upper }}"},
}
FAILS = {"id": "fail", "action": "fs:rename", "input": {"files": [{"from": "${{ parameters.word }}", "to": "x"}]}}
SHOWN = {"text": [{"title": "Made", "content": "with ${{ parameters.word | upper }}"}]}


def launched(world: Any, steps: list[dict[str, Any]], **more: Any) -> Run:
    return start_run(world, steps, files=BUNDLE, values=VALUES, parameters=ASKED, output=SHOWN, **more)


def lie_open() -> list[str]:
    return leaks([*TOLD, *map(quoted, TOLD)])


@pytest.mark.parametrize("end", ["working", "succeeded", "failed", "cancelled", "key lost"])
def test_it_lies_open_nowhere_while_the_run_works_and_is_gone_however_it_ends(
    committed_world, silent, finish, monkeypatch, settings, end
):
    heard: list[Any] = []

    def hears(ctx: Any, given: dict[str, Any]) -> Done:
        heard.append(given["message"])
        ctx.log(given["message"])
        return Done({"remoteUrl": f"https://u:{DEEP}@x/", "pin": PIN})

    acts(monkeypatch, "debug:log", hears)
    run = launched(committed_world, [FETCH, EACH, SAYS, *([FAILS] if end == "failed" else []), {**SAYS, "id": "late"}])
    assert run.secret_names == NAMES
    for _ in range(3):
        advance(run.organisation_id, run.pk)
        assert lie_open() == []
    assert heard[0] == f"here: {DEEP.upper()}", "the step itself reads what was answered"
    assert {SECRET, SECRET.upper(), str(PIN), MASKED, "of-a-branch"} <= set(heard[1].split(" "))
    if end == "working":
        assert reload(run).secrets
        assert rows(Workspace, run)
        return
    if end == "cancelled":
        with committed_world.tenant():
            actions.cancel(organisation=committed_world.acme, actor=by(committed_world.dev), run=run)
    if end == "key lost":
        settings.CLUSTER_PRIVATE_KEY = ""
    run = finish(run)
    assert run.status == {"key lost": "failed"}.get(end, end), run.error_text
    assert (run.secrets, rows(Workspace, run)) == ("", [])
    assert lie_open() == []
    assert "***" in " ".join(texts(run))
    assert run.values == {
        **VALUES, "word": "***", "pin": "***", "note": "***", "hosts": [{"at": "here", "key": "***"}], "extra": "***",
    }  # fmt: skip


def test_pages_the_api_and_the_audit_log_say_a_mask(committed_world, silent, finish, client):
    run = finish(launched(committed_world, [FETCH, SAYS, EACH, FAILS]))
    client.force_login(committed_world.dev)
    paths = [f"/o/acme/runs/{run.pk}/", f"/o/acme/runs/{run.pk}/log/", f"/o/acme/runs/{run.pk}/retry/", "/o/acme/runs/",
             f"/api/o/acme/runs/{run.pk}/", f"/api/o/acme/runs/{run.pk}/events/"]  # fmt: skip
    for path in paths:
        answer = client.get(path)
        assert answer.status_code == 200, path
        assert [told for told in TOLD if told in answer.content.decode()] == [], path
    page = client.get(paths[0]).content.decode()
    assert "hush" in page
    assert "parameters/" not in page
    assert "hosts.0.key" in client.get(paths[2]).content.decode()
    assert client.get(paths[4]).json()["values"]["word"] == "***"
    with committed_world.tenant():
        said = [f"{event.summary} {event.data}" for event in AuditEvent.objects.for_tenant(committed_world.acme)]
    assert [told for told in TOLD if told in " ".join(said)] == []


def test_a_retry_asks_again_under_the_rules_of_the_form(committed_world, silent, finish, monkeypatch):
    heard: list[str] = []
    acts(monkeypatch, "debug:log", lambda ctx, given: heard.append(given["message"]) or Done({}))
    run = finish(launched(committed_world, [FAILS, SAYS]))
    assert run.status == "failed"
    again = {
        "parameters/word": "another-word", "parameters/pin": "9988776655", "parameters/note": "noted-once-more",
        "parameters/hosts/0/key": "another-key", "parameters/extra": "the-branch-again",
    }  # fmt: skip

    def retry(**instead: str) -> Run:
        given = {**again, **{f"parameters/{name}": text for name, text in instead.items()}}
        with committed_world.tenant():
            return actions.retry(
                organisation=committed_world.acme, actor=by(committed_world.dev), run=run, secrets=given
            )

    for wrong, sentence in (
        ({"word": ""}, "Enter word again"),
        ({"word": "short"}, "too short"),
        ({"word": "with a blank"}, "expected form"),
        ({"pin": "no number"}, "whole number"),
    ):
        with pytest.raises(Invalid, match=sentence) as refused:
            retry(**wrong)
        assert refused.value.field == f"parameters/{next(iter(wrong))}"
    acts(monkeypatch, "fs:rename", lambda ctx, given: Done({}))
    retry()
    run = finish(run)
    assert run.status == "succeeded", run.error_text
    assert heard[0].startswith("another-word ANOTHER-WORD 9988776655 noted-once-more the-branch-again ")
    assert '"key":"another-key"' in heard[0].replace(" ", "")
    assert leaks(["another-word", "9988776655", "noted-once-more", "another-key", "the-branch-again"]) == []


def test_the_form_refuses_what_could_not_be_masked(world, silent):
    version = make_version(world, [SAYS], parameters=ASKED)
    with world.tenant():
        member = Membership.objects.for_tenant(world.acme).get(user=world.dev)
        access = Access(organisation=world.acme, user=world.dev, membership=member)
        cleaned = clean(version, {**VALUES, "word": "short", "hosts": [{"key": "tiny"}]}, access)
    assert set(cleaned.errors) == {"word", "hosts.0.key"}
    assert "too short" in cleaned.errors["word"]


def test_a_name_that_is_asked_for_unseen_names_nothing(world, silent):
    parameters = {"properties": {"name": {"type": "string", "ui:widget": "password"}}}
    run = start_run(world, [SAYS], values={"name": SECRET}, parameters=parameters)
    assert (run.subject, run.values) == ("", {"name": "***"})


def test_a_place_that_is_too_long_to_keep_goes_by_its_digest():
    name = "n" * (LONGEST_NAME + 1)
    document = {"spec": {"parameters": {"properties": {name: DOTS, "a/b": DOTS}}}}
    long, short = unseen_in(document, {name: SECRET, "a/b": SECRET})
    assert len(long.name) <= LONGEST_NAME
    assert short.name == "parameters/a~1b"


def test_the_upgrade_masks_the_answers_of_earlier_runs(committed_world, silent, finish):
    run = finish(launched(committed_world, [FAILS]))
    other = finish(start_run(committed_world, [SAYS], values={"name": "plain"}))
    masked = run.values
    with committed_world.tenant():
        Run.objects.for_tenant(committed_world.acme).filter(pk=run.pk).update(values=VALUES, secret_names=[])
        Step.objects.for_tenant(committed_world.acme).filter(run=run).update(input=None)
    assert any(leak.startswith("public.provisioning_run:") for leak in lie_open())
    migration = importlib.import_module("portal.provisioning.migrations.0006_unseen_answers")
    with connection.schema_editor() as editor:
        migration.mask_all(apps, editor)
    after = reload(run)
    assert (after.values, after.secret_names) == (masked, NAMES)
    assert reload(other).values == {"name": "plain"}
    assert lie_open() == []
