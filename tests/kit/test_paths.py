"""One rule for the names of files: nothing absolute, nothing that climbs, nothing that looks like something else."""

import itertools
import re
import subprocess
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from catalog.intake.sources.tree import FileUnreadable, inside
from portal.goldenpaths import files
from portal.kit.errors import Invalid
from portal.kit.paths import CODE, from_root, is_git_folder, safe_path, visible

ROOT = Path(__file__).resolve().parents[2]
# The code points that HFS+ leaves out when it compares names.
IGNORED_BY_HFS = [0x200C, 0x200D, 0x200E, 0x200F, *range(0x202A, 0x202F), *range(0x206A, 0x2070), 0xFEFF]
LOOKALIKES = [
    ".git", ".GIT", ".GiT", ".git ", ".git.", ".git . .", ".GIT...", ".git:x", ".git::$INDEX_ALLOCATION", ".git::$DATA",
    ".git .:x", "git~1", "GIT~1", "GIT~2", "git~1 ", "git~1:x", "\uff0egit", ".\uff47it",
    *(f".g{chr(code)}it" for code in IGNORED_BY_HFS), *(f".git{chr(code)}" for code in IGNORED_BY_HFS),
    "\u200b.git", ".gi\u2060t", ".g\u00adit",
]  # fmt: skip
HARMLESS = [
    ".gitignore", ".gitattributes", ".github", ".gitlab-ci.yml", ".git-hooks", "git", "git~10", "digit~1", "a.git",
    "aux.c", "CON", "nul.txt", "trailing ", "dot.", "👩\u200d💻.md", "é", "naïve", "日本語", "file:with-colon",
]  # fmt: skip
TURNING = ["\u202e", "\u202a", "\u202b", "\u202c", "\u202d", "\u2066", "\u2067", "\u2068", "\u2069", "\u200e", "\u200f"]


@pytest.mark.parametrize("name", LOOKALIKES)
def test_what_some_system_takes_for_git_is_refused_anywhere_in_a_path(name: str) -> None:
    assert is_git_folder(name)
    for path in (name, f"{name}/hooks/post-checkout", f"sub/{name}/config"):
        with pytest.raises(Invalid) as caught:
            safe_path(path)
        assert caught.value.code == CODE


@pytest.mark.parametrize("name", HARMLESS)
def test_names_that_only_begin_alike_are_kept(name: str) -> None:
    assert safe_path(name) == name
    assert safe_path(f"a/{name}") == f"a/{name}"


@pytest.mark.parametrize("character", [*TURNING, "\x00", "\n", "\r", "\t", "\x1b", "\x7f", "\x85", "\u2028", "\u2029"])
def test_characters_that_hide_what_a_name_is_are_refused_by_number(character: str) -> None:
    with pytest.raises(Invalid, match=f"U\\+{ord(character):04X}"):
        safe_path(f"invoice{character}fdp.exe")


@pytest.mark.parametrize("path", ["/", "/a", "//a", "C:/a", "c:a", "\\\\server\\a", "a\\b", "/../a", "~/../../x"])
def test_an_absolute_path_is_an_error_and_never_made_relative(path: str) -> None:
    with pytest.raises(Invalid):
        safe_path(path)
    with pytest.raises(Invalid):
        files.join("folder", path)
    with pytest.raises(FileUnreadable):
        inside(path)


def test_only_the_repositorys_root_may_be_written_as_a_slash() -> None:
    assert from_root("/catalog-info.yaml") == from_root("catalog-info.yaml") == "catalog-info.yaml"
    for path in ("//catalog-info.yaml", "/../x", "/.git/config"):
        with pytest.raises(Invalid):
            from_root(path)


@given(st.text(max_size=80))
def test_what_passes_stays_inside_and_is_its_own_spelling(path: str) -> None:
    try:
        safe = safe_path(path)
    except Invalid:
        return
    assert safe_path(safe) == safe
    assert not set(safe.split("/")) & {"", ".", ".."}
    assert not safe.startswith("/")


@given(st.lists(st.sampled_from([".", "g", "i", "t", "G", "I", "T", "\u200c", " ", "~", "1", ":"]), max_size=9))
def test_whatever_git_itself_refuses_to_check_out_we_refuse(letters: list[str]) -> None:
    """Git's own idea of a name for `.git`: on HFS+, ignored code points left out; on NTFS, a stream or dots behind."""
    name = "".join(letters)
    on_hfs = name.replace("\u200c", "").lower() == ".git"
    on_ntfs = re.fullmatch(r"(\.git|git~1)[. ]*(:.*)?", name.lower()) is not None
    assert is_git_folder(name) or not (on_hfs or on_ntfs)


def test_git_agrees_that_the_lookalikes_are_dangerous(tmp_path: Path) -> None:
    """A tree with such a name fails git's own check, which every push to the built-in host passes through."""
    subprocess.run(["git", "init", "-q", "."], cwd=tmp_path, check=True)
    blob = subprocess.run(
        ["git", "hash-object", "-w", "--stdin"], cwd=tmp_path, input=b"x", capture_output=True, check=True
    ).stdout.strip()
    known_to_git = [".git", ".GIT", ".git ", ".git.", ".git:x", ".git::$INDEX_ALLOCATION", "git~1", ".g\u200cit"]
    for name in known_to_git:
        assert is_git_folder(name)
        entry = b"100644 blob " + blob + b"\t" + name.encode() + b"\0"
        tree = subprocess.run(
            ["git", "mktree", "-z"], cwd=tmp_path, input=entry, capture_output=True, check=True
        ).stdout.strip()
        said = subprocess.run(
            ["git", "fsck", "--strict", tree.decode()], cwd=tmp_path, capture_output=True, check=False
        )
        assert b"hasDotgit" in said.stderr + said.stdout, name


def test_there_is_one_rule() -> None:
    """Nobody else compares names with .git, or asks whether a file's path starts with a slash."""
    own = re.compile(r"""git~1|["']\.git["']""")
    found = {
        path.relative_to(ROOT).as_posix()
        for path in itertools.chain((ROOT / "portal").rglob("*.py"), (ROOT / "catalog").rglob("*.py"))
        if "shipped" not in path.parts and own.search(path.read_text().replace('removesuffix(".git")', ""))
    }
    assert found == {"portal/kit/paths.py"}


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("plain name.txt", "plain name.txt"),
        ("große-日本.md", "große-日本.md"),
        ("gpj.\u202eexe", "gpj.⟨U+202E⟩exe"),
        ("a\u2066b\u2069", "a⟨U+2066⟩b⟨U+2069⟩"),
        ("two\nlines\x1b[2J\x85", "two⟨U+000A⟩lines⟨U+001B⟩[2J⟨U+0085⟩"),
        ("a\u200bb\ufeff\u00ad", "a⟨U+200B⟩b⟨U+FEFF⟩⟨U+00AD⟩"),
        ("a\u200db", "a⟨U+200D⟩b"),
        ("\u200dend\u200c", "⟨U+200D⟩end⟨U+200C⟩"),
        ("\U0001f469\u200d\U0001f680.txt", "\U0001f469\u200d\U0001f680.txt"),
        ("می\u200cخواهم", "می\u200cخواهم"),
        ("\u3164\udcff\u2028", "⟨U+3164⟩⟨U+DCFF⟩⟨U+2028⟩"),
    ],
)
def test_what_hides_or_turns_a_name_is_shown_by_its_number(name: str, shown: str) -> None:
    assert visible(name) == shown
