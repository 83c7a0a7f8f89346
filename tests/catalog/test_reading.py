"""A source is read anew only where it changed, and what comes of it is what a reading from nothing would give."""

import os
import random
import subprocess
import sys
import time
from pathlib import Path

import pytest
from django.utils.timezone import now
from hypothesis import given
from hypothesis import strategies as st

from catalog import actions
from catalog.intake import ingest, pieces, readers, walking
from catalog.intake.onefile import parsed
from catalog.intake.readers import Readers
from catalog.intake.sources import tree as trees
from catalog.intake.sources.tree import FolderTree, MemoryTree, SourceUnreadable
from catalog.intake.walking import SourceWalk, read
from catalog.models import Entity, FormerName, Problem, SourceFile
from portal.kit.refs import ref_to
from tests.catalog.test_bad_input import LAUGHS
from tests.catalog.test_ingest import acme, add, component, refs  # noqa: F401 - fixtures
from tests.conftest import by

API = """\
apiVersion: backstage.io/v1alpha1
kind: API
metadata: {{name: {name}}}
spec: {{type: openapi, lifecycle: production, owner: payments, definition: {{$text: {included}}}}}
"""
LOCATION = """\
apiVersion: backstage.io/v1alpha1
kind: Location
metadata: {{name: {name}}}
spec: {{targets: {targets}}}
"""


def whole_of(root, start):
    """What a reading from nothing gives: digests by reference, problems, what is not admitted, whether it is whole."""
    reading = read(FolderTree(root), start)
    return {found.ref: found.digest for found in reading.entities}, reading


def rows_of(organisation, source):
    rows = Entity.objects.for_tenant(organisation).filter(source=source, removed_at=None)
    return dict(rows.values_list("ref", "digest"))


def problems_of(organisation, source):
    rows = Problem.objects.for_tenant(organisation).filter(source=source)
    return sorted(rows.values_list("path", "line", "code", "sentence", "entity_ref"))


def same(finding):
    return (finding.path, finding.line, finding.code, finding.sentence, finding.entity_ref)


class Folder:
    """A folder that somebody works in: files come, change and go, name one another, include texts, and break."""

    def __init__(self, root, dice):
        self.root, self.dice = root, dice
        self.put("root.yaml", self.location())

    def put(self, path, text):
        place = self.root / path
        place.parent.mkdir(exist_ok=True)
        place.write_text(text)

    def name(self):
        return f"n{self.dice.randrange(12)}"

    def path(self):
        return f"{self.dice.choice(['', 'x/', 'y/'])}f{self.dice.randrange(8)}.yaml"

    def location(self):
        targets = [self.dice.choice(["/x/*.yaml", "/y/*.yaml", "/**/f1.yaml", f"/{self.path()}"]) for _ in range(3)]
        return LOCATION.format(name=self.name(), targets=targets)

    def document(self):
        what = self.dice.randrange(10)
        if what < 5:
            return component(self.name(), self.dice.choice(["", "v1", "v2"]))
        if what < 7:
            return API.format(name=self.name(), included=f"/t{self.dice.randrange(3)}.txt")
        if what < 8:
            return self.location()
        if what < 9:
            return component(self.name()).replace("owner: payments", "")  # not admitted
        return "a: [\n"  # not YAML

    def work(self):
        """One to four edits."""
        for _ in range(self.dice.randint(1, 4)):
            what = self.dice.randrange(8)
            if what < 4:
                self.put(self.path(), "---\n".join(self.document() for _ in range(self.dice.randint(1, 4))))
            elif what < 5:
                (self.root / self.path()).unlink(missing_ok=True)
            elif what < 7:
                self.put(f"t{self.dice.randrange(3)}.txt", f"text {self.dice.randrange(3)}")
            else:
                self.put("root.yaml", self.location() + "---\n" + self.location())


@pytest.mark.parametrize("seed", range(12))
def test_reading_what_changed_gives_what_reading_all_would(world, acme, tmp_path, seed, monkeypatch):  # noqa: F811
    """Files, includes, Locations, names described twice, texts that break and are mended, files that go: in any order,
    in one transaction and in several."""
    monkeypatch.setattr(pieces, "CHUNK", 3 if seed % 2 else 500)
    work = Folder(tmp_path, random.Random(seed))
    for number in range(3):
        work.put(f"t{number}.txt", "text 0")
    source = add(world, kind="folder", target=str(tmp_path), path="root.yaml")
    for _ in range(15):
        work.work()
        before, moment = rows_of(acme, source), now()
        ingest.ingest(source)
        wanted, reading = whole_of(tmp_path, "root.yaml")
        renames = FormerName.objects.for_tenant(acme).filter(renamed_at__gte=moment)
        renamed = set(renames.values_list("ref", flat=True))
        kept = {
            ref: digest
            for ref, digest in before.items()
            if ref not in wanted and ref not in renamed and (ref in reading.broken or not reading.is_whole)
        }
        assert rows_of(acme, source) == {**kept, **wanted}
        assert problems_of(acme, source) == sorted(same(each) for each in reading.problems)
        assert (source.entity_count, source.problem_count) == (len(wanted), len(set(reading.problems)))


def test_only_files_that_changed_are_parsed(world, acme, tmp_path):  # noqa: F811
    """Counted, not timed: by their own bytes, by what they include, and never for what they point to."""
    (tmp_path / "catalog-info.yaml").write_text(LOCATION.format(name="l", targets=["./*.yml"]))
    for number in range(20):
        (tmp_path / f"c{number}.yml").write_text(component(f"c{number}"))
    for number in range(3):
        (tmp_path / f"a{number}.yml").write_text(API.format(name=f"a{number}", included="./open.txt"))
    (tmp_path / "open.txt").write_text("one")
    source = add(world, kind="folder", target=str(tmp_path))
    assert source.entity_count == 24

    def parsed_again():
        outcome = ingest.ingest(source)
        assert outcome.entities == len(refs(acme))
        return outcome.parsed

    assert parsed_again() == 0
    (tmp_path / "c3.yml").write_text(component("c3", "new"))
    assert parsed_again() == 1
    (tmp_path / "open.txt").write_text("two")
    assert parsed_again() == 3
    assert Entity.objects.for_tenant(acme).get(name="a1").spec["definition"] == "two"
    (tmp_path / "c4.yml").unlink()
    assert (parsed_again(), "component:default/c4" in refs(acme)) == (0, False)
    assert SourceFile.objects.for_tenant(acme).filter(source=source).count() == 23
    os.utime(tmp_path / "c5.yml", (1, 1))
    assert parsed_again() == 0


def test_what_the_rows_lost_is_read_again(world, acme, tmp_path):  # noqa: F811
    """The rows are the truth: what is remembered of a file only saves reading it."""
    for number in range(5):
        (tmp_path / f"c{number}.yaml").write_text(component(f"c{number}"))
    source = add(world, kind="folder", target=str(tmp_path), path="*.yaml")
    Entity.objects.for_tenant(acme).filter(name="c1").delete()
    Entity.objects.for_tenant(acme).filter(name="c2").update(digest="")
    outcome = ingest.ingest(source)
    assert (outcome.parsed, outcome.added, outcome.changed, outcome.unchanged) == (2, 1, 1, 3)
    assert rows_of(acme, source) == whole_of(tmp_path, "*.yaml")[0]


def test_a_name_that_two_files_describe_goes_to_the_other_when_the_first_lets_go(world, acme, tmp_path):  # noqa: F811
    (tmp_path / "a.yaml").write_text(component("a") + "---\n" + component("both", "first"))
    (tmp_path / "b.yaml").write_text(component("b") + "---\n" + component("both", "second"))
    source = add(world, kind="folder", target=str(tmp_path), path="*.yaml")
    assert ingest.ingest(source).parsed == 1, "what is told of b.yaml shows its lines"
    assert "the first one counts" in Problem.objects.for_tenant(acme).get().sentence
    (tmp_path / "a.yaml").write_text(component("a"))
    outcome = ingest.ingest(source)
    assert (outcome.changed, outcome.removed, outcome.problems) == (1, 0, 0)
    assert Entity.objects.for_tenant(acme).get(name="both").annotations == {"a": "second"}


def test_two_sources_with_one_name(world, acme, tmp_path):  # noqa: F811
    """The conflict stays told, and ends when the first source lets go."""
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "catalog-info.yaml").write_text(component("shared", name) + "---\n" + component(name))
    one = add(world, kind="folder", target=str(tmp_path / "one"))
    two = add(world, kind="folder", target=str(tmp_path / "two"))
    for _ in range(2):
        outcome = ingest.ingest(two)
        assert (outcome.parsed, outcome.problems, outcome.entities) == (1, 1, 1)
        assert "already comes from" in Problem.objects.for_tenant(acme).get(source=two).sentence
    (tmp_path / "one" / "catalog-info.yaml").write_text(component("one"))
    ingest.ingest(one)
    outcome = ingest.ingest(two)
    assert (outcome.changed, outcome.problems, outcome.entities) == (1, 0, 2)
    assert Entity.objects.for_tenant(acme).get(name="shared").annotations == {"a": "two"}


def test_a_source_that_moves_is_no_stranger_to_its_rows(world, acme, tmp_path):  # noqa: F811
    for name in ("here", "there"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "catalog-info.yaml").write_text(component("stays") + "---\n" + component(f"only-{name}"))
    source = add(world, kind="folder", target=str(tmp_path / "here"))
    actions.move_source(
        organisation=acme,
        actor=by(world.dev),
        source=source,
        draft=actions.Draft("folder", str(tmp_path / "there")),
    )
    assert refs(acme) == {"component:default/stays", "component:default/only-there"}
    assert ingest.ingest(source).parsed == 0


# --- how much a source may hold ---------------------------------------------------------------------------------------


def test_a_source_that_holds_too_much_says_so_and_loses_nothing(world, acme, tmp_path, settings):  # noqa: F811
    for number in range(30):
        (tmp_path / f"c{number:02}.yaml").write_text(component(f"c{number:02}"))
    source = add(world, kind="folder", target=str(tmp_path), path="*.yaml")
    settings.SOURCE_ENTITIES = 10
    ingest.ingest(source)
    problem = Problem.objects.for_tenant(acme).get()
    assert (problem.code, problem.path) == ("too-many", "c10.yaml")
    assert "10 entities" in problem.sentence
    assert "SOURCE_ENTITIES" in problem.sentence
    assert len(refs(acme)) == 30, "nothing is concluded from what was left out"
    settings.SOURCE_FILES = 20
    with pytest.raises(SourceUnreadable, match=r"more than 20 files.*SOURCE_FILES"):
        ingest.ingest(source)


def test_things_wrong_without_end_are_counted(tmp_path, monkeypatch):
    monkeypatch.setattr(walking, "MAX_PROBLEMS", 5)
    (tmp_path / "a.yaml").write_text("---\n".join(component(f"c{n}").replace("service", "") for n in range(12)))
    reading = read(FolderTree(tmp_path), "a.yaml")
    assert len(reading.problems) == 6
    assert "7 more things are wrong" in reading.problems[-1].sentence


def test_a_hundred_thousand_files_are_listed_and_matched(tmp_path):
    """In seconds, and those behind links that lead out are not among them."""
    for number in range(1000):
        (tmp_path / f"d{number}").mkdir()
    one = tmp_path / "d0" / "0.yaml"
    one.write_text(component("one"))
    for number in range(1, 100_000):
        place = tmp_path / f"d{number % 1000}" / f"{number}.yaml"
        if number < 50_000:
            os.link(one, place)
        else:
            place.touch()
    (tmp_path / "d0" / "out.yaml").symlink_to("/etc/passwd")
    begun = time.monotonic()
    tree = FolderTree(tmp_path)
    named = trees.matching(tree, "**/*.yaml")
    assert len(named) == 100_001
    assert len(trees.matching(tree, "d7/*.yaml")) == 100
    assert time.monotonic() - begun < 20
    assert tree.mark("d0/out.yaml") == ""
    assert tree.mark("d0/0.yaml") == tree.mark("d0/1000.yaml") != tree.mark("d0/99000.yaml")


def plainly_matches(parts, pattern):
    if not pattern:
        return not parts
    if pattern[0] == "**":
        return any(plainly_matches(parts[skip:], pattern[1:]) for skip in range(len(parts) + 1))
    return bool(parts) and trees.fnmatch.fnmatchcase(parts[0], pattern[0]) and plainly_matches(parts[1:], pattern[1:])


PART = st.sampled_from(["a", "b", "ab", "a.yaml"])


@given(
    st.lists(PART, min_size=1, max_size=5),
    st.lists(st.sampled_from(["**", "*", "a*", "?", "[ab]", "a", "*.yaml"]), min_size=1, max_size=5),
)
def test_patterns_mean_what_they_meant(parts, pattern):
    assert trees._matches(parts, pattern) == plainly_matches(parts, pattern)


def test_a_hostile_pattern_ends():
    begun = time.monotonic()
    assert not trees._matches(["a"] * 200, ["**", "a"] * 60 + ["b"])
    assert time.monotonic() - begun < 2


# --- children that parse ----------------------------------------------------------------------------------------------


def by_child(text, include=lambda target: "included"):
    with Readers() as all_of_them:
        all_of_them._size = readers.FEW
        return all_of_them.begin(text, "a.yaml", include).result()


def cannot(target):
    raise readers.CannotRead(f'There is no file "{target}" in this source.')


CASES = Path(__file__).parent / "cases"
ODD = [
    LAUGHS,
    "a: [" * 5000,
    f"a: {'x' * 1_000_000}",
    f"{'x' * 1_000_001}",
    f"{'a: b' * 300_000}",
    "a: 'never closed",
    "a: \x00",
    'a: "\\ud800"',
    "&a [*a]",
    component("käse", "Grüße 🧀"),
    API.format(name="a", included="./x.txt"),
    "---\n".join(API.format(name=f"a{n}", included="./x.txt") for n in range(120)),
    component("x") + "links: [{url: 'http://[::1'}]",
    component("x") + "metadata: {name: y}",
    "\ufeff" + component("x"),
]


@pytest.mark.parametrize("text", ODD, ids=range(len(ODD)))
def test_a_child_says_what_this_process_says(text):
    for include in (lambda target: "included", cannot):
        assert by_child(text, include) == parsed(text, "a.yaml", include)


def test_the_demo_company_read_by_children(monkeypatch):
    root = Path(__file__).resolve().parents[2] / "demo" / "parcelwright" / "catalog"
    here = read(FolderTree(root), "catalog-info.yaml")
    monkeypatch.setattr(readers, "FEW", 0)
    there = read(FolderTree(root), "catalog-info.yaml")
    assert there == here
    assert [found.digest for found in there.entities] == [found.digest for found in here.entities]


def test_a_file_that_takes_too_long_or_too_much_costs_itself_alone(tmp_path, settings, monkeypatch):
    """The child is ended, a new one reads on; nothing is concluded from what is absent."""
    monkeypatch.setattr(readers, "FEW", 0)
    settings.READING_PROCESSES, settings.READING_SECONDS = 1, 1
    monkeypatch.setattr(readers, "GRACE", 0)
    slow = "---\n".join(component(f"c{n}", "x" * 900) for n in range(900))
    files = {"a.yaml": component("a").encode(), "b.yaml": slow.encode(), "c.yaml": component("c").encode()}
    # A child that stands still does not come to an end by itself: the clock is the wall's.
    real = readers.send

    def stop_at_b(to, message):
        real(to, message)
        if message.get("path") == "b.yaml":
            os.kill(child_of(to), 19)

    def child_of(to):
        [child] = [each for each in current[0]._children if each._to == to]
        return child.process.pid

    current = []
    with Readers() as all_of_them:
        current.append(all_of_them)
        monkeypatch.setattr(readers, "send", stop_at_b)
        walk = SourceWalk(MemoryTree(files, ""), "**", all_of_them)
        entities = [found.ref for taken in walk for found in taken.entities]
        reading = walk.reading()
    assert entities == [ref_to("component", "a"), ref_to("component", "c")]
    assert not reading.is_whole
    assert "could not be read within 1 second" in reading.problems[0].sentence


def test_no_child_outlives_whoever_started_it(tmp_path):
    """Killed without a word, the parent takes its children along."""
    program = (
        "import os, sys, signal; os.environ['DJANGO_SETTINGS_MODULE'] = 'tests.settings'\n"
        "from django.conf import settings; settings.configure(READING_PROCESSES=1, READING_MEBIBYTES=384,"
        " READING_SECONDS=30)\n"
        "from catalog.intake.readers import Readers\n"
        "readers = Readers(); readers._size = 1 << 30\n"
        "readers.begin('a: b', 'a.yaml', str).result()\n"
        "[child] = readers._children; print(child.process.pid, flush=True)\n"
        "os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    said = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    pid = int(said.stdout)
    deadline = time.monotonic() + 5
    while Path(f"/proc/{pid}").exists() and Path(f"/proc/{pid}/stat").read_text().split()[2] != "Z":
        assert time.monotonic() < deadline
        time.sleep(0.02)
