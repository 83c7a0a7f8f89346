"""The pure parts: quantities, schedules, selectors, patches, field sets."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from portal.sandbox import fieldsets
from portal.sandbox.kinds import DEPLOYMENT, SERVICE
from portal.sandbox.patches import json_patch, merge_patch, strategic
from portal.sandbox.quantity import Quantity, is_quantity
from portal.sandbox.schedules import ScheduleError, parse_schedule
from portal.sandbox.schema import of
from portal.sandbox.selectors import label_requirements, labels_match


@pytest.mark.parametrize(
    ("text", "milli", "shown"),
    [
        ("250m", 250, "250m"),
        ("1", 1000, "1"),
        ("1Gi", 2**30 * 1000, "1Gi"),
        ("1.5k", 1_500_000, "1500"),
        ("2e3", 2_000_000, "2k"),
    ],
)
def test_quantities(text: str, milli: int, shown: str) -> None:
    assert Quantity.read(text).milli == milli
    assert str(Quantity.read(text)) == shown


def test_sums_of_quantities() -> None:
    assert str(Quantity.read("512Mi") + Quantity.read("512Mi")) == "1Gi"
    assert str(Quantity.read("1500m") - Quantity.read("500m")) == "1"
    assert not is_quantity("many")


@pytest.mark.parametrize(
    ("schedule", "after", "due"),
    [
        ("*/15 * * * *", "2026-01-01T10:07", "2026-01-01T10:15"),
        ("0 3 * * *", "2026-01-01T03:00", "2026-01-02T03:00"),
        ("30 2 * * mon-fri", "2026-01-02T12:00", "2026-01-05T02:30"),
        ("0 0 29 2 *", "2026-01-01T00:00", "2028-02-29T00:00"),
        ("0 0 13 * 5", "2026-01-01T12:00", "2026-01-02T00:00"),
        ("@hourly", "2026-01-01T10:07", "2026-01-01T11:00"),
    ],
)
def test_schedules(schedule: str, after: str, due: str) -> None:
    moment = datetime.fromisoformat(after).replace(tzinfo=UTC)
    assert parse_schedule(schedule).after(moment) == datetime.fromisoformat(due).replace(tzinfo=UTC)


def test_a_schedule_in_its_time_zone() -> None:
    moment = datetime(2026, 7, 1, 12, tzinfo=UTC)
    assert parse_schedule("0 9 * * *").after(moment, "Europe/Berlin") == datetime(2026, 7, 2, 7, tzinfo=UTC)


@pytest.mark.parametrize(
    "text", ["", "every night", "61 * * * *", "* * * *", "5-1 * * * *", "@sometimes", "*/0 * * * *"]
)
def test_bad_schedules(text: str) -> None:
    with pytest.raises(ScheduleError):
        parse_schedule(text)


def test_a_missing_label_is_not_in_and_is_notin() -> None:
    bare = {"metadata": {}}
    assert not labels_match(label_requirements("a in (b)"), bare)
    assert labels_match(label_requirements("a notin (b),!a,a!=b"), bare)


def test_merge_patches_delete_by_null() -> None:
    assert merge_patch({"a": {"b": 1, "c": 2}}, {"a": {"b": None}, "d": [1]}) == {"a": {"c": 2}, "d": [1]}


def test_json_patches_do_not_touch_the_original() -> None:
    before = {"list": [1, 2], "a/b": 1}
    operations = [
        {"op": "add", "path": "/list/-", "value": 3},
        {"op": "remove", "path": "/list/0"},
        {"op": "move", "from": "/a~1b", "path": "/moved"},
    ]
    assert json_patch(before, operations) == {"list": [2, 3], "moved": 1}
    assert before == {"list": [1, 2], "a/b": 1}


def test_strategic_patches_obey_their_directives() -> None:
    live = {"spec": {"template": {"spec": {"containers": [{"name": "a", "image": "1"}, {"name": "b", "image": "1"}]}}}}
    gone = {"spec": {"template": {"spec": {"containers": [{"name": "a", "$patch": "delete"}]}}}}
    assert strategic(of(DEPLOYMENT), live, gone)["spec"]["template"]["spec"]["containers"] == [
        {"name": "b", "image": "1"}
    ]
    order = {"$setElementOrder/containers": [{"name": "b"}, {"name": "a"}], "containers": [{"name": "a", "image": "2"}]}
    sorted_patch = strategic(of(DEPLOYMENT), live, {"spec": {"template": {"spec": order}}})
    assert [item["name"] for item in sorted_patch["spec"]["template"]["spec"]["containers"]] == ["b", "a"]


def test_field_sets_survive_their_written_form() -> None:
    body = {
        "metadata": {"name": "web", "labels": {"app": "web"}},
        "spec": {"selector": {"app": "web"}, "ports": [{"port": 80, "protocol": "TCP", "name": "http"}]},
    }
    fields = fieldsets.owned(of(SERVICE), body)
    assert fieldsets.from_fields_v1(fieldsets.to_fields_v1(fields)) == fields
    # A Service's selector is one value: nobody owns a part of it.
    assert ("f:spec", "f:selector") in fields
    texts = {fieldsets.path_text(path) for path in fields}
    assert '.spec.ports[port=80,protocol="TCP"].name' in texts
    assert ".metadata.name" not in texts
