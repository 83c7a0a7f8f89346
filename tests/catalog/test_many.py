"""Many entities changed at once: as each person may, with what became of each, and undone."""

from __future__ import annotations

import difflib
import shutil

import pytest
from django.conf import settings

from catalog import actions
from catalog.lists.editing import CannotEdit, changed
from catalog.lists.models import Bulk, BulkRow
from catalog.models import Entity, Source
from portal.accounts.models import AuditEvent, Membership
from portal.accounts.teams import create_team
from portal.githosts.hosts import HOSTS
from portal.jobs.models import Job
from portal.jobs.work import work
from portal.kit.yamltext import read_document
from tests.catalog.test_lists import BASE, write
from tests.conftest import by
from tests.githosts.conftest import Plain, make_repository

MANY = f"{BASE}bulk/"
FILED = """\
apiVersion: backstage.io/v1alpha1
kind: Component
metadata:
  name: filed
spec:
  type: service
  lifecycle: production
  owner: payments  # who is asked
"""


@pytest.fixture
def shop(world):
    with world.tenant():
        for name in ("gateway", "ledger"):
            write(world, name)
        write(world, "tracker", owner="tracking")
    return world


def ask(world, client, act, value="", *, chosen=(), query="kind=Component"):
    """Confirms the question and does the job; returns the page of what became of it."""
    with world.tenant():
        pks = list(Entity.objects.for_tenant(world.acme).filter(name__in=chosen).values_list("pk", flat=True))
    form = {"act": act, "value": value, "query": query, "begin": "1"}
    form |= {"e": [str(pk) for pk in pks], "which": "selected"} if chosen else {"which": "all"}
    answer = client.post(MANY, form)
    assert answer.status_code == 302, answer.content.decode()[:3000]
    do(world)
    return answer["Location"]


def do(world):
    with world.tenant():
        waiting = list(Job.objects.for_tenant(world.acme).filter(kind="catalog.bulk", state="queued"))
    for job in waiting:
        work(world.acme.pk, job.pk)


def outcomes(world, page):
    with world.tenant():
        rows = BulkRow.objects.for_tenant(world.acme).filter(bulk=int(page.rstrip("/").rpartition("/")[2]))
        return {row.ref.rpartition("/")[2]: (row.outcome, row.sentence) for row in rows}


def found(world, name):
    with world.tenant():
        return Entity.objects.for_tenant(world.acme).select_related("source", "body").get(name=name)


def test_a_tag_is_added_to_what_the_person_may_edit_and_undone(shop, client_for):
    client = client_for(shop.dev)
    before = found(shop, "ledger").raw
    page = ask(shop, client, "tag", "pci")
    assert {name: outcome for name, (outcome, _) in outcomes(shop, page).items()} == {
        "gateway": "done", "ledger": "done", "tracker": "refused",
    }  # fmt: skip
    assert "Ask the owning team, or a manager" in outcomes(shop, page)["tracker"][1]
    assert found(shop, "ledger").tags == ["pci"]
    assert found(shop, "tracker").tags == []
    html = client.get(page).content.decode()
    assert "Done 2" in html
    assert "Refused 1" in html
    with shop.tenant():
        event = AuditEvent.objects.for_tenant(shop.acme).get(verb="bulk.asked")
        assert event.data == {"act": "tag", "value": "pci", "entities": 3}
        assert AuditEvent.objects.for_tenant(shop.acme).filter(verb="entity.changed").count() == 2
        job = Job.objects.for_tenant(shop.acme).get(kind="catalog.bulk")
        assert (job.state, job.goes_to, job.is_doubtful) == ("succeeded", page, True)
    with shop.tenant():  # somebody goes on with one of them
        text = found(shop, "gateway").raw.replace("production", "experimental")
        actions.write_entity(organisation=shop.acme, actor=by(shop.ada), text=text, entity=found(shop, "gateway"))
    undone = client.post(f"{page}undo/")["Location"]
    do(shop)
    assert outcomes(shop, undone)["ledger"][0] == "done"
    assert outcomes(shop, undone)["gateway"] == ("refused", "It was changed since; it stays as it is now.")
    assert found(shop, "ledger").raw == before
    assert found(shop, "gateway").tags == ["pci"]
    assert "Undo</button>" not in client.get(page).content.decode()


def test_the_owner_of_many_is_stated_and_not_written_into_texts(shop, client_for):
    """It changes hands on a page of its own (tests/handing): no text, no job."""
    answer = client_for(shop.mae).post(MANY, {"act": "owner", "which": "all", "query": "kind=Component"})
    assert (answer.status_code, answer["Location"]) == (307, "/o/acme/transfers/new/")
    with shop.tenant():
        assert not Bulk.objects.for_tenant(shop.acme).exists()


def test_the_lifecycle_of_many_changes(shop, client_for):
    mae = client_for(shop.mae)
    page = ask(shop, mae, "lifecycle", "deprecated", chosen=["ledger", "gateway"])
    assert {outcome for outcome, _ in outcomes(shop, page).values()} == {"done"}
    again = ask(shop, mae, "lifecycle", "deprecated", chosen=["ledger", "gateway"])
    assert {outcome for outcome, _ in outcomes(shop, again).values()} == {"same"}


def test_what_was_removed_comes_back_with_its_uid(shop, client_for):
    client, uid = client_for(shop.mae), found(shop, "ledger").uid
    page = ask(shop, client, "remove", chosen=["ledger"])
    assert found(shop, "ledger").removed_at is not None
    client.post(f"{page}undo/")
    do(shop)
    assert found(shop, "ledger").removed_at is None
    assert found(shop, "ledger").uid == uid


def test_what_comes_from_a_file_is_said_and_given_as_a_patch(shop, client_for, tmp_path):
    (tmp_path / "catalog-info.yaml").write_text(FILED)
    with shop.tenant():
        actions.add_source(organisation=shop.acme, actor=by(shop.dev), kind="folder", target=str(tmp_path))
    client = client_for(shop.dev)
    page = ask(shop, client, "lifecycle", "deprecated", chosen=["filed"])
    outcome, sentence = outcomes(shop, page)["filed"]
    assert (outcome, sentence) == ("elsewhere", f"It comes from {tmp_path}. Change it there.")
    assert "catalog-info.yaml:1" in client.get(page).content.decode()
    patch = client.get(f"{page}patch/").content.decode()
    assert "-  lifecycle: production\n+  lifecycle: deprecated\n" in patch
    assert "--- a/catalog-info.yaml\n+++ b/catalog-info.yaml\n" in patch
    assert found(shop, "filed").lifecycle == "production"
    removed = ask(shop, client, "remove", chosen=["filed"])
    assert "would come back" in outcomes(shop, removed)["filed"][1]


def test_files_of_our_own_host_are_committed_by_who_may_push(shop, client_for):
    shutil.rmtree(settings.GIT_ROOT, ignore_errors=True)
    host, two = HOSTS["slipway"], FILED + "---\n" + FILED.replace("filed", "filed-too")
    repository = make_repository(shop.acme, "orders", {"catalog-info.yaml": Plain(two.encode())})
    with shop.tenant():
        actions.add_source(organisation=shop.acme, actor=by(shop.dev), kind="repository", target="orders")
    page = ask(shop, client_for(shop.dev), "lifecycle", "deprecated", chosen=["filed", "filed-too"])
    assert {outcome for outcome, _ in outcomes(shop, page).values()} == {"committed"}
    head = host.head(repository)
    assert host.read_file(repository, "catalog-info.yaml", head).decode() == two.replace("production", "deprecated")
    assert host.author_of(repository, head).email == shop.dev.email
    with shop.tenant():
        assert AuditEvent.objects.for_tenant(shop.acme).filter(verb="repository.pushed").count() == 1
        assert Source.objects.for_tenant(shop.acme).get(kind="repository").state == "pending"


def test_sources_are_read_again_once_each(shop, client_for, tmp_path):
    (tmp_path / "catalog-info.yaml").write_text(FILED + "---\n" + FILED.replace("filed", "filed-too"))
    with shop.tenant():
        actions.add_source(organisation=shop.acme, actor=by(shop.dev), kind="folder", target=str(tmp_path))
    page = ask(shop, client_for(shop.dev), "refresh", chosen=["filed", "filed-too", "ledger"])
    assert {name: outcome for name, (outcome, _) in outcomes(shop, page).items()} == {
        "filed": "done", "filed-too": "done", "ledger": "same",
    }  # fmt: skip
    with shop.tenant():
        assert Source.objects.for_tenant(shop.acme).get(kind="folder").state == "pending"
        assert Job.objects.for_tenant(shop.acme).filter(kind="catalog.refresh").count() == 1


@pytest.mark.parametrize(
    ("act", "value", "words"),
    [
        ("tag", "", "say which"),
        ("tag", "No Tag!", "is no tag"),
        ("nonsense", "", "Select a valid choice"),
    ],
)
def test_what_cannot_be_meant_is_asked_again(shop, client_for, act, value, words):
    form = {"act": act, "value": value, "which": "all", "query": "kind=Component", "begin": "1"}
    answer = client_for(shop.dev).post(MANY, form)
    assert answer.status_code == 422
    assert words in answer.content.decode()
    with shop.tenant():
        assert not Bulk.objects.for_tenant(shop.acme).exists()


def test_the_question_says_how_many_and_nothing_is_done_before_it_is_confirmed(shop, client_for):
    client = client_for(shop.dev)
    answer = client.post(MANY, {"act": "tag", "which": "all", "query": "kind=Component"})
    assert "3 entities: everything in the list" in answer.content.decode()
    nothing = client.post(MANY, {"act": "tag", "which": "selected", "query": "kind=Component"})
    assert "Nothing is selected" in nothing.content.decode()
    with shop.tenant():
        assert not Job.objects.for_tenant(shop.acme).exists()


def test_who_left_meanwhile_changes_nothing(shop, client_for):
    client = client_for(shop.dev)
    answer = client.post(MANY, {"act": "tag", "value": "pci", "which": "all", "query": "kind=Component", "begin": "1"})
    with shop.tenant():
        Membership.objects.for_tenant(shop.acme).filter(user=shop.dev).delete()
    do(shop)
    assert set(outcomes(shop, answer["Location"]).values()) == {
        ("refused", "Dev is not in this organisation any more.")
    }
    assert found(shop, "ledger").tags == []


def test_only_who_asked_and_who_reads_the_log_sees_what_became_of_it(shop, client_for):
    page = ask(shop, client_for(shop.dev), "tag", "pci", chosen=["ledger"])
    assert client_for(shop.vic).get(page).status_code == 404
    assert client_for(shop.mae).get(page).status_code == 200
    assert client_for(shop.vic).post(MANY, {"act": "tag"}).status_code == 403


def test_teams_made_in_the_portal_are_changed_as_teams(shop, client_for):
    client = client_for(shop.ada)
    with shop.tenant():
        create_team(organisation=shop.acme, actor=by(shop.ada), name="Lockers", slug="lockers", stands=True)
    page = ask(shop, client, "tag", "pci", chosen=["lockers"], query="kind=Group")
    assert "Change the team" in outcomes(shop, page)["lockers"][1]


def test_a_killed_worker_is_followed_by_one_that_goes_on(shop, client_for, monkeypatch):
    monkeypatch.setattr("catalog.lists.jobs.A_TURN", 1)
    client = client_for(shop.mae)
    answer = client.post(MANY, {"act": "tag", "value": "pci", "which": "all", "query": "kind=Component", "begin": "1"})
    with shop.tenant():
        first = BulkRow.objects.for_tenant(shop.acme).order_by("pk")[0]
        BulkRow.objects.for_tenant(shop.acme).filter(pk=first.pk).update(outcome="done")
    do(shop)
    done = outcomes(shop, answer["Location"])
    assert {outcome for outcome, _ in done.values()} == {"done"}
    assert found(shop, first.ref.rpartition("/")[2]).tags == [], "what had its turn has no second one"


# --- the text of one descriptor ---

BLOCK = """\
# who runs this
apiVersion: backstage.io/v1alpha1
kind: Component
metadata:
  name: a   # the name
  tags:
    - one
    - two  # the second
spec:
  type: service
  lifecycle: production # since May
  owner: "payments"
"""
FLOW = """\
apiVersion: backstage.io/v1alpha1
kind: Component
metadata: {name: a, tags: [one, y-z]}
spec: {type: service, lifecycle: production, owner: payments}
"""


@pytest.mark.parametrize("raw", [BLOCK, FLOW, BLOCK.rstrip("\n")])
@pytest.mark.parametrize(
    ("act", "value", "path", "expected"),
    [
        ("owner", "claims", ("spec", "owner"), "claims"),
        ("owner", "user:default/x", ("spec", "owner"), "user:default/x"),
        ("lifecycle", "2", ("spec", "lifecycle"), "2"),
        ("lifecycle", "end of life: soon", ("spec", "lifecycle"), "end of life: soon"),
        ("tag", "1st", ("metadata", "tags", 2), "1st"),
        ("untag", "one", ("metadata", "tags", 0), None),
    ],
)
def test_one_field_changes_and_every_other_character_stays(raw, act, value, path, expected):
    after = changed(raw, act, value)
    data = read_document(after).data
    for part in path:
        data = data[part]
    assert data == expected if expected is not None else data != "one"
    for word in ("# who runs this", "# the name", "# since May") if raw.startswith("#") else ():
        assert word in after
    told = [line[0] for line in difflib.ndiff(raw.splitlines(), after.splitlines())]
    assert told.count("-") <= 1
    assert told.count("+") <= 1


def test_what_was_wrong_before_keeps_no_change_away():
    """A definition that the reader puts in place of `$text` is a mapping as the text stands."""
    raw = """\
apiVersion: backstage.io/v1alpha1
kind: API
metadata: {name: a}
spec:
  type: openapi
  lifecycle: production
  owner: payments
  definition:
    $text: ./openapi.yaml
"""
    assert changed(raw, "owner", "claims") == raw.replace("owner: payments", "owner: claims")
    with pytest.raises(CannotEdit):
        changed(raw, "tag", "No Tag!")


def test_tags_come_and_go_with_their_heading():
    bare = FLOW.replace(", tags: [one, y-z]", "")
    tagged = changed(bare, "tag", "pci")
    assert read_document(tagged).data["metadata"]["tags"] == ["pci"]
    assert "tags" not in read_document(changed(tagged, "untag", "pci")).data["metadata"]
    block = BLOCK.replace("    - two  # the second\n", "")
    assert changed(block, "untag", "one") == block.replace("  tags:\n    - one\n", "")


@pytest.mark.parametrize("act", ["tag", "untag", "lifecycle", "owner"])
def test_what_says_so_already_is_left_alone(act):
    value = {"tag": "one", "untag": "no-such", "lifecycle": "production", "owner": "payments"}[act]
    assert changed(BLOCK, act, value) == BLOCK


@pytest.mark.parametrize(
    ("raw", "words"),
    [
        (BLOCK.replace("owner: \"payments\"", "owner: >-\n    payments"), "Change it by hand"),
        (BLOCK.replace("owner: \"payments\"", "owner: &who payments\n  system: *who"), "Change it by hand"),
        ("a: [", "not valid YAML"),
        ("kind: Component\n", "no metadata"),
    ],
)  # fmt: skip
def test_what_cannot_be_changed_safely_is_refused(raw, words):
    with pytest.raises(CannotEdit, match=words):
        changed(raw, "owner", "claims")
