"""What a step means, in both worlds: conditions, loops, ids, failures, cancels, and what is shown at the end."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from portal.goldenpaths.files import File
from portal.goldenpaths.templates import examine
from portal.provisioning import actions
from portal.provisioning.engine.advance import advance
from portal.provisioning.models import Run, Step, Workspace
from tests.conftest import by
from tests.provisioning.conftest import make_version, reload, rows, start_run, texts
from tests.provisioning.worlds import carry_out, pretend

pytestmark = pytest.mark.django_db(transaction=True)
CASES = Path(__file__).parent / "templates"
BUNDLE = {"skeleton/README.md": b"# hello\n"}


def case(name: str) -> dict[str, Any]:
    document: dict[str, Any] = yaml.safe_load((CASES / f"{name}.yaml").read_text())
    return document


def faults(name: str) -> list[str]:
    files = {"template.yaml": File((CASES / f"{name}.yaml").read_bytes()), "skeleton/README.md": File(b"# hello\n")}
    return [fault.sentence for fault in examine(files).findings]


def version_of(world: Any, document: dict[str, Any]) -> Any:
    spec = document["spec"]
    return make_version(world, spec["steps"], files=BUNDLE, output=spec.get("output"))


def log(key: str = "log", message: str = "hello", **more: Any) -> dict[str, Any]:
    return {"id": key, "name": key, "action": "debug:log", "input": {"message": message}, **more}


FAILS = {"id": "fail", "name": "fail", "action": "fs:rename", "input": {"files": [{"from": "nowhere", "to": "x"}]}}
ALWAYS, FAILURE = {"if": "${{ always() }}"}, {"if": "${{ failure() }}"}


def ended(run: Run) -> dict[str, str]:
    return {step.key: step.status for step in rows(Step, run)}


# The given cases, and their brothers.


def test_case_each_output_is_refused_in_the_review_before_anything_is_made(committed_world, silent, settings, tmp_path):
    settings.GIT_ROOT = tmp_path
    version = version_of(committed_world, case("each-output"))
    values = {"names": ["each-one", "each-two"]}
    seen, made = pretend(committed_world, version, values)
    done, _ = carry_out(committed_world, version, values, {})
    assert seen.refusal == done.refusal
    assert "has no “0”" in seen.refusal
    assert made.is_blocked


def test_outputs_of_each_are_lists_under_the_same_names(committed_world, silent, settings, tmp_path):
    settings.GIT_ROOT = tmp_path
    document = case("each-output")
    document["spec"]["steps"][2]["input"]["message"] = "${{ steps.pub.output.remoteUrl[1] }}"
    version = version_of(committed_world, document)
    values = {"names": ["each-one", "each-two"]}
    seen, made = pretend(committed_world, version, values)
    done, _ = carry_out(committed_world, version, values, {})
    assert (seen.refusal, done.refusal) == ("", "")
    assert seen.steps == done.steps
    assert [one.name for one in made.repositories] == ["each-one", "each-two"]
    assert seen.steps[2][2]["message"].endswith("/each-two.git")


def test_case_exclusive_steps_share_an_id(committed_world, silent):
    assert faults("exclusive-steps-one-id") == []
    version = version_of(committed_world, case("exclusive-steps-one-id"))
    for host in ("a", "b"):
        seen, _ = pretend(committed_world, version, {"host": host})
        done, run = carry_out(committed_world, version, {"host": host}, {})
        assert seen.steps == done.steps
        assert run.status == "succeeded"
        assert [runs for _, runs, _ in seen.steps] == [host == "a", host == "b"]


def test_steps_that_share_an_id_and_both_run_are_refused(committed_world, silent):
    version = make_version(committed_world, [log("x", **{"if": True}), log("x", **{"if": "${{ parameters.name }}"})])
    seen, _ = pretend(committed_world, version, {"name": "a"})
    done, run = carry_out(committed_world, version, {"name": "a"}, {})
    assert seen.refusal == done.refusal
    assert "must exclude each other" in seen.refusal
    assert run.status == "failed"


def test_the_output_of_the_one_that_ran_is_read_under_the_shared_id(committed_world, silent, settings, tmp_path):
    settings.GIT_ROOT = tmp_path

    def publish(name: str, condition: str) -> dict[str, Any]:
        return {"id": "pub", "action": "publish:slipway", "if": condition, "input": {"repo": name}}

    steps = [
        {"id": "files", "action": "fetch:plain", "input": {"url": "./skeleton"}},
        publish("first", "${{ parameters.name === 'a' }}"),
        publish("second", "${{ parameters.name === 'b' }}"),
        log("say", "${{ steps.pub.output.repo }}"),
    ]
    version = make_version(committed_world, steps, files=BUNDLE)
    for name, repo in (("a", "first"), ("b", "second")):
        seen, _ = pretend(committed_world, version, {"name": name})
        done, _ = carry_out(committed_world, version, {"name": name}, {})
        assert seen.steps == done.steps
        assert seen.steps[3][2] == {"message": repo}


def test_case_hyphen_id_says_how_to_write_it(committed_world, silent):
    assert faults("hyphen-id") == ["A name with a hyphen is not read behind a dot: write steps['first-step']."]
    document = case("hyphen-id")
    text = yaml.safe_dump(document).replace("steps.first-step.output", "steps['first-step'].output")
    assert examine({"template.yaml": File(text.encode())}).findings == []


def test_a_question_with_a_hyphen_as_well():
    document = case("hyphen-id")
    document["spec"]["parameters"] = [{"properties": {"my-name": {"type": "string"}}}]
    document["spec"]["steps"] = [log("say", "${{ parameters.my-name }}")]
    found = examine({"template.yaml": File(yaml.safe_dump(document).encode())}).findings
    assert [fault.sentence for fault in found] == [
        "A name with a hyphen is not read behind a dot: write parameters['my-name']."
    ]


def test_case_loop_over_nothing_is_no_iteration(committed_world, silent):
    version = version_of(committed_world, case("loop-over-nothing"))
    seen, _ = pretend(committed_world, version, {"list": None})
    done, run = carry_out(committed_world, version, {"list": None}, {})
    assert seen.steps == done.steps == [("log", True, {"message": ""})]
    assert run.status == "succeeded"


@pytest.mark.parametrize("items", [None, [], {}])
def test_each_over_nothing_does_nothing_and_its_outputs_are_empty_lists(
    committed_world, silent, settings, tmp_path, items
):
    settings.GIT_ROOT = tmp_path
    steps = [
        {
            "id": "pub",
            "action": "publish:slipway",
            "each": "${{ parameters.l }}",
            "input": {"repo": "${{ each.value }}"},
        },
        log("say", "${{ steps.pub.output.remoteUrl | length }} made"),
    ]
    version = make_version(committed_world, steps)
    seen, _ = pretend(committed_world, version, {"l": items})
    done, run = carry_out(committed_world, version, {"l": items}, {})
    assert (run.status, seen.steps) == ("succeeded", done.steps)
    assert seen.steps[1][2] == {"message": "0 made"}


def test_case_output_if_links_and_texts_follow_their_condition(committed_world, silent):
    version = version_of(committed_world, case("output-if"))
    for ci, titles, words in (
        (False, ["Always"], ["Shown text"]),
        (True, ["Always", "Only with CI"], ["Hidden text", "Shown text"]),
    ):
        seen, _ = pretend(committed_world, version, {"ci": ci})
        done, run = carry_out(committed_world, version, {"ci": ci}, {})
        assert seen.output == done.output
        assert [link["title"] for link in run.output["links"]] == titles
        assert [text["title"] for text in run.output["text"]] == words
        assert all("if" not in item for item in [*run.output["links"], *run.output["text"]])


def test_one_link_that_cannot_be_shown_takes_no_other_with_it(committed_world, silent):
    output = {
        "links": [{"title": "Bad", "url": "${{ parameters.name.x }}"}, {"title": "Good", "url": "https://a.example/"}]
    }
    version = make_version(committed_world, [log()], output=output)
    seen, made = pretend(committed_world, version, {"name": "a"})
    done, run = carry_out(committed_world, version, {"name": "a"}, {})
    assert seen.output == done.output == {"links": [{"title": "Good", "url": "https://a.example/"}]}
    assert run.status == "succeeded"
    assert any("cannot be shown in full" in problem.sentence and not problem.is_error for problem in made.problems)


# After a failure.


def test_case_fail_late_always_and_failure_run_after_the_failure_and_the_output_is_shown(committed_world, silent):
    document = case("fail-late")
    document["spec"]["steps"][:2] = [FAILS]
    version = version_of(committed_world, document)
    seen, _ = pretend(committed_world, version, {})
    done, run = carry_out(committed_world, version, {}, {})
    assert seen.steps == done.steps
    assert ended(run) == {"fail": "failed", "cleanup": "succeeded", "only": "succeeded"}
    assert (run.status, run.error_code) == ("failed", "missing-file")
    assert {"cleanup ran", "failure ran"} <= set(texts(run))
    assert run.output == seen.output == {"links": [{"title": "Report it", "url": "https://help.example/"}]}


def test_without_a_failure_always_runs_and_failure_does_not(committed_world, silent):
    version = make_version(committed_world, [log("one"), log("always", **ALWAYS), log("failure", **FAILURE)])
    seen, _ = pretend(committed_world, version, {})
    done, run = carry_out(committed_world, version, {}, {})
    assert seen.steps == done.steps
    assert ended(run) == {"one": "succeeded", "always": "succeeded", "failure": "skipped"}
    assert run.status == "succeeded"


def test_ordinary_steps_do_not_run_after_a_failure_and_a_second_failure_hides_not_the_first(committed_world, silent):
    second = {**FAILS, "id": "second", **ALWAYS, "input": {"files": [{"from": "other", "to": "x"}]}}
    version = make_version(committed_world, [FAILS, log("plain"), second, log("last", **ALWAYS)])
    seen, _ = pretend(committed_world, version, {})
    done, run = carry_out(committed_world, version, {}, {})
    assert seen.steps == done.steps
    assert ended(run) == {"fail": "failed", "plain": "pending", "second": "failed", "last": "succeeded"}
    assert "nowhere" in run.error_text
    assert seen.refusal == done.refusal


def test_a_step_that_did_not_run_has_nothing_in_its_output(committed_world, silent):
    skipped = log("skipped", **{"if": False})
    say = log("say", "[${{ steps.skipped.output.url }}] ${{ steps.skipped.output.url | default('none') }}")
    version = make_version(committed_world, [skipped, say])
    seen, _ = pretend(committed_world, version, {})
    done, _ = carry_out(committed_world, version, {}, {})
    assert seen.steps == done.steps
    assert seen.steps[1][2] == {"message": "[] none"}


def test_a_retry_after_a_failure_runs_the_tidying_again(committed_world, silent, finish):
    run = finish(start_run(committed_world, [log("one"), FAILS, log("tidy", "tidied", **ALWAYS)]))
    assert ended(run) == {"one": "succeeded", "fail": "failed", "tidy": "succeeded"}
    with committed_world.tenant():
        actions.retry(organisation=committed_world.acme, actor=by(committed_world.dev), run=run)
    assert (reload(run).output, ended(run)) == ({}, {"one": "succeeded", "fail": "pending", "tidy": "pending"})
    run = finish(run)
    assert run.status == "failed"
    assert texts(run).count("tidied") == 2
    assert {step.key: step.attempt for step in rows(Step, run)} == {"one": 1, "fail": 2, "tidy": 2}


# In a cancel.


def cancel(world: Any, run: Run) -> None:
    with world.tenant():
        actions.cancel(organisation=world.acme, actor=by(world.dev), run=run)


def test_a_cancelled_run_still_tidies_up_and_is_cancelled(committed_world, silent, finish):
    steps = [log("one"), log("two"), log("tidy", "tidied", **ALWAYS), log("sorry", "sorry", **FAILURE)]
    run = start_run(committed_world, steps, output={"text": [{"content": "It was stopped."}]})
    assert advance(run.organisation_id, run.pk)
    cancel(committed_world, run)
    run = finish(run)
    assert run.status == "cancelled"
    assert ended(run) == {"one": "succeeded", "two": "pending", "tidy": "succeeded", "sorry": "succeeded"}
    assert {"tidied", "sorry", "The run was cancelled."} <= set(texts(run))
    assert run.output == {"text": [{"content": "It was stopped."}]}


def test_a_tidying_step_makes_its_effects_although_the_run_was_asked_to_stop(
    committed_world, silent, finish, settings, tmp_path
):
    settings.GIT_ROOT = tmp_path
    steps = [
        {"id": "files", "action": "fetch:plain", "input": {"url": "./skeleton"}},
        log("never"),
        {"id": "pub", "action": "publish:slipway", "input": {"repo": "report"}, **ALWAYS},
    ]
    run = start_run(committed_world, steps, files=BUNDLE)
    advance(run.organisation_id, run.pk)
    cancel(committed_world, run)
    run = finish(run)
    assert (run.status, ended(run)["pub"]) == ("cancelled", "succeeded")


def test_a_wish_to_stop_after_the_last_step_changes_nothing(committed_world, silent, finish):
    run = start_run(committed_world, [log("one")])
    advance(run.organisation_id, run.pk)
    cancel(committed_world, run)
    assert finish(run).status == "succeeded"


def test_a_workspace_that_was_emptied_stays_empty(committed_world, silent):
    steps = [
        {"id": "files", "action": "fetch:plain", "input": {"url": "./skeleton"}},
        {"id": "gone", "action": "fs:delete", "input": {"files": ["**"]}},
        {"id": "list", "action": "debug:log", "input": {"listWorkspace": True}},
        FAILS,
    ]
    version = make_version(committed_world, steps, files=BUNDLE)
    _, made = pretend(committed_world, version, {})
    _, run = carry_out(committed_world, version, {}, {})
    assert made.files == []
    assert "The workspace holds 0 files." in texts(run)
    assert len(rows(Workspace, run)) == 1, "kept for a retry"
