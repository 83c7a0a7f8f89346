"""The check for pipelines says before a merge exactly what the inbox would say after it, and writes nothing."""

import functools
import io
import json
import tarfile
import zipfile

import pytest

from catalog import actions
from catalog.models import Entity, Problem, Source, SourceFile
from portal.jobs.models import Job
from tests.catalog.test_pages import TEXT
from tests.conftest import by

CHECK = "/api/o/acme/catalog/check"
BAD = TEXT.format(name="till", owner="payments").replace("metadata:", "metadata:\n  tags: [Java, {deep: 1}]")
FILES = {
    "catalog-info.yaml": f"{BAD}---\napiVersion: backstage.io/v1alpha1\nkind: Location\nmetadata: {{name: more}}\n"
    "spec: {targets: [./more/*.yaml, ./gone.yaml]}\n",
    "more/a.yaml": "a: b: c\n",
    "more/api.yaml": "apiVersion: backstage.io/v1alpha1\nkind: API\nmetadata: {name: pay}\n"
    "spec: {type: openapi, lifecycle: production, owner: payments, definition: {$text: ./nowhere.yaml}}\n",
    "more/twice.yaml": TEXT.format(name="pay2", owner="payments") + "---\n" + TEXT.format(name="pay2", owner="x"),
    "more/template.yaml": "apiVersion: scaffolder.backstage.io/v1beta3\nkind: Template\nmetadata: {name: t}\n"
    "spec: {type: service, owner: payments, steps: [{id: a, action: no:such}]}\n",
}


def asked(client, body, status=200, **query):
    answer = client.post(CHECK, body, content_type="application/json", query_params=query)
    assert answer.status_code == status, answer.content[:1000]
    return answer


def test_it_says_what_the_inbox_says_after_the_merge(world, client_for, tmp_path):
    told = asked(client_for(world.vic), {"files": FILES}).json()
    for path, text in FILES.items():
        (tmp_path / path).parent.mkdir(exist_ok=True)
        (tmp_path / path).write_text(text)
    with world.tenant():
        assert not Problem.objects.for_tenant(world.acme).exists()
        actions.add_source(organisation=world.acme, actor=by(world.dev), kind="folder", target=str(tmp_path))
        rows = [row.finding.plain() for row in Problem.objects.for_tenant(world.acme)]
    key = functools.partial(json.dumps, sort_keys=True)
    assert sorted(told["problems"], key=key) == sorted(rows, key=key)
    assert len(rows) >= 6
    assert {"tag", "yaml-syntax", "placeholder", "described-twice", "golden-path"} <= {row["code"] for row in rows}
    assert told["ok"] is False
    assert told["problemCount"] == len(rows)


def test_nothing_is_written_but_the_job(world, client_for):
    asked(client_for(world.vic), {"text": BAD})
    with world.tenant():
        for model in (Entity, Problem, Source, SourceFile):
            assert not model.objects.for_tenant(world.acme).exists()
        job = Job.objects.for_tenant(world.acme).get()
        assert job.payload is None


@pytest.mark.parametrize("kind", ["zip", "tar", "gzip"])
def test_an_archive_is_checked_as_it_is(world, client_for, kind):
    packed = io.BytesIO()
    if kind == "zip":
        with zipfile.ZipFile(packed, "w") as archive:
            for path, text in FILES.items():
                archive.writestr(path, text)
    else:
        with tarfile.open(fileobj=packed, mode="w:gz" if kind == "gzip" else "w") as archive:
            for path, text in FILES.items():
                entry = tarfile.TarInfo(path)
                entry.size = len(text.encode())
                archive.addfile(entry, io.BytesIO(text.encode()))
    content_type = "application/x-tar" if kind == "tar" else f"application/{kind}"
    client = client_for(world.vic)
    told = client.post(CHECK, packed.getvalue(), content_type=content_type)
    assert told.status_code == 200, told.content
    assert told.json()["problems"] == asked(client, {"files": FILES}).json()["problems"]


def test_a_source_is_named_so_that_names_are_judged(world, client_for, tmp_path):
    for folder, name in (("ours", "till"), ("theirs", "desk")):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "catalog-info.yaml").write_text(TEXT.format(name=name, owner="payments"))
    with world.tenant():
        ours, _ = (
            actions.add_source(organisation=world.acme, actor=by(world.dev), kind="folder", target=str(tmp_path / each))
            for each in ("ours", "theirs")
        )
    client = client_for(world.vic)
    text = TEXT.format(name="till", owner="payments") + "---\n" + TEXT.format(name="desk", owner="payments")
    assert asked(client, {"text": text}).json()["ok"] is True
    for named in (str(ours.uid), str(tmp_path / "ours")):
        told = asked(client, {"text": text}, source=named).json()
        assert [problem["code"] for problem in told["problems"]] == ["conflict"]
        assert "theirs" in told["problems"][0]["sentence"]
        assert [entity["state"] for entity in told["entities"]] == ["known", "known"]
    assert len(asked(client, {"text": text}, source="https://git.example/new").json()["problems"]) == 2


def test_lines_are_for_terminals_and_annotations_for_pipelines(world, client_for):
    client = client_for(world.vic)
    lines = asked(client, {"text": BAD}, **{"as": "text"})
    assert lines["Content-Type"] == "text/plain; charset=utf-8"
    assert 'catalog-info.yaml:4:10: error: The tag "Java" is not allowed.' in lines.content.decode()
    assert "    |          ^^^^" in lines.content.decode()
    notes = asked(client, {"text": BAD, "path": "a,b.yaml"}, **{"as": "github"}).content.decode()
    assert notes.startswith("::error file=a%2Cb.yaml,line=4,col=10,title=Tag not allowed::The tag")
    assert len(notes.splitlines()) == 2
    good = asked(client, {"text": TEXT.format(name="a", owner="payments")}, **{"as": "text"}).content.decode()
    assert good == "Nothing is wrong.\n"


@pytest.mark.parametrize(
    ("body", "status", "words"),
    [
        ({}, 400, "Send `files`"),
        ({"files": {}}, 400, "Send `files`"),
        ({"files": {"../../etc/passwd": "a"}}, 400, "leads out of the source"),
        ({"files": {"/etc/passwd": "a"}}, 400, "outside this source"),
        ({"files": {"a": 5}}, 400, "must be text"),
        ({"files": {f"{n}.yaml": "" for n in range(1001)}}, 400, "does not fit"),
        ({"text": BAD, "start": "../x"}, 400, "leads out of the source"),
        ({"text": BAD, "start": "gone.yaml"}, 400, "no file"),
        ([], 400, "Send a JSON object"),
    ],
)
def test_what_makes_no_sense_is_a_sentence(world, client_for, body, status, words):
    assert words in asked(client_for(world.vic), body, status).json()["error"]["message"]


def test_hostile_files_cost_themselves_alone(world, client_for):
    bomb = "a: &a [x, x, x, x, x, x, x, x, x]\n" + "".join(
        f"b{n}: &b{n} [{', '.join([f'*b{n - 1}' if n else '*a'] * 9)}]\n" for n in range(9)
    )
    told = asked(client_for(world.vic), {"files": {"bomb.yaml": bomb, "deep.yaml": "[" * 5000, "ok.yaml": BAD}}).json()
    assert {problem["path"] for problem in told["problems"]} == {"bomb.yaml", "deep.yaml", "ok.yaml"}
    client = client_for(world.vic)
    junk = client.post(CHECK, b"PK\x03\x04 no archive", content_type="application/zip")
    assert junk.status_code == 400
    large = client.post(CHECK, b"\0" * (4 * 2**20 + 1), content_type="application/zip")
    assert large.status_code == 413
    assert client.post(CHECK, b"x", content_type="text/plain").status_code == 415


def test_what_nobody_describes_is_named_at_its_line(world, client_for, tmp_path):
    (tmp_path / "catalog-info.yaml").write_text(TEXT.format(name="ledger", owner="payments"))
    with world.tenant():
        actions.add_source(organisation=world.acme, actor=by(world.dev), kind="folder", target=str(tmp_path))
    text = (
        "# one line above\n" + TEXT.format(name="till", owner="nobody-here") + "  system: shop\n"
        "  dependsOn:\n    - component:ledger\n    - component:till2\n    - resource:gone\n"
        "---\n" + TEXT.format(name="till2", owner="payments")
    )
    told = asked(client_for(world.vic), {"text": text}).json()
    lines = text.splitlines()
    assert {each["code"] for each in told["problems"]} == {"dangling"}
    assert told["ok"] is True, "a hint stops no merge"
    assert [(lines[each["line"] - 1].strip(), each["field"]) for each in told["problems"]] == [
        ("owner: nobody-here", "spec.owner"),
        ("system: shop", "spec.system"),
        ("- resource:gone", "spec.dependsOn.2"),
    ]
    assert "group:default/nobody-here" in told["problems"][0]["sentence"]
