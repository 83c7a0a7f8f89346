"""Pages of sources, conflicts, tombstones, former names and what was not seen, as people meet them."""

from datetime import timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils.timezone import now

from catalog import actions, freshness
from catalog.intake import ingest
from catalog.models import Entity, NameClaim, Problem, Source
from portal.goldenpaths.models import Trust
from tests.catalog.test_pages import TEXT, page
from tests.conftest import by

O = "/o/acme/catalog"  # noqa: E741 - the organisation's part of every address


def text(name, owner="payments"):
    return TEXT.format(name=name, owner=owner)


@pytest.fixture
def registered(world, tmp_path):
    """registered(name, text) -> a source in a folder of that name, read."""

    def register(name, content):
        (tmp_path / name).mkdir()
        (tmp_path / name / "catalog-info.yaml").write_text(content)
        with world.tenant():
            return actions.add_source(
                organisation=world.acme, actor=by(world.dev), kind="folder", target=str(tmp_path / name)
            )

    return register


def reread(world, source, content):
    with world.tenant():
        (_folder(source) / "catalog-info.yaml").write_text(content)
        ingest.ingest(Source.objects.get(pk=source.pk))


def _folder(source):
    from pathlib import Path

    return Path(source.target)


def test_a_source_tells_how_it_is_and_what_became_of_it(world, registered, client_for):
    source = registered("a", f"{text('till')}---\n{text('desk')}")
    reread(world, source, f"{text('till', 'claims')}---\nx: [\n")
    with world.tenant():
        Trust.objects.create(
            organisation=world.acme, source=source, label="a", place={}, rights={}, reason="Ours", granted_by=world.ada
        )
        ingest.fail(Source.objects.get(pk=source.pk), "It does not answer.")
    html = page(client_for(world.vic), f"{O}/sources/{source.pk}/")
    for words in ("Next check", "Took", "trusts it", "Ours", "It does not answer.", "2 added", "1 changed"):
        assert words in html, words


@pytest.mark.parametrize("count", [0, 250])
def test_the_entities_of_a_source_come_in_pages(world, registered, client_for, count):
    source = registered("a", "---\n".join(text(f"c{number}") for number in range(count)) or "x: [\n")
    client, seen, after = client_for(world.vic), [], ""
    while True:
        answer = client.get(f"{O}/sources/{source.pk}/", {"after": after})
        seen += [row.ref for row in answer.context["page"].rows]
        after = answer.context["page"].after
        if not after:
            break
    assert len(seen) == len(set(seen)) == count
    assert "The cursor" in page(client, f"{O}/sources/{source.pk}/", 400, after="made-up")


def test_pages_of_truth_cost_the_same_whatever_there_is(world, registered, client_for):
    source = registered("a", "---\n".join(text(f"c{number}") for number in range(5)))
    addresses = [f"{O}/sources/{source.pk}/", f"{O}/conflicts/", f"{O}/removed/", f"{O}/unseen/"]

    def costs():
        client, told = client_for(world.vic), []
        for address in addresses:
            page(client, address)
            with CaptureQueriesContext(connection) as asked:
                page(client, address)
            told.append(len(asked))
        return told

    few = costs()
    registered("b", "---\n".join(text(f"c{number}") for number in range(5)))
    for number in range(60):
        registered(f"s{number}", f"{text('c0')}---\n{text(f'd{number}')}")
    with world.tenant():
        Source.objects.exclude(pk=source.pk).update(refreshed_at=now() - timedelta(days=40))
        Entity.objects.filter(ref__startswith="component:default/d1").update(removed_at=now(), removed_reason="x")
    many = costs()
    assert max(many) <= 14, many  # two of them are the savepoint that a test adds
    assert all(after - before <= 2 for before, after in zip(few, many, strict=True)), (few, many)


def test_a_conflict_shows_both_files_and_an_admin_chooses(world, registered, client_for):
    registered("ours", text("till"))
    registered("theirs", text("till", "claims"))
    with world.tenant():
        claim = NameClaim.objects.get()
    vic, ada = client_for(world.vic), client_for(world.ada)
    assert "theirs" in page(vic, f"{O}/conflicts/")
    html = page(vic, f"{O}/conflicts/{claim.pk}/")
    assert "owner: payments" in html
    assert "owner: claims" in html
    assert "Give it the name" not in html
    assert vic.post(f"{O}/conflicts/{claim.pk}/choose/", {"reason": "x"}).status_code == 403
    entity = page(vic, f"{O}/component/default/till/")
    assert f"{O}/conflicts/{claim.pk}/" in entity
    assert "Say why" in ada.post(f"{O}/conflicts/{claim.pk}/choose/", {"reason": " "}).content.decode()
    answer = ada.post(f"{O}/conflicts/{claim.pk}/choose/", {"reason": "They run it now"})
    assert answer["Location"] == f"{O}/component/default/till/"
    assert "Claims" in page(ada, answer["Location"]) or "claims" in page(ada, answer["Location"])
    with world.tenant():
        back = NameClaim.objects.get()
    html = page(ada, f"{O}/conflicts/{back.pk}/")
    assert "They run it now" in html
    assert page(ada, f"{O}/conflicts/{claim.pk + 99}/", 404)


def test_an_old_name_leads_to_the_new_one(world, registered, client_for):
    source = registered("a", text("till"))
    reread(world, source, text("checkout"))
    client = client_for(world.vic)
    assert client.get(f"{O}/component/default/till/")["Location"] == f"{O}/component/default/checkout/"
    html = page(client, f"{O}/component/default/checkout/")
    assert "Was called" in html
    assert "component:default/till" in html
    history = page(client_for(world.mae), f"{O}/component/default/checkout/history/")
    assert "Found component:default/till under its new name" in history


def test_what_was_removed_says_why_and_is_restored(world, registered, client_for):
    source = registered("a", f"{text('till')}---\n{text('desk', 'claims')}")
    reread(world, source, "# nothing\n" + text("other", "nobody").replace("service", "library"))
    dev = client_for(world.dev)
    listed = page(dev, f"{O}/removed/")
    assert "till" in listed
    assert "It is no longer described in" in listed
    html = page(dev, f"{O}/component/default/till/", 410)
    assert "Restore it, written in the portal" in html
    assert "Restore it" not in page(client_for(world.vic), f"{O}/component/default/till/", 410)
    assert dev.post(f"{O}/component/default/desk/restore/").status_code == 403
    assert dev.post(f"{O}/component/default/till/restore/")["Location"] == f"{O}/component/default/till/"
    page(dev, f"{O}/component/default/till/")
    assert dev.post(f"{O}/component/default/till/restore/").status_code == 409
    assert "till" not in page(dev, f"{O}/removed/").partition("<main")[2]


def test_what_nobody_has_seen_for_long_says_so(world, registered, client_for):
    source = registered("a", text("till"))
    client = client_for(world.vic)
    assert "Everything was seen" in page(client, f"{O}/unseen/")
    assert "Not seen for 30 days" not in page(client, f"{O}/component/default/till/")
    with world.tenant():
        Source.objects.filter(pk=source.pk).update(refreshed_at=now() - timedelta(days=31), state_text="Gone away.")
    html = page(client, f"{O}/unseen/")
    assert "Gone away." in html
    assert "1 entity" in html
    assert "Not seen for 30 days" in page(client, f"{O}/component/default/till/")


def test_what_is_kept_although_its_file_is_broken_says_since_when(world, registered, client_for):
    source = registered("a", text("till"))
    reread(world, source, text("till").replace("  type: service\n", ""))
    client = client_for(world.vic)
    assert "is not admitted" in page(client, f"{O}/component/default/till/")
    with world.tenant():
        Problem.objects.update(first_seen_at=now() - timedelta(days=31))
        entity = Entity.objects.select_related("source").get()
        assert freshness.of_entity(entity, list(Problem.objects.all())).is_stale
    assert "1 fault" in page(client, f"{O}/unseen/")
