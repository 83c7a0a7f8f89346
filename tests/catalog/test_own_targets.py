"""What a file of a source names absolutely: files of the same source are read, everything else is refused."""

import shutil
import subprocess
from functools import partial
from pathlib import Path

import pytest

from catalog.intake.sources.tree import FolderTree, MemoryTree
from catalog.intake.sources.url import UrlTree
from catalog.intake.walking import read
from catalog.models import Entity, Problem
from portal.githosts.weburls import path_at
from tests.catalog.test_ingest import add
from tests.catalog.test_pages import TEXT

CASES = Path(__file__).parent / "cases"
REPOSITORY = "https://git.example/acme/catalog"


@pytest.fixture
def clone(tmp_path: Path) -> Path:
    """What a clone of the showcase's repository holds."""
    shutil.copy(CASES / "catalog-absolute-own-target.yaml", tmp_path / "catalog-info.yaml")
    (tmp_path / "services").mkdir()
    for name in ("one", "two"):
        (tmp_path / "services" / f"{name}.yaml").write_text(TEXT.format(name=name, owner="payments"))
    return tmp_path


def reading(clone: Path, repository: str = REPOSITORY, revision: str = ""):
    return read(FolderTree(clone, "c0ffee", by_address=partial(path_at, repository, revision)), "catalog-info.yaml")


@pytest.mark.parametrize(
    "address", [REPOSITORY, f"{REPOSITORY}.git", f"{REPOSITORY}/", "git@git.example:acme/catalog.git"]
)
@pytest.mark.parametrize("revision", ["", "main"])
def test_an_absolute_target_of_the_same_repository_is_read(clone, address, revision):
    found = reading(clone, address, revision)
    assert found.problems == []
    assert {each.path for each in found.entities} == {"catalog-info.yaml", "services/one.yaml", "services/two.yaml"}


@pytest.mark.parametrize(
    "target",
    [
        "https://git.example/acme/catalog-2/blob/main/services/one.yaml",
        "https://git.example/acme/catalog/blob/next/services/one.yaml",
        "https://evil.example/acme/catalog/blob/main/services/one.yaml",
        "https://git.example/acme/catalog",
        "https://git.example/acme/catalog/blob/main/../../../one.yaml",
    ],
)
def test_what_lies_elsewhere_is_refused(clone, target):
    file = clone / "catalog-info.yaml"
    file.write_text(file.read_text().replace(f"{REPOSITORY}/blob/main/services/one.yaml", target))
    [problem] = reading(clone, revision="main").problems
    assert "lies outside this source" in problem.sentence or "leads out of the source" in problem.sentence


@pytest.mark.parametrize(
    ("repository", "address"),
    [
        ("https://github.com/acme/catalog", "https://github.com/Acme/catalog/blob/main/a/b.yaml"),
        ("https://github.com/acme/catalog", "https://raw.githubusercontent.com/acme/catalog/main/a/b.yaml"),
        ("https://gitlab.example/a/b/c.git", "https://gitlab.example/a/b/c/-/blob/main/a/b.yaml"),
        ("ssh://git@git.example:2222/acme/catalog.git", "https://git.example/acme/catalog/src/branch/main/a/b.yaml"),
        ("https://git.example/acme/src", "https://git.example/acme/src/src/main/a/b.yaml"),
        ("https://git.example/acme/catalog", "https://git.example/acme/catalog/tree/main/a/b.yaml?x=1#L3"),
    ],
)
def test_the_forms_of_the_hosts(repository, address):
    assert path_at(repository, "main", address) == path_at(repository, "", address) == "a/b.yaml"


def test_a_branch_with_a_slash_is_known_where_the_source_names_it():
    address = f"{REPOSITORY}/blob/release/2/a.yaml"
    assert path_at(REPOSITORY, "release/2", address) == "a.yaml"
    assert path_at(REPOSITORY, "release/3", address) is None


def test_beside_a_descriptor_on_the_web_its_own_addresses_are_known():
    tree = UrlTree("https://github.com/acme/catalog/blob/main/all.yaml")
    assert tree.own("https://github.com/acme/catalog/blob/main/services/one.yaml") == "services/one.yaml"
    assert tree.own("https://github.com/acme/other/blob/main/services/one.yaml") is None
    assert tree.own("./services/one.yaml") is None


@pytest.mark.django_db(transaction=True)
def test_from_the_root_counts_in_every_repository(committed_world, clone):
    """The brother: in a file below the root, and through a real clone; an address of another place stays a problem."""
    world = committed_world
    (clone / "services" / "two.yaml").write_text(
        "apiVersion: backstage.io/v1alpha1\nkind: Location\nmetadata: {name: deep}\n"
        "spec: {target: /services/three.yaml}\n"
    )
    (clone / "services" / "three.yaml").write_text(TEXT.format(name="three", owner="payments"))
    for argv in (
        ["init", "-q", "-b", "main"],
        ["add", "."],
        ["-c", "user.name=a", "-c", "user.email=a@b.c", "commit", "-qm", "x"],
    ):
        subprocess.run(["git", *argv], cwd=clone, check=True)
    with world.tenant():
        add(world, kind="git", target=str(clone))
        refs = set(Entity.objects.for_tenant(world.acme).values_list("ref", flat=True))
        assert refs == {"location:default/showcase", "location:default/deep", "component:default/three"}
        [problem] = Problem.objects.for_tenant(world.acme)
        assert "lies outside this source" in problem.sentence


ABSOLUTE = ["/top.txt", "//top.txt", "/services/../top.txt"]


@pytest.mark.parametrize("target", ABSOLUTE)
@pytest.mark.parametrize("form", ["$text", "$json", "$yaml", "target"])
@pytest.mark.parametrize("place", ["upload", "folder"])
def test_where_there_is_no_repository_there_is_no_root(tmp_path, target, form, place):
    """Placeholders and targets alike: an absolute path is an error there, not a relative one."""
    head = "apiVersion: backstage.io/v1alpha1\n"
    text = (
        f"{head}kind: Location\nmetadata: {{name: l}}\nspec: {{target: {target}}}\n"
        if form == "target"
        else f"{head}kind: Component\nmetadata: {{name: c, description: {{{form}: {target}}}}}\n"
        "spec: {type: service, lifecycle: production, owner: x}\n"
    )
    files = {"catalog-info.yaml": text.encode(), "top.txt": b"secret: of the root", "services/a.txt": b"a"}
    for path, content in files.items():
        (tmp_path / path).parent.mkdir(exist_ok=True)
        (tmp_path / path).write_bytes(content)
    tree = MemoryTree(files, "") if place == "upload" else FolderTree(tmp_path)
    reading = read(tree, "catalog-info.yaml")
    assert reading.problems, "it is told"
    assert any("outside this source" in found.sentence for found in reading.problems), reading.problems
    assert "secret" not in str(reading.entities)
