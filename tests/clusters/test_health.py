"""Every file in tests/manifests/ is a sentence about health: these objects, judged then, read like this."""

from datetime import UTC, datetime

import msgspec
import pytest

from portal.clusters.health.judging import RULES, Around, Health, badge, hint, judge, note, roll_up, sentence
from portal.clusters.health.kubectl import status_word
from portal.clusters.health.terms import BADGE_ORDER, CODES, clip
from portal.clusters.health.words import SENTENCES
from portal.clusters.store import Store, key_of
from portal.clusters.watching.rows import entity_row
from tests.clusters.objects import MANIFESTS, load

CASES = sorted(MANIFESTS.glob("*.yaml"))


@pytest.mark.parametrize("path", CASES, ids=lambda path: path.stem)
def test_reads_as_its_manifest_says(path):
    head, objects = load(path)
    subject = objects[0]
    now = head["now"] if isinstance(head["now"], datetime) else datetime.fromisoformat(head["now"])
    around = Around(Store(objects), now.replace(tzinfo=UTC) if now.tzinfo is None else now)

    if head["subject"] == "entity":
        row = entity_row("component:default/shop", [key_of(item) for item in objects], around)
        assert row is not None
        health = row.health
    else:
        health = judge(type(subject).__name__, subject, around)

    expected = head["expect"]
    said = {
        "avail": health.avail,
        "rollout": health.rollout,
        "code": health.code,
        "badge": badge(health),
        "sentence": sentence(health),
    }
    if "hint" in expected:
        said["hint"] = hint(health)
    if "word" in expected:
        said["word"] = status_word(subject)
    if "note" in expected:
        said["note"] = " ".join(note(item) for item in health.notes)
    assert said == expected


def test_every_code_has_its_words_and_every_word_its_code():
    assert set(SENTENCES) == set(CODES)


@pytest.mark.parametrize("code", sorted(CODES))
def test_a_cluster_that_sends_no_facts_still_gets_a_sentence(code):
    text = sentence(Health("Down", "Stuck", code))
    assert text.endswith((".", "!", "?"))
    assert text[0].isupper()
    assert isinstance(hint(Health("Down", "Stuck", code)), str)


def test_every_kind_of_trouble_that_a_person_must_mend_comes_with_a_hint():
    silent = [code for code, item in CODES.items() if item.is_hard and not hint(Health("Down", "Stuck", code))]
    assert silent == []


SERVING = Health("Serving", "Stable", "serving", {"wanted": 2})
NO_ENDPOINTS = Health("Down", "Stable", "no-endpoints", {"service": "api"})


@pytest.mark.parametrize("error", [ValueError, KeyError, OverflowError, TypeError])
def test_an_object_that_defies_its_rule_is_unknown_and_the_others_are_judged(monkeypatch, error):
    def defied(obj, around):
        raise error("an object that nobody thought of")

    monkeypatch.setitem(RULES, "Service", defied)
    _, [odd, *_] = load(MANIFESTS / "service-serving.yaml")
    _, [fine, *_] = load(MANIFESTS / "node-ready.yaml")
    around = Around(Store([odd, fine]), datetime.now(UTC))
    assert badge(judge("Service", odd, around)) == "Unknown"
    assert badge(judge("Node", fine, around)) == "Healthy"


def test_nothing_found_is_unknown_and_never_healthy():
    assert badge(roll_up([])) == "Unknown"


def test_the_root_cause_tells_the_story_of_the_worst():
    crash = Health("Down", "Stuck", "crash-loop", {"container": "api"})
    quota = Health("Reduced", "Stuck", "quota-exceeded", {"quota": "compute"})
    told = roll_up([SERVING, crash, quota])
    assert badge(told) == "Down"
    assert told.code == "quota-exceeded"


def test_a_service_without_endpoints_is_down_when_nothing_explains_it():
    assert roll_up([SERVING, NO_ENDPOINTS]) == NO_ENDPOINTS


def test_a_service_without_endpoints_is_no_news_while_its_pods_start():
    starting = Health("Down", "Progressing", "starting", {"done": 0, "wanted": 2})
    assert badge(roll_up([starting, NO_ENDPOINTS])) == "Progressing"


def test_a_service_scaled_to_zero_is_idle_though_nothing_answers():
    idle = Health("Idle", "Stable", "scaled-to-zero")
    assert badge(roll_up([idle, NO_ENDPOINTS])) == "Idle"


def test_an_idle_part_does_not_hide_a_healthy_one():
    assert badge(roll_up([Health("Idle", "Stable", "no-selector"), SERVING])) == "Healthy"


def test_every_badge_can_be_worn():
    worn = {badge(Health("Unknown", "Stable", "unknown")), badge(Health("Serving", "Paused", "paused"))}
    worn |= {load(path)[0]["expect"]["badge"] for path in CASES}
    assert worn == set(BADGE_ORDER)


def test_a_message_of_a_megabyte_is_clipped_to_one_line():
    text = clip("line\n" * 200_000)
    assert len(text) <= 600
    assert "\n" not in text
    assert text.endswith("…")


def test_a_deployment_whose_status_lags_behind_its_pods_is_down_at_every_moment_of_a_crash_cycle():
    _, [told, replica_set, pod] = load(MANIFESTS / "deploy-between-crashes-without-probe.yaml")
    now = datetime(2026, 3, 2, 12, 0, 0, tzinfo=UTC)
    [status] = pod.status.container_statuses
    crashed = msgspec.structs.replace(status, ready=False, state=status.last_state, last_state=type(status.state)())
    unready = tuple(msgspec.structs.replace(item, status="False") for item in pod.status.conditions)
    changed = msgspec.structs.replace(pod.status, container_statuses=(crashed,), conditions=unready)
    down = msgspec.structs.replace(pod, status=changed)
    none = msgspec.structs.replace(told.status, available_replicas=0, ready_replicas=0)
    for seen in (pod, down):
        for deployment in (told, msgspec.structs.replace(told, status=none)):
            around = Around(Store([deployment, replica_set, seen]), now)
            assert badge(judge("Deployment", deployment, around)) == "Down"
