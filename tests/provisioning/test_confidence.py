"""What a person told a run in confidence is nowhere afterwards: not in any table, not in a file, in no costume."""

from __future__ import annotations

import base64
import io
import json
import os
import tarfile
from collections.abc import Collection, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

import psycopg
import pytest

from portal.provisioning import actions
from portal.provisioning.acting.contract import EffectTarget
from portal.provisioning.acting.outcomes import Done, Wait
from portal.provisioning.engine import sealing
from portal.provisioning.engine.advance import advance
from portal.provisioning.models import Effect, Run, Step, Workspace
from tests.conftest import by
from tests.provisioning.conftest import acts, reload, rows, start_run, texts

pytestmark = pytest.mark.django_db(transaction=True)

SECRET = 'pa55-"wörd"/&+=x'
COSTUMES = {
    SECRET,
    base64.b64encode(SECRET.encode()).decode(),
    base64.b64encode(b"u:" + SECRET.encode()).decode()[4:-4],
    quote(SECRET, safe=""),
    json.dumps(SECRET)[1:-1],
    SECRET.upper(),
}
BUNDLE = {"skeleton/.env": b"TOKEN=${{ values.token }}\n"}
FETCH = {
    "id": "fetch",
    "action": "fetch:template",
    "input": {"url": "./skeleton", "values": {"token": "${{ secrets.token }}"}},
}
FAILS = {
    "id": "fail",
    "action": "fs:rename",
    "input": {"files": [{"from": "gone-${{ secrets.token }}", "to": "x"}]},
}


def say(key: str = "say", message: str = "", **more: Any) -> dict[str, Any]:
    dressed = (
        "${{ secrets.token }} ${{ secrets.token | upper }} ${{ secrets.token | urlencode }} ${{ secrets.token | dump }}"
    )
    return {"id": key, "action": "debug:log", "input": {"message": message or dressed}, **more}


LOOP = say(
    "loop", "${{ each.key }} is ${{ each.value }}", each={"one": "${{ secrets.token }}", "two": "x${{ secrets.token }}"}
)


def launched(world: Any, steps: list[dict[str, Any]]) -> Run:
    return start_run(world, steps, files=BUNDLE, secrets={"token": SECRET})


def dump() -> Iterator[tuple[str, str]]:
    """Every row of every table as text, within each organisation's wall and outside of all; bytes as what they hold."""
    with psycopg.connect(os.environ["DATABASE_OWNER_URL"]) as connection:
        tables = connection.execute(
            "SELECT format('%I.%I', schemaname, tablename) FROM pg_tables"
            " WHERE schemaname NOT IN ('pg_catalog', 'information_schema')"
        ).fetchall()
        tenants = connection.execute("SELECT id::text FROM accounts_organisation").fetchall()
        for (tenant,) in [("",), *tenants]:
            connection.execute("SELECT set_config('app.tenant', %s, false)", [tenant])
            for (table,) in tables:
                rows = connection.execute(f"SELECT one::text FROM {table} AS one").fetchall()
                yield table, "\n".join(text for (text,) in rows)
            for (content,) in connection.execute("SELECT content FROM provisioning_workspace").fetchall():
                yield "workspace", opened(bytes(content))


def opened(content: bytes) -> str:
    """What somebody with the bytes alone would read in them."""
    try:
        with tarfile.open(fileobj=io.BytesIO(content)) as archive:
            return "".join(archive.extractfile(entry).read().decode() for entry in archive if entry.isfile())  # type: ignore[union-attr]
    except tarfile.ReadError:
        return content.decode("latin-1")


def leaks(forms: Collection[str] = COSTUMES) -> list[str]:
    """Where the secret is found, in the database and among the product's files."""
    found = [f"{table}: {form}" for table, text in dump() for form in forms if form in text or quoted(form) in text]
    for file in Path(os.environ["SLIPWAY_VAR"]).rglob("*"):
        # The engines' own files hold what the tables hold, compressed or not; logs and repositories are ours.
        if file.is_file() and "pg" not in file.parts and not file.is_symlink():
            data = file.read_bytes()
            found += [f"{file}: {form}" for form in forms if form.encode() in data]
    return found


def quoted(form: str) -> str:
    """The form as a row's text has it: quotes are doubled, and backslashes."""
    return form.replace("\\", "\\\\").replace('"', '""')


def test_the_search_itself_finds_what_lies_open(committed_world, silent, finish):
    run = finish(
        start_run(committed_world, [FETCH_OPEN, say("say", "in the open")], files=BUNDLE, values={"name": SECRET})
    )
    assert run.status == "succeeded"
    assert any(leak.startswith("public.provisioning_run") for leak in leaks())


FETCH_OPEN = {
    "id": "fetch",
    "action": "fetch:template",
    "input": {"url": "./skeleton", "values": {"token": "${{ parameters.name }}"}},
}


def test_while_a_run_works_its_secrets_and_its_files_are_sealed(committed_world, silent, settings):
    run = launched(committed_world, [FETCH, say(), LOOP])
    for _ in range(3):
        advance(run.organisation_id, run.pk)
        assert leaks() == []
    [kept] = rows(Workspace, run)
    run = reload(run)
    assert bytes(kept.content).startswith(sealing.MAGIC)
    assert SECRET in opened(sealing.opened_files(run, bytes(kept.content)))
    settings.CLUSTER_PRIVATE_KEY = ""
    with pytest.raises(Exception, match="cannot open"):
        sealing.opened_files(run, bytes(kept.content))


@pytest.mark.parametrize("end", ["succeeded", "failed", "cancelled", "undone", "crashed", "key lost"])
def test_after_the_end_it_is_nowhere(committed_world, silent, finish, monkeypatch, settings, end):
    made = []

    def makes(ctx: Any, given: dict[str, Any]) -> Done:
        secret = given["message"]
        target = EffectTarget(f"thing-{secret}", f"Thing {secret}", {"was": secret}, {"name": f"thing-{secret}"})
        [intent] = ctx.intend("repository", [target])
        made.append(intent.reference["name"])
        ctx.log(f"made {secret}")
        intent.confirm("created", {**intent.reference, "url": f"https://x/{quote(secret)}"})
        return Done({"remoteUrl": f"https://u:{secret}@x/", "entityRef": f"component:default/{secret}"})

    steps = [FETCH, LOOP, say(), *([FAILS] if end in ("failed", "undone") else []), say("late")]
    run = launched(committed_world, steps)
    acts(monkeypatch, "debug:log", makes)
    advance(run.organisation_id, run.pk)
    advance(run.organisation_id, run.pk)
    assert made == [f"thing-one is {SECRET}", f"thing-two is x{SECRET}"], "the step itself reads what it wrote"
    if end == "cancelled":
        with committed_world.tenant():
            actions.cancel(organisation=committed_world.acme, actor=by(committed_world.dev), run=run)
    if end == "crashed":
        acts(monkeypatch, "debug:log", dies)
        crash(run, monkeypatch)
    if end == "key lost":
        settings.CLUSTER_PRIVATE_KEY = ""
    run = finish(run)
    if end == "undone":
        with committed_world.tenant():
            actions.undo(organisation=committed_world.acme, actor=by(committed_world.dev), run=run)
        run = finish(run)
        assert {effect.undo for effect in rows(Effect, run)} == {"left"}
        assert "take it back by hand" in rows(Effect, run)[0].undo_text
    assert run.status == {"crashed": "failed", "key lost": "failed"}.get(end, end), run.error_text
    assert (run.secrets, rows(Workspace, run)) == ("", [])
    assert leaks() == []
    assert "***" in " ".join([*texts(run), *(effect.label for effect in rows(Effect, run))])


class WorkerDied(BaseException):
    """As abrupt as it gets in one process."""


def dies(ctx: Any, given: dict[str, Any]) -> Done:
    raise WorkerDied


def crash(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    from portal.provisioning.engine import advance as module

    monkeypatch.setattr(module, "AFTER_A_BUG", module.AFTER_A_BUG * 0)
    for _ in range(module.MAX_STRIKES):
        with pytest.raises(WorkerDied):
            advance(run.organisation_id, run.pk)


def test_a_sentence_to_wait_by_is_masked_too(committed_world, silent, monkeypatch):
    acts(monkeypatch, "debug:log", lambda ctx, given: Wait(ctx.run_created_at.replace(year=2099), (), given["message"]))
    run = launched(committed_world, [say()])
    advance(run.organisation_id, run.pk)
    assert "***" in rows(Step, run)[0].sentence
    assert leaks() == []


def test_a_retry_makes_the_files_again_that_were_not_kept_and_nothing_else(
    committed_world, silent, finish, settings, tmp_path
):
    settings.GIT_ROOT = tmp_path
    steps = [
        {"id": "plain", "action": "fetch:plain", "input": {"url": "./skeleton"}},
        {"id": "pub", "action": "publish:slipway", "input": {"repo": "kept-once"}},
        FETCH,
        {"id": "fail", "action": "fs:rename", "input": {"files": [{"from": "gone", "to": "x"}]}},
    ]
    run = finish(launched(committed_world, steps))
    assert (run.status, rows(Workspace, run)) == ("failed", [])
    with committed_world.tenant():
        actions.retry(
            organisation=committed_world.acme, actor=by(committed_world.dev), run=run, secrets={"token": SECRET}
        )
    run = finish(run)
    assert {step.key: step.attempt for step in rows(Step, run)} == {"plain": 2, "pub": 1, "fetch": 2, "fail": 2}
    assert "There is no “gone”" in run.error_text, "it came as far as before"
