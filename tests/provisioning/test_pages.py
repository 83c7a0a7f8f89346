"""What people see of runs, what they may do with them, and that neighbours see nothing."""

import json

import pytest

from portal.accounts.models import AuditEvent
from portal.goldenpaths.questions.answers import new_key
from portal.provisioning import actions
from portal.provisioning.engine import advance as engine
from portal.provisioning.models import Effect, Run
from tests.provisioning.conftest import make_version, start_run

pytestmark = pytest.mark.django_db


def log(message="hello", **more):
    return {"id": "log", "name": "Say hello", "action": "debug:log", "input": {"message": message}, **more}


@pytest.fixture
def run(world, silent):
    return start_run(world, [log()], slug="greeter", output={"links": [
        {"title": "Docs", "url": "https://docs.example.com"}, {"title": "Evil", "url": "javascript:alert(1)"},
        {"title": "Entity", "entityRef": "component:default/orders"}]})  # fmt: skip


@pytest.fixture
def finished(run):
    while engine.advance(run.organisation_id, run.pk):
        pass
    return run


def test_the_list_is_inviting_while_nothing_was_launched(world, client_for):
    page = client_for(world.dev).get("/o/acme/runs/")
    assert "Nothing has been launched yet" in page.content.decode()


def test_the_list_filters_by_state_path_and_person_and_says_when_nothing_matches(world, client_for, run):
    dev, mae = client_for(world.dev), client_for(world.mae)
    link = f'href="/o/acme/runs/{run.pk}/"'
    for query in ("", "?status=queued", "?path=greeter", "?who=me", f"?who={world.dev.pk}"):
        assert link in dev.get(f"/o/acme/runs/{query}").content.decode(), query
    for query in ("?status=failed", "?path=other", "?entity=component:default/x", "?before=1"):
        page = dev.get(f"/o/acme/runs/{query}").content.decode()
        assert link not in page
        assert "No run matches" in page
    assert link not in mae.get("/o/acme/runs/?who=me").content.decode()
    assert link in dev.get("/o/acme/runs/?status=nonsense&before=x&who=%00").content.decode()


def test_the_list_turns_pages_by_key_and_asks_few_questions(world, client_for, silent, django_assert_max_num_queries):
    version = make_version(world, [log()])
    with world.tenant():
        Run.objects.bulk_create(
            Run(organisation=world.acme, version=version, requester=world.dev, idempotency_key=str(n), title="A path",
                subject=f"run-{n:02}") for n in range(30)
        )  # fmt: skip
    client = client_for(world.dev)
    client.get("/o/acme/")  # a session's first request notes it in its person's list
    with django_assert_max_num_queries(12):
        first = client.get("/o/acme/runs/?path=" + version.path.slug)
    assert first.content.decode().count('data-live="run-row:') == 25
    older = first.context["older"]
    second = client.get(f"/o/acme/runs/?path={version.path.slug}&before={older}")
    assert [run.subject for run in second.context["runs"]] == [f"run-{n:02}" for n in (4, 3, 2, 1, 0)]


def test_the_page_shows_steps_log_answers_and_safe_links(world, client_for, finished):
    page = client_for(world.vic).get(f"/o/acme/runs/{finished.pk}/").content.decode()
    for text in ("Say hello", "Succeeded", "hello", "orders", "https://docs.example.com", "The run succeeded."):
        assert text in page
    assert "javascript:" not in page
    assert f'data-live="run:{finished.pk}"' in page
    assert f'data-live="run-log:{finished.pk}"' in page


def test_the_fragments_on_the_page_are_what_the_stream_sends(world, client_for, finished):
    from django.utils.html import strip_spaces_between_tags

    from portal.kit.announcing import TOPICS

    page = client_for(world.dev).get(f"/o/acme/runs/{finished.pk}/").content.decode()
    with world.tenant():
        for kind in ("run", "run-log", "run-buttons"):
            fragment = TOPICS[kind].render(world.acme, str(finished.pk))
            assert strip_spaces_between_tags(fragment.strip()) in strip_spaces_between_tags(page), kind
        assert f"#{finished.pk}" in TOPICS["runs"].render(world.acme, "all")
        assert f"#{finished.pk}" in TOPICS["run-row"].render(world.acme, str(finished.pk))
        for kind in ("run", "run-log", "run-buttons", "run-row"):
            assert TOPICS[kind].render(world.acme, "999999") is None
            assert TOPICS[kind].render(world.acme, "nonsense") is None
    with world.tenant(world.rival):
        assert TOPICS["run"].render(world.rival, str(finished.pk)) is None


def test_the_log_is_there_as_text(world, client_for, finished):
    answer = client_for(world.vic).get(f"/o/acme/runs/{finished.pk}/log/")
    assert answer["Content-Type"].startswith("text/plain")
    assert "hello" in answer.content.decode()


def test_who_may_steer_a_run(world, client_for, run):
    expected = {"ada": 200, "mae": 200, "dev": 200, "vic": 403}
    for name, user in world.members().items():
        client = client_for(user)
        for verb in ("cancel", "retry", "undo"):
            assert client.get(f"/o/acme/runs/{run.pk}/{verb}/").status_code == expected[name], (name, verb)
        page = client.get(f"/o/acme/runs/{run.pk}/").content.decode()
        assert (f'data-live="run-buttons:{run.pk}"' in page) == (expected[name] == 200)


def test_a_neighbour_finds_nothing(world, client_for, run):
    eve = client_for(world.eve)
    for org in ("acme", "rival"):
        for tail in ("", "log/", "cancel/", "retry/", "undo/"):
            assert eve.get(f"/o/{org}/runs/{run.pk}/{tail}").status_code == 404, (org, tail)
        assert eve.get(f"/api/o/{org}/runs/{run.pk}/").status_code == 404
        for verb in ("cancel", "retry", "undo"):
            assert eve.post(f"/o/{org}/runs/{run.pk}/{verb}/").status_code == 404
            address = f"/api/o/{org}/runs/{run.pk}/{verb}/"
            assert eve.post(address, content_type="application/json").status_code == 404
    assert f"/runs/{run.pk}/" not in eve.get("/o/rival/runs/").content.decode()


@pytest.mark.parametrize("number", ["0", "99999999999999999999999"])
def test_a_run_that_never_was_is_not_found(world, client_for, number):
    assert client_for(world.dev).get(f"/o/acme/runs/{number}/").status_code == 404


def test_cancel_asks_first_then_stops_the_run_and_is_audited(world, client_for, run):
    client = client_for(world.dev)
    assert "before its next effect" in client.get(f"/o/acme/runs/{run.pk}/cancel/").content.decode()
    answer = client.post(f"/o/acme/runs/{run.pk}/cancel/")
    assert answer["Location"] == f"/o/acme/runs/{run.pk}/"
    assert "asked this run to stop" in client.get(answer["Location"]).content.decode()
    engine.advance(run.organisation_id, run.pk)
    assert "Cancelled" in client.get(answer["Location"]).content.decode()
    with world.tenant():
        verbs = set(AuditEvent.objects.for_tenant(world.acme).values_list("verb", "actor"))
    assert {("run.launched", world.dev.pk), ("run.cancelled", world.dev.pk)} <= verbs


def test_what_cannot_be_done_is_said_and_not_done(world, client_for, finished):
    client = client_for(world.dev)
    for verb, words in (("cancel", "nothing left to cancel"), ("retry", "Only a failed or cancelled run")):
        answer = client.post(f"/o/acme/runs/{finished.pk}/{verb}/")
        assert answer.status_code == 409
        assert words in answer.content.decode()
        assert words in client.get(f"/o/acme/runs/{finished.pk}/{verb}/").content.decode()
    answer = client.post(f"/o/acme/runs/{finished.pk}/undo/")
    assert answer.status_code == 409
    assert "nothing to undo" in answer.content.decode()


def test_undo_says_beforehand_what_goes_and_what_stays(world, client_for, finished):
    with world.tenant():
        step = finished.steps.get()
        for label, before in (("Repository orders", None), ("Namespace shop", {"uid": "1"})):
            Effect.objects.create(organisation=world.acme, run=finished, step=step, key=label, kind="object",
                                  label=label, before=before, outcome="created")  # fmt: skip
    page = client_for(world.dev).get(f"/o/acme/runs/{finished.pk}/undo/").content.decode()
    goes, stays = page.split("Repository orders")[1], page.split("Namespace shop")[1]
    assert "will be removed" in goes
    assert "stays" in stays


def test_retry_asks_for_secrets_again(world, client_for, silent):
    run = start_run(world, [log("${{ parameters.missing }}")], secrets={"token": "hunter2-hunter2"})
    while engine.advance(run.organisation_id, run.pk):
        pass
    client = client_for(world.dev)
    assert 'name="secret.token"' in client.get(f"/o/acme/runs/{run.pk}/retry/").content.decode()
    answer = client.post(f"/o/acme/runs/{run.pk}/retry/")
    assert answer.status_code == 422
    assert "Enter token again" in answer.content.decode()
    assert client.post(f"/o/acme/runs/{run.pk}/retry/", {"secret.token": "hunter2-hunter2"}).status_code == 302


PARAMETERS = {"required": ["name"], "properties": {"name": {"type": "string", "pattern": "^[a-z]+$"}}}


@pytest.fixture
def path(world):
    from portal.goldenpaths.models import Version

    version = make_version(world, [log("${{ parameters.name }}")], slug="asker", parameters=PARAMETERS)
    with world.tenant():
        return Version.objects.for_tenant(world.acme).select_related("path").get(pk=version.pk)


def launch_form(values, path=None, person=None):
    """What the review sends: with the path's version and a person, as that person was shown it."""
    form = {"values": json.dumps(values), "key": new_key()}
    return form | {"digest": actions.digest_of_review(path, values, person)} if path else form


def test_a_double_click_on_launch_is_one_run(world, client_for, path, silent):
    client, form = client_for(world.dev), launch_form({"name": "orders"}, path, world.dev)
    first, second = (client.post("/o/acme/paths/asker/launch/", form) for _ in range(2))
    assert first.status_code == second.status_code == 302
    assert first["Location"] == second["Location"]


def test_a_key_is_good_for_one_person_one_path_and_one_set_of_answers(world, client_for, path, silent):
    make_version(world, [log("other")], slug="other-path", parameters=PARAMETERS)
    dev, form = client_for(world.dev), launch_form({"name": "orders"}, path, world.dev)
    assert dev.post("/o/acme/paths/asker/launch/", form).status_code == 302
    for client, address, changed, words in (
        (dev, "asker", {"values": '{"name": "billing"}'}, "other answers"),
        (dev, "asker", {"secret.token": "hunter2-hunter2"}, "other answers"),
        (dev, "other-path", {}, "another path"),
        (client_for(world.mae), "asker", {}, "Somebody else"),
    ):
        answer = client.post(f"/o/acme/paths/{address}/launch/", {**form, **changed})
        assert (answer.status_code, words in answer.content.decode()) == (409, True), (address, changed)
    body = {"path": "asker", "values": {"name": "billing"}, "idempotency_key": form["key"]}
    answer = dev.post("/api/o/acme/runs/", body, content_type="application/json")
    assert (answer.status_code, answer.json()["error"]["code"]) == (409, "key-used")
    assert "Use another key" in answer.json()["error"]["message"]
    with world.tenant():
        assert Run.objects.for_tenant(world.acme).count() == 1


@pytest.mark.parametrize(
    ("form", "status", "words"),
    [
        ({}, 400, "did not arrive whole"),
        ({"values": "[1]", "key": "k"}, 400, "did not arrive whole"),
        ({"values": "{", "key": "k"}, 400, "did not arrive whole"),
        ({"values": '{"name": "ok"}', "key": "k\0"}, 400, "did not arrive whole"),
        ({"values": '{"name": "' + "[" * 9 + '", "deep": ' + "[" * 99 + "]" * 99 + "}", "key": "k"}, 400, "not arrive"),
        ({"values": '{"name": ' + "9" * 5000 + "}", "key": "k"}, 400, "did not arrive whole"),
        ({"values": "{}", "key": "k"}, 422, "“name” needs an answer."),
        ({"values": '{"name": "UPPER"}', "key": "k"}, 422, "name does not have the expected form"),
        ({"values": '{"name": "ok", "more": 1}', "key": "k"}, 422, "No page of the form asks for “more”."),
        ({"values": '{"name": "ok"}', "key": "k", "version": "7"}, 404, "has no version 7"),
    ],
)
def test_bad_answers_launch_nothing(world, client_for, path, silent, form, status, words):
    if status == 422:
        form = {**form, "digest": actions.digest_of_review(path, json.loads(form["values"]), world.dev)}
    answer = client_for(world.dev).post("/o/acme/paths/asker/launch/", form)
    assert answer.status_code == status
    assert words in answer.content.decode()
    with world.tenant():
        assert not Run.objects.for_tenant(world.acme).exists()


@pytest.mark.parametrize("which", ["no digest", "other answers", "somebody else's review"])
def test_what_was_not_reviewed_is_not_launched(world, client_for, path, silent, which):
    form = launch_form({"name": "orders"}, path, world.mae if which == "somebody else's review" else world.dev)
    form |= {"no digest": {"digest": ""}, "other answers": {"values": '{"name": "billing"}'}}.get(which, {})
    answer = client_for(world.dev).post("/o/acme/paths/asker/launch/", form)
    assert answer.status_code == 409
    assert "these are not the answers that you reviewed" in answer.content.decode()
    with world.tenant():
        assert not Run.objects.for_tenant(world.acme).exists()


def test_a_version_that_has_moved_on_since_the_review_is_not_launched(world, client_for, path, silent):
    """409 with the form and all answers; the same over the API, where a program names the version it previewed."""
    client, form = client_for(world.dev), launch_form({"name": "orders"}, path, world.dev) | {"version": "1"}
    with world.tenant():
        newer = type(path)(organisation=world.acme, path=path.path, number=2, digest="2" * 64, document=path.document)
        newer.save()
        path.path.current_number = 2
        path.path.save()
    answer = client.post("/o/acme/paths/asker/launch/", form)
    assert answer.status_code == 409
    assert "A path is at version 2 by now, and version 1 was reviewed." in answer.content.decode()
    assert 'value="orders"' in answer.content.decode()
    body = {"path": "asker", "values": {"name": "orders"}, "version": 1}
    said = client.post("/api/o/acme/runs/", body, content_type="application/json")
    assert (said.status_code, said.json()["error"]["code"]) == (409, "path-moved-on")
    with world.tenant():
        assert not Run.objects.for_tenant(world.acme).exists()
    assert client.post("/api/o/acme/runs/", {**body, "version": 2}, content_type="application/json").status_code == 201


def test_a_viewer_cannot_launch(world, client_for, path, silent):
    answer = client_for(world.vic).post("/o/acme/paths/asker/launch/", launch_form({"name": "orders"}))
    assert answer.status_code == 403
    assert "cannot launch golden paths" in answer.content.decode()


def test_the_api_launches_lists_shows_and_follows(world, client_for, path, silent):
    client = client_for(world.dev)
    body = {"path": "asker", "values": {"name": "orders"}, "idempotency_key": "same"}
    made = [client.post("/api/o/acme/runs/", body, content_type="application/json") for _ in range(2)]
    assert [answer.status_code for answer in made] == [201, 201]
    assert made[0].json()["id"] == made[1].json()["id"]
    number = made[0].json()["id"]
    engine.advance(world.acme.pk, number)
    engine.advance(world.acme.pk, number)
    shown = client.get(f"/api/o/acme/runs/{number}/").json()
    assert (shown["status"], shown["steps"][0]["status"]) == ("succeeded", "succeeded")
    assert [item["id"] for item in client.get("/api/o/acme/runs/?status=succeeded").json()["items"]] == [number]
    events = client.get(f"/api/o/acme/runs/{number}/events/").json()
    assert [line["seq"] for line in events["lines"]] == [1, 2, 3]
    assert events["is_over"] is True
    assert client.get(f"/api/o/acme/runs/{number}/events/?after=3").json() == {"lines": [], "is_over": True}


def test_the_api_refuses_in_its_own_shape(world, client_for, path, finished):
    client = client_for(world.dev)
    answer = client.post("/api/o/acme/runs/", {"path": "asker"}, content_type="application/json")
    assert answer.status_code == 400
    assert answer.json()["error"]["detail"]["errors"]
    missing = client.post("/api/o/acme/runs/", {"path": "nowhere"}, content_type="application/json")
    assert missing.status_code == 404
    for verb in ("cancel", "retry", "undo"):
        answer = client.post(f"/api/o/acme/runs/{finished.pk}/{verb}/", content_type="application/json")
        assert answer.status_code == 409, verb
        assert answer.json()["error"]["message"]
    vic = client_for(world.vic)
    assert vic.post(f"/api/o/acme/runs/{finished.pk}/cancel/", content_type="application/json").status_code == 403
