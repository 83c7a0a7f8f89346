"""Nobody publishes by pushing, refreshing or moving: the ways in that were open, tried again."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from catalog import actions as catalog_actions
from catalog.models import Problem, Source
from portal.accounts.models import AuditEvent
from portal.goldenpaths.actions import publish_shipped
from portal.goldenpaths.models import Candidate, Version
from tests.conftest import World, by
from tests.goldenpaths.curation import LOCATION, Shop, path_files, paths, refresh, waiting, write

pytestmark = pytest.mark.django_db


@pytest.fixture
def shop(world: World, tmp_path: Path, settings: Any) -> Shop:
    settings.GIT_ROOT = tmp_path / "git"
    settings.SOURCE_FOLDERS = [str(tmp_path)]
    return Shop(world, tmp_path)


def problems(world: World, source: Source) -> list[str]:
    with world.tenant():
        return list(Problem.objects.for_tenant(world.acme).filter(source=source).values_list("sentence", flat=True))


def decide(client: Client, candidate: Candidate, act: str = "publish", **data: str) -> int:
    where = reverse(f"candidate-{act}", kwargs={"org": "acme", "uid": candidate.uid})
    return client.post(where, {"digest": candidate.digest, **data}).status_code


def test_a_push_into_a_repository_that_an_admin_launched_publishes_nothing(world: World, shop: Shop) -> None:
    source = shop.register(world.ada)
    commit = shop.push({"catalog-info.yaml": LOCATION, **path_files("grab")})
    refresh(source)
    assert paths(world) == {}
    (candidate,) = waiting(world)
    assert (candidate.ref, candidate.commit, candidate.author) == (
        "template:default/grab",
        commit,
        "Dev <dev@acme.example>",
    )
    assert candidate.pushed_by == world.dev


def test_a_developers_refresh_after_the_push_publishes_nothing(
    world: World, shop: Shop, client_for: Callable[[Any], Client]
) -> None:
    source = shop.register(world.ada)
    shop.push({"catalog-info.yaml": LOCATION, **path_files("grab")})
    where = reverse("source-refresh", kwargs={"org": "acme", "source": source.pk})
    assert client_for(world.dev).post(where).status_code == 302
    refresh(source)
    assert paths(world) == {}
    assert decide(client_for(world.dev), waiting(world)[0]) == 403
    assert paths(world) == {}


def test_a_shipped_name_is_slipways_own(world: World, shop: Shop, client_for: Callable[[Any], Client]) -> None:
    with world.tenant():
        publish_shipped(organisation=world.acme, actor=by(world.ada))
    source = shop.register(world.ada)
    shop.push({"catalog-info.yaml": LOCATION, **path_files("python-web-service")})
    refresh(source)
    assert paths(world)["python-web-service"] == 1
    sentence = "The name “python-web-service” belongs to Slipway itself."
    assert any(sentence in problem for problem in problems(world, source))
    assert decide(client_for(world.ada), waiting(world)[0]) == 409
    assert paths(world)["python-web-service"] == 1


def test_a_shipped_name_is_slipways_own_even_where_it_is_not_published(
    world: World, shop: Shop, client_for: Callable[[Any], Client]
) -> None:
    source = shop.register(world.ada)
    shop.push({"catalog-info.yaml": LOCATION, **path_files("scheduled-job")})
    refresh(source)
    assert decide(client_for(world.ada), waiting(world)[0]) == 409
    assert paths(world) == {}


def test_a_name_stays_with_its_origin(
    world: World, shop: Shop, tmp_path: Path, client_for: Callable[[Any], Client]
) -> None:
    source = shop.register(world.ada)
    shop.push({"catalog-info.yaml": LOCATION, **path_files("ours")})
    refresh(source)
    assert decide(client_for(world.ada), waiting(world)[0]) == 302
    # The entity leaves its source for a moment, and another source describes one of the same name.
    shop.push({"catalog-info.yaml": "---\n"})
    refresh(source)
    write(tmp_path / "other", path_files("ours", "theirs", folder=""))
    with world.tenant():
        catalog_actions.add_source(
            organisation=world.acme,
            actor=by(world.ada),
            kind="folder",
            target=str(tmp_path / "other"),
            path="template.yaml",
        )
    (candidate,) = waiting(world)
    page = client_for(world.ada).get(reverse("candidate", kwargs={"org": "acme", "uid": candidate.uid}))
    assert "belongs to the source shop" in page.content.decode()
    assert decide(client_for(world.ada), candidate) == 409
    upload = {
        "files": [{"path": "template.yaml", "base64Content": __import__("base64").b64encode(
            path_files("ours", folder="")["template.yaml"].encode()).decode()},  # type: ignore[union-attr]
            {"path": "skeleton/a", "base64Content": ""}]
    }  # fmt: skip
    answer = client_for(world.ada).post(reverse("api-paths", kwargs={"org": "acme"}), upload, "application/json")
    assert (answer.status_code, "belongs to the source shop" in answer.content.decode()) == (409, True)
    assert paths(world) == {"ours": 1}


def test_moving_an_admins_source_publishes_nothing(
    world: World, shop: Shop, tmp_path: Path, client_for: Callable[[Any], Client]
) -> None:
    """PUT locations/<uid>: Mae points Ada's source at a folder of her own."""
    source = shop.register(world.ada)
    write(tmp_path / "mine", path_files("grab", folder=""))
    with world.tenant():
        draft = catalog_actions.Draft("folder", str(tmp_path / "mine"), "template.yaml")
        catalog_actions.move_source(organisation=world.acme, actor=by(world.mae), source=source, draft=draft)
    assert paths(world) == {}
    assert [candidate.ref for candidate in waiting(world)] == ["template:default/grab"]


def test_a_candidate_swapped_between_look_and_publish_is_not_published(
    world: World, shop: Shop, client_for: Callable[[Any], Client]
) -> None:
    source = shop.register(world.ada)
    shop.push({"catalog-info.yaml": LOCATION, **path_files("ours", "honest")})
    refresh(source)
    seen = waiting(world)[0]
    page = client_for(world.ada).get(reverse("candidate", kwargs={"org": "acme", "uid": seen.uid})).content.decode()
    assert f'name="digest" value="{seen.digest}"' in page
    shop.push(path_files("ours", "evil"))
    refresh(source)
    now = waiting(world)[0]
    assert now.digest != seen.digest
    assert decide(client_for(world.ada), seen) == 409
    # The old digest on the new candidate's address is refused as well.
    where = reverse("candidate-publish", kwargs={"org": "acme", "uid": now.uid})
    assert client_for(world.ada).post(where, {"digest": seen.digest}).status_code == 409
    api = reverse("api-candidate-publish", kwargs={"org": "acme", "uid": now.uid})
    assert client_for(world.ada).post(api, {"digest": seen.digest}, "application/json").status_code == 409
    assert paths(world) == {}
    assert client_for(world.ada).post(api, {"digest": now.digest}, "application/json").status_code == 201
    assert paths(world) == {"ours": 1}


def test_the_audit_names_who_really_acted(world: World, shop: Shop, client_for: Callable[[Any], Client]) -> None:
    source = shop.register(world.ada)
    commit = shop.push({"catalog-info.yaml": LOCATION, **path_files("ours")})
    refresh(source)
    assert decide(client_for(world.ada), waiting(world)[0]) == 302
    with world.tenant():
        events = AuditEvent.objects.for_tenant(world.acme)
        brought, published = events.get(verb="path.brought"), events.get(verb="path.published")
        assert (brought.actor, published.actor) == (world.dev, world.ada)
        said = f"; commit {commit[:8]} by Dev <dev@acme.example>, pushed by Dev"
        assert published.summary == f"Published Path ours, version 1 (a new path){said}"
        version = Version.objects.for_tenant(world.acme).get()
        assert (version.published_by, version.commit, version.author) == (world.ada, commit, "Dev <dev@acme.example>")
