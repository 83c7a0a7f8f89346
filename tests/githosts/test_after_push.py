"""A push to the built-in host is in the catalog at once: real git, a worker's turn, no sweep in between."""

import pytest

from catalog.actions import add_source
from catalog.models import Entity, Source
from portal.accounts.models import AuditEvent
from portal.accounts.tenancy import tenant
from tests.conftest import by
from tests.githosts.conftest import Plain, git, make_repository

DESCRIPTOR = """\
apiVersion: backstage.io/v1alpha1
kind: Component
metadata: {{name: checkout, description: {}}}
spec: {{type: service, lifecycle: production, owner: payments}}
"""


@pytest.fixture
def work(committed_world, address, token_for, tmp_path):
    """A working copy of a repository that the catalog reads."""
    world = committed_world
    make_repository(
        world.acme, "orders", files={"catalog-info.yaml": Plain(DESCRIPTOR.format("Before").encode())}, marker="run:2"
    )
    url = address(token_for(world.dev, world.acme, "repo:write"), name="orders")
    assert git("clone", "-q", url, "work", cwd=tmp_path).returncode == 0
    return tmp_path / "work"


def description(world) -> str:
    with tenant(world.acme):
        return Entity.objects.get(ref="component:default/checkout").document["metadata"]["description"]


def register(world, **where) -> Source:
    with tenant(world.acme):
        return add_source(organisation=world.acme, actor=by(world.mae), kind="repository", target="orders", **where)


def change_and_push(work, words, *to):
    (work / "catalog-info.yaml").write_text(DESCRIPTOR.format(words))
    git("commit", "-qam", words, cwd=work)
    done = git("push", "origin", *(to or ("main",)), cwd=work)
    assert done.returncode == 0, done.stderr


def test_the_entity_changes_with_the_push(committed_world, work, do_jobs):
    world = committed_world
    register(world)
    assert description(world) == "Before"
    change_and_push(work, "After")
    assert [job.state for job in do_jobs(world.acme)] == ["succeeded"]  # the worker's answer to the push's nudge
    assert description(world) == "After"
    with tenant(world.acme):
        event = AuditEvent.objects.get(verb="source.refreshed")
        assert (event.actor, event.via[:4], event.ip) == (world.dev, "test", "127.0.0.1")


def test_only_what_reads_the_branch_is_read_anew(committed_world, work):
    world = committed_world
    source = register(world)
    change_and_push(work, "Elsewhere", "HEAD:refs/heads/side")
    with tenant(world.acme):
        source.refresh_from_db()
        assert source.state != Source.State.PENDING
        assert not AuditEvent.objects.filter(verb="source.refreshed").exists()
    git("push", "origin", "main", cwd=work)
    with tenant(world.acme):
        source.refresh_from_db()
        assert source.state == Source.State.PENDING
