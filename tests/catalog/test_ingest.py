"""Sources become rows: only differences are written, trouble is a Problem with its place, what left is a tombstone."""

import subprocess
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils.timezone import now

from catalog import actions, tasks
from catalog.asking.filters import In
from catalog.index.edges import NUMBERS
from catalog.index.reading import find
from catalog.intake import ingest, pieces, readers
from catalog.intake.sources.tree import SourceUnreadable
from catalog.models import Edge, Entity, Problem, Source
from catalog.ownership import confirming
from portal.accounts.models import AuditEvent, Team
from portal.clusters.models import Binding
from portal.kit.errors import Conflict, Invalid
from tests.catalog.rows import entity_row, put
from tests.conftest import by

DEMO = Path(__file__).resolve().parents[2] / "demo"


@dataclass(frozen=True)
class Committed:
    content: bytes
    mode: int = 0o644


COMPONENT = """\
apiVersion: backstage.io/v1alpha1
kind: Component
metadata: {{name: {name}, annotations: {{a: "{note}"}}}}
spec: {{type: service, lifecycle: production, owner: payments}}
"""


def component(name, note=""):
    return COMPONENT.format(name=name, note=note)


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "catalog-info.yaml").write_text(f"{component('a')}---\n{component('b')}")
    return tmp_path


@pytest.fixture
def acme(world):
    with world.tenant():
        yield world.acme


def add(world, **kwargs):
    return actions.add_source(organisation=world.acme, actor=by(world.dev), **kwargs)


def refs(organisation):
    return set(Entity.objects.for_tenant(organisation).filter(removed_at=None).values_list("ref", flat=True))


def test_the_demo_company_comes_in_by_the_ordinary_path(world, acme):
    source = add(world, kind="folder", target=str(DEMO / "parcelwright" / "catalog"))
    assert source.entity_count == 172
    assert source.problem_count == 2
    quote = Entity.objects.for_tenant(acme).get(ref="component:default/quote-engine")
    assert (quote.owner_ref, quote.system_ref, quote.type) == (
        "group:default/booking",
        "system:default/quoting",
        "service",
    )
    api = Entity.objects.for_tenant(acme).get(ref="api:default/quote-api")
    assert api.spec["definition"].startswith("openapi: 3.0.3")
    assert {(p.path, p.line) for p in Problem.objects.for_tenant(acme)} == {
        ("network/fleet.yaml", 7),
        ("network/fleet.yaml", 15),
    }
    assert AuditEvent.objects.for_tenant(acme).get(verb="source.registered").actor == world.dev


def test_groups_become_teams_with_their_parents(world, acme):
    add(world, kind="folder", target=str(DEMO / "parcelwright" / "catalog"))
    lockers = Team.objects.for_tenant(acme).get(ref="group:default/lockers")
    assert (lockers.slug, lockers.parent) == ("lockers", None), "a file's word gives no place before somebody confirms"
    confirming.confirm_all(organisation=acme, actor=by(world.ada))
    lockers.refresh_from_db()
    assert (lockers.slug, lockers.parent.ref, lockers.parent.parent.name) == (
        "lockers", "group:default/last-mile", "Operations Technology")  # fmt: skip
    assert Team.objects.for_tenant(acme).get(ref="group:default/payments").pk == world.payments.pk


def test_reading_again_writes_one_row_and_nothing_else(world, acme):
    source = add(world, kind="folder", target=str(DEMO / "parcelwright" / "catalog"))
    stamps = set(Entity.objects.for_tenant(acme).values_list("pk", "updated_at"))
    with CaptureQueriesContext(
        connection,
    ) as queries:
        outcome = ingest.ingest(source)
    assert (outcome.added, outcome.changed, outcome.unchanged, outcome.removed) == (0, 0, 172, 0)
    writes = [q["sql"] for q in queries if q["sql"].startswith(("INSERT", "UPDATE", "DELETE"))]
    assert [sql.split('"')[1] for sql in writes] == ["catalog_source"]
    # One transaction looks at what is there, one writes; five statements frame each of them inside a test's own.
    assert len(queries) <= 18, "\n".join(q["sql"][:160] for q in queries)
    assert outcome.parsed == 0
    assert set(Entity.objects.for_tenant(acme).values_list("pk", "updated_at")) == stamps


def test_only_what_changed_is_written(world, acme, folder):
    source = add(world, kind="folder", target=str(folder))
    uids = dict(Entity.objects.for_tenant(acme).values_list("ref", "uid"))
    (folder / "catalog-info.yaml").write_text(f"{component('a')}---\n{component('b', 'new')}---\n{component('c')}")
    outcome = ingest.ingest(source)
    assert (outcome.added, outcome.changed, outcome.unchanged, outcome.removed) == (1, 1, 1, 0)
    b = Entity.objects.for_tenant(acme).get(ref="component:default/b")
    assert (b.uid, b.annotations) == (uids[b.ref], {"a": "new"})
    assert find(acme, In("metadata.annotations.a", ("new",))).numbers() == [b.num]


def test_what_leaves_becomes_a_tombstone_and_comes_back_as_itself(world, acme, folder):
    source = add(world, kind="folder", target=str(folder))
    uid = Entity.objects.for_tenant(acme).get(ref="component:default/b").uid
    (folder / "catalog-info.yaml").write_text(component("a"))
    assert ingest.ingest(source).removed == 1
    gone = Entity.objects.for_tenant(acme).get(uid=uid)
    assert gone.removed_reason == f"It is no longer described in {folder}."
    assert not Edge.objects.for_tenant(acme).filter(num=gone.num).exists()
    (folder / "catalog-info.yaml").write_text(f"{component('a')}---\n{component('b')}")
    assert ingest.ingest(source).changed == 1
    back = Entity.objects.for_tenant(acme).get(uid=uid)
    assert back.removed_at is None
    assert Edge.objects.for_tenant(acme).filter(num=back.num).count() == 1


def test_tombstones_go_after_the_grace_period(world, acme, folder):
    source = add(world, kind="folder", target=str(folder))
    Entity.objects.for_tenant(acme).filter(name="b").update(removed_at=now() - ingest.GRACE - timedelta(days=1))
    (folder / "catalog-info.yaml").write_text(component("a"))
    ingest.ingest(source)
    assert not Entity.objects.for_tenant(acme).filter(name="b").exists()


def test_a_broken_entity_keeps_its_last_good_version(world, acme, folder):
    source = add(world, kind="folder", target=str(folder))
    (folder / "catalog-info.yaml").write_text(f"{component('a')}---\n{component('b').replace('owner: payments', '')}")
    outcome = ingest.ingest(source)
    assert (outcome.removed, outcome.problems) == (0, 1)
    assert refs(acme) == {"component:default/a", "component:default/b"}
    problem = Problem.objects.for_tenant(acme).get()
    assert (problem.entity_ref, problem.line) == ("component:default/b", 9)
    assert "`spec.owner` is missing" in problem.sentence


def test_a_file_that_is_no_yaml_removes_nothing(world, acme, folder):
    source = add(world, kind="folder", target=str(folder))
    (folder / "catalog-info.yaml").write_text("a: [")
    assert ingest.ingest(source).removed == 0
    assert refs(acme) == {"component:default/a", "component:default/b"}
    (folder / "catalog-info.yaml").write_text(component("a"))
    assert ingest.ingest(source).removed == 1
    assert not Problem.objects.for_tenant(acme).exists()


def test_a_source_that_is_away_keeps_everything_and_tries_again_later(world, acme, folder):
    source = add(world, kind="folder", target=str(folder))
    (folder / "catalog-info.yaml").unlink()
    with pytest.raises(SourceUnreadable, match="There is no file"):
        ingest.ingest(source)
    ingest.fail(source, "There is no file.")
    source.refresh_from_db()
    assert (source.state, source.failures) == ("failed", 1)
    assert source.next_refresh_at > now() + timedelta(minutes=40)
    assert len(refs(acme)) == 2


def test_a_name_belongs_to_one_source(world, acme, folder, tmp_path_factory):
    add(world, kind="folder", target=str(folder))
    other = tmp_path_factory.mktemp("other")
    (other / "catalog-info.yaml").write_text(f"{component('a', 'stolen')}---\n{component('z')}")
    source = add(world, kind="folder", target=str(other))
    assert Entity.objects.for_tenant(acme).get(name="a").annotations == {"a": ""}
    problem = Problem.objects.for_tenant(acme).get(source=source)
    assert "already comes from" in problem.sentence
    assert str(folder) in problem.sentence
    assert "component:default/z" in refs(acme)


def test_an_entity_described_twice_counts_once(world, acme, folder):
    (folder / "catalog-info.yaml").write_text(f"{component('a')}---\n{component('A')}")
    add(world, kind="folder", target=str(folder))
    assert "the first one counts" in Problem.objects.for_tenant(acme).get().sentence


def test_locations_lead_to_more_files_of_the_same_source(world, acme, folder):
    location = "apiVersion: backstage.io/v1alpha1\nkind: Location\nmetadata: {name: l}\nspec:\n  targets: [%s]\n"
    (folder / "catalog-info.yaml").write_text(
        location % "./x/one.yaml, ./x/*.yml, ../secret.yaml, 'https://a.example/b.yaml'"
    )
    (folder / "x").mkdir()
    (folder / "x" / "one.yaml").write_text(component("one"))
    (folder / "x" / "two.yml").write_text(component("two"))
    (folder.parent / "secret.yaml").write_text(component("secret"))
    add(world, kind="folder", target=str(folder))
    assert refs(acme) == {"location:default/l", "component:default/one", "component:default/two"}
    sentences = sorted(Problem.objects.for_tenant(acme).values_list("sentence", flat=True))
    assert "leads out of the source" in sentences[0]
    assert "lies outside this source" in sentences[1]


def test_a_missing_location_is_a_problem_unless_optional(world, acme, folder):
    location = "apiVersion: backstage.io/v1alpha1\nkind: Location\nmetadata: {name: %s}\nspec: {target: ./%s.yaml%s}\n"
    (folder / "catalog-info.yaml").write_text(
        location % ("l", "gone", "") + "---\n" + location % ("m", "maybe", ", presence: optional")
    )
    add(world, kind="folder", target=str(folder))
    assert [p.sentence for p in Problem.objects.for_tenant(acme)] == ['There is no file "gone.yaml" in this source.']


def test_a_link_out_of_the_folder_is_not_followed(world, acme, folder):
    (folder.parent / "secret.yaml").write_text(component("secret"))
    (folder / "catalog-info.yaml").unlink()
    (folder / "catalog-info.yaml").symlink_to(folder.parent / "secret.yaml")
    with pytest.raises(SourceUnreadable, match="There is no file"):
        add(world, kind="folder", target=str(folder))


@pytest.mark.parametrize(
    ("kind", "target", "words"),
    [
        ("folder", "/etc", "not open to the portal"),
        ("folder", "relative", "starting with a slash"),
        ("folder", "/tmp/no-such-folder-here", "There is no folder"),
        ("git", "ext::sh -c id", "git address"),
        ("git", "--upload-pack=touch /tmp/x", "git address"),
        ("git", "https://user:secret@example.com/a.git", "Leave passwords"),
        ("git", "/etc", "may not read this folder"),
        ("url", "ftp://example.com/a.yaml", "starts with https://"),
        ("url", "https://user:pw@example.com/a.yaml", "must not hold a user name"),
        ("url", "http://169.254.169.254/latest/meta-data", "private network"),
        ("url", "https://10.0.0.1/catalog-info.yaml", "private network"),
        ("repository", "nothing-here", "There is no repository"),
        ("portal", "x", "not a kind of source"),
        ("url", "", "Say where"),
    ],
)  # fmt: skip
def test_targets_that_are_refused(world, acme, kind, target, words):
    with pytest.raises(Exception, match=words) as caught:
        add(world, kind=kind, target=target)
    assert caught.value.text.endswith(".")
    assert not Source.objects.for_tenant(acme).exists()


def test_a_source_is_registered_once(world, acme, folder):
    first = add(world, kind="folder", target=str(folder))
    with pytest.raises(Conflict, match="registered already"):
        add(world, kind="folder", target=str(folder))
    assert add(world, kind="folder", target=str(folder), on_conflict="refresh").pk == first.pk


def test_an_empty_file_is_refused(world, acme, folder):
    (folder / "catalog-info.yaml").write_text("# nothing yet\n")
    with pytest.raises(Invalid, match="no entity in it"):
        add(world, kind="folder", target=str(folder))


def git(folder, *args):
    subprocess.run(
        ["git", "-c", "user.name=t", "-c", "user.email=t@example.com", *args],
        cwd=folder,
        check=True,
        capture_output=True,
    )


def test_a_git_repository_is_read_at_its_branch(world, acme, folder):
    git(folder, "init", "-q", "-b", "main")
    git(folder, "add", ".")
    git(folder, "commit", "-qm", "one")
    git(folder, "checkout", "-qb", "next")
    (folder / "catalog-info.yaml").write_text(component("next"))
    git(folder, "commit", "-qam", "two")
    source = add(world, kind="git", target=str(folder), revision="main")
    assert refs(acme) == {"component:default/a", "component:default/b"}
    assert len(source.read_revision) == 40
    add(world, kind="git", target=str(folder), revision="next")
    assert "component:default/next" in refs(acme)


def test_a_repository_of_the_built_in_host_is_read(world, acme, settings, tmp_path):
    from portal.githosts.hosts import HOSTS
    from portal.githosts.protocol import Author

    settings.GIT_ROOT = tmp_path / "git"
    host = HOSTS["slipway"]
    repo = host.create_repository(acme, name="shop", description="", owner_ref="", marker="t", actor=by(world.dev))
    with pytest.raises(SourceUnreadable, match="has no commit yet"):
        add(world, kind="repository", target="shop")
    files = {"catalog-info.yaml": Committed(component("shop").encode())}
    commit = host.push_tree(repo, files, message="m", author=Author("D", "d@example.com"), when=now())
    source = add(world, kind="repository", target="shop", run_id=7)
    assert (source.read_revision, source.run_id) == (commit, 7)
    assert refs(acme) == {"component:default/shop"}


def test_entities_tell_the_clusters_how_to_find_their_workloads(world, acme, folder):
    annotated = component("a").replace('a: ""', "backstage.io/kubernetes-id: pay")
    (folder / "catalog-info.yaml").write_text(annotated)
    source = add(world, kind="folder", target=str(folder))
    binding = Binding.objects.for_tenant(acme).get()
    assert (binding.entity_ref, binding.kubernetes_id, binding.slipway_id) == (
        "component:default/a", "pay", "component.default.a")  # fmt: skip
    actions.remove_source(organisation=acme, actor=by(world.mae), source=source)
    assert not Binding.objects.for_tenant(acme).exists()


def test_removing_a_source_leaves_tombstones_that_say_who(world, acme, folder):
    source = add(world, kind="folder", target=str(folder))
    assert actions.remove_source(organisation=acme, actor=by(world.mae), source=source) == 2
    gone = Entity.objects.for_tenant(acme).get(name="a")
    assert gone.removed_reason == f"Its source, {folder}, was removed by Mae."
    assert gone.source is None
    assert not Edge.objects.for_tenant(acme).exists()


def test_an_entity_is_written_and_changed_in_the_portal(world, acme):
    entity = actions.write_entity(organisation=acme, actor=by(world.dev), text=component("mine"))
    actions.write_entity(organisation=acme, actor=by(world.dev), text=component("other"))
    changed = actions.write_entity(organisation=acme, actor=by(world.dev), text=component("mine", "x"), entity=entity)
    assert (changed.uid, changed.annotations, changed.source.kind) == (entity.uid, {"a": "x"}, "portal")
    assert refs(acme) == {"component:default/mine", "component:default/other"}
    actions.remove_entity(organisation=acme, actor=by(world.dev), entity=changed)
    assert refs(acme) == {"component:default/other"}


def test_writing_a_name_that_exists_is_refused(world, acme, folder):
    add(world, kind="folder", target=str(folder))
    with pytest.raises(Conflict, match="component:default/a exists already"):
        actions.write_entity(organisation=acme, actor=by(world.dev), text=component("A"))


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("a: b: c", "Line 1: This is not valid YAML"),
        (component("x").replace("Component", "Widget"), 'Line 2: The kind "Widget" is not known'),
        (f"{component('x')}---\n{component('y')}", "Write exactly one entity; this describes 2"),
        ("", "this describes 0"),
    ],
)
def test_bad_text_is_a_sentence_with_its_line(world, acme, text, words):
    with pytest.raises(Invalid, match=words):
        actions.write_entity(organisation=acme, actor=by(world.dev), text=text)


def test_due_sources_are_found_across_organisations_and_claimed_once(committed_world, folder, do_jobs):
    world = committed_world
    with world.tenant():
        source = add(world, kind="folder", target=str(folder))
        assert tasks.due_sources() == []
        Source.objects.for_tenant(world.acme).update(next_refresh_at=now() - timedelta(minutes=1))
    assert tasks.due_sources() == [(world.acme.pk, source.pk)]
    (folder / "catalog-info.yaml").write_text(component("a"))
    assert (tasks.sweep_sources(), tasks.sweep_sources()) == (1, 0)
    assert [job.state for job in do_jobs(world.acme)] == ["succeeded"]
    assert tasks.due_sources() == []
    (folder / "catalog-info.yaml").unlink()
    with world.tenant():
        source.refresh_from_db()
        assert (source.state, source.entity_count) == ("ok", 1)
        asked = actions.refresh_source(organisation=world.acme, actor=by(world.dev), source=source)
        again = actions.refresh_source(organisation=world.acme, actor=by(world.mae), source=source)
    assert asked.pk == again.pk, "one refresh of a source is in flight at a time"
    [job] = do_jobs(world.acme)
    assert job.sentence == 'There is no file "catalog-info.yaml" in this source.'
    with world.tenant():
        source.refresh_from_db()
        assert (source.state, source.state_text) == ("failed", 'There is no file "catalog-info.yaml" in this source.')


# --- sources of any size ----------------------------------------------------------------------------------------------


class Told(ingest.Watch):
    """Notes what an ingestion says of itself; may be killed at one of its transactions."""

    def __init__(self, killed_at=0):
        self.news, self.proofs, self.killed_at = [], 0, killed_at

    def tell(self, text, done, total):
        self.news.append((text, done, total))

    def prove(self):
        self.proofs += 1
        if self.proofs == self.killed_at:
            raise KeyboardInterrupt


def many(folder, count, note=""):
    (folder / "catalog-info.yaml").write_text("---\n".join(component(f"c{number:04}", note) for number in range(count)))


def test_a_large_source_is_written_in_pieces_and_says_how_far_it_is(world, acme, folder, monkeypatch):
    monkeypatch.setattr(pieces, "CHUNK", 10)
    many(folder, 35)
    source = add(world, kind="folder", target=str(folder), watch=(told := Told()))
    writing = [(done, total) for text, done, total in told.news if text == "Reading and writing files"]
    assert writing == [(0, 1)] * 3
    assert (source.entity_count, len(refs(acme))) == (35, 35)
    many(folder, 33, "new")
    outcome = ingest.ingest(source)
    assert (outcome.added, outcome.changed, outcome.unchanged, outcome.removed) == (0, 33, 0, 2)
    assert Entity.objects.for_tenant(acme).get(name="c0007").annotations == {"a": "new"}
    assert Edge.objects.for_tenant(acme).filter(type=NUMBERS["ownedBy"]).count() == 33


def test_what_was_killed_goes_on_where_it_was(committed_world, folder, monkeypatch):
    world = committed_world
    monkeypatch.setattr(pieces, "CHUNK", 10)
    many(folder, 35)
    with world.tenant():
        source = add(world, kind="folder", target=str(folder))
    many(folder, 34, "new")
    with pytest.raises(KeyboardInterrupt):
        ingest.ingest(source, Told(killed_at=3))
    with world.tenant():
        new = find(world.acme, In("metadata.annotations.a", ("new",))).total
        assert (new, len(refs(world.acme))) == (20, 35)
    outcome = ingest.ingest(source)
    assert (outcome.changed, outcome.unchanged, outcome.removed) == (14, 20, 1)


def test_files_that_were_written_before_the_kill_are_not_read_again(committed_world, folder, monkeypatch):
    world = committed_world
    monkeypatch.setattr(pieces, "CHUNK", 10)
    for number in range(35):
        (folder / f"c{number:02}.yml").write_text(component(f"c{number:02}"))
    with world.tenant():
        source = add(world, kind="folder", target=str(folder), path="*.yml")
    for number in range(34):
        (folder / f"c{number:02}.yml").write_text(component(f"c{number:02}", "new"))
    (folder / "c34.yml").unlink()
    with pytest.raises(KeyboardInterrupt):
        ingest.ingest(source, Told(killed_at=3))
    outcome = ingest.ingest(source)
    assert (outcome.changed, outcome.unchanged, outcome.removed, outcome.parsed) == (14, 20, 1, 14)


@pytest.mark.parametrize("count", [20, 200])
def test_changing_many_takes_a_few_statements(world, acme, folder, count):
    """Entities, facts, edges and bindings are written by the hundred, never one by one: as few for 200 as for 20."""
    many(folder, count)
    source = add(world, kind="folder", target=str(folder))
    many(folder, count, "new")
    with CaptureQueriesContext(connection) as queries:
        assert ingest.ingest(source).changed == count
    assert len(queries) <= 33  # one of them the line in the source's history


def test_a_thousand_and_one_entities_are_written_in_the_portal(world, acme):
    """Writing one reads one: it does not matter how many there are."""
    first = actions.write_entity(organisation=acme, actor=by(world.dev), text=component("first"))
    names = [f"n{number}" for number in range(1000)]
    put(acme, *(entity_row(acme, name, source=first.source) for name in names))
    with CaptureQueriesContext(connection) as queries:
        last = actions.write_entity(organisation=acme, actor=by(world.dev), text=component("last"))
    assert last.source.entity_count == len(refs(acme)) == 1002
    assert len(queries) <= 36
    changed = actions.write_entity(organisation=acme, actor=by(world.dev), text=component("first", "x"), entity=first)
    assert (changed.annotations, changed.source.entity_count) == ({"a": "x"}, 1002)


def test_whatever_ends_a_reading_is_the_sources_state_in_words(world, acme, folder, do_jobs, monkeypatch):
    source = add(world, kind="folder", target=str(folder))

    def break_down(*file):
        raise ZeroDivisionError

    monkeypatch.setattr(readers, "parsed", break_down)
    (folder / "catalog-info.yaml").write_text(component("b"))
    actions.refresh_source(organisation=acme, actor=by(world.dev), source=source)
    [job] = do_jobs(acme)
    source.refresh_from_db()
    assert (job.state, source.state, source.state_text) == ("failed", "failed", job.sentence)
    assert source.next_refresh_at is not None
