"""A statement that is written once finds what the ORM would find each time, and says so when it could not."""

from datetime import datetime, timedelta
from uuid import UUID, uuid4

import pytest
from django.db.models import Q, QuerySet
from django.utils import timezone

from portal.accounts.models import Organisation, Team
from portal.accounts.tenancy import tenant
from portal.jobs.models import Job
from portal.kit import statements
from portal.kit.statements import written_once
from tests.conftest import World

BUILT: list[str] = []


@written_once
def teams(organisation_id: int, refs: tuple[str, ...], name: str) -> QuerySet[Team]:
    BUILT.append("teams")
    rows = Team.objects.for_tenant(organisation_id).select_related("organisation").order_by("name")
    return rows.filter(Q(ref__in=refs) | Q(name=name))[:5]


@written_once
def some_teams(organisation_id: int, name: str | None, is_all: bool) -> QuerySet[Team]:
    BUILT.append("some teams")
    rows = Team.objects.for_tenant(organisation_id) if is_all else Team.objects.none()
    return rows if name is None else rows.filter(name=name)


@written_once
def jobs(uid: UUID, since: datetime) -> QuerySet[Job]:
    return Job.objects.filter(uid=uid, created_at__gte=since)


@written_once
def pattern(name: str) -> QuerySet[Team]:
    return Team.objects.filter(name__contains=name)


@pytest.fixture(autouse=True)
def anew() -> None:
    BUILT.clear()


def add(organisation: Organisation, *names: str) -> None:
    with tenant(organisation):
        for name in names:
            Team.objects.create(organisation=organisation, name=name, slug=name, ref=f"group:default/{name}")


def found(world: World, refs: tuple[str, ...], name: str) -> list[str]:
    with tenant(world.acme):
        rows = teams(world.acme.pk, refs, name)
        assert all(row.organisation.name == world.acme.name for row in rows)
        return [row.name for row in rows]


def test_other_values_find_other_rows_by_the_same_words(world: World) -> None:
    add(world.acme, "one", "two", "three", "it's 100%")
    add(world.rival, "one")
    assert found(world, ("group:default/one",), "two") == ["one", "two"]
    assert found(world, ("group:default/three",), "it's 100%") == ["it's 100%", "three"]
    assert found(world, ("group:default/three",), "\ue0001\ue000") == ["three"]
    built = len(BUILT)
    assert found(world, ("group:default/one", "group:default/two"), "three") == ["one", "three", "two"]
    assert found(world, (), "nobody") == []
    assert len(BUILT) == built + 2, "written again for sequences of another length"


def test_truth_values_and_none_decide_what_is_asked(world: World) -> None:
    add(world.acme, "one", "two")
    for _ in range(2):
        with tenant(world.acme):
            assert {"one", "two"} < {row.name for row in some_teams(world.acme.pk, None, True)}
            assert [row.name for row in some_teams(world.acme.pk, "two", True)] == ["two"]
            assert some_teams(world.acme.pk, None, False) == []
    assert len(BUILT) == 3


def test_what_differs_each_time_is_written_each_time(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    add(world.acme, "one")
    monkeypatch.setattr(statements, "MOST_SHAPES", 0)
    for count in (9, 10):
        refs = ("group:default/one", *(f"group:default/{number}" for number in range(count)))
        before = len(BUILT)
        assert found(world, refs, "") == found(world, refs, "") == ["one"]
        assert len(BUILT) == before + 2


def test_numbers_of_any_size_moments_and_uids_are_values(world: World) -> None:
    with tenant(world.acme):
        mine = Job.objects.create(organisation=world.acme, kind="x", uid=uuid4())
        for since, expected in ((timedelta(hours=-1), [mine]), (timedelta(hours=1), [])):
            assert jobs(mine.uid, timezone.now() + since) == expected
        assert jobs(uuid4(), timezone.now() - timedelta(hours=1)) == []
        assert teams(2**60, (), "") == []


def test_a_value_that_changes_the_words_is_refused(world: World) -> None:
    with pytest.raises(TypeError, match="does not reach the statement as it is"):
        pattern("one")
    with pytest.raises(TypeError, match="by position"):
        teams(organisation_id=1, refs=(), name="")
