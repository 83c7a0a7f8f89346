"""Templates that the catalog finds become golden paths, if whoever registered the source may publish."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from catalog.intake import ingest
from catalog.models import Problem, Source
from portal.goldenpaths.models import GoldenPath
from tests.conftest import World
from tests.goldenpaths.test_templates import CASES

pytestmark = pytest.mark.django_db


def folder_with(tmp_path: Path, name: str) -> Path:
    (tmp_path / "paths" / "skeleton").mkdir(parents=True)
    (tmp_path / "paths" / "template.yaml").write_bytes((CASES / f"{name}.yaml").read_bytes())
    (tmp_path / "paths" / "skeleton" / "README.md").write_text("# ${{ values.name }}\n")
    return tmp_path


@pytest.fixture
def read_by(world: World, tmp_path: Path, settings: Any) -> Callable[[Any, str], Source]:
    """Registers a folder with one template for a person and reads it."""

    def read(person: Any, name: str) -> Source:
        root = folder_with(tmp_path, name)
        settings.CATALOG_FOLDERS = [str(root)]
        with world.tenant():
            source = Source.objects.create(
                organisation=world.acme, kind="folder", target=str(root), path="paths/template.yaml", created_by=person
            )
        ingest.ingest(source)
        return source

    return read


def test_an_admins_template_is_published(world: World, read_by: Callable[[Any, str], Source]) -> None:
    source = read_by(world.ada, "sound")
    with world.tenant():
        path = GoldenPath.objects.for_tenant(world.acme).get()
        assert (path.slug, path.current_number) == ("sound", 1)
        assert set(path.current.bundle()) == {"template.yaml", "skeleton/README.md"}
        assert not Problem.objects.for_tenant(world.acme).filter(source=source).exists()


def test_a_developers_template_waits_for_an_admin(
    world: World, read_by: Callable[[Any, str], Source], client_for: Callable[[Any], Client]
) -> None:
    read_by(world.dev, "sound")
    with world.tenant():
        assert not GoldenPath.objects.for_tenant(world.acme).exists()
        sentence = Problem.objects.for_tenant(world.acme).get().sentence
        assert "an admin publishes it" in sentence
    gallery, publish = (reverse(name, kwargs={"org": "acme"}) for name in ("paths", "paths-publish"))
    assert b"not published yet" in client_for(world.ada).get(gallery).content
    assert b"not published yet" not in client_for(world.dev).get(gallery).content
    ref = {"ref": "template:default/sound"}
    assert client_for(world.dev).post(publish, ref).status_code == 403
    assert client_for(world.ada).post(publish, ref).status_code == 302
    assert client_for(world.ada).post(publish, {"ref": "template:default/none"}).status_code == 404
    with world.tenant():
        assert GoldenPath.objects.for_tenant(world.acme).get().current_number == 1


def test_a_faulty_template_is_a_problem_of_its_source(world: World, read_by: Callable[[Any, str], Source]) -> None:
    read_by(world.ada, "unknown-filter")
    with world.tenant():
        assert not GoldenPath.objects.for_tenant(world.acme).exists()
        sentence = Problem.objects.for_tenant(world.acme).get(code="golden-path").sentence
        assert sentence == "paths/template.yaml, line 15: There is no filter called “shout”."
