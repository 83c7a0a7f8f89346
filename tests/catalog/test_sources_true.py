"""What a source's history says, who has a name, and what an entity is under another name."""

from datetime import timedelta

import pytest
from django.utils.timezone import now

from catalog import actions, readings
from catalog.intake import ingest
from catalog.intake.claims import claims_of
from catalog.intake.renaming import likeness
from catalog.models import Edge, Entity, FormerName, NameChoice, NameClaim, Problem, Source, SourceReading
from portal.accounts.models import AuditEvent
from tests.catalog.test_pages import TEXT
from tests.conftest import by


@pytest.fixture
def acme(world):
    with world.tenant():
        yield world.acme


def text(name, owner="payments", **more):
    made = TEXT.format(name=name, owner=owner)
    return made.replace("spec:", "".join(f"  {key}: {value}\n" for key, value in more.items()) + "spec:")


def registered(world, folder, content, by_whom=None):
    folder.mkdir(exist_ok=True)
    (folder / "catalog-info.yaml").write_text(content)
    return actions.add_source(
        organisation=world.acme, actor=by(by_whom or world.dev), kind="folder", target=str(folder)
    )


def rewritten(source, folder, content):
    (folder / "catalog-info.yaml").write_text(content)
    source.refresh_from_db()
    ingest.ingest(source)


# The history of a source


def test_the_history_tells_what_changed_and_not_what_did_not(world, acme, tmp_path):
    source = registered(world, tmp_path, text("a"))
    for _ in range(3):
        ingest.ingest(Source.objects.get(pk=source.pk))
    assert [(row.added, row.changed, row.removed) for row in readings.of(source)] == [(1, 0, 0)]
    rewritten(source, tmp_path, f"{text('a', description='new')}---\n{text('b')}---\nx: [\n")
    ingest.fail(source, "It does not answer.")
    ingest.fail(source, "It does not answer.")
    ingest.fail(source, "There is no such branch.")
    source.refresh_from_db()
    ingest.ingest(source)
    told = [(row.is_ok, row.text, row.times, row.added, row.changed) for row in readings.of(source)]
    assert told == [
        (True, "", 1, 0, 0),  # it can be read again
        (False, "There is no such branch.", 1, 0, 0),
        (False, "It does not answer.", 2, 0, 0),
        (True, "", 1, 1, 1),
        (True, "", 1, 1, 0),
    ]
    source.refresh_from_db()
    assert source.read_seconds is not None
    assert source.read_seconds >= 0


def test_the_history_is_bounded(world, acme, tmp_path):
    source = registered(world, tmp_path, text("a"))
    for number in range(readings.KEPT * 2):
        readings.note_failure(source, f"Failure {number}")
    assert readings.of(source).count() == readings.KEPT
    assert readings.of(source).first().text == f"Failure {readings.KEPT * 2 - 1}"
    assert SourceReading.objects.count() == readings.of(source).count()


# Renames


def test_a_rename_in_its_file_keeps_uid_history_and_tells(world, acme, tmp_path):
    source = registered(world, tmp_path, f"{text('till', description='Takes the money.')}---\n{text('desk')}")
    before = Entity.objects.get(ref="component:default/till")
    before_relations = Edge.objects.filter(num=before.num).count()
    rewritten(source, tmp_path, f"{text('checkout', description='Takes the money.')}---\n{text('desk')}")
    after = Entity.objects.get(ref="component:default/checkout")
    assert (after.pk, after.uid, after.removed_at) == (before.pk, before.uid, None)
    assert after.body.document["metadata"]["name"] == "checkout"
    assert Edge.objects.filter(num=after.num).count() == before_relations
    assert not Entity.objects.filter(ref="component:default/till").exists()
    former = FormerName.objects.get()
    assert (former.ref, former.entity_id) == ("component:default/till", after.pk)
    event = AuditEvent.objects.get(verb="entity.renamed")
    assert (event.subject_id, event.data["was"]) == (str(after.pk), "component:default/till")
    # Back again: the former name is the other one now.
    rewritten(source, tmp_path, f"{text('till', description='Takes the money.')}---\n{text('desk')}")
    assert Entity.objects.get(ref="component:default/till").uid == before.uid
    assert FormerName.objects.get().ref == "component:default/checkout"


def test_a_uid_in_the_file_says_whose_it_is(world, acme, tmp_path):
    source = registered(world, tmp_path, text("till"))
    uid = Entity.objects.get().uid
    rewritten(
        source, tmp_path, text("checkout", owner="claims", uid=uid).replace("service", "library").replace("prod", "pre")
    )
    assert Entity.objects.get().uid == uid
    assert Entity.objects.get().ref == "component:default/checkout"


@pytest.mark.parametrize(
    "content",
    [
        text("other", owner="claims").replace("service", "library").replace("production", "experimental"),
        f"{text('other')}---\n{text('another')}",  # which of the two?
        text("other").replace("kind: Component", "kind: API").replace("spec:", "spec:\n  definition: x"),
    ],
)
def test_what_is_not_surely_the_same_is_new(world, acme, tmp_path, content):
    source = registered(world, tmp_path, text("till", description="Takes the money."))
    uid = Entity.objects.get().uid
    rewritten(source, tmp_path, content)
    assert Entity.objects.get(uid=uid).removed_at is not None
    assert not FormerName.objects.exists()


def test_what_moved_to_another_file_is_not_renamed(world, acme, tmp_path):
    (tmp_path / "more.yaml").write_text(text("desk"))
    (tmp_path / "catalog-info.yaml").write_text(text("till"))
    source = actions.add_source(
        organisation=world.acme, actor=by(world.dev), kind="folder", target=str(tmp_path), path="*.yaml"
    )
    uids = dict(Entity.objects.values_list("ref", "uid"))
    (tmp_path / "more.yaml").write_text(f"{text('desk')}---\n{text('till')}")
    rewritten(source, tmp_path, text("fresh"))  # as like the till as can be
    assert Entity.objects.get(ref="component:default/till").uid == uids["component:default/till"]
    assert not FormerName.objects.exists()


def test_likeness_leaves_names_out():
    one = {"kind": "A", "metadata": {"name": "a", "title": "A"}, "spec": {"type": "x"}}
    other = {"kind": "A", "metadata": {"name": "b", "title": "B"}, "spec": {"type": "x"}}
    assert likeness(one, other) == 1.0
    assert likeness(one, {**other, "spec": {"owner": "y", "system": "z"}}) < 0.75


# Conflicts


@pytest.fixture
def rivals(world, acme, tmp_path):
    """Two sources that describe the till; ours came first."""
    ours = registered(world, tmp_path / "ours", text("till", description="ours"))
    theirs = registered(world, tmp_path / "theirs", f"{text('till', owner='claims')}---\n{text('desk')}")
    return ours, theirs


def test_the_description_that_lost_its_name_is_kept(world, acme, tmp_path, rivals):
    _, theirs = rivals
    claim = NameClaim.objects.get()
    assert (claim.ref, claim.source_id, claim.line) == ("component:default/till", theirs.pk, 1)
    assert claim.document["spec"]["owner"] == "claims"
    ingest.ingest(Source.objects.get(pk=theirs.pk))
    assert NameClaim.objects.get().pk == claim.pk
    rewritten(theirs, tmp_path / "theirs", text("desk"))
    assert not NameClaim.objects.exists()
    assert not Problem.objects.exists()


def test_an_admin_chooses_and_can_choose_again(world, acme, tmp_path, rivals, do_jobs):
    ours, theirs = rivals
    entity = Entity.objects.get(ref="component:default/till")
    claim = NameClaim.objects.get()
    actions.choose_name(organisation=acme, actor=by(world.ada), claim=claim, reason="It moved there")
    after = Entity.objects.get(ref="component:default/till")
    assert (after.pk, after.uid, after.source_id) == (entity.pk, entity.uid, theirs.pk)
    assert after.owner_ref == "group:default/claims"
    [lost] = claims_of(acme.pk)
    assert (lost.source_id, lost.document["metadata"]["description"]) == (ours.pk, "ours")
    assert {job.state for job in do_jobs(acme)} == {"succeeded"}
    # Read again, both say the same: the choice stands, and the other one has the problem now.
    for source in rivals:
        ingest.ingest(Source.objects.get(pk=source.pk))
    assert Entity.objects.get(ref="component:default/till").source_id == theirs.pk
    assert [problem.source_id for problem in Problem.objects.filter(code="conflict")] == [ours.pk]
    event = AuditEvent.objects.get(verb="name.chosen")
    assert event.actor == world.ada
    assert event.data["reason"] == "It moved there"
    actions.choose_name(organisation=acme, actor=by(world.ada), claim=claims_of(acme.pk).get(), reason="Back")
    assert Entity.objects.get(ref="component:default/till").source_id == ours.pk
    assert NameChoice.objects.get().source_id == ours.pk
    assert Entity.objects.get(ref="component:default/till").body.document["metadata"]["description"] == "ours"


def test_who_loses_the_chosen_source_gets_the_name_back(world, acme, tmp_path, rivals, do_jobs):
    ours, theirs = rivals
    actions.choose_name(organisation=acme, actor=by(world.ada), claim=NameClaim.objects.get(), reason="x")
    actions.remove_source(organisation=acme, actor=by(world.ada), source=Source.objects.get(pk=theirs.pk))
    ingest.ingest(Source.objects.get(pk=ours.pk))
    assert Entity.objects.get(ref="component:default/till", removed_at=None).source_id == ours.pk
    assert not NameClaim.objects.exists()
    assert not NameChoice.objects.exists()


# Tombstones


def test_a_tombstone_says_by_what_it_went_and_can_come_back(world, acme, tmp_path):
    source = registered(world, tmp_path, f"{text('till')}---\n{text('desk')}")
    rewritten(source, tmp_path, text("desk"))
    gone = Entity.objects.get(ref="component:default/till")
    assert gone.removed_reason.startswith("It is no longer described in ")
    restored = actions.restore_entity(organisation=acme, actor=by(world.dev), entity=gone)
    assert (restored.pk, restored.uid, restored.removed_at) == (gone.pk, gone.uid, None)
    assert restored.source.kind == Source.Kind.PORTAL
    assert AuditEvent.objects.filter(verb="entity.restored").count() == 1
    # Its file describes it again: the name has two descriptions, and an admin chooses.
    rewritten(source, tmp_path, f"{text('till', owner='claims')}---\n{text('desk')}")
    assert NameClaim.objects.get().source_id == source.pk


def test_what_was_written_in_the_portal_comes_back_as_it_was(world, acme):
    written = actions.write_entity(organisation=acme, actor=by(world.dev), text=text("till"))
    actions.remove_entity(organisation=acme, actor=by(world.dev), entity=written)
    Entity.objects.filter(pk=written.pk).update(removed_at=now() - timedelta(days=3))
    back = actions.restore_entity(organisation=acme, actor=by(world.dev), entity=Entity.objects.get(pk=written.pk))
    assert (back.uid, back.body.raw) == (written.uid, text("till"))
