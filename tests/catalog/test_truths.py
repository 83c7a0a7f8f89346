"""What the catalog says of itself is so: small reports, each with its brothers."""

from pathlib import Path

import pytest

from catalog import actions
from catalog.descriptors.parsing import parse
from catalog.descriptors.rules import is_url
from catalog.models import Entity, Problem
from tests.catalog.test_pages import TEXT, archive, upload
from tests.conftest import by

API = "/api/o/acme/catalog"
MERGING = """\
apiVersion: backstage.io/v1alpha1
kind: Component
metadata: {name: merge-demo}
spec: &base {type: service, lifecycle: production, owner: checkout}
---
apiVersion: backstage.io/v1alpha1
kind: Component
metadata:
  name: merge-demo-3
  x-base: &b {type: service, lifecycle: production}
spec:
  <<: *b
  owner: checkout
"""


@pytest.mark.parametrize(
    ("address", "right"),
    [
        ("https:/api.example.com", True),
        ("https:api.example.com", True),
        ("HTTPS:/api.example.com/x", True),
        ("https://api.example.com", True),
        ("https://", False),
        ("https:/", False),
        ("https:", False),
        ("/api", False),
    ],
)
def test_a_link_is_what_url_parsers_accept(address, right):
    assert is_url(address) is right


def test_merge_keys_are_merged_in_descriptors():
    parsed = parse(MERGING, "catalog-info.yaml")
    assert parsed.problems == []
    assert parsed.entities[1].document["spec"] == {"type": "service", "lifecycle": "production", "owner": "checkout"}


def test_merge_keys_are_merged_in_included_files():
    included = "base: &base {size: small, zone: north}\nprod:\n  <<: *base\n  size: large\n"
    text = TEXT.format(name="a", owner="x").replace("spec:", "spec:\n  sizes: {$yaml: ./sizes.yaml}")
    [entity] = parse(text, "catalog-info.yaml", lambda target: included).entities
    assert entity.document["spec"]["sizes"]["prod"] == {"size": "large", "zone": "north"}


def test_what_stands_beside_descriptors_in_an_archive_is_no_problem(world, client_for):
    files = {
        "README.md": "# Hello: world: x",
        "A.java": "class A {}",
        "package.json": "{}",
        "catalog-info.yaml": TEXT.format(name="a", owner="payments"),
    }
    assert upload(client_for(world.dev), "all.zip", archive(files)).status_code == 302
    with world.tenant():
        assert Entity.objects.for_tenant(world.acme).get().ref == "component:default/a"
        assert not Problem.objects.for_tenant(world.acme).exists()


@pytest.fixture
def shop(world, tmp_path: Path):
    """A folder source of one service."""
    tagged = TEXT.format(name="shop", owner="payments").replace("metadata:\n", "metadata:\n  tags: [java]\n")
    (tmp_path / "catalog-info.yaml").write_text(tagged)
    with world.tenant():
        actions.add_source(organisation=world.acme, actor=by(world.dev), kind="folder", target=str(tmp_path))
    return tmp_path


def test_an_entity_is_found_by_the_place_that_it_shows(world, client_for, shop):
    client = client_for(world.vic)
    key = "metadata.annotations.backstage.io/managed-by-location"
    [entity] = client.get(f"{API}/entities", {"filter": key}).json()
    shown = entity["metadata"]["annotations"]["backstage.io/managed-by-location"]
    assert shown == f"file:{shop}/catalog-info.yaml"
    assert len(client.get(f"{API}/entities", {"filter": f"{key}={shown}"}).json()) == 1
    assert client.get(f"{API}/entities", {"filter": f"{key}=file:/elsewhere"}).json() == []


@pytest.mark.parametrize(
    "chosen",
    [
        "kind=component",
        "kind=COMPONENT",
        "type=Service",
        "lifecycle=PRODUCTION",
        "owner=Group:Default/Payments",
        "tag=Java",
        "tag=java",
    ],
)
def test_choices_of_the_list_disregard_case(world, client_for, shop, chosen):
    name, _, value = chosen.partition("=")
    answer = client_for(world.vic).get("/o/acme/catalog/", {name: value})
    assert [row.ref for row in answer.context["page"].page.rows] == ["component:default/shop"]


@pytest.mark.parametrize("tag", ["java", "Java", "JAVA"])
def test_a_tag_is_one_tag_in_list_facets_and_api(world, client_for, shop, tag):
    client = client_for(world.vic)
    page = client.get("/o/acme/catalog/", {"tag": tag})
    assert '<option value="java" selected' in page.content.decode()
    asked = {"filter": f"metadata.tags={tag}"}
    assert len(client.get(f"{API}/entities", asked).json()) == 1
    counted = client.get(f"{API}/entity-facets", {"facet": "metadata.tags", **asked}).json()
    assert counted == {"facets": {"metadata.tags": [{"value": "java", "count": 1}]}}
    [error] = parse(
        TEXT.format(name="a", owner="x").replace("metadata:\n", "metadata:\n  tags: [Java]\n"), "a"
    ).problems
    assert 'Write "java"' in error.sentence


def test_the_page_of_a_descriptor_that_was_never_admitted_says_why(world, client_for, shop):
    broken = TEXT.format(name="broken", owner="payments").replace("  type: service\n", "")
    with (shop / "catalog-info.yaml").open("a") as file:
        file.write(f"---\n{broken}")
    client = client_for(world.dev)
    with world.tenant():
        source = Entity.objects.for_tenant(world.acme).get().source
    client.post(f"/o/acme/catalog/sources/{source.pk}/refresh/")
    _read_again(world, source)
    answer = client.get("/o/acme/catalog/component/default/broken/")
    assert answer.status_code == 404
    assert "spec.type" in answer.content.decode()
    assert "spec.type" in client.get(f"/o/acme/catalog/sources/{source.pk}/").content.decode()


def _read_again(world, source) -> None:
    from catalog.intake.ingest import ingest

    with world.tenant():
        ingest(source)


def test_registering_what_brings_no_entity_is_no_success(world, client_for, tmp_path):
    (tmp_path / "catalog-info.yaml").write_text("kind: Widget\n---\na: [\n")
    client = client_for(world.dev)
    led = client.post("/o/acme/catalog/sources/register/", {"kind": "folder", "target": str(tmp_path)})
    html = client.get(led["Location"]).content.decode()
    assert "No entity came in" in html
    assert "but no entity came in" in html
