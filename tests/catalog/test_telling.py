"""Whoever changed the file last and whoever owns it are told of a problem once, by mail; what stays, once a week."""

from datetime import timedelta

import pytest
from django.core import mail
from django.test import override_settings
from django.utils.timezone import now

from catalog import actions, telling
from catalog.intake import ingest
from catalog.mending import set_aside
from catalog.models import Problem, ProblemTold, Source
from portal.accounts.models import Team
from portal.githosts.hosts import HOSTS
from portal.githosts.protocol import Author
from portal.jobs.models import Job
from portal.notices import consuming
from portal.notices.models import Delivery, Notice
from portal.notices.registry import MOST_LINES
from portal.notices.sending.handing import send_due
from tests.catalog.test_pages import TEXT
from tests.conftest import by
from tests.githosts.conftest import WHEN, Plain, make_repository

BAD = TEXT.format(name="till", owner="payments").replace("metadata:", "metadata:\n  tags: [Java]")
GOOD = TEXT.format(name="desk", owner="claims")


@pytest.fixture
def world(committed_world, settings, tmp_path):
    settings.GIT_ROOT = tmp_path / "git"
    with committed_world.tenant():
        Team.objects.filter(ref="group:default/payments").update(mail="payments@acme.example")
    return committed_world


@pytest.fixture
def told(world, do_jobs, monkeypatch):
    """told() -> the mails of one turn of the live process and the worker: (address, subject, text), sorted."""
    monkeypatch.setattr(consuming, "nudge", lambda organisation_id: True)

    def turn():
        mail.outbox.clear()
        telling.sweep_fresh()
        do_jobs(world.acme)
        consuming.turn()
        send_due(world.acme.pk)
        return sorted((letter.to[0], letter.subject, letter.body) for letter in mail.outbox)

    return turn


def registered(world, folder, content):
    (folder / "catalog-info.yaml").write_text(content)
    with world.tenant():
        return actions.add_source(organisation=world.acme, actor=by(world.dev), kind="folder", target=str(folder))


def reread(world, source):
    with world.tenant():
        ingest.ingest(Source.objects.get(pk=source.pk))


def test_the_owner_is_told_once(world, tmp_path, told):
    source = registered(world, tmp_path, BAD)
    [(address, subject, text)] = told()
    assert address == "payments@acme.example"
    assert subject == f"A problem in {source.label}"
    with world.tenant():
        problem = Problem.objects.get()
    assert f"/o/acme/catalog/problems/{problem.pk}/" in text
    assert 'The tag "Java" is not allowed.' in text
    reread(world, source)
    assert told() == []
    # Mended and broken again: it is the same problem, and they know of it.
    for content in (GOOD, BAD):
        (tmp_path / "catalog-info.yaml").write_text(content)
        reread(world, source)
    assert told() == []


def test_the_leads_stand_for_a_team_without_an_address(world, tmp_path, told):
    from portal.accounts.models import TeamMembership

    with world.tenant():
        Team.objects.filter(ref="group:default/payments").update(mail="")
        TeamMembership.objects.filter(user=world.dev).update(is_lead=True)
    registered(world, tmp_path, BAD)
    assert [address for address, _, _ in told()] == [world.dev.email]


def test_who_changed_the_file_last_is_told_and_strangers_are_not(world, told):
    host = HOSTS["slipway"]
    repo = make_repository(world.acme, "orders", files={"catalog-info.yaml": Plain(GOOD.encode())}, marker="run:2")
    with world.tenant():
        source = actions.add_source(
            organisation=world.acme, actor=by(world.mae), kind="repository", target="orders", path="*.yaml"
        )

    def commit(author, **files):
        head = host.head(repo)
        kept = {entry.path: Plain(host.read_file(repo, entry.path, head)) for entry in host.list_tree(repo, head)}
        changed = {f"{name}.yaml": Plain(text.encode()) for name, text in files.items()}
        host.push_tree(repo, kept | changed, message="x", author=author, when=WHEN, parent=head)

    commit(Author("Mae", world.mae.email.upper()), mae=BAD.replace("till", "mae").replace("payments", "nobody"))
    commit(Author("Sam", "sam@elsewhere.example"), sam=BAD.replace("till", "sam").replace("payments", "nobody"))
    reread(world, source)
    letters = told()
    assert [address for address, _, _ in letters] == [world.mae.email]
    assert "mae.yaml" in letters[0][2]
    assert "sam.yaml" not in letters[0][2]
    with world.tenant():
        assert ProblemTold.objects.filter(address="").count() == 2  # looked at, once, and never again


def test_many_problems_are_one_mail(world, tmp_path, told):
    content = "---\n".join(BAD.replace("till", f"till-{number}") for number in range(30))
    source = registered(world, tmp_path, content)
    [(_, subject, text)] = told()
    assert subject == f"30 problems in {source.label}"
    assert text.count("/o/acme/catalog/problems/") == MOST_LINES + 1
    assert "The first 20 of 30." in text


def test_who_is_told_by_name_has_it_behind_the_bell_as_well(world, tmp_path, told):
    with world.tenant():
        Team.objects.filter(ref="group:default/payments").update(mail="")
    registered(world, tmp_path, BAD)
    told()
    with world.tenant():
        [notice] = Notice.objects.filter(kind="problem.found")
        problem = Problem.objects.get()
        assert notice.why == "You lead Payments, which owns it."
        assert [line["link"] for line in notice.lines] == [f"/o/acme/catalog/problems/{problem.pk}/"]


def test_a_mail_that_could_not_go_goes_later(world, tmp_path, told, settings):
    registered(world, tmp_path, BAD)
    with override_settings(
        EMAIL_BACKEND="django.core.mail.backends.smtp.EmailBackend", EMAIL_HOST="127.0.0.1", EMAIL_PORT=1
    ):
        assert told() == []
    with world.tenant():
        assert Job.objects.filter(kind=telling.TELL).order_by("pk").last().state == "succeeded"
        assert Delivery.objects.get().state == "waiting"
        Delivery.objects.update(due_at=now())
    assert len(told()) == 1
    assert told() == []


def test_old_problems_are_told_weekly_and_what_is_set_aside_is_not(world, tmp_path, told):
    registered(world, tmp_path, f"{BAD}---\n{BAD.replace('till', 'desk')}")
    told()
    with world.tenant():
        Problem.objects.update(first_seen_at=now() - timedelta(days=9))
        set_aside(
            organisation=world.acme,
            actor=by(world.ada),
            problem=Problem.objects.order_by("pk").last(),
            reason="later",
            term="week",
        )
    assert telling.sweep_digests() == 1
    [(address, subject, text)] = told()
    assert address == "payments@acme.example"
    assert subject == "1 problem of your team for longer than a week"
    assert "owner=group:default/payments&age=week" in text
    telling.sweep_digests()
    assert told() == []
