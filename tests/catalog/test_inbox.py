"""The inbox of problems: narrowed, counted, paged, set aside with a reason, mended where a machine can."""

import os
import subprocess
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import psycopg
import pytest
from django.core.cache import cache
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils.timezone import now

from catalog import actions, inbox
from catalog.models import Entity, Problem, Source
from portal.accounts.models import AuditEvent
from portal.jobs.models import Job
from tests.catalog.test_pages import TEXT, page
from tests.conftest import by
from tests.githosts.conftest import Plain, make_repository

BASE = "/o/acme/catalog/problems/"
BAD = TEXT.format(name="till", owner="payments").replace("metadata:", "metadata:\n  tags: [Java]")


@pytest.fixture
def folder(world, tmp_path):
    """A source with a mendable problem of Payments, one of nobody, and one of the claims team."""
    (tmp_path / "catalog-info.yaml").write_text(BAD)
    (tmp_path / "claims.yaml").write_text(TEXT.format(name="desk", owner="claims").replace("  type: service\n", ""))
    (tmp_path / "broken.yaml").write_text("a: [\n")
    with world.tenant():
        actions.add_source(
            organisation=world.acme, actor=by(world.mae), kind="folder", target=str(tmp_path), path="*.yaml"
        )
    cache.clear()
    return tmp_path


def the(world, **which):
    with world.tenant():
        return Problem.objects.for_tenant(world.acme).select_related("source").get(**which)


def test_the_inbox_shows_what_where_and_how_to_mend_it(world, folder, client_for):
    html = page(client_for(world.vic), BASE)
    assert "3 problems" in html
    for words in ("Tag not allowed", "catalog-info.yaml:4", "tags: [Java]", "1 to 63 lower-case letters", "Payments"):
        assert words in html
    assert "^^^^" in html


def test_choices_narrow_it(world, folder, client_for):
    client = client_for(world.vic)

    def shown(**query):
        answer = client.get(BASE, query)
        return {row.path for row in answer.context["page"].rows}

    assert shown(code="tag") == {"catalog-info.yaml"}
    assert shown(owner="group:default/claims") == {"claims.yaml"}
    assert shown(owner="none") == {"broken.yaml"}
    assert shown(severity="error") == {"catalog-info.yaml", "claims.yaml", "broken.yaml"}
    assert shown(severity="hint") == set()
    assert shown(source=str(the(world, code="tag").source_id), code="missing") == {"claims.yaml"}
    assert shown(source="999999") == set()
    assert shown(age="week") == set()
    with world.tenant():
        Problem.objects.filter(code="tag").update(first_seen_at=now() - timedelta(days=8))
    assert shown(age="week") == {"catalog-info.yaml"}
    assert shown(age="month") == set()
    assert shown(age="new") == {"claims.yaml", "broken.yaml"}
    assert shown(code="nonsense", severity="x", age="y", source="z" * 30) == shown()
    mine = client_for(world.dev).get(BASE, {"owner": "mine"})
    assert {row.path for row in mine.context["page"].rows} == {"catalog-info.yaml"}
    assert "Nothing matches" in page(client, BASE, severity="hint")


def test_the_navigation_counts_what_waits_for_my_teams(world, folder, client_for):
    assert '<span class="nav-count"><span class="visually-hidden">, </span>1</span>' in page(
        client_for(world.dev), BASE
    )
    assert '<span class="nav-count"><span class="visually-hidden">, </span>3</span>' in page(
        client_for(world.vic), BASE
    )


def test_an_empty_inbox_is_good_news(world, client_for):
    html = page(client_for(world.vic), BASE)
    assert "Nothing is wrong" in html
    assert 'class="nav-count"' not in html


@pytest.fixture
def many(world, folder):
    """A thousand problems of a hundred owners."""
    with world.tenant():
        source = Source.objects.for_tenant(world.acme).get()
        Problem.objects.bulk_create(
            Problem(
                organisation=world.acme, source=source, key=f"k{number}", path=f"f{number}.yaml", code="tag",
                severity=0, sentence="No.", owner_ref=f"group:default/team-{number % 100}",
                first_seen_at=now() - timedelta(minutes=number // 2),
            )
            for number in range(1000)
        )  # fmt: skip


@pytest.mark.parametrize("order", ["", "old"])
def test_every_problem_is_on_one_page(world, many, client_for, order):
    client = client_for(world.vic)
    seen, after = [], ""
    while True:
        answer = client.get(BASE, {"after": after, "order": order, "code": "tag"})
        seen += [(row.first_seen_at, row.pk) for row in answer.context["page"].rows]
        after = answer.context["page"].after
        if not after:
            break
    assert len(seen) == len(set(seen)) == 1001
    assert seen == sorted(seen, reverse=not order)
    assert "The cursor" in page(client, BASE, 400, after="made-up")


def test_the_inbox_costs_the_same_whatever_is_in_it(world, folder, client_for, request):
    client = client_for(world.vic)
    page(client, BASE)
    with CaptureQueriesContext(connection) as few:
        page(client, BASE)
    request.getfixturevalue("many")
    with CaptureQueriesContext(connection) as all_of_it:
        page(client, BASE)
    asked = [query["sql"] for query in all_of_it]
    assert len(few) == len(all_of_it) <= 14, "\n".join(asked)  # two of them are the savepoint that a test adds


def test_what_can_wait_is_set_aside_with_a_reason(world, folder, client_for):
    problem = the(world, code="tag")
    dev = client_for(world.dev)
    address = f"{BASE}{problem.pk}/"
    assert "Say why it can wait" in page_posted(dev, f"{address}aside/", 400, term="week", reason=" ")
    assert dev.post(f"{address}aside/", {"term": "week", "reason": "Waits for the tag policy"}).status_code == 302
    assert "2 problems" in page(dev, BASE)
    aside = page(dev, BASE, aside="1")
    assert "Waits for the tag policy" in aside
    assert "Take it back" in page(dev, address)
    with world.tenant():
        event = AuditEvent.objects.get(verb="problem.set-aside")
        assert (event.actor, event.data["reason"]) == (world.dev, "Waits for the tag policy")
        # It survives being read again, and comes back by itself.
        from catalog.intake import ingest

        ingest.ingest(problem.source)
        assert Problem.objects.get(pk=problem.pk).is_aside
        Problem.objects.filter(pk=problem.pk).update(aside_until=now() - timedelta(seconds=1))
    assert "3 problems" in page(dev, BASE)
    assert dev.post(f"{address}back/").status_code == 409


def page_posted(client, address, status, **data):
    answer = client.post(address, data)
    assert answer.status_code == status, answer.content[:1000]
    return answer.content.decode()


def test_another_teams_problem_is_not_set_aside(world, folder, client_for):
    problem = the(world, code="missing")
    answer = client_for(world.dev).post(f"{BASE}{problem.pk}/aside/", {"term": "week", "reason": "x"})
    assert answer.status_code == 403
    assert "Set aside</h2>" not in page(client_for(world.dev), f"{BASE}{problem.pk}/")
    assert client_for(world.mae).post(f"{BASE}{problem.pk}/aside/", {"term": "week", "reason": "x"}).status_code == 302


def test_where_slipway_cannot_write_there_is_a_patch(world, folder, client_for):
    problem = the(world, code="tag")
    client = client_for(world.dev)
    html = page(client, f"{BASE}{problem.pk}/")
    assert "Slipway cannot write to where this file lies" in html
    assert "Commit the mend" not in html
    patch = client.get(f"{BASE}{problem.pk}/patch/")
    assert patch["Content-Disposition"] == f'attachment; filename="problem-{problem.pk}.patch"'
    subprocess.run(["git", "apply", "-"], cwd=folder, input=patch.content, check=True)
    assert "tags: [java]" in (folder / "catalog-info.yaml").read_text()
    assert client.post(f"{BASE}{problem.pk}/mend/").status_code == 404
    only_a_person = the(world, code="missing")
    assert client.get(f"{BASE}{only_a_person.pk}/patch/").status_code == 404


@pytest.fixture
def repository(committed_world, settings, tmp_path):
    """A source in our own git host, owned by Payments, with an executable beside the descriptor."""
    settings.GIT_ROOT = tmp_path / "git"
    world = committed_world
    files = {"catalog-info.yaml": Plain(BAD.encode()), "run.sh": Plain(b"#!/bin/sh\n", 0o755)}
    make_repository(world.acme, "orders", files=files, marker="run:2")
    with world.tenant():
        actions.add_source(organisation=world.acme, actor=by(world.dev), kind="repository", target="orders")
    return world


@pytest.mark.django_db(transaction=True)
def test_a_mend_is_a_commit_in_ones_own_name_and_is_read_at_once(repository, client_for):
    world = repository
    problem = the(world, code="tag")
    dev = client_for(world.dev)
    assert "Commit the mend" in page(dev, f"{BASE}{problem.pk}/")
    answer = dev.post(f"{BASE}{problem.pk}/mend/")
    assert answer.status_code == 302
    with world.tenant():
        jobs = Job.objects.for_tenant(world.acme).values_list("kind", "state")
        assert set(jobs) == {("catalog.mend", "succeeded"), ("catalog.refresh", "succeeded")}
        assert not Problem.objects.for_tenant(world.acme).exists()
        assert Entity.objects.for_tenant(world.acme).get().tags == ["java"]
        event = AuditEvent.objects.get(verb="problem.mended")
        push = AuditEvent.objects.get(verb="repository.pushed")
        assert event.actor == push.actor == world.dev
        assert push.data["refs"]["refs/heads/main"]["is"] == event.data["commit"]
    commits = page(dev, "/o/acme/repos/orders/commits/")
    assert "Mend catalog-info.yaml: tag not allowed" in commits
    assert str(world.dev) in commits
    assert dev.get(f"{BASE}{problem.pk}/").status_code == 404


@pytest.mark.django_db(transaction=True)
def test_a_file_that_has_changed_meanwhile_is_not_mended(repository, client_for):
    world = repository
    problem = the(world, code="tag")
    with world.tenant():
        Problem.objects.filter(pk=problem.pk).update(edit_json={**problem.edit_json, "was": "Jav4"})
    client_for(world.dev).post(f"{BASE}{problem.pk}/mend/")
    with world.tenant():
        [job] = Job.objects.for_tenant(world.acme)
    assert job.state == "refused"
    assert "has changed since it was read" in job.refusal["text"]


@pytest.mark.django_db(transaction=True)
def test_who_may_not_push_is_told_whom_to_ask(repository, client_for):
    world = repository
    problem = the(world, code="tag")
    from portal.githosts.models import Repository

    with world.tenant():
        Repository.objects.filter(name="orders").update(owner_ref="group:default/claims")
    dev = client_for(world.dev)
    html = page(dev, f"{BASE}{problem.pk}/")
    assert "You cannot push to orders" in html
    assert "Commit the mend" not in html
    assert dev.post(f"{BASE}{problem.pk}/mend/").status_code == 403


def test_an_entity_page_a_team_page_and_the_inbox_say_the_same(world, folder, client_for):
    client = client_for(world.vic)
    sentence = 'The tag "Java" is not allowed.'.replace('"', "&quot;")
    for address in (BASE, "/o/acme/catalog/component/default/till/", f"{BASE}{the(world, code='tag').pk}/"):
        assert sentence in page(client, address, 404 if "component" in address else 200), address


def test_programs_read_the_same_inbox(world, folder, client_for):
    client, address = client_for(world.vic), "/api/o/acme/catalog/problems"
    told = client.get(address).json()
    assert told["totalItems"] == 3
    assert told["pageInfo"] == {}
    [tag] = client.get(address, {"code": "tag", "aside": "false"}).json()["items"]
    assert tag["edit"]["text"] == "java"
    assert tag["ownerRef"] == "group:default/payments"
    assert tag["source"] == str(the(world, code="tag").source.uid)
    assert client.get(address, {"severity": "awful"}).status_code == 400
    assert client.get(address, {"cursor": "made-up"}).status_code == 400


def test_programs_read_on_from_page_to_page(world, many, client_for):
    client, cursor, seen = client_for(world.vic), "", []
    while True:
        told = client.get("/api/o/acme/catalog/problems", {"cursor": cursor}).json()
        seen += [item["id"] for item in told["items"]]
        cursor = told["pageInfo"].get("nextCursor", "")
        if not cursor:
            break
    assert len(seen) == len(set(seen)) == told["totalItems"] == 1003


@pytest.mark.parametrize("narrow", [{}, {"age": "week"}, {"code": "tag"}, {"order": "old"}], ids=str)
def test_a_page_is_found_along_an_index_however_many_there_are(committed_world, narrow):
    world = committed_world
    with world.tenant():
        sources = Source.objects.bulk_create(
            Source(organisation=world.acme, kind="folder", target=f"/{number}") for number in range(100)
        )
        Problem.objects.bulk_create(
            Problem(
                organisation=world.acme, source=sources[number % 100], key=f"{number}", path="a", code="tag",
                sentence="No. " * 50, owner_ref=f"group:default/team-{number % 100}",
                first_seen_at=now() - timedelta(days=8, minutes=number),
            )
            for number in range(4000)
        )  # fmt: skip
    with psycopg.connect(os.environ["DATABASE_OWNER_URL"], autocommit=True) as owner:
        owner.execute("ANALYZE catalog_problem, catalog_source")
    with world.tenant():
        rows = inbox.narrowed(Asking(world.acme), inbox.narrow_of(narrow))
        with CaptureQueriesContext(connection) as asked:
            assert len(inbox.page_of(rows, oldest_first="order" in narrow).rows) == inbox.PAGE
        plans = [explained(query["sql"]) for query in asked.captured_queries]
    assert len(plans) <= 3
    assert not [plan for plan in plans if "Sort" in plan], "\n\n".join(plans)


@dataclass
class Asking:
    """As much of who asks as the rows of everybody need."""

    organisation: Any


def explained(sql):
    with connection.cursor() as cursor:
        cursor.execute(f"EXPLAIN {sql}")
        return "\n".join(row[0] for row in cursor.fetchall())
