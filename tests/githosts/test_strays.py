"""An object is what its id says: replacements, other references and names that read as ids, tried with real git."""

import asyncio
import importlib
import io
from contextlib import suppress

import pytest
from asgiref.sync import async_to_sync
from django.test import RequestFactory
from django.urls import reverse

from portal.accounts.models import AuditEvent
from portal.accounts.tenancy import tenant
from portal.githosts import bare, gitcli, serve, smart
from portal.githosts.hosts import HOSTS
from portal.githosts.models import Repository
from tests.githosts.conftest import git
from tests.githosts.test_rights import clone, commit, push, repository  # noqa: F401 - clone is a fixture

host = HOSTS["slipway"]


def head(work, name="HEAD"):
    return git("rev-parse", name, cwd=work).stdout.strip()


def rewritten(work):
    """A commit that does not lead on from main, and the id that main stands at."""
    before = head(work)
    git("checkout", "-q", "--orphan", "other", cwd=work)
    (work / "README.md").write_text("# Mine\n")
    git("add", "-A", cwd=work)
    git("commit", "-qm", "Mine", cwd=work)
    return before, head(work)


def pushes(world):
    with tenant(world.acme):
        return list(AuditEvent.objects.filter(verb="repository.pushed").order_by("pk"))


@pytest.mark.parametrize(
    "ref", ["refs/replace/{}", "refs/notes/commits", "refs/x", "refs/slipway/x", "refs/original/a"]
)
def test_nothing_but_branches_and_tags_is_pushed(committed_world, clone, ref):  # noqa: F811
    work = clone(committed_world.dev)
    before, other = rewritten(work)
    name = ref.format(before)
    path = repository(committed_world).path
    kept = gitcli.run(["for-each-ref"], path)
    pushed, said = push(work, f"{other}:{name}", f"{other}:refs/heads/fine")
    assert not pushed
    if not name.startswith("refs/slipway"):  # git itself refuses what is hidden
        assert f"remote: Only branches and tags are kept here: {name} is neither." in said
        assert gitcli.run(["for-each-ref"], path) == kept, "one refused reference refuses the push"
    assert push(work, f"{other}:refs/heads/side", f"{other}:refs/tags/v1")[0]


def test_a_replaced_commit_rewrites_no_protected_branch_and_no_page(committed_world, clone, client_for):  # noqa: F811
    """As before the door was shut: the replacement lies in the repository already."""
    world = committed_world
    work = clone(world.dev)
    before, other = rewritten(work)
    assert push(work, "other:refs/heads/other")[0]
    path = repository(world).path
    # main's tip is to count as the parent of the other commit: the replacement of `other` has it as its parent.
    fake = git("commit-tree", "-p", before, "-m", "Mine", f"{other}^{{tree}}", cwd=work).stdout.strip()
    assert push(work, f"{fake}:refs/heads/fake")[0]
    git("update-ref", f"refs/replace/{other}", fake, cwd=path)
    git("update-ref", f"refs/replace/{before}", other, cwd=path)
    pushed, said = push(work, "--force", "other:main")
    assert not pushed
    assert "nobody rewrites its history" in said
    page = reverse("repo-file", kwargs={"org": "acme", "repo": "checkout", "path": "README.md"})
    html = client_for(world.vic).get(page, {"ref": before}).content.decode()
    assert "Takes the" in html
    assert "Mine" not in html
    found = host.find_repository(world.acme, "checkout")
    assert host.read_file(found, "README.md", "main").startswith(b"# Checkout")
    importlib.import_module("portal.githosts.migrations.0007_drop_strays").drop(None, None)
    left = gitcli.run(["for-each-ref", "--format=%(refname)"], path).decode().split()
    assert left == ["refs/heads/fake", "refs/heads/main", "refs/heads/other"]


def test_grafts_and_attributes_of_a_repository_change_nothing(committed_world, clone):  # noqa: F811
    work = clone(committed_world.dev)
    before, other = rewritten(work)
    path = repository(committed_world).path
    (path / "info").mkdir(exist_ok=True)
    (path / "info" / "grafts").write_text(f"{other} {before}\n")
    pushed, said = push(work, "--force", "other:main")
    assert not pushed
    assert "nobody rewrites its history" in said


@pytest.mark.parametrize("kind", ["heads", "tags"])
def test_a_branch_is_not_called_like_a_commit(committed_world, clone, client_for, kind):  # noqa: F811
    work = clone(committed_world.dev)
    before, other = rewritten(work)
    pushed, said = push(work, f"{other}:refs/{kind}/{before}")
    assert not pushed
    assert f"{before} reads as a commit's id" in said
    # Nor does one that is there already stand for the commit.
    assert push(work, "other:refs/heads/other")[0]
    path = repository(committed_world).path
    with suppress(OSError):
        git("update-ref", f"refs/{kind}/{before}", other, cwd=path)
    assert bare.resolve(path, before) == before


def test_a_shallow_clone_gives_nobody_other_parents(committed_world, clone, tmp_path):  # noqa: F811
    work = clone(committed_world.dev)
    commit(work, "second")
    assert push(work)[0]
    url = git("remote", "get-url", "origin", cwd=work).stdout.strip()
    assert git("clone", "-q", "--depth=1", url, "shallow", cwd=tmp_path).returncode == 0
    place = tmp_path / "shallow"
    before, other = rewritten(place)
    (place / ".git" / "shallow").write_text(f"{before}\n{other}\n")
    assert not push(place, "--force", "other:main")[0]
    assert not (repository(committed_world).path / "shallow").exists()


def test_who_pushed_is_who_pushed_that_reference(committed_world, clone, token_for, monkeypatch):  # noqa: F811
    """Dev's push arrives while Mae's is under way: what he moved is not told as hers."""
    world = committed_world
    maes = clone(world.mae)
    commit(maes, "from mae")
    path = repository(world).path
    secret = token_for(world.mae, world.acme, "repo:write")
    request = RequestFactory().post("/", headers={"Authorization": f"Bearer {secret}"})
    visitor = serve.visit(request, "acme", "checkout", "git-receive-pack")

    async def with_devs_between(args, env, body=None):
        def both():
            git("update-ref", "refs/heads/devs", "refs/heads/main", cwd=path)
            hooked = f"git -c core.hooksPath={smart.HOOKS} receive-pack"
            return git("push", f"--receive-pack={hooked}", str(path), "main:refs/heads/maes", cwd=maes, **env)

        done = await asyncio.to_thread(both)
        assert done.returncode == 0, done.stderr
        return b""

    monkeypatch.setattr(smart, "whole", with_devs_between)
    async_to_sync(serve._receive)(visitor, "git-receive-pack", io.BytesIO(), {})
    (event,) = pushes(world)
    assert (event.actor, list(event.data["refs"])) == (world.mae, ["refs/heads/maes"])


def test_the_hook_tells_what_moved_and_nothing_else(committed_world, clone):  # noqa: F811
    work = clone(committed_world.dev)
    first = head(work)
    commit(work, "second")
    assert push(work, "main", "main:refs/tags/v1")[0]
    assert push(work, "--delete", "refs/tags/v1")[0]
    assert push(work, "main")[0], "nothing to push"
    second = head(work)
    assert [event.data["refs"] for event in pushes(committed_world)] == [
        {"refs/heads/main": {"was": first, "is": second}, "refs/tags/v1": {"was": None, "is": second}},
        {"refs/tags/v1": {"was": second, "is": None}},
    ]
    with tenant(committed_world.acme):
        assert Repository.objects.get().pushed_at is not None
