"""The built-in host: create is adopt or conflict, pushes are repeatable, one organisation never sees another's."""

import pytest
from django.db import transaction

from portal.accounts.models import AuditEvent
from portal.accounts.tenancy import tenant
from portal.githosts import bare
from portal.githosts.hosts import HOSTS
from portal.githosts.models import Repository
from portal.kit.errors import Conflict, Invalid, NotFound
from tests.conftest import by
from tests.githosts.conftest import ADA, FILES, WHEN, Plain, make_repository

host = HOSTS["slipway"]


def test_create_twice_finds_the_first(world):
    repo = make_repository(world.acme, actor=by(world.dev), created_by_run=7)
    assert make_repository(world.acme, actor=by(world.dev), created_by_run=7) == repo
    with tenant(world.acme):
        assert Repository.objects.for_tenant(world.acme).count() == 1
        [event] = AuditEvent.objects.filter(verb="repository.created")
    assert (event.actor, event.summary, event.data) == (world.dev, "Created the repository checkout", {"run": 7})


def test_anothers_repository_is_a_conflict(world):
    make_repository(world.acme)
    with pytest.raises(Conflict, match="exists already"):
        make_repository(world.acme, marker="run:2")


def test_two_organisations_may_use_the_same_name(world):
    ours = make_repository(world.acme)
    theirs = make_repository(world.rival, files={"theirs": Plain(b"x")}, marker="run:2")
    assert [entry.path for entry in host.list_tree(theirs)] == ["theirs"]
    assert host.read_file(ours, "README.md") == FILES["README.md"].content
    with pytest.raises(NotFound):
        host.read_file(theirs, "README.md")


@pytest.mark.parametrize("name", ["", "Checkout", "a_b", "../x", "-a", "a-", "a.git", "a" * 64, "a/b", "é"])
def test_names_that_cannot_be_are_refused(world, name):
    with pytest.raises(Invalid, match="name"):
        make_repository(world.acme, name=name)


def test_a_folder_left_by_a_rolled_back_creation_gives_way(world):
    with transaction.atomic():
        make_repository(world.acme, marker="run:1")
        transaction.set_rollback(True)
    repo = make_repository(world.acme, marker="run:2", files={"new": Plain(b"n")})
    assert [entry.path for entry in host.list_tree(repo)] == ["new"]


def test_a_folder_lost_from_the_disk_is_made_again(world):
    repo = make_repository(world.acme)
    with tenant(world.acme):
        bare.remove(Repository.objects.get().path)
    assert host.head(make_repository(world.acme)) == host.head(repo)


def test_push_again_is_nothing_new(world):
    repo = make_repository(world.acme)
    head = host.head(repo)
    assert host.push_tree(repo, FILES, message="First", author=ADA, when=WHEN) == head
    assert host.head(repo, "elsewhere") is None


def test_an_empty_repository_has_no_files_and_no_head(world):
    repo = make_repository(world.acme, files={})
    assert host.head(repo) is None
    assert host.list_tree(repo) == []
    with pytest.raises(NotFound, match="has no “main”"):
        host.read_file(repo, "README.md")


def test_addresses_are_absolute(world, settings):
    settings.PUBLIC_URL = "https://portal.example"
    repo = make_repository(world.acme)
    assert host.clone_url(repo) == "https://portal.example/o/acme/git/checkout.git"
    assert host.web_url(repo) == "https://portal.example/o/acme/repos/checkout/"


def test_find_sees_only_its_own_organisation(world):
    repo = make_repository(world.acme)
    assert host.find_repository(world.acme, "checkout") == repo
    assert host.find_repository(world.rival, "checkout") is None


def test_delete_spares_commits_that_are_not_ours(world, django_capture_on_commit_callbacks):
    repo = make_repository(world.acme)
    first = host.head(repo)
    host.push_tree(repo, {"more": Plain(b"m")}, message="More", author=ADA, when=WHEN, parent=first)
    with pytest.raises(Conflict, match="it stays"):
        host.delete_repository(repo, actor=by(world.ada), expected_head=first)
    with django_capture_on_commit_callbacks(execute=True):
        host.delete_repository(repo, actor=by(world.ada))
        host.delete_repository(repo, actor=by(world.ada))
    assert host.find_repository(world.acme, "checkout") is None
    with pytest.raises(NotFound):
        host.head(repo)
