"""Candidates: what makes a new one, what overtakes it, what is said about it, and trust in a source."""

from __future__ import annotations

import base64
import io
import json
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from catalog import actions as catalog_actions
from catalog.models import Problem, Source
from portal.accounts.models import AuditEvent
from portal.githosts import actions as hosting
from portal.githosts.models import Repository
from portal.goldenpaths.curation import deciding, trusting
from portal.goldenpaths.files import File
from portal.goldenpaths.models import Candidate, CandidateFile, GoldenPath, Trust, Version
from portal.kit.errors import Conflict, Invalid
from tests.conftest import World, by
from tests.goldenpaths.curation import LOCATION, TEMPLATE, Shop, git, path_files, paths, refresh, waiting, write
from tests.goldenpaths.test_takeover import decide, problems, shop

__all__ = ["shop"]
pytestmark = pytest.mark.django_db


@pytest.fixture
def source(world: World, shop: Shop) -> Source:
    """Ada's source with a path that waits."""
    found = shop.register(world.ada)
    shop.push({"catalog-info.yaml": LOCATION, **path_files("ours")})
    return refresh(found)


def publish(world: World, candidate: Candidate) -> Version:
    with world.tenant():
        return deciding.publish_candidate(
            organisation=world.acme, actor=by(world.ada), candidate=candidate, digest=candidate.digest
        )


def test_a_commit_that_changes_only_a_skeleton_is_a_new_candidate(world: World, shop: Shop, source: Source) -> None:
    publish(world, waiting(world)[0])
    shop.push({"paths/skeleton/README.md": "# other\n"})
    refresh(source)
    (candidate,) = waiting(world)
    assert publish(world, candidate).number == 2
    with world.tenant():
        bundle = GoldenPath.objects.for_tenant(world.acme).get().current.bundle()
    assert bundle["skeleton/README.md"] == File(b"# other\n")


def test_what_is_published_waits_no_longer_and_an_unchanged_refresh_brings_nothing(
    world: World, source: Source
) -> None:
    (candidate,) = waiting(world)
    refresh(source)
    assert waiting(world) == [candidate]
    publish(world, candidate)
    refresh(source)
    assert waiting(world) == []
    with world.tenant():
        assert Candidate.objects.for_tenant(world.acme).count() == 1
        assert not CandidateFile.objects.for_tenant(world.acme).exists()


def test_a_candidate_that_was_overtaken_says_so(
    world: World, shop: Shop, source: Source, client_for: Callable[[Any], Client]
) -> None:
    (old,) = waiting(world)
    shop.push({"paths/skeleton/README.md": "# other\n"})
    refresh(source)
    page = client_for(world.ada).get(reverse("candidate", kwargs={"org": "acme", "uid": old.uid})).content.decode()
    assert "Overtaken" in page
    assert "The source now has something else." in page
    shop.push({"catalog-info.yaml": "---\n"})
    refresh(source)
    assert waiting(world) == []


def test_faults_are_problems_of_the_source_and_stay_at_the_next_unchanged_refresh(
    world: World, shop: Shop, source: Source, client_for: Callable[[Any], Client]
) -> None:
    shop.push({"paths/template.yaml": TEMPLATE.format(name="ours", message="${{ 1 | shout }}")})
    for _ in range(2):
        refresh(source)
        assert problems(world, source) == ["There is no filter called “shout”."]
        with world.tenant():
            assert Source.objects.for_tenant(world.acme).get(pk=source.pk).problem_count == 1
            row = Problem.objects.for_tenant(world.acme).get()
            # The very finding that publishing refuses with is what the row keeps and the pages show.
            (finding,) = waiting(world)[0].findings()
            assert (row.path, row.line, row.code, row.sentence) == (
                finding.path, finding.line, finding.code, finding.sentence,
            )  # fmt: skip
            assert (row.line, row.code, row.entity_ref) == (9, "golden-path", "template:default/ours")
        page = client_for(world.ada).get(reverse("catalog-problems", kwargs={"org": "acme"})).content.decode()
        assert "There is no filter called “shout”." in page
        assert "paths/template.yaml:9" in page
    assert decide(client_for(world.ada), waiting(world)[0]) == 400
    assert paths(world) == {}


def test_a_declined_candidate_stays_declined_and_says_why(
    world: World, shop: Shop, source: Source, client_for: Callable[[Any], Client]
) -> None:
    (candidate,) = waiting(world)
    assert decide(client_for(world.ada), candidate, "decline") == 400
    assert decide(client_for(world.mae), candidate, "decline", reason="No.") == 403
    assert decide(client_for(world.ada), candidate, "decline", reason="It lacks a test.") == 302
    refresh(source)
    assert waiting(world) == []
    assert problems(world, source) == ["Ada declined it: It lacks a test."]
    shop.push({"paths/skeleton/test.sh": "true\n"})
    refresh(source)
    assert len(waiting(world)) == 1
    assert problems(world, source) == []


def test_the_page_shows_what_would_change(
    world: World, shop: Shop, source: Source, client_for: Callable[[Any], Client]
) -> None:
    publish(world, waiting(world)[0])
    shop.push({"paths/template.yaml": TEMPLATE.format(name="ours", message="good-bye"), "paths/skeleton/x.bin": b"\0"})
    refresh(source)
    (candidate,) = waiting(world)
    ada, vic = client_for(world.ada), client_for(world.vic)
    where = reverse("candidate", kwargs={"org": "acme", "uid": candidate.uid})
    page = ada.get(where).content.decode()
    assert "Compared with version 1" in page
    assert (
        'path-diff-removed">-     - {id: say, action: &quot;debug:log&quot;, input: {message: &quot;hello&quot;}}'
        in page
    )
    assert (
        'path-diff-added">+     - {id: say, action: &quot;debug:log&quot;, input: {message: &quot;good-bye&quot;}}'
        in page
    )
    assert "Binary or too large to show here; 1 bytes now." in page
    assert "pushed by" in page.lower()
    assert 'name="digest"' in page
    seen = vic.get(where).content.decode()
    assert 'name="digest"' not in seen
    assert "You cannot publish golden paths as a viewer" in seen
    listed = ada.get(reverse("candidates", kwargs={"org": "acme"})).content.decode()
    assert "Path ours" in listed
    gallery = reverse("paths", kwargs={"org": "acme"})
    assert '1<span class="visually-hidden"> waiting</span>' in ada.get(gallery).content.decode()


def test_nothing_waiting_is_said(world: World, client_for: Callable[[Any], Client]) -> None:
    assert b"Nothing waits" in client_for(world.ada).get(reverse("candidates", kwargs={"org": "acme"})).content


def test_a_removed_source_takes_its_candidates_along(
    world: World, source: Source, client_for: Callable[[Any], Client]
) -> None:
    (candidate,) = waiting(world)
    with world.tenant():
        catalog_actions.remove_source(organisation=world.acme, actor=by(world.mae), source=source)
    assert waiting(world) == []
    assert decide(client_for(world.ada), candidate) == 409


# Trust


def trust(world: World, source: Source, reason: str = "Only the platform team pushes there.") -> Trust:
    with world.tenant():
        return trusting.grant(organisation=world.acme, actor=by(world.ada), source=source, reason=reason)


def ended(world: World, one: Trust) -> str:
    with world.tenant():
        row = Trust.objects.for_tenant(world.acme).get(pk=one.pk)
        if row.ended_at:
            assert AuditEvent.objects.for_tenant(world.acme).filter(verb="trust.lapsed", data__why=row.ended_because)
        return str(row.ended_because)


def test_a_trusted_source_publishes_by_itself_and_the_audit_says_by_whose_word(
    world: World, shop: Shop, source: Source
) -> None:
    publish(world, waiting(world)[0])
    trust(world, source)
    commit = shop.push({"paths/skeleton/README.md": "# other\n"})
    refresh(source)
    assert paths(world) == {"ours": 2}
    with world.tenant():
        event = AuditEvent.objects.for_tenant(world.acme).filter(verb="path.published").latest("pk")
        assert event.actor is None
        assert event.summary == (
            f"Published Path ours, version 2; commit {commit[:8]} by Dev <dev@acme.example>, pushed by Dev, "
            "by the trust that Ada granted"
        )
        version = Version.objects.for_tenant(world.acme).get(number=2)
        assert (version.published_by, version.trusted_by) == (None, world.ada)


def test_trust_never_takes_a_name(world: World, shop: Shop, source: Source) -> None:
    trust(world, source)
    shop.push(path_files("python-web-service"))
    refresh(source)
    assert paths(world) == {}
    assert any("belongs to Slipway itself" in sentence for sentence in problems(world, source))


def move(world: World, source: Source, target: str, path: str) -> None:
    with world.tenant():
        draft = catalog_actions.Draft("repository", target, path)
        catalog_actions.move_source(organisation=world.acme, actor=by(world.mae), source=source, draft=draft)


def test_trust_lapses_when_the_source_is_moved_and_stays_gone_when_it_comes_back(
    world: World, shop: Shop, source: Source
) -> None:
    one = trust(world, source)
    shop.push({"other.yaml": LOCATION})
    move(world, source, "shop", "other.yaml")
    assert ended(world, one) == "The source was moved."
    move(world, source, "shop", "catalog-info.yaml")
    shop.push({"paths/skeleton/README.md": "# other\n"})
    refresh(source)
    assert paths(world) == {}


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"revision": "next"}, "Its branch changed from the default to next."),
        ({"path": "other.yaml"}, "Its path changed from catalog-info.yaml to other.yaml."),
        ({"target": "shop2"}, "Its repository changed from shop to shop2."),
    ],
)
def test_trust_lapses_with_any_part_of_the_place(
    world: World, shop: Shop, source: Source, change: dict[str, str], sentence: str
) -> None:
    """However the row was changed: the trust holds the place itself, not the row's word."""
    one = trust(world, source)
    with world.tenant():
        Source.objects.for_tenant(world.acme).filter(pk=source.pk).update(**change)
        source.refresh_from_db()
        assert trusting.standing(world.acme, source) is None
    assert ended(world, one) == sentence


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"owner_ref": "group:default/payments"}, "owner was nobody, is group:default/payments."),
        ({"default_branch": "next"}, "default branch was main, is next."),
    ],
)
def test_trust_lapses_when_the_write_rights_change(
    world: World, shop: Shop, source: Source, change: dict[str, str], sentence: str
) -> None:
    one = trust(world, source)
    with world.tenant():
        Repository.objects.for_tenant(world.acme).filter(name="shop").update(**change)
        assert trusting.standing(world.acme, source) is None
    assert ended(world, one) == f"Who may write there changed: {sentence}"


def grant_to_dev(world: World, shop: Repository) -> None:
    hosting.let_push(organisation=world.acme, actor=by(world.mae), repository=shop, person=world.dev)


def grant_to_a_team(world: World, shop: Repository) -> None:
    hosting.let_push(organisation=world.acme, actor=by(world.mae), repository=shop, team=world.payments)


def grant_and_withdraw(world: World, shop: Repository) -> None:
    given = hosting.let_push(organisation=world.acme, actor=by(world.mae), repository=shop, person=world.dev)
    hosting.withdraw(organisation=world.acme, actor=by(world.mae), repository=shop, grant=given)


def lift_the_protection(world: World, shop: Repository) -> None:
    hosting.set_protection(organisation=world.acme, actor=by(world.ada), repository=shop, is_protected=False)


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (grant_to_dev, "grants was person ada@acme.example, is person ada@acme.example, person dev@acme.example."),
        (
            grant_to_a_team,
            "grants was person ada@acme.example, is person ada@acme.example, team group:default/payments.",
        ),
        (grant_and_withdraw, "times changed was 1, is 3."),
        (lift_the_protection, "protection was the default branch, is nothing."),
    ],
)
def test_a_push_under_other_rights_than_were_trusted_waits(
    world: World, shop: Shop, source: Source, change: Callable[[World, Repository], None], sentence: str
) -> None:
    """Nothing is published between the change of the rights and the end of the trust: not even what came at once."""
    one = trust(world, source)
    with world.tenant():
        change(world, Repository.objects.for_tenant(world.acme).get(name="shop"))
    shop.push(path_files("sneaky"))
    refresh(source)
    assert "sneaky" not in paths(world)
    assert [candidate.title for candidate in waiting(world)] == ["Path sneaky"]
    assert ended(world, one) == f"Who may write there changed: {sentence}"
    with world.tenant():
        event = AuditEvent.objects.for_tenant(world.acme).get(verb="trust.lapsed")
    assert sentence in event.summary
    assert event.actor is None


def test_trust_needs_a_reason_and_a_place_that_can_be_held_to(world: World, source: Source, tmp_path: Path) -> None:
    with pytest.raises(Invalid, match="Say why"):
        trust(world, source, "  ")
    with world.tenant():
        remote = Source.objects.create(organisation=world.acme, kind="git", target="https://git.example/a", revision="")
        packed = Source.objects.create(organisation=world.acme, kind="upload", target="a.zip")
    with pytest.raises(Invalid, match="default branch"):
        trust(world, remote)
    with pytest.raises(Invalid, match="somebody's act"):
        trust(world, packed)
    trust(world, source)
    with pytest.raises(Conflict, match="trusted already"):
        trust(world, source)


def test_trust_by_pages_and_api(world: World, shop: Shop, source: Source, client_for: Callable[[Any], Client]) -> None:
    (candidate,) = waiting(world)
    where = reverse("candidate-trust", kwargs={"org": "acme", "uid": candidate.uid})
    assert client_for(world.mae).post(where, {"reason": "ours"}).status_code == 403
    assert client_for(world.ada).post(where, {"reason": ""}).status_code == 400
    assert client_for(world.ada).post(where, {"reason": "ours"}).status_code == 302
    page = client_for(world.vic).get(reverse("candidates", kwargs={"org": "acme"})).content.decode()
    assert "Trusted by Ada" in page
    listed = client_for(world.vic).get(reverse("api-trusts", kwargs={"org": "acme"})).json()["items"]
    assert [(one["reason"], one["ended_at"]) for one in listed] == [("ours", None)]
    gone = reverse("api-trust", kwargs={"org": "acme", "uid": listed[0]["id"]})
    assert client_for(world.dev).delete(gone).status_code == 403
    assert client_for(world.ada).delete(gone).status_code == 204
    assert client_for(world.ada).delete(gone).status_code == 409
    again = {"location": str(source.uid), "reason": "once more"}
    api = reverse("api-trusts", kwargs={"org": "acme"})
    assert client_for(world.ada).post(api, again, "application/json").status_code == 201
    withdraw = reverse("trust-withdraw", kwargs={"org": "acme", "uid": listed[0]["id"]})
    assert client_for(world.ada).post(withdraw).status_code == 409


def test_candidates_by_api(world: World, source: Source, client_for: Callable[[Any], Client]) -> None:
    vic = client_for(world.vic)
    (item,) = vic.get(reverse("api-candidates", kwargs={"org": "acme"})).json()["items"]
    one = vic.get(reverse("api-candidate", kwargs={"org": "acme", "uid": item["id"]})).json()
    assert [file["path"] for file in one["files"]] == ["skeleton/README.md", "template.yaml"]
    decline = reverse("api-candidate-decline", kwargs={"org": "acme", "uid": item["id"]})
    body = {"digest": item["digest"], "reason": "No."}
    assert vic.post(decline, body, "application/json").status_code == 403
    assert client_for(world.ada).post(decline, body, "application/json").status_code == 204
    assert client_for(world.eve).get(decline).status_code == 404


# Byte for byte

CI = b"\xef\xbb\xbfon: push\r\n"
ICON = bytes(range(256)) * 2
WRAPPER = b"#!/bin/sh\necho built\n"
WHOLE = {
    "skeleton/.github/workflows/ci.yml": File(CI),
    "skeleton/gradlew": File(WRAPPER, 0o755),
    "skeleton/favicon.ico": File(ICON),
}


def whole(root: Path) -> None:
    write(root, {"template.yaml": TEMPLATE.format(name="whole", message="hi")})
    write(root, {path: file.content for path, file in WHOLE.items()})
    (root / "skeleton" / "gradlew").chmod(0o755)


def from_folder(world: World, root: Path, client: Client) -> None:
    register(world, kind="folder", target=str(root), path="template.yaml")


def from_git(world: World, root: Path, client: Client) -> None:
    write(root, {"skeleton/.gitattributes": "* text eol=lf\n"})
    git(root, "init", "-q", "-b", "main")
    (root / ".git" / "info" / "attributes").write_text("* -text\n")
    git(root, "add", "-A")
    git(root, "commit", "-qm", "one")
    register(world, kind="git", target=str(root), path="template.yaml", revision="main")


def from_upload(world: World, root: Path, client: Client) -> None:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        for place in sorted(path for path in root.rglob("*") if path.is_file()):
            archive.write(place, place.relative_to(root).as_posix())
    register(world, kind="upload", target="all.zip", path="template.yaml", content=packed.getvalue())


def from_api(world: World, root: Path, client: Client) -> None:
    files = [
        {
            "path": place.relative_to(root).as_posix(),
            "base64Content": base64.b64encode(place.read_bytes()).decode(),
            "executable": bool(place.stat().st_mode & 0o100),
        }
        for place in root.rglob("*")
        if place.is_file()
    ]
    answer = client.post(reverse("api-paths", kwargs={"org": "acme"}), json.dumps({"files": files}), "application/json")
    assert answer.status_code == 201, answer.content


def register(world: World, **where: Any) -> None:
    with world.tenant():
        catalog_actions.add_source(organisation=world.acme, actor=by(world.ada), **where)
    for candidate in waiting(world):
        publish(world, candidate)


@pytest.mark.parametrize("bring", [from_folder, from_git, from_upload, from_api])
def test_a_path_is_byte_for_byte_from_everywhere(
    world: World, tmp_path: Path, settings: Any, client_for: Callable[[Any], Client], bring: Any
) -> None:
    settings.SOURCE_FOLDERS = [str(tmp_path)]
    root = tmp_path / "root"
    root.mkdir()
    whole(root)
    bring(world, root, client_for(world.ada))
    with world.tenant():
        bundle = GoldenPath.objects.for_tenant(world.acme).get(name="whole").current.bundle()
    assert {path: bundle[path] for path in WHOLE} == WHOLE


def test_what_cannot_be_kept_is_said(world: World, tmp_path: Path, settings: Any) -> None:
    settings.SOURCE_FOLDERS = [str(tmp_path)]
    root = tmp_path / "root"
    root.mkdir()
    whole(root)
    (root / "skeleton" / "latest").symlink_to("gradlew")
    register(world, kind="folder", target=str(root), path="template.yaml")
    assert paths(world) == {}
    with world.tenant():
        source = Source.objects.for_tenant(world.acme).get()
    assert problems(world, source) == [
        'This cannot become a golden path: "skeleton/latest" is a symbolic link; only plain files are kept. '
        "Put the file itself there."
    ]
    (root / "skeleton" / "latest").unlink()
    (root / "skeleton" / "big").write_bytes(b"x" * (2 * 2**20 + 1))
    refresh(source)
    assert problems(world, source) == ['This cannot become a golden path: "skeleton/big" is larger than 2 MiB.']


def test_who_may_publish_sees_on_every_page_how_many_wait(
    world: World, shop: Shop, source: Source, client_for: Callable[[Any], Client]
) -> None:
    shop.push({f"more/{name}": content for name, content in path_files("more", folder="").items()})
    for address in ("/o/acme/runs/", "/o/acme/"):
        html = client_for(world.ada).get(address).content.decode()
        entry = next(each for each in html.split("nav-entry") if "Golden paths" in each)
        assert entry.split("</a>")[0].endswith('<span class="visually-hidden">, </span>1</span>')
    assert "1 golden path waits to be published" in html
    assert 'href="/o/acme/paths/candidates/"' in html
    for person in (world.mae, world.dev, world.vic):
        html = client_for(person).get("/o/acme/").content.decode()
        assert "to be published" not in html
    publish(world, waiting(world)[0])
    assert "to be published" not in client_for(world.ada).get("/o/acme/").content.decode()
