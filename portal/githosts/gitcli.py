"""Git by its command line, with everything switched off that a stranger's repository could use against us."""

import os
import signal
import subprocess
import tempfile
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from portal.githosts.errors import GitFailed, GitTimedOut, GitTooMuch

OUTPUT_LIMIT = 64 * 1024 * 1024
STDERR_LIMIT = 64 * 1024
TIMEOUT = 30.0

# On the command line, so that they beat whatever the repository's own configuration says.
HARDENING = (
    "core.hooksPath=/dev/null",
    "core.fsmonitor=false",
    # An object is what its id says: no replacement that a repository brings along, and no other parents for it.
    "core.useReplaceRefs=false",
    "core.symlinks=false",
    # Names that other systems take for .git are refused on this one too, whatever its file system.
    "core.protectHFS=true",
    "core.protectNTFS=true",
    "core.askPass=",
    "credential.helper=",
    "submodule.recurse=false",
    "http.followRedirects=false",
    "protocol.ext.allow=never",
    "safe.directory=*",
    "gc.auto=0",
    "advice.detachedHead=false",
)


@dataclass(frozen=True)
class GitEnding:
    """How a git command ended."""

    code: int
    stdout: bytes
    stderr: bytes

    @property
    def words(self) -> str:
        """What git said, shortened for a log line."""
        return self.stderr.decode("utf-8", "replace").strip()[-2000:]


def environment(extra: Mapping[str, str] | None = None, *, protocols: str = "") -> dict[str, str]:
    """A git environment that inherits nothing but PATH; `protocols` is git's own colon-separated allow-list."""
    return {
        "PATH": os.environ.get("PATH", "/usr/bin:/bin"),
        "HOME": "/nonexistent",
        "LC_ALL": "C",
        "GIT_CONFIG_NOSYSTEM": "1",
        "GIT_CONFIG_GLOBAL": os.devnull,
        "GIT_TERMINAL_PROMPT": "0",
        "GIT_ASKPASS": "true",
        # Handed on to hooks and to git's own programs, which a setting on the command line does not always reach.
        "GIT_NO_REPLACE_OBJECTS": "1",
        "GIT_GRAFT_FILE": "/nonexistent/grafts",
        "GIT_ATTR_NOSYSTEM": "1",
        "GIT_ALLOW_PROTOCOL": protocols or "none",
        "GIT_SSH_COMMAND": SSH,
        **(extra or {}),
    }


SSH = "ssh -o BatchMode=yes -o ConnectTimeout=5 -o ForwardAgent=no -o ProxyCommand=none -o PermitLocalCommand=no"


def argv(args: Sequence[str], config: Sequence[str] = ()) -> list[str]:
    """The whole command line of one git command."""
    settings = [part for setting in (*HARDENING, *config) for part in ("-c", setting)]
    return ["git", *settings, *args]


def run(
    args: Sequence[str],
    cwd: Path,
    *,
    stdin: bytes = b"",
    config: Sequence[str] = (),
    env: Mapping[str, str] | None = None,
    protocols: str = "",
    timeout: float = TIMEOUT,
    limit: int = OUTPUT_LIMIT,
    file_limit: int = 0,
) -> bytes:
    """Run git and return what it wrote; GitFailed with git's words in `.stderr` when it ends with an error.

    `timeout` is in seconds; `limit` caps the answer and `file_limit` each file that git writes, in bytes.
    """
    outcome = attempt(
        args,
        cwd,
        stdin=stdin,
        config=config,
        env=env,
        protocols=protocols,
        timeout=timeout,
        limit=limit,
        file_limit=file_limit,
    )
    if outcome.code != 0:
        raise GitFailed(f"Git could not finish “{_verb(args)}”.", stderr=outcome.words)
    return outcome.stdout


def attempt(
    args: Sequence[str],
    cwd: Path,
    *,
    stdin: bytes = b"",
    config: Sequence[str] = (),
    env: Mapping[str, str] | None = None,
    protocols: str = "",
    timeout: float = TIMEOUT,
    limit: int = OUTPUT_LIMIT,
    file_limit: int = 0,
) -> GitEnding:
    """Like `run`, but an unhappy end is an answer rather than an exception."""
    command = argv(args, config)
    if file_limit:
        # The shell only sets the limit; the command reaches it as arguments, never as text.
        command = ["/bin/sh", "-c", 'ulimit -f "$0"; exec "$@"', str(file_limit // 512), *command]
    with tempfile.TemporaryFile() as feed:
        # A file instead of a pipe: git may stop reading early, and nobody then has to handle a broken pipe.
        feed.write(stdin)
        feed.seek(0)
        process = subprocess.Popen(
            command,
            cwd=cwd,
            env=environment(env, protocols=protocols),
            stdin=feed,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            start_new_session=True,
        )
        return _collect(process, _verb(args), timeout, limit)


def _verb(args: Sequence[str]) -> str:
    """The command's name among its arguments, for a sentence."""
    return next((arg for arg in args if not arg.startswith("-")), "git")


def _collect(process: subprocess.Popen[bytes], verb: str, timeout: float, limit: int) -> GitEnding:
    assert process.stdout is not None
    assert process.stderr is not None
    out, err = _Capped(limit, process), _Capped(STDERR_LIMIT, None)
    readers = [
        threading.Thread(target=out.read, args=(process.stdout,), daemon=True),
        threading.Thread(target=err.read, args=(process.stderr,), daemon=True),
    ]
    for reader in readers:
        reader.start()
    try:
        process.wait(timeout)
    except subprocess.TimeoutExpired as error:
        raise GitTimedOut(f"Git did not finish “{verb}” within {timeout:g} seconds.", status=504) from error
    finally:
        kill(process)
        for reader in readers:
            reader.join()
        process.stdout.close()
        process.stderr.close()
    if out.overflowed:
        raise GitTooMuch(f"Git’s answer to “{verb}” is larger than {limit} bytes.", status=413)
    return GitEnding(process.returncode, bytes(out.kept), bytes(err.kept))


def kill(process: subprocess.Popen[bytes]) -> None:
    """End git with the programs it started itself (git-remote-https, ssh); it is the leader of its session."""
    try:
        os.killpg(process.pid, signal.SIGKILL)
    except ProcessLookupError:
        pass
    except PermissionError:  # macOS answers so for a group of zombies
        process.kill()
    process.wait()


class _Capped:
    """Reads a pipe to its end, keeps at most `limit` bytes, and ends the writer (if given) that sends more."""

    def __init__(self, limit: int, writer: subprocess.Popen[bytes] | None) -> None:
        self.limit = limit
        self.writer = writer
        self.kept = bytearray()
        self.overflowed = False

    def read(self, pipe: IO[bytes]) -> None:
        while chunk := pipe.read1(65536):  # type: ignore[attr-defined]  # BufferedReader; IO does not name read1
            room = self.limit - len(self.kept)
            self.kept += chunk[:room]
            if len(chunk) > room:
                self.overflowed = True
                if self.writer is not None:
                    self.writer.kill()
