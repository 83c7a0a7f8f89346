"""A problem keeps its row and its age while it lasts, wherever its line goes, and ends when it is mended."""

from datetime import timedelta

import pytest
from django.utils.timezone import now

from catalog import actions
from catalog.descriptors.problemkinds import SEVERITIES
from catalog.intake import ingest
from catalog.models import Problem
from portal.kit.errors import Refusal
from tests.conftest import by

GOOD = """\
apiVersion: backstage.io/v1alpha1
kind: Component
metadata: {{name: {name}}}
spec: {{type: service, lifecycle: production, owner: {owner}}}
"""


@pytest.fixture
def acme(world):
    with world.tenant():
        yield world.acme


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "catalog-info.yaml").write_text(
        GOOD.format(name="a", owner="payments").replace("{name: a}", "{name: a, tags: [Java]}")
    )
    return tmp_path


def registered(world, folder):
    return actions.add_source(organisation=world.acme, actor=by(world.dev), kind="folder", target=str(folder))


def test_a_line_above_moves_a_problem_and_does_not_renew_it(world, acme, folder):
    source = registered(world, folder)
    first = Problem.objects.for_tenant(acme).get()
    Problem.objects.for_tenant(acme).update(first_seen_at=now() - timedelta(days=9))
    text = (folder / "catalog-info.yaml").read_text()
    (folder / "catalog-info.yaml").write_text(f"# one\n# two\n{text.replace('Java', 'JAVA')}")
    ingest.ingest(source)
    row = Problem.objects.for_tenant(acme).get()
    assert row.pk == first.pk
    assert row.line == first.line + 2
    assert '"JAVA"' in row.sentence
    assert row.finding.excerpt.lines[2].startswith("apiVersion") or row.finding.excerpt.first == 3
    assert row.finding.edit.was == "JAVA"
    assert (now() - row.first_seen_at).days == 9


def test_a_mended_problem_is_over_and_another_one_is_new(world, acme, folder):
    source = registered(world, folder)
    first = Problem.objects.for_tenant(acme).get()
    (folder / "catalog-info.yaml").write_text(GOOD.format(name="a", owner="payments").replace("type: service, ", ""))
    ingest.ingest(source)
    row = Problem.objects.for_tenant(acme).get()
    assert row.pk != first.pk
    assert row.field == "spec.type"


def test_two_of_one_kind_in_one_file_are_two(world, acme, folder):
    (folder / "catalog-info.yaml").write_text("a: b: c\n---\na: b: c\n---\na: b: c\n")
    source = registered(world, folder)
    before = set(Problem.objects.for_tenant(acme).values_list("pk", "line"))
    assert {line for _, line in before} == {1, 3, 5}
    ingest.ingest(source)
    assert set(Problem.objects.for_tenant(acme).values_list("pk", "line")) == before


def test_a_problem_belongs_to_who_owns_what_it_is_about(world, acme, folder):
    source = registered(world, folder)
    assert Problem.objects.for_tenant(acme).get().owner_ref == "group:default/payments"
    # The file no longer says it: whoever owned the last that was right does.
    (folder / "catalog-info.yaml").write_text(GOOD.format(name="a", owner="payments"))
    ingest.ingest(source)
    (folder / "catalog-info.yaml").write_text(GOOD.format(name="a", owner="payments").replace(", owner: payments", ""))
    ingest.ingest(source)
    assert Problem.objects.for_tenant(acme).get().owner_ref == "group:default/payments"
    # And what no entity is known of, belongs to whoever owns everything else of the source.
    (folder / "catalog-info.yaml").write_text(f"{GOOD.format(name='a', owner='payments')}---\nx: [\n")
    ingest.ingest(source)
    assert Problem.objects.for_tenant(acme).get().owner_ref == "group:default/payments"


def test_a_source_that_cannot_be_read_is_one_problem_until_it_can(world, acme, folder):
    source = registered(world, folder)
    count = Problem.objects.for_tenant(acme).count()
    for sentence in ("It does not answer.", "It does not answer at all."):
        ingest.fail(source, sentence)
    row = Problem.objects.for_tenant(acme).get(code="source-unread")
    assert row.sentence == "It does not answer at all."
    assert SEVERITIES[row.severity] == "error"
    source.refresh_from_db()
    assert source.problem_count == count + 1
    ingest.ingest(source)
    assert not Problem.objects.for_tenant(acme).filter(code="source-unread").exists()
    assert Problem.objects.for_tenant(acme).count() == count


def test_a_conflict_shows_where_it_stands(world, acme, folder, tmp_path_factory):
    (folder / "catalog-info.yaml").write_text(GOOD.format(name="a", owner="payments"))
    registered(world, folder)
    other = tmp_path_factory.mktemp("other")
    (other / "catalog-info.yaml").write_text(f"# ours\n{GOOD.format(name='a', owner='claims')}")
    registered(world, other)
    row = Problem.objects.for_tenant(acme).get()
    assert (row.code, row.owner_ref, row.line) == ("conflict", "group:default/claims", 2)
    assert row.finding.excerpt.lines[1] == "apiVersion: backstage.io/v1alpha1"


def test_nothing_to_read_is_a_refusal_and_no_row(world, acme, tmp_path):
    with pytest.raises(Refusal):
        registered(world, tmp_path)
    assert not Problem.objects.for_tenant(acme).exists()
