"""Nobody publishes by pushing, refreshing or moving: the ways in that were open, tried again."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from catalog import actions as catalog_actions
from catalog.models import Problem, Source
from portal.accounts import teams
from portal.accounts.access import enter
from portal.accounts.models import AuditEvent, Team, Way
from portal.githosts import actions as hosting
from portal.githosts import rights
from portal.githosts.models import Grant, Repository
from portal.goldenpaths.actions import publish_shipped
from portal.goldenpaths.curation import trusting
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


def packed(name: str, message: str) -> bytes:
    """A zip archive with a path in it, as somebody uploads it."""
    packing = io.BytesIO()
    with zipfile.ZipFile(packing, "w") as archive:
        for place, content in path_files(name, message, folder="").items():
            archive.writestr(place, content)
    return packing.getvalue()


def test_an_uploads_file_name_is_no_origin(world: World, shop: Shop, client_for: Callable[[Any], Client]) -> None:
    """Ada's path came by an upload, whose source is gone; Dev uploads another file of the same name."""

    def upload(person: Any, message: str) -> Source:
        with world.tenant():
            return catalog_actions.add_source(
                organisation=world.acme, actor=by(person), kind="upload", target="up.zip", path="template.yaml",
                content=packed("up-path", message),
            )  # fmt: skip

    source = upload(world.ada, "honest")
    assert decide(client_for(world.ada), waiting(world)[0]) == 302
    with world.tenant():
        catalog_actions.remove_source(organisation=world.acme, actor=by(world.ada), source=source)
    again = upload(world.dev, "evil")
    assert any("“up-path” belongs to the source" in sentence for sentence in problems(world, again))
    assert decide(client_for(world.ada), waiting(world)[0]) == 409
    assert paths(world) == {"up-path": 1}


def test_a_deleted_owner_ends_trust_and_a_file_of_its_name_restores_nothing(
    world: World, shop: Shop, client_for: Callable[[Any], Client]
) -> None:
    """As it was tried: golden's repository is trusted, golden is deleted, Dev uploads a Group of that name below his
    own team and pushes; version 2 was published "by the trust that Ada granted"."""
    with world.tenant():
        golden = teams.create_team(
            actor=by(world.ada), organisation=world.acme, name="Golden", slug="golden", stands=True
        )
        row = Repository.objects.get(name="shop")
        hosting.hand_over(organisation=world.acme, actor=by(world.ada), repository=row, team=golden)
        hosting.let_push(organisation=world.acme, actor=by(world.ada), repository=row, person=world.dev)
    source = shop.register(world.ada)
    shop.push({"catalog-info.yaml": LOCATION, **path_files("gold")})
    refresh(source)
    assert decide(client_for(world.ada), waiting(world)[0]) == 302
    with world.tenant():
        trust = trusting.grant(organisation=world.acme, actor=by(world.ada), source=source, reason="Ours.")
        assert client_for(world.ada).post("/o/acme/teams/golden/delete/").status_code == 302
        trust.refresh_from_db()
        assert "deleted its owner, the team Golden" in trust.ended_because
        assert not Grant.objects.exists(), "what the owner allowed ends with it"
    group = "apiVersion: backstage.io/v1alpha1\nkind: Group\nmetadata: {name: golden}\n"
    text = SimpleUploadedFile("g.yaml", f"{group}spec: {{type: team, parent: payments, children: []}}\n".encode())
    assert client_for(world.dev).post("/o/acme/catalog/sources/register/", {"kind": "upload", "upload": text})
    with world.tenant():
        assert not rights.may_push(enter(world.dev, "acme", way=Way.PAGE, address=None), row)
    shop.push(path_files("gold", "evil"))
    refresh(source)
    assert paths(world) == {"gold": 1}
    assert [candidate.ref for candidate in waiting(world)] == ["template:default/gold"]


@pytest.mark.parametrize("becomes", ["another team", "waiting", "gone"])
def test_trust_holds_on_to_the_team_behind_the_name(world: World, shop: Shop, becomes: str) -> None:
    with world.tenant():
        row = Repository.objects.get(name="shop")
        hosting.hand_over(organisation=world.acme, actor=by(world.ada), repository=row, team=world.payments)
    source = shop.register(world.ada)
    with world.tenant():
        trusting.grant(organisation=world.acme, actor=by(world.ada), source=source, reason="Ours.")
        rows = Team.objects.filter(pk=world.payments.pk)
        if becomes == "another team":
            rows.delete()
            Team.objects.create(organisation=world.acme, slug="payments", name="P", ref=world.payments.ref)
        elif becomes == "waiting":
            rows.update(waits_since=timezone.now())
        else:
            rows.update(origin="gone")
        assert trusting.standing(world.acme, source) is None


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
