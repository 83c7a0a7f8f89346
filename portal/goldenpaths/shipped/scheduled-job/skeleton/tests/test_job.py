"""What one run does and says."""

import io
import json
from datetime import UTC, datetime

import pytest

from ${{ values.package }}.job import Outcome, run, work

NOON = datetime(2026, 1, 2, 12, tzinfo=UTC)


def go(*arguments, job=work):
    out = io.StringIO()
    code = run(arguments, job=job, out=out, clock=lambda: NOON)
    return code, [json.loads(line) for line in out.getvalue().splitlines()]


def test_a_run_says_what_it_did():
    code, lines = go()
    assert code == 0
    assert [line["message"] for line in lines] == ["started", "finished"]
    assert lines[-1]["handled"] == 13
    assert lines[0]["time"] == "2026-01-02T12:00:00+00:00"


def test_a_dry_run_does_nothing():
    assert work(NOON, dry_run=True) == Outcome(handled=0, skipped=13)
    assert go("--dry-run")[1][-1]["handled"] == 0


def test_a_failure_fails_the_run_and_is_reported():
    def broken(now, *, dry_run):
        raise RuntimeError("the printer is out of paper")

    code, lines = go(job=broken)
    assert code == 1
    assert lines[-1]["error"] == "RuntimeError: the printer is out of paper"


def test_an_unknown_option_is_refused():
    with pytest.raises(SystemExit):
        go("--nonsense")
