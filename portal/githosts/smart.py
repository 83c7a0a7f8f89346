"""Git's smart HTTP protocol: what a request asks for, and git's own programs answering it with no hook but ours."""

import asyncio
import os
import re
import tempfile
import zlib
from collections.abc import AsyncIterator, Iterable, Iterator
from pathlib import Path
from typing import IO

from portal.githosts import gitcli
from portal.kit.errors import Invalid, TooLarge

SERVICES = ("git-upload-pack", "git-receive-pack")
HOOKS = Path(__file__).resolve().parent / "hooks"
PROTOCOL = re.compile(r"^version=[0-9](:[a-z0-9=.-]{1,40}){0,4}$")
CHUNK = 64 * 1024
SIDE = b"\x02"  # the band of a packet that git prints as `remote: …`
SECONDS = 300
# What git calls the faults that it finds in a push, as a sentence for who pushed; the object's id is in git's own line.
FAULTS = {
    "hasDotgit": "A file or folder in this push has a name that some systems take for a repository’s own .git folder.",
    "hasDotdot": "A folder in this push is called “..”, which leads out of the repository.",
    "hasDot": "A folder in this push is called “.”, which is the folder itself.",
    "fullPathname": "A name in this push has a slash in it, which no file can have.",
    "gitmodulesSymlink": "The file .gitmodules in this push is a symbolic link; git reads it as a file alone.",
    "gitmodulesUrl": "The file .gitmodules in this push names an address that git takes for an option or a command.",
    "gitmodulesPath": "The file .gitmodules in this push names a path that git takes for an option.",
    "gitmodulesName": "The file .gitmodules in this push names a submodule whose name leads out of the repository.",
    "gitmodulesUpdate": "The file .gitmodules in this push names a command to run.",
}
FAULT = re.compile(rb"^error: object [0-9a-f]{40,64}: (\w+): ", re.MULTILINE)
MEMORY = 1024 * 1024


def packet(text: str) -> bytes:
    """One line of git's wire format, its length in front."""
    data = text.encode()
    return b"%04x" % (len(data) + 4) + data


def told(answer: bytes) -> bytes:
    """A push's answer, with a sentence in front where git refused an object by the name of a fault alone."""
    said = b"".join(data[1:] for data in _packets(answer) if data[:1] == SIDE)
    names = dict.fromkeys(found[1].decode() for found in FAULT.finditer(said))
    sentences = [FAULTS[name] for name in names if name in FAULTS]
    if not sentences:
        return answer
    return packet(SIDE.decode() + " ".join([*sentences, "Nothing of this push was kept."]) + "\n") + answer


def _packets(answer: bytes) -> Iterator[bytes]:
    """The data of each line of git's wire format; ends at what is none."""
    at = 0
    while re.fullmatch(rb"[0-9a-f]{4}", answer[at : at + 4]):
        length = int(answer[at : at + 4], 16)
        yield answer[at + 4 : at + length]
        at += max(length, 4)


def command(service: str, path: Path, *, advertise: bool, limit: int) -> list[str]:
    """The command line that serves a repository."""
    flags = ["--stateless-rpc"]
    # The hook decides about the default branch; git's own rule would keep it from being deleted when that is wanted.
    config = [f"receive.maxInputSize={limit}", f"core.hooksPath={hooks()}", "receive.denyDeleteCurrent=ignore"]
    config += ["receive.fsckObjects=true", "receive.shallowUpdate=false"]
    if service == "git-upload-pack":
        flags += ["--strict", f"--timeout={SECONDS}"]
    if advertise:
        flags.append("--http-backend-info-refs")
    return gitcli.argv([service.removeprefix("git-"), *flags, str(path)], config)


def hooks() -> Path:
    """The folder of our hooks. Git skips one that it may not run, which would let everything in: RuntimeError."""
    for hook in ("pre-receive", "post-receive"):
        if not os.access(HOOKS / hook, os.X_OK):
            raise RuntimeError(f"{HOOKS / hook} is missing or not executable; no push can be checked.")
    return HOOKS


def environment(protocol: str) -> dict[str, str]:
    """Git's environment for one request; `protocol` is the client's Git-Protocol header, passed on if it is sane."""
    return gitcli.environment({"GIT_PROTOCOL": protocol} if PROTOCOL.match(protocol) else None)


def spool(chunks: Iterable[bytes], *, gzipped: bool, limit: int) -> IO[bytes]:
    """A request's body as a file to read from its start, unpacked; TooLarge above `limit` bytes before or after."""
    body = tempfile.TemporaryFile()  # noqa: SIM115 - handed on to git's standard input, which closes it
    unpack = zlib.decompressobj(16 + zlib.MAX_WBITS) if gzipped else None
    size = 0
    try:
        for chunk in chunks:
            data = chunk if unpack is None else _unpacked(unpack, chunk, limit - size + 1)
            size += len(data)
            if size > limit:
                raise TooLarge(f"A push of more than {limit // 2**20} MiB is refused. Push in smaller parts.")
            body.write(data)
        if unpack is not None and not unpack.eof:
            raise Invalid("The compressed request ends too early.")
    except BaseException:
        body.close()
        raise
    body.seek(0)
    return body


def _unpacked(unpack: "zlib._Decompress", chunk: bytes, room: int) -> bytes:
    try:
        return unpack.decompress(chunk, room)
    except zlib.error as error:
        raise Invalid("The request is not valid gzip.") from error


async def whole(args: list[str], env: dict[str, str], body: IO[bytes] | None = None) -> bytes:
    """Run git to its end and return what it wrote; for answers that are small."""
    return b"".join([chunk async for chunk in streamed(args, env, body)])


async def streamed(args: list[str], env: dict[str, str], body: IO[bytes] | None = None) -> AsyncIterator[bytes]:
    """Run git and yield what it writes; a reader that goes away, or takes too long, ends git. Closes `body`.

    Git reports its errors inside the stream, as its clients expect; what it says on the side is dropped.
    """
    process = await asyncio.create_subprocess_exec(
        *args,
        stdin=body if body is not None else asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.DEVNULL,
        env=env,
    )
    if body is not None:
        body.close()
    assert process.stdout is not None
    try:
        while chunk := await asyncio.wait_for(process.stdout.read(CHUNK), SECONDS):
            yield chunk
        await process.wait()
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
