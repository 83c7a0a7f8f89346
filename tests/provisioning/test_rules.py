"""Keys, retries and failpoints: the small pure rules of a durable run."""

import signal
import subprocess
import sys

import pytest

from portal.kit import failpoints
from portal.kit.errors import Conflict, Unavailable
from portal.provisioning.engine import retries
from portal.provisioning.engine.keys import MAX_KEY, effect_key, marker


def test_the_key_of_an_effect_is_the_same_every_time_and_different_for_every_effect():
    assert effect_key(7, "publish", 0, "repository", "orders") == effect_key(7, "publish", 0, "repository", "orders")
    others = {effect_key(r, s, i, k, t) for r in (7, 8) for s in "ab" for i in (0, 1) for k in "xy" for t in "mn"}
    assert len(others) == 32


def test_a_long_target_is_shortened_and_stays_unique():
    first, second = (effect_key(7, "apply", 0, "object", "x" * 300 + end) for end in "ab")
    assert len(first) == len(second) == MAX_KEY
    assert first != second


def test_the_marker_names_the_tenant_and_the_run():
    assert marker(1, 23) != marker(12, 3)


def test_only_what_is_away_for_now_is_tried_again_and_only_so_often():
    away, no = Unavailable("The cluster is away."), Conflict("The name is taken.")
    assert [retries.next_delay(away, n).total_seconds() for n in range(1, 6)] == list(retries.DELAYS)
    assert retries.next_delay(away, 6) is None
    assert retries.next_delay(no, 1) is None


@pytest.mark.parametrize(
    ("wish", "code"), [("here", -signal.SIGKILL), ("here:TERM", -signal.SIGTERM), ("there", 0), ("", 0)]
)
def test_a_failpoint_ends_the_process_only_at_its_name(wish, code):
    program = "from portal.kit.failpoints import failpoint; failpoint('here', 'run-1')"
    ended = subprocess.run([sys.executable, "-c", program], env={failpoints.VARIABLE: wish}, check=False)
    assert ended.returncode == code


def test_each_line_of_a_note_in_a_folder_strikes_its_own_run_once(tmp_path, monkeypatch):
    (tmp_path / "run-1").write_text("here:CONT\nthere:CONT")
    monkeypatch.setenv(failpoints.VARIABLE, f"@{tmp_path}")
    failpoints.failpoint("here", "run-2")
    failpoints.failpoint("elsewhere", "run-1")
    assert (tmp_path / "run-1").read_text() == "here:CONT\nthere:CONT"
    failpoints.failpoint("here", "run-1")
    assert (tmp_path / "run-1").read_text() == "there:CONT"
    failpoints.failpoint("there", "run-1")
    assert (tmp_path / "run-1").read_text() == ""
