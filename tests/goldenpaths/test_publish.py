"""Publishing: versions, digests, what never changes, and whose they are."""

from typing import Any

import pytest
from django.db import IntegrityError, transaction
from django.urls import reverse

from portal.accounts.models import AuditEvent
from portal.goldenpaths import actions, shipped_paths
from portal.goldenpaths.files import File
from portal.goldenpaths.models import GoldenPath, Version, VersionFile
from portal.goldenpaths.templates import InvalidTemplate
from portal.jobs.models import Job
from portal.kit.errors import Conflict
from tests.conftest import World, by
from tests.goldenpaths.test_templates import template

pytestmark = pytest.mark.django_db


def publish(world: World, files: dict[str, File] | None = None, **kwargs: object) -> Version:
    return actions.publish(organisation=world.acme, actor=by(world.ada), files=files or template("sound"), **kwargs)


def test_a_published_path_keeps_its_files_and_its_words(world: World) -> None:
    with world.tenant():
        version = publish(world)
        path = GoldenPath.objects.for_tenant(world.acme).get()
        assert (path.slug, path.ref, path.type) == ("sound", "template:default/sound", "service")
        assert path.title == "A sound path"
        assert path.current == version
        assert version.bundle() == template("sound")
        assert version.document["spec"]["parameters"]["ui:order"] == ["name", "*"]
        event = AuditEvent.objects.for_tenant(world.acme).get(verb="path.published")
        assert event.summary == "Published A sound path, version 1 (a new path)"


def test_the_same_files_are_the_same_version(world: World) -> None:
    with world.tenant():
        assert publish(world) == publish(world)
        assert AuditEvent.objects.for_tenant(world.acme).filter(verb="path.published").count() == 1


def test_other_files_are_a_new_version_and_the_old_one_stays(world: World) -> None:
    with world.tenant():
        first = publish(world)
        second = publish(world, template("sound") | {"skeleton/new.txt": File(b"new")})
        assert (second.number, second.path.current_number) == (2, 2)
        assert "skeleton/new.txt" not in Version.objects.for_tenant(world.acme).get(pk=first.pk).bundle()
        again = publish(world)
        assert again == first
        assert GoldenPath.objects.for_tenant(world.acme).get().current == first


def test_a_version_never_changes(world: World) -> None:
    with world.tenant():
        version = publish(world)
        version.number = 7
        with pytest.raises(Conflict, match=r"never changes"):
            version.save()
        for rows, change in ((Version, {"document": {}}), (VersionFile, {"content": b"other"})):
            with pytest.raises(IntegrityError, match=r"never changes"), transaction.atomic():
                rows.objects.for_tenant(world.acme).update(**change)


def test_a_version_outlives_its_publisher(world: World) -> None:
    with world.tenant():
        version = publish(world)
        Version.objects.for_tenant(world.acme).filter(pk=version.pk).update(published_by=None)
        assert Version.objects.for_tenant(world.acme).get().published_by is None


def test_a_faulty_template_is_refused_and_leaves_nothing(world: World) -> None:
    with world.tenant():
        with pytest.raises(InvalidTemplate, match=r"line 15: There is no filter called “shout”"):
            publish(world, template("unknown-filter"))
        assert not GoldenPath.objects.for_tenant(world.acme).exists()


def test_a_template_is_stored_from_its_folder(world: World) -> None:
    files = {f"paths/one/{path}": file for path, file in template("sound").items()} | {"README.md": File(b"no")}
    with world.tenant():
        version = publish(world, files, template_path="paths/one/template.yaml")
        assert set(version.bundle()) == {"template.yaml", "skeleton/README.md"}


def test_two_paths_cannot_share_an_address(world: World) -> None:
    def named(name: str) -> dict[str, File]:
        source = template("sound")
        return source | {"template.yaml": File(source["template.yaml"].content.replace(b"name: sound", name.encode()))}

    with world.tenant():
        publish(world, named("name: a-b"))
        with pytest.raises(Conflict, match=r"“a-b”"):
            publish(world, named("name: a.b"))
        with pytest.raises(Conflict):
            publish(world, named("name: publish"))


def test_the_shipped_paths_publish_once(world: World) -> None:
    with world.tenant():
        first = actions.publish_shipped(organisation=world.acme, actor=by(world.ada))
        second = actions.publish_shipped(organisation=world.acme, actor=by(world.ada))
        assert first == second
        assert shipped_paths.names() == ["python-web-service", "scheduled-job"]
        assert [version.path.slug for version in first] == shipped_paths.names()


def test_organisations_have_their_own_paths(world: World) -> None:
    with world.tenant():
        publish(world)
    with world.tenant(world.rival):
        assert not GoldenPath.objects.exists()
        assert not VersionFile.objects.exists()


def test_the_button_works_where_they_are_published_already(world: World, client_for: Any) -> None:
    for number in (1, 2):
        assert client_for(world.ada).post(reverse("paths-publish", kwargs={"org": "acme"})).status_code == 302
        with world.tenant():
            jobs = list(Job.objects.for_tenant(world.acme).order_by("pk"))
        assert [job.state for job in jobs] == ["succeeded"] * number, jobs[-1].refusal
        assert jobs[-1].result_text == "Published: Python web service (version 1) and Scheduled job (version 1)."
