"""Takes the files of somebody's repository at one commit into a folder, for the catalog to read."""

import re
import shlex
import tempfile
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from urllib.parse import unquote, urlsplit

from django.conf import settings

from portal.githosts import gitcli
from portal.githosts.errors import GitAway, GitFailed, GitTimedOut
from portal.kit import outbound
from portal.kit.errors import Invalid, TooLarge
from portal.kit.plain import split_url

# What git itself lets no name be (git-check-ref-format), and what a command line would take for something else.
REF = re.compile(r"(?![-+./])[^\x00-\x20\x7f~^:?*\[\\\ud800-\udfff]{1,250}")
REF_PARTS = re.compile(r"\.\.|//|/\.|@\{|\.lock(/|$)|[./]$|^@$")
HOST = re.compile(r"^[A-Za-z0-9]([A-Za-z0-9.-]{0,251}[A-Za-z0-9])?$")
SCP_LIKE = re.compile(r"^(?P<user>[A-Za-z0-9_][A-Za-z0-9._-]*)@(?P<host>[A-Za-z0-9.-]+):(?P<path>[^:].*)$")
ASKPASS = Path(__file__).resolve().parent / "hooks" / "askpass"
DEFAULT_PORTS = {"https": 443, "ssh": 22}

# What git and its transports say where nobody answers; the second, which may come with a better reason, is asked last.
NO_ANSWER = (
    "could not resolve",
    "failed to connect",
    "timed out",
    "connection refused",
    "no route to host",
    "network is unreachable",
    "reset by peer",
    "empty reply from server",
    "ssl_error_syscall",
)
BROKEN_OFF = ("early eof", "hung up unexpectedly", "unexpected disconnect", "transfer closed with")

FETCH_SECONDS = 45.0
# A pack is a third of its files or less; a catalog of 300,000 descriptors is some 500 MiB of files.
PACK_LIMIT = 400 * 1024 * 1024
TREE_LIMIT = 1024 * 1024 * 1024
FILES_LIMIT = 300_000


@dataclass(frozen=True)
class Location:
    """Where a repository is, taken apart: `protocol` is https, ssh or file; host and port are empty for a file."""

    protocol: str
    url: str
    host: str = ""
    port: int = 0


@dataclass(frozen=True)
class Fetched:
    """What a fetch brought: the commit, who made it ("name <address>", by the commit's own words), and the paths at
    which a small text file stands for a link, or an empty folder for a submodule."""

    commit: str
    author: str
    links: frozenset[str]
    submodules: frozenset[str]


@dataclass(frozen=True)
class Credential:
    """How to sign in at a host over https. The secret shows in no repr, and reaches git in its environment alone."""

    username: str
    secret: str = field(repr=False)

    @property
    def environment(self) -> dict[str, str]:
        """What git's question is answered from."""
        return {"GIT_ASKPASS": str(ASKPASS), "SLIPWAY_GIT_USER": self.username, "SLIPWAY_GIT_SECRET": self.secret}


@dataclass(frozen=True)
class _Entry:
    mode: str
    path: str
    size: int


def parse_location(url: str) -> Location:
    """Take a repository's address apart; Invalid for anything that is not https, ssh or a local path."""
    url = url.strip()
    if any(ord(character) < 33 or ord(character) == 127 for character in url) or "\\" in url or not url:
        raise Invalid("A git address has no spaces, line breaks or backslashes in it.", field="target")
    if url.startswith("/"):
        return Location("file", url)
    if scp := SCP_LIKE.match(url):
        return _remote("ssh", f"ssh://{scp['user']}@{scp['host']}/{scp['path'].lstrip('/')}")
    protocol = url.partition("://")[0].lower()
    if protocol == "file":
        parts = split_url(url)
        if parts is None or parts.netloc not in {"", "localhost"}:
            raise Invalid("A file address names no host.", field="target")
        return Location("file", unquote(parts.path))
    if "://" in url and protocol in DEFAULT_PORTS:
        return _remote(protocol, url)
    raise Invalid("A git address starts with https://, ssh:// or git@host:.", field="target", code="protocol")


def _remote(protocol: str, url: str) -> Location:
    try:
        parts = urlsplit(url)
        host, port = parts.hostname or "", parts.port or DEFAULT_PORTS[protocol]
    except ValueError as error:
        raise Invalid("This is not a git address.", field="target") from error
    if not HOST.match(host):
        raise Invalid("The git address names no valid host.", field="target")
    if parts.password is not None or (protocol == "https" and parts.username is not None):
        raise Invalid(
            "Leave passwords and tokens out of the address: everybody who sees the source would see them.",
            field="target",
        )
    if parts.username and not re.match(r"^[A-Za-z0-9_][A-Za-z0-9._-]*$", parts.username):
        raise Invalid("The git address names no valid user.", field="target")
    return Location(protocol, url, host, port)


def check_ref(ref: str) -> str:
    """Return a branch, tag or commit that git cannot mistake for an option or a range."""
    if not REF.fullmatch(ref) or REF_PARTS.search(ref):
        raise Invalid(f"“{ref}” is not the name of a branch, a tag or a commit.", field="ref", code="bad_ref")
    return ref


def fetch_tree(url: str, ref: str, into: Path) -> str:
    """`fetch`, where only the commit's id is wanted."""
    return fetch(url, ref, into).commit


def fetch(url: str, ref: str, into: Path, *, credential: Credential | None = None) -> Fetched:
    """Put the files of `url` at `ref` ("" = its default branch) into the folder `into`, byte for byte.

    `credential` is for hosts over https that want a sign-in. `into` must exist and be empty. One commit deep, no
    submodules, no filters; symbolic links become small text files, so reading below `into` never leaves it.
    """
    location = parse_location(url)
    wanted = check_ref(ref) if ref else "HEAD"
    config, env = _connection(location, credential)
    target = str(_local(location.url)) if location.protocol == "file" else location.url
    with tempfile.TemporaryDirectory(prefix="slipway-fetch-") as scratch:
        git_dir = Path(scratch) / "fetch.git"
        gitcli.run(["init", "--quiet", "--bare", "--template=", str(git_dir)], Path(scratch))
        fetched = _over_network(
            location,
            [
                "fetch",
                "--quiet",
                "--depth=1",
                "--no-tags",
                "--no-recurse-submodules",
                "--end-of-options",
                target,
                wanted,
            ],
            git_dir,
            config,
            env,
        )
        if fetched.code != 0:
            raise _explained(location, ref, fetched)
        commit = gitcli.run(["rev-parse", "--verify", "FETCH_HEAD^{commit}"], git_dir).decode().strip()
        entries = _checked(git_dir, commit)
        if entries:
            # Above the repository's own attributes: no change of line ends, encodings or keywords.
            (git_dir / "info").mkdir(exist_ok=True)
            (git_dir / "info" / "attributes").write_text("* -text -ident -filter -working-tree-encoding\n")
            gitcli.run([f"--work-tree={into}", "checkout", "--quiet", "--force", commit, "--", "."], git_dir)
        author = gitcli.run(["show", "--no-patch", "--format=%an <%ae>", commit], git_dir)
    return Fetched(
        commit,
        author.decode("utf-8", "replace").strip()[:300],
        frozenset(entry.path for entry in entries if entry.mode == "120000"),
        frozenset(entry.path for entry in entries if entry.mode == "160000"),
    )


def probe(url: str, *, credential: Credential | None = None) -> int:
    """How many branches the repository at the address offers; raises GitFailed with the reason when it cannot tell."""
    location = parse_location(url)
    if location.protocol == "file":
        raise Invalid("Only addresses of git hosts can be tried.", field="target")
    config, env = _connection(location, credential)
    with tempfile.TemporaryDirectory(prefix="slipway-probe-") as scratch:
        command = ["ls-remote", "--heads", "--end-of-options", location.url]
        ended = _over_network(location, command, Path(scratch), config, env)
    if ended.code != 0:
        raise _explained(location, "", ended)
    return len(ended.stdout.splitlines())


def _over_network(
    location: Location, args: list[str], cwd: Path, config: tuple[str, ...], env: dict[str, str]
) -> gitcli.GitEnding:
    """Git, speaking to the repository's host; raises GitAway when it does not end in its time."""
    try:
        return gitcli.attempt(
            args,
            cwd,
            config=config,
            env=env,
            protocols=location.protocol,
            timeout=FETCH_SECONDS,
            file_limit=PACK_LIMIT,
        )
    except GitTimedOut as error:
        if location.protocol == "file":
            raise
        raise GitAway(f"{location.host} does not answer in time.") from error


def _connection(location: Location, credential: Credential | None) -> tuple[tuple[str, ...], dict[str, str]]:
    """Git configuration and environment that make git connect to the very address that was checked."""
    if location.protocol == "file":
        return ("protocol.file.allow=always",), {}
    found = outbound.destination(location.host, location.port)
    if location.protocol == "https":
        trusted = (f"http.sslCAInfo={settings.GIT_CA_FILE}",) if settings.GIT_CA_FILE else ()
        return (
            "protocol.file.allow=never",
            f"http.curloptResolve={found.host}:{found.port}:{found.literal}",
            *trusted,
        ), (credential.environment if credential else {})
    # known_hosts names a port other than 22 beside the host; git hands the command to a shell.
    alias = found.host if found.port == DEFAULT_PORTS["ssh"] else f"[{found.host}]:{found.port}"
    pinned = f"{gitcli.SSH} -o HostName={found.address} -o HostKeyAlias={shlex.quote(alias)}"
    return ("protocol.file.allow=never",), {"GIT_SSH_COMMAND": pinned}


def _local(path: str) -> Path:
    """A local repository, if it really lies below one of the operator's folders (setting SOURCE_FOLDERS)."""
    real = Path(path).resolve()
    folders = [Path(folder).resolve() for folder in settings.SOURCE_FOLDERS]
    if not any(real.is_relative_to(folder) for folder in folders):
        raise Invalid(
            "The portal may not read this folder. The operator names the folders it may.", field="target", code="folder"
        )
    if not real.is_dir():
        raise Invalid("There is no such folder.", field="target", code="folder")
    return real


def _explained(location: Location, ref: str, ended: gitcli.GitEnding) -> GitFailed:
    """The sentence for a fetch that failed: by what git is known to say, and without repeating its text."""
    said = ended.words.lower()
    place = location.host or location.url
    if any(clue in said for clue in NO_ANSWER):
        return GitAway(f"{place} does not answer.", stderr=ended.words)
    if "couldn't find remote ref" in said or "not our ref" in said:
        named = f"“{ref}”" if ref else "a default branch"
        return GitFailed(f"The repository has no {named}.", stderr=ended.words, code="no_ref", status=400)
    if "certificate" in said:
        return GitFailed(
            f"The certificate of {place} is not trusted here. "
            "The operator names the authority behind it in GIT_CA_FILE.",
            stderr=ended.words,
            code="certificate",
            status=400,
        )
    if "host key verification failed" in said:
        return GitFailed(
            f"The host key of {place} is not known here, or is another one than before. "
            "The operator adds it to known_hosts of the account that runs Slipway.",
            stderr=ended.words,
            code="host_key",
            status=400,
        )
    if any(
        clue in said
        for clue in ("authentication", "could not read username", "permission denied", "error: 403", "error: 401")
    ):
        return GitFailed(
            f"{place} wants a sign-in that the portal does not have. "
            "An admin adds or replaces it under Repositories → Git hosts.",
            stderr=ended.words,
            code="git_auth",
            status=400,
        )
    if any(clue in said for clue in ("not found", "does not exist", "not appear to be a git repository", "error: 404")):
        return GitFailed(
            f"There is no repository at this address on {place}.", stderr=ended.words, code="no_repository", status=400
        )
    if any(clue in said for clue in BROKEN_OFF):
        return GitAway(f"{place} broke off the transfer.", stderr=ended.words)
    return GitFailed(f"Git could not fetch from {place}.", stderr=ended.words)


def _checked(git_dir: Path, commit: str) -> list[_Entry]:
    """What the tree has; refuses one that would fill the disk, before it is written out."""
    entries = _entries(gitcli.run(["ls-tree", "-r", "-z", "-l", commit], git_dir))
    if len(entries) > FILES_LIMIT:
        raise TooLarge(f"The repository has more than {FILES_LIMIT} files.", code="too_many_files")
    if sum(entry.size for entry in entries) > TREE_LIMIT:
        raise TooLarge(
            f"The repository’s files are larger than {TREE_LIMIT // 2**20} MiB together.", code="tree_too_large"
        )
    for entry in entries:
        if ".." in PurePosixPath(entry.path).parts:
            raise Invalid("The repository holds a path that leads out of it.", code="bad_path")
    return entries


def _entries(listing: bytes) -> list[_Entry]:
    found = []
    for line in filter(None, listing.split(b"\0")):
        head, _, path = line.partition(b"\t")
        mode, _, _, size = head.split()
        found.append(_Entry(mode.decode(), path.decode("utf-8", "replace"), 0 if size == b"-" else int(size)))
    return found
