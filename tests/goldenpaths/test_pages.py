"""The gallery, the form and the review as people meet them, by page and by API."""

import base64
import html
import json
import re
from collections.abc import Callable
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from catalog.models import Entity
from portal.accounts.models import AuditEvent
from portal.clusters.models import Cluster
from portal.githosts.models import Repository
from portal.goldenpaths import actions, discovery
from portal.goldenpaths.discovery import Served
from portal.goldenpaths.files import File
from portal.goldenpaths.models import GoldenPath, Version
from tests.catalog.rows import entity_row, put
from tests.conftest import World, by
from tests.goldenpaths.test_templates import template

pytestmark = pytest.mark.django_db
SignIn = Callable[[Any], Client]

ANSWERS = {
    "f.name": "checkout-api",
    "f.description": "Takes a basket through payment.",
    "f.owner": "group:default/payments",
    "f.system": "",
    "f.cluster": "sandbox",
    "f.namespace": "",
    "f.size": "small",
    "f.domain": "apps.example.internal",
    "f.port": "8080",
    "f.image": "ghcr.io/stefanprodan/podinfo:6.7.1",
}
VALUES = {key.removeprefix("f."): text for key, text in ANSWERS.items()} | {"port": 8080}


def url(name: str, path: str = "python-web-service", org: str = "acme") -> str:
    if path:
        return reverse(name, kwargs={"org": org, "path": path})
    return reverse(name, kwargs={"org": org})


@pytest.fixture
def cluster(world: World) -> Cluster:
    with world.tenant():
        row: Cluster = Cluster.objects.create(
            organisation=world.acme,
            slug="sandbox",
            name="Sandbox",
            server="https://127.0.0.1:1",
            credential_kind="token",
            credential_fingerprint="x",
            sealed="x",
        )
        return row


@pytest.fixture
def shipped(world: World, cluster: Cluster) -> World:
    with world.tenant():
        actions.publish_shipped(organisation=world.acme, actor=by(world.ada))
    return world


@pytest.fixture(autouse=True)
def answer(monkeypatch: pytest.MonkeyPatch) -> dict[str, Served]:
    """The cluster's answer to what it serves: everything, unless a test says otherwise."""
    said: dict[str, Served] = {}

    def ask(cluster: Cluster, kinds: list[tuple[str, str]]) -> Served:
        return said.get(cluster.slug) or Served(dict.fromkeys(kinds, True))

    monkeypatch.setattr(discovery, "served", ask)
    return said


def publish(world: World, *names: str, **files: File) -> Version:
    with world.tenant():
        return actions.publish(organisation=world.acme, actor=by(world.ada), files=template(names[0]) | files)


def text(response: Any) -> str:
    body = re.sub(r"<[^>]+>", " ", response.content.decode())
    return re.sub(r"\s+", " ", body.replace("&quot;", '"').replace("&#x27;", "'"))


def test_an_empty_gallery_offers_the_admin_the_shipped_paths(world: World, client_for: SignIn) -> None:
    assert "Publish the shipped paths" in text(client_for(world.ada).get(url("paths", "")))
    seen = text(client_for(world.dev).get(url("paths", "")))
    assert "An admin publishes the first ones." in seen
    assert "Publish the shipped paths" not in seen


def test_an_admin_publishes_the_shipped_paths(world: World, client_for: SignIn) -> None:
    client = client_for(world.ada)
    response = client.get(client.post(url("paths-publish", ""))["Location"])
    assert "Python web service (version 1)" in text(response)
    assert "Update the shipped paths" not in text(response)
    with world.tenant():
        assert AuditEvent.objects.for_tenant(world.acme).filter(verb="path.published").count() == 2
    client.post(url("paths-publish", ""))
    with world.tenant():
        assert Version.objects.for_tenant(world.acme).count() == 2


@pytest.mark.parametrize("person", ["mae", "dev", "vic"])
def test_only_admins_publish(world: World, client_for: SignIn, person: str) -> None:
    response = client_for(world.members()[person]).post(url("paths-publish", ""))
    assert response.status_code == 403
    assert "You cannot publish golden paths" in text(response)
    with world.tenant():
        assert not GoldenPath.objects.exists()


def test_the_gallery_shows_and_searches(shipped: World, client_for: SignIn) -> None:
    client = client_for(shipped.dev)
    everything = text(client.get(url("paths", "")))
    assert "Python web service" in everything
    assert "Scheduled job" in everything
    found = text(client.get(url("paths", ""), {"q": "CRONJOB schedule"}))
    assert "Scheduled job" in found
    assert "Python web service" not in found
    assert "No golden path matches" in text(client.get(url("paths", ""), {"q": "cobol"}))


def test_the_form_opens_with_labels_defaults_and_choices(shipped: World, client_for: SignIn) -> None:
    response = client_for(shipped.dev).get(url("path"))
    body = response.content.decode()
    assert '<label class="form-label required" for="field-name">Name</label>' in body
    assert re.search(r'<option value="group:default/payments" selected>', body), "the person's own team"
    assert 'name="f.port"' not in body, "a later page starts with its own defaults"
    turns = ({"f.name": "x", "page": "1", "go": f"page:{number}"} for number in (2, 3))
    later = [client_for(shipped.dev).post(url("path"), turn).content.decode() for turn in turns]
    assert any(re.search(r'name="f.port" value="8080"', page) for page in later)
    assert "style=" not in body


def test_a_page_is_checked_before_the_next_one(shipped: World, client_for: SignIn) -> None:
    client = client_for(shipped.dev)
    response = client.post(url("path"), {"page": "1", "go": "next", "f.name": "Bad Name!", "f.description": "short"})
    assert response.status_code == 422
    seen = text(response)
    assert "Some answers need another look" in seen
    assert "A name starts with a letter and uses lower-case letters" in seen
    assert "What it does must have at least 10 characters." in seen
    assert "Choose an answer for “Owner”." in seen
    assert 'value="Bad Name!"' in response.content.decode(), "nothing is lost"


def test_the_pages_follow_each_other_and_keep_the_answers(shipped: World, client_for: SignIn) -> None:
    client = client_for(shipped.dev)
    second = client.post(url("path"), {**ANSWERS, "page": "1", "go": "next"}).content.decode()
    assert "Where it runs" in second
    assert '<input type="hidden" name="f.name" value="checkout-api">' in second
    assert 'id="field-cluster"' in second
    back = client.post(url("path"), {**ANSWERS, "page": "2", "go": "back", "f.domain": "NOT VALID"}).content.decode()
    assert 'value="checkout-api"' in back
    assert '<input type="hidden" name="f.domain" value="NOT VALID">' in back
    third = client.post(url("path"), {**ANSWERS, "page": "1", "go": "page:3"}).content.decode()
    assert "First image" in third


def test_an_answer_is_checked_as_it_changes(shipped: World, client_for: SignIn) -> None:
    client = client_for(shipped.dev)
    with shipped.tenant():
        Repository.objects.create(organisation=shipped.acme, name="taken", marker="x")

    def said(name: str) -> str:
        answer = client.post(url("path-field"), {"field": "name", "f.name": name}, headers={"HX-Request": "true"})
        assert answer.status_code == 200
        assert answer.content.decode().strip().startswith('<div class="field" id="field-name-block">')
        return text(answer)

    assert "A repository called “taken” exists already. Choose another name." in said("taken")
    assert "A name starts with a letter" in said("9lives")
    assert "needs an answer" in said("")
    assert "exists" not in said("checkout-api")
    assert client.post(url("path-field"), {"field": "nonsense"}).status_code == 404


def test_a_long_text_comes_back_letter_by_letter(shipped: World, client_for: SignIn) -> None:
    answer = client_for(shipped.dev).post(url("path-field"), {"field": "description", "f.description": "Short.\n two"})
    [content] = re.findall(r"<textarea[^>]*>(.*?)</textarea>", answer.content.decode(), re.DOTALL)
    assert html.unescape(content) == "Short.\n two"


def test_a_name_in_the_catalog_is_taken(shipped: World, client_for: SignIn) -> None:
    with shipped.tenant():
        put(shipped.acme, entity_row(shipped.acme, "checkout-api"))
    response = client_for(shipped.dev).post(url("path-review"), ANSWERS)
    assert response.status_code == 422
    assert "“checkout-api” is in the catalog already, as Component “checkout-api”." in text(response)


def test_the_review_shows_everything_that_would_be_made(shipped: World, client_for: SignIn) -> None:
    response = client_for(shipped.dev).post(url("path-review"), ANSWERS)
    assert response.status_code == 200
    seen = text(response)
    for words in (
        "Repository checkout-api", "23 files on branch main", "Component checkout-api", "API checkout-api-api",
        "8 Kubernetes objects", "HorizontalPodAutoscaler", "deploy/deployment.yaml", "src/checkout_api_service/app.py",
        "Small: 100m CPU, 128 MiB, 2 to 4 pods", "Create the repository", "Takes a basket through payment.",
    ):  # fmt: skip
        assert words in seen, words
    body = response.content.decode()
    assert '<button class="btn btn-launch" type="submit">' in body
    assert f'action="{url("path")}launch/"' in body
    sent = re.search(r'name="values" value="([^"]+)"', body)
    assert sent
    values = json.loads(html.unescape(sent[1]))
    with shipped.tenant():
        assert not Repository.objects.exists()
        assert not Entity.objects.exists()
    assert (values["name"], values["port"], values["system"]) == ("checkout-api", 8080, None)


def test_missing_answers_lead_back_to_the_first_page_that_lacks_one(shipped: World, client_for: SignIn) -> None:
    response = client_for(shipped.dev).post(url("path-review"), {**ANSWERS, "f.cluster": "", "f.port": "80"})
    assert response.status_code == 422
    seen = text(response)
    assert "Where it runs" in seen
    assert "Choose an answer for “Cluster”." in seen
    assert "Port must be at least 1024." in seen
    assert "checkout-api" in response.content.decode()


def test_a_kind_that_the_cluster_does_not_serve_is_said_before_anything_is_made(
    shipped: World, client_for: SignIn, answer: dict[str, Served]
) -> None:
    kinds = {
        ("v1", "Namespace"): True, ("v1", "ServiceAccount"): True, ("apps/v1", "Deployment"): True,
        ("v1", "Service"): False, ("networking.k8s.io/v1", "Ingress"): True,
        ("networking.k8s.io/v1", "NetworkPolicy"): True,
    }  # fmt: skip
    newest = {"HorizontalPodAutoscaler": "autoscaling/v1", "PodDisruptionBudget": "", "Service": ""}
    answer["sandbox"] = Served(kinds, newest)
    response = client_for(shipped.dev).post(url("path-review"), ANSWERS)
    seen = text(response)
    assert "The cluster Sandbox does not serve Service as v1 (deploy/service.yaml)." in seen
    assert "5 Kubernetes objects" in seen
    assert (
        "The cluster Sandbox does not serve HorizontalPodAutoscaler as autoscaling/v2 (deploy/hpa.yaml). "
        "It serves HorizontalPodAutoscaler as autoscaling/v1. The manifest is optional, so it is left out." in seen
    )
    assert '<button class="btn btn-launch" type="submit" disabled>' in response.content.decode()


def test_a_cluster_that_is_down_is_said_in_words(shipped: World, client_for: SignIn, answer: dict[str, Served]) -> None:
    answer["sandbox"] = Served(trouble="Sandbox does not answer: connection refused.", is_down=True)
    response = client_for(shipped.dev).post(url("path-review"), ANSWERS)
    assert "Sandbox does not answer: connection refused." in text(response)
    assert "disabled" in response.content.decode()
    answer["sandbox"] = Served(trouble="Sandbox could not be asked in time which kinds it serves.")
    response = client_for(shipped.dev).post(url("path-review"), ANSWERS)
    assert "could not be asked in time" in text(response)
    assert '<button class="btn btn-launch" type="submit">' in response.content.decode()


def test_a_viewer_may_look_and_not_launch(shipped: World, client_for: SignIn) -> None:
    client = client_for(shipped.vic)
    assert "You cannot launch golden paths as a viewer." in text(client.get(url("path")))
    response = client.post(url("path-review"), ANSWERS)
    assert '<button class="btn btn-launch" type="submit" disabled>' in response.content.decode()


def test_the_history_names_who_published_what(shipped: World, client_for: SignIn) -> None:
    seen = text(client_for(shipped.vic).get(url("path-versions")))
    assert "Version 1 current" in seen
    assert "Ada" in seen
    assert "Shipped with Slipway" in seen


PAGES = [("get", "path"), ("post", "path"), ("post", "path-field"), ("post", "path-review"), ("get", "path-versions")]


@pytest.mark.parametrize(("method", "name"), PAGES)
def test_a_neighbour_finds_nothing(shipped: World, client_for: SignIn, method: str, name: str) -> None:
    eve = client_for(shipped.eve)
    assert getattr(eve, method)(url(name)).status_code == 404
    assert getattr(eve, method)(url(name, org="rival")).status_code == 404


API = [("get", "api-path"), ("get", "api-path-parameter-schema"), ("post", "api-path-preview")]


@pytest.mark.parametrize(("method", "name"), API)
def test_a_neighbouring_program_finds_nothing(shipped: World, client_for: SignIn, method: str, name: str) -> None:
    eve = client_for(shipped.eve)
    for org in ("acme", "rival"):
        response = getattr(eve, method)(url(name, org=org), content_type="application/json")
        assert response.status_code == 404, response.content
        assert response.json()["error"]["name"] == "NotFoundError"


def test_programs_list_read_and_preview(shipped: World, client_for: SignIn) -> None:
    client = client_for(shipped.dev)
    listed = client.get(url("api-paths", "")).json()["items"]
    assert [(one["slug"], one["version"]) for one in listed] == [("python-web-service", 1), ("scheduled-job", 1)]
    detail = client.get(url("api-path")).json()
    assert detail["path"]["title"] == "Python web service"
    assert len(detail["versions"][0]["digest"]) == 64
    schema = client.get(url("api-path-parameter-schema")).json()
    assert [step["title"] for step in schema["steps"]] == ["About the service", "Where it runs", "Details"]
    made = client.post(url("api-path-preview"), {"values": VALUES}, content_type="application/json").json()
    assert made["launchable"]
    assert made["repository"] == {"name": "checkout-api", "branch": "main", "files": 23}
    assert {entity["ref"] for entity in made["entities"]} == {
        "component:default/checkout-api", "api:default/checkout-api-api",
    }  # fmt: skip
    assert len(made["manifests"]) == 8


def test_a_preview_of_bad_answers_says_which(shipped: World, client_for: SignIn) -> None:
    client = client_for(shipped.dev)
    for values, field, sentence in (
        ({}, "name", "“Name” needs an answer."),
        ({**VALUES, "port": "x"}, "port", "Port must be a whole number."),
        ({**VALUES, "surprise": 1}, "surprise", "No page of the form asks for “surprise”."),
        ({**VALUES, "owner": "group:default/nobody"}, "owner", "There is no team or person “group:default/nobody”"),
        ({**VALUES, "cluster": "moon"}, "cluster", "There is no cluster called “moon”."),
        ({**VALUES, "size": "huge"}, "size", "Size must be one of: small, medium, large."),
        ({**VALUES, "name": ["a"]}, "name", "Name must be a text."),
    ):
        response = client.post(url("api-path-preview"), {"values": values}, content_type="application/json")
        assert response.status_code == 400, response.content
        errors = response.json()["error"]["detail"]["errors"]
        assert sentence in errors[field], errors


def _upload(files: dict[str, File]) -> dict[str, Any]:
    listed = [{"path": path, "base64Content": base64.b64encode(file.content).decode()} for path, file in files.items()]
    return {"files": listed}


def test_a_program_publishes_a_path(world: World, client_for: SignIn) -> None:
    body = _upload(template("sound"))
    response = client_for(world.ada).post(url("api-paths", ""), body, content_type="application/json")
    assert response.status_code == 201, response.content
    assert response.json()["path"] == "sound"
    refused = client_for(world.mae).post(url("api-paths", ""), body, content_type="application/json")
    assert refused.status_code == 403


@pytest.mark.parametrize(
    ("files", "sentence"),
    [
        (template("unknown-filter"), "template.yaml, line 15: There is no filter called “shout”."),
        (template("bad-yaml"), "template.yaml, line 4: This is not valid YAML"),
        ({"../template.yaml": File(b"")}, "climbs out of its folder"),
        ({}, "There is no such file"),
    ],
)
def test_a_faulty_path_is_refused_with_its_line(
    world: World, client_for: SignIn, files: dict[str, File], sentence: str
) -> None:
    response = client_for(world.ada).post(url("api-paths", ""), _upload(files), content_type="application/json")
    assert response.status_code == 400, response.content
    assert sentence in response.json()["error"]["message"]


def test_content_that_is_not_base64_is_refused(world: World, client_for: SignIn) -> None:
    body = {"files": [{"path": "template.yaml", "base64Content": "***"}]}
    response = client_for(world.ada).post(url("api-paths", ""), body, content_type="application/json")
    assert response.status_code == 400
    assert "not valid base64" in response.json()["error"]["message"]


def test_the_gallery_asks_the_database_a_fixed_number_of_questions(
    shipped: World, client_for: SignIn, django_assert_max_num_queries: Any
) -> None:
    client = client_for(shipped.dev)
    client.get(url("paths", ""))
    with django_assert_max_num_queries(6):
        client.get(url("paths", ""))


def test_the_reviews_own_form_launches_one_run_however_often_it_is_sent(shipped: World, client_for: SignIn) -> None:
    client = client_for(shipped.dev)
    body = client.post(url("path-review"), ANSWERS).content.decode()
    form = body[body.index(f'action="{url("path-launch")}"') :]
    fields = {
        name: html.unescape(value)
        for name, value in re.findall(
            r'<input type="hidden" name="(values|version|key|digest|review)" value="([^"]*)"', form
        )
    }
    assert set(fields) == {"values", "version", "digest", "review", "key"}
    first, second = (client.post(url("path-launch"), fields) for _ in range(2))
    assert (first.status_code, first["Location"]) == (302, second["Location"])
    assert "/runs/" in first["Location"]
