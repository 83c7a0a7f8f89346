"""Bad templates, bad answers, clusters that are away: a sentence where the person is, and no answer is lost."""

import base64
import html as markup
import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from portal.clusters.models import Cluster
from portal.githosts.models import Repository
from portal.goldenpaths import actions, discovery
from portal.goldenpaths.discovery import Served
from portal.goldenpaths.files import File
from portal.goldenpaths.models import Candidate, GoldenPath, Version
from portal.provisioning.models import Run
from tests.catalog.rows import entity_row, put
from tests.conftest import World, by
from tests.goldenpaths.test_pages import ANSWERS, text, url
from tests.goldenpaths.test_pages import answer as answer
from tests.goldenpaths.test_pages import cluster as cluster
from tests.goldenpaths.test_pages import shipped as shipped

pytestmark = pytest.mark.django_db
SignIn = Callable[[Any], Client]

TEMPLATE = """\
apiVersion: scaffolder.backstage.io/v1beta3
kind: Template
metadata: {{name: trouble, title: Trouble}}
spec:
  type: service
  owner: payments
  parameters:
    - title: First
      required: [name]
      properties:
        name: {{title: Name, type: string}}
        much: {{title: Much, type: number}}
        data: {{title: Data, type: object}}
    - title: Second
      properties:
        note: {{title: Note, type: string}}
  steps:
{steps}
"""
FETCH = """\
    - id: fetch
      action: fetch:template
      input: {url: ./skeleton, values: {name: "${{ parameters.name }}"}%s}
"""
LOG = "    - {id: log, action: 'debug:log', input: {message: hello}}\n"
PUBLISH = "    - {id: publish, action: 'publish:slipway', input: {repo: '${{ parameters.name }}'}}\n"
APPLY = "    - {id: apply, action: 'kubernetes:apply', input: {cluster: sandbox, namespace: shop, path: deploy/}}\n"


def publish(world: World, steps: str, **files: str) -> Version:
    tree = {"template.yaml": File(TEMPLATE.format(steps=steps).encode())}
    tree |= {name: File(content.encode()) for name, content in files.items()}
    with world.tenant():
        return actions.publish(organisation=world.acme, actor=by(world.ada), files=tree)


def review(client: Client, **answers: str) -> Any:
    given = {"f.name": "orders", "f.much": "", "f.data": "", "f.note": "keep me", **answers}
    return client.post(url("path-review", "trouble"), given)


def assert_kept(response: Any, **answers: str) -> None:
    """Each answer travels on: in a control or a hidden field of the page."""
    body = markup.unescape(response.content.decode())
    for name, value in answers.items():
        assert (
            re.search(rf'name="f\.{name}"[^>]*value="{re.escape(value)}"', body) or f">\n{value}</textarea>" in body
        ), name


# --- templates --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("skeleton", "words"),
    [
        ("${{ values.name | shout }}", "skeleton/README.md, line 2: There is no filter called “shout”."),
        ("{% include '/etc/passwd' %}", "skeleton/README.md, line 2: "),
        ("{% import 'os' as os %}", "skeleton/README.md, line 2: "),
        ("${{ values.name", "skeleton/README.md, line 2: "),
        ("{% for x in values %}", "skeleton/README.md, line 2: "),
    ],
)
def test_a_template_that_cannot_work_is_refused_at_the_gallery_and_by_the_api(
    world: World, client_for: SignIn, tmp_path: Path, skeleton: str, words: str
) -> None:
    steps = FETCH % ""
    (tmp_path / "skeleton").mkdir()
    (tmp_path / "skeleton" / "README.md").write_text(f"# Title\n{skeleton}\n")
    (tmp_path / "template.yaml").write_text(TEMPLATE.format(steps=steps))
    register = {"kind": "folder", "target": str(tmp_path), "path": "template.yaml"}
    client = client_for(world.ada)
    source = client.post("/o/acme/catalog/sources/register/", register)
    assert source.status_code == 302
    # Whoever registered it reads why there is no path, on the source's page; so does whoever would publish it.
    place, _, sentence = words.partition(", line 2: ")
    page = text(client.get(source["Location"]))
    assert f"{place}:2" in page
    assert sentence in page
    with world.tenant():
        candidate = Candidate.objects.for_tenant(world.acme).get()
    where = {"org": "acme", "uid": candidate.uid}
    assert words in text(client.get(reverse("candidate", kwargs=where)))
    again = client.post(reverse("candidate-publish", kwargs=where), {"digest": candidate.digest})
    assert again.status_code == 400
    assert words in text(again)
    files = {"template.yaml": TEMPLATE.format(steps=steps), "skeleton/README.md": f"# Title\n{skeleton}\n"}
    body = {"files": [{"path": p, "base64Content": base64.b64encode(t.encode()).decode()} for p, t in files.items()]}
    said = client.post(url("api-paths", ""), json.dumps(body), content_type="application/json")
    assert said.status_code == 400
    assert words in said.json()["error"]["message"]
    with world.tenant():
        assert not GoldenPath.objects.exists()


@pytest.mark.parametrize(
    ("document", "words"),
    [
        ("a: [", "template.yaml, line 2: This is not valid YAML"),
        ("[" * 5000 + "]" * 5000, "nested more than 64 levels"),
        ("&a [*a]", "The alias *a lies inside what it repeats."),
        (
            "a: &l0 [x]\n" + "".join(f"l{n}: &l{n} [{', '.join([f'*l{n - 1}'] * 9)}]\n" for n in range(1, 11)),
            "grows too large when its aliases are expanded",
        ),
        ("a: !!binary aGVsbG8=", "The tag !!binary is not known here"),
        ("a: !!timestamp 2020-01-01", "The tag !!timestamp is not known here"),
        ("a: !!python/name:os.system", "is not known here"),
        ('a: "\\0"', "the character U+0000, which cannot be kept"),
        ("a: 1e999", "not a number that can be kept"),
        ("a: " + "x" * (1024 * 1024), "may have at most 1 MiB"),
        ("kind: Component", "it has no"),
    ],
)
def test_a_template_file_that_cannot_be_read(world: World, client_for: SignIn, document: str, words: str) -> None:
    body = {"files": [{"path": "template.yaml", "base64Content": base64.b64encode(document.encode()).decode()}]}
    said = client_for(world.ada).post(url("api-paths", ""), json.dumps(body), content_type="application/json")
    assert said.status_code == 400, said.content
    assert words in said.json()["error"]["message"]


@pytest.mark.parametrize("path", ["../x", "/etc/cron.d/x", "a/../../x", ".git/hooks/post-checkout", "a\\..\\b", ""])
def test_a_bundle_with_a_path_that_leads_out(world: World, client_for: SignIn, path: str) -> None:
    files = {"template.yaml": TEMPLATE.format(steps=LOG), path: "x"}
    body = {"files": [{"path": p, "base64Content": base64.b64encode(t.encode()).decode()} for p, t in files.items()]}
    said = client_for(world.ada).post(url("api-paths", ""), json.dumps(body), content_type="application/json")
    assert said.status_code == 400, said.content
    assert said.json()["error"]["message"]
    with world.tenant():
        assert not GoldenPath.objects.exists()


LOOP = "{% for i in range(99999) %}{% for j in range(99999) %}{% endfor %}{% endfor %}"


@pytest.mark.parametrize(
    ("steps", "files", "words"),
    [
        (FETCH % "", {"skeleton/a": LOOP}, "Rendering took too long and was stopped."),
        (FETCH % "", {"skeleton/a": "${{ 'x' | center(400000000) }}"}, "needs more memory than a template may use"),
        (
            FETCH % "",
            {"skeleton/a": "{% for i in range(90000) %}${{ 'x' | center(2000) }}{% endfor %}"},
            "was stopped.",
        ),
        (FETCH % ", targetPath: ../out", {"skeleton/a": "x"}, "climbs out of its folder"),
        (FETCH % ", targetPath: /tmp/out", {"skeleton/a": "x"}, "/tmp/out"),
        (FETCH % "", {"skeleton/${{ '.' ~ '.' }}/${{ '.' ~ '.' }}/etc/passwd": "x"}, "climbs out of its folder"),
        (FETCH % "", {"skeleton/${{ '.git' }}/hooks/x": "x"}, ".git"),
        (FETCH % "", {"skeleton/${{ 1 / 0 }}": "x"}, "skeleton/"),
        (LOG.replace("hello", "'${{ parameters.name.constructor }}'"), {}, ""),
        ("    - {id: log, action: 'debug:log', if: '${{ 1 | truncate }}', input: {message: x}}\n", {}, ""),
        (PUBLISH, {}, "There is nothing to publish"),
        (FETCH % "" + APPLY, {"skeleton/deploy/a.yaml": "a: [", "skeleton/b": "x"}, "deploy/a.yaml, line 2"),
        (FETCH % "" + APPLY, {"skeleton/deploy/a.yaml": "kind: Pod"}, "this is no manifest"),
        (FETCH % "" + APPLY, {"skeleton/b": "x"}, "There are no manifests to apply"),
        (FETCH % "" + APPLY, {"skeleton/deploy/a.yaml": "[" * 99 + "]" * 99}, "nested more than 64 levels"),
    ],
)
def test_a_template_that_misbehaves_is_stopped_and_said_on_the_review(
    world: World, cluster: Cluster, client_for: SignIn, steps: str, files: dict[str, str], words: str
) -> None:
    publish(world, steps, **({"skeleton/keep.txt": "x"} | files if "fetch" in steps else files))
    response = review(client_for(world.dev))
    assert response.status_code == 200
    assert words in text(response)
    assert_kept(response, name="orders", note="keep me")
    if words:
        assert '<button class="btn btn-launch" type="submit" disabled>' in response.content.decode()


# --- answers ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("answers", "words"),
    [
        ({"f.name": ""}, "“Name” needs an answer."),
        ({"f.name": "a\0b"}, "Name holds the character U+0000, which cannot be kept; remove it."),
        ({"f.name": "x" * 30_000}, "Name is longer than 20,000 characters."),
        ({"f.much": "many"}, "Much must be a number."),
        ({"f.much": "1e999"}, "Much must be a number."),
        ({"f.much": "nan"}, "Much must be a number."),
        ({"f.much": "9" * 5000}, "Much must be a number."),
        ({"f.data": "a: ["}, "Data must be an object."),
        ({"f.data": "[" * 3000}, "Data must be an object."),
        ({"f.data": '{a: "\\0"}'}, "Data must be an object."),
        ({"f.note": "a\0b"}, "Note holds the character U+0000"),
    ],
)
def test_an_answer_that_cannot_be_right(world: World, client_for: SignIn, answers: dict[str, str], words: str) -> None:
    publish(world, LOG)
    given = {"f.name": "orders", "f.note": "keep me"} | answers
    response = review(client_for(world.dev), **given)
    assert response.status_code == 422
    assert words in text(response)
    assert 'id="errors"' in response.content.decode(), "the list of what to put right"
    kept = {key.removeprefix("f."): value for key, value in given.items() if "\n" not in value}
    body = markup.unescape(response.content.decode())
    for name, value in kept.items():
        assert f'value="{value}"' in body or f"{value}</textarea>" in body, f"{name} is lost"


def test_missing_answers_keep_all_the_others_through_every_page(shipped: World, client_for: SignIn) -> None:
    response = client_for(shipped.dev).post(url("path-review"), {**ANSWERS, "f.description": "", "f.port": "80"})
    assert response.status_code == 422
    seen = text(response)
    assert "“What it does” needs an answer." in seen
    assert "Port must be at least 1024." in seen
    assert_kept(response, name="checkout-api", port="80", domain="apps.example.internal", image=ANSWERS["f.image"])


@pytest.mark.parametrize("taken", ["entity", "repository"])
def test_a_name_that_exists_is_said_at_its_field(shipped: World, client_for: SignIn, taken: str) -> None:
    with shipped.tenant():
        if taken == "entity":
            put(shipped.acme, entity_row(shipped.acme, "checkout-api"))
        else:
            Repository.objects.create(organisation=shipped.acme, name="checkout-api", marker="x")
    response = client_for(shipped.dev).post(url("path-review"), ANSWERS)
    assert response.status_code == 422
    assert "Choose another name." in text(response)
    assert re.search(r'id="field-name-error"[^>]*><p>[^<]*Choose another name', response.content.decode())
    assert_kept(response, name="checkout-api", domain="apps.example.internal", port="8080")


def test_a_repository_name_that_git_cannot_have_is_said_before_anything_is_made(
    world: World, client_for: SignIn
) -> None:
    publish(world, FETCH % "" + PUBLISH, **{"skeleton/a": "x"})
    for name in ("Orders", "a b", "../x", "[x"):
        response = review(client_for(world.dev), **{"f.name": name})
        assert response.status_code == 200
        assert "A repository’s name has up to 63 lower-case letters" in text(response)
        assert_kept(response, name=name, note="keep me")


# --- from the review to the launch ------------------------------------------------------------------------------------


def launch_form(response: Any) -> dict[str, str]:
    found = re.findall(
        r'<input type="hidden" name="(values|version|key|digest|review)" value="([^"]*)"', response.content.decode()
    )
    return {name: markup.unescape(value) for name, value in found}


def test_a_name_that_was_taken_since_the_review_leads_back_to_its_field(shipped: World, client_for: SignIn) -> None:
    client = client_for(shipped.dev)
    form = launch_form(client.post(url("path-review"), ANSWERS))
    with shipped.tenant():
        Repository.objects.create(organisation=shipped.acme, name="checkout-api", marker="x")
    response = client.post(url("path-launch"), form)
    assert response.status_code == 422
    seen = text(response)
    assert "Nothing was launched: an answer needs another look." in seen
    assert "A repository called “checkout-api” exists already. Choose another name." in seen
    assert_kept(response, name="checkout-api", domain="apps.example.internal", port="8080", image=ANSWERS["f.image"])
    # What the page carries on is as good as what was first typed.
    body = markup.unescape(response.content.decode())
    again = dict(re.findall(r'name="(f\.[a-z]+)"[^>]*value="([^"]*)"', body)) | {"f.name": "checkout"}
    again |= {"f.owner": ANSWERS["f.owner"], "f.description": ANSWERS["f.description"]}
    assert client.post(url("path-review"), again).status_code == 200
    with shipped.tenant():
        assert not Run.objects.exists()


SECRETS = """\
apiVersion: scaffolder.backstage.io/v1beta3
kind: Template
metadata: {name: trouble, title: Trouble}
spec:
  type: service
  parameters:
    properties: {name: {title: Name, type: string}}
  secrets:
    schema: {required: [token], properties: {token: {title: Deploy token}}}
  steps:
    - {id: log, action: 'debug:log', input: {message: "${{ secrets.token }}"}}
"""


def test_a_missing_secret_is_said_on_the_review_and_launches_nothing(world: World, client_for: SignIn) -> None:
    with world.tenant():
        actions.publish(organisation=world.acme, actor=by(world.ada), files={"template.yaml": File(SECRETS.encode())})
    client = client_for(world.dev)
    form = launch_form(client.post(url("path-review", "trouble"), {"f.name": "orders"}))
    response = client.post(url("path-launch", "trouble"), form)
    assert response.status_code == 422
    body = response.content.decode()
    assert "“Deploy token” needs an answer." in text(response)
    assert '<div class="field-errors" id="secret-token-error">' in body
    assert_kept(response, name="orders")
    with world.tenant():
        assert not Run.objects.exists()
    done = client.post(url("path-launch", "trouble"), launch_form(response) | {"secret.token": "hunter2-hunter2"})
    assert done.status_code == 302


def test_a_second_click_after_the_name_is_taken_by_the_first_shows_the_run(shipped: World, client_for: SignIn) -> None:
    client = client_for(shipped.dev)
    form = launch_form(client.post(url("path-review"), ANSWERS))
    first = client.post(url("path-launch"), form)
    with shipped.tenant():
        Repository.objects.create(organisation=shipped.acme, name="checkout-api", marker="x")
    assert client.post(url("path-launch"), form)["Location"] == first["Location"]
    body = {"path": "python-web-service", "values": json.loads(form["values"]), "idempotency_key": form["key"]}
    said = client.post("/api/o/acme/runs/", json.dumps(body), content_type="application/json")
    assert said.status_code == 201
    with shipped.tenant():
        assert Run.objects.count() == 1


# --- clusters ---------------------------------------------------------------------------------------------------------

WIDE = """\
apiVersion: v1
kind: Namespace
metadata: {name: shop}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRole
metadata: {name: reader}
rules: []
"""


def test_a_cluster_wide_object_is_said_before_anything_is_made(
    world: World, cluster: Cluster, client_for: SignIn, answer: dict[str, Served]
) -> None:
    role, space = ("rbac.authorization.k8s.io/v1", "ClusterRole"), ("v1", "Namespace")
    answer["sandbox"] = Served({role: True, space: True}, cluster_wide=frozenset({role, space}))
    publish(world, FETCH % "" + APPLY, **{"skeleton/deploy/all.yaml": WIDE})
    response = review(client_for(world.dev))
    seen = text(response)
    assert "ClusterRole reader (deploy/all.yaml) lies in no namespace: it is for the whole cluster Sandbox" in seen
    assert "Namespace shop (deploy/all.yaml) lies in no namespace" not in seen
    assert '<button class="btn btn-launch" type="submit">' in response.content.decode()


def test_a_kind_that_is_not_served_blocks_the_launch_and_keeps_the_answers(
    world: World, cluster: Cluster, client_for: SignIn, answer: dict[str, Served]
) -> None:
    answer["sandbox"] = Served({}, {"Gadget": ""})
    gadget = "apiVersion: example.com/v1\nkind: Gadget\nmetadata: {name: x}\n"
    publish(world, FETCH % "" + APPLY, **{"skeleton/deploy/all.yaml": gadget})
    response = review(client_for(world.dev))
    assert "The cluster Sandbox does not serve Gadget as example.com/v1 (deploy/all.yaml)." in text(response)
    assert '<button class="btn btn-launch" type="submit" disabled>' in response.content.decode()
    assert_kept(response, name="orders", note="keep me")


@pytest.mark.slow
@pytest.mark.django_db(transaction=True)
def test_a_cluster_that_is_down_is_said_on_the_review_by_a_real_worker(
    committed_world: World, client_for: SignIn, celery_worker: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    from portal.clusters.actions import register_cluster
    from tests.provisioning.sandboxes import Sandbox

    world = committed_world
    monkeypatch.setattr(discovery, "served", REAL_SERVED)
    box = Sandbox()
    box.process.wait_for("sandbox: Kubernetes API at")
    with world.tenant():
        register_cluster(
            organisation=world.acme, actor=by(world.ada), name="Sandbox", kubeconfig=box.kubeconfig.read_text()
        )
    box.stop()
    publish(world, FETCH % "" + APPLY, **{"skeleton/deploy/all.yaml": WIDE})
    response = review(client_for(world.dev))
    assert "The cluster Sandbox does not answer: the connection was refused." in text(response)
    assert '<button class="btn btn-launch" type="submit" disabled>' in response.content.decode()
    assert_kept(response, name="orders", note="keep me")


REAL_SERVED = discovery.served
