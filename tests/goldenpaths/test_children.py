"""The rendering server: one fork a request, nothing within a child's reach, and no death that anybody notices twice."""

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from portal.goldenpaths.language import children, rendering
from portal.goldenpaths.language.children import CHILDREN, RENDERER, Children
from portal.goldenpaths.language.rendering import RenderError, render_value


def render(text: str = "${{ n + 1 }}") -> object:
    return render_value(text, {"n": 1})


def alive(pid: int) -> bool:
    return Path(f"/proc/{pid}").exists()


def below(pid: int) -> list[int]:
    """The children of a process, dead ones that nobody buried included."""
    return [int(one) for one in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def until(holds: Callable[[], Any], seconds: float = 10) -> None:
    end = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < end
        time.sleep(0.01)


PROBE = """
import importlib.util, os, resource, socket, sys
spec = importlib.util.spec_from_file_location("renderer", sys.argv[1])
renderer = importlib.util.module_from_spec(spec)
spec.loader.exec_module(renderer)
renderer._imported()
mine, theirs = socket.socketpair()
renderer.bound(theirs.fileno())
assert dict(os.environ).keys() <= {"LC_CTYPE"}, dict(os.environ)
for reach in (lambda: open("/etc/passwd"), lambda: socket.socket(), lambda: os.pipe()):
    try:
        reach()
    except OSError as error:
        assert error.errno == 24, error
    else:
        raise SystemExit("reached")
for gone in range(3, 64):
    try:
        os.fstat(gone)
    except OSError as error:
        assert error.errno == 9, error
    else:
        raise SystemExit("kept")
assert resource.getrlimit(resource.RLIMIT_AS) == (renderer.MEMORY,) * 2
assert resource.getrlimit(resource.RLIMIT_FSIZE) == (0, 0)
os._exit(0)
"""


def test_a_child_sees_no_environment_and_opens_no_file(monkeypatch: pytest.MonkeyPatch) -> None:
    """What a template that escaped could reach, asked in a process that is bounded by the same function."""
    monkeypatch.setenv("SECRET_OF_THE_PORTAL", "hunter2")
    done = subprocess.run([sys.executable, "-I", "-c", PROBE, str(RENDERER)], env={}, capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")


def test_the_server_itself_was_given_nothing() -> None:
    assert render() == 2
    server = Path(f"/proc/{CHILDREN.pid()}")
    assert server.joinpath("environ").read_bytes() == b""
    assert os.readlink(server / "cwd") == "/"
    # Who asked hears of the child's end a moment before the server lets go of what it told that by.
    until(lambda: below(CHILDREN.pid()) == [] and held_by(server) == {"/dev/null", "socket"})


def held_by(process: Path) -> set[str]:
    """What kinds of files a process of /proc has open; empty while they change."""
    try:
        return {os.readlink(fd).partition(":")[0] for fd in process.joinpath("fd").iterdir()}
    except FileNotFoundError:
        return set()


def test_one_server_serves_request_after_request_and_buries_its_children() -> None:
    assert render() == 2
    pid = CHILDREN.pid()
    assert [render("x${{ n }}") for _ in range(5)] == ["x1"] * 5
    assert CHILDREN.pid() == pid
    until(lambda: below(pid) == [])


def test_threads_ask_at_once_and_each_gets_its_own_answer() -> None:
    answers: dict[int, object] = {}

    def ask(number: int) -> None:
        answers[number] = render_value("${{ n }}-${{ 'x' | center(200) | trim }}", {"n": number})

    threads = [threading.Thread(target=ask, args=(number,)) for number in range(24)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert answers == {number: f"{number}-x" for number in range(24)}


def test_a_server_that_died_is_started_again_and_nobody_notices() -> None:
    render()
    before = CHILDREN.pid()
    os.kill(before, signal.SIGKILL)
    until(lambda: Path(f"/proc/{before}/stat").read_text().rpartition(") ")[2].startswith("Z"))
    assert render() == 2
    assert CHILDREN.pid() != before
    assert not alive(before), "buried"


def test_a_server_that_dies_while_its_child_works_is_asked_again(monkeypatch: pytest.MonkeyPatch) -> None:
    mine = Children()
    monkeypatch.setattr(rendering, "CHILDREN", mine)
    asked: list[int] = []
    converse = children._converse

    def struck(*args: Any) -> bytes | None:
        asked.append(mine.pid())
        if len(asked) == 1:
            os.kill(mine.pid(), signal.SIGKILL)
        return converse(*args)

    monkeypatch.setattr(children, "_converse", struck)
    assert render() == 2
    assert len(asked) == 2
    assert asked[0] != asked[1]


def test_a_child_killed_from_outside_is_not_called_a_template_that_is_too_large() -> None:
    render()
    server = CHILDREN.pid()
    until(lambda: below(server) == [])
    refusals: list[RenderError] = []

    def ask() -> None:
        with pytest.raises(RenderError) as caught:
            render("{% for i in range(99999) %}{% for j in range(99999) %}{% endfor %}{% endfor %}")
        refusals.append(caught.value)

    thread = threading.Thread(target=ask)
    thread.start()
    until(lambda: below(server))
    os.kill(below(server)[0], signal.SIGKILL)
    thread.join()
    assert "killed from outside (SIGKILL)" in refusals[0].text
    assert CHILDREN.pid() == server, "the server lives on"


def test_a_forked_process_gets_a_server_of_its_own() -> None:
    render()
    server = CHILDREN.pid()
    pid = os.fork()
    if pid == 0:
        os._exit(0 if CHILDREN.pid() == 0 and render() == 2 and CHILDREN.pid() not in (0, server) else 1)
    assert os.waitpid(pid, 0)[1] == 0
    assert render() == 2
    assert CHILDREN.pid() == server


def test_a_server_ends_with_the_process_that_asked() -> None:
    program = (
        "from portal.goldenpaths.language.rendering import RenderJob, render_tree\n"
        "from portal.goldenpaths.language.children import CHILDREN\n"
        "render_tree([RenderJob('${{ 1 }}')], {}); print(CHILDREN.pid(), flush=True)"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    until(lambda: not alive(int(done.stdout)))


def test_an_idle_server_ends() -> None:
    program = (
        "import importlib.util, socket, sys\n"
        "spec = importlib.util.spec_from_file_location('renderer', sys.argv[1])\n"
        "renderer = importlib.util.module_from_spec(spec); spec.loader.exec_module(renderer)\n"
        "renderer.IDLE_SECONDS = 0.1\n"
        "mine, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)\n"
        "renderer.serve(theirs)"
    )
    done = subprocess.run([sys.executable, "-I", "-c", program, str(RENDERER)], timeout=20, check=False)
    assert done.returncode == 0
