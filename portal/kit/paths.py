"""What a file may be called, wherever it comes from or goes to: one rule, so that a name means the same everywhere.

A path is relative, its folders separated by slashes. Refused are names that some file system takes for a repository's
`.git` (HFS+ ignores some code points, NTFS knows short names, streams and trailing dots), control characters, and the
characters that turn the direction of writing, with which a name can show other than it is.
"""

import re
import unicodedata

from portal.kit.errors import Invalid

CODE = "unsafe-path"
MAX_PATH_BYTES = 1024
MAX_NAME_BYTES = 255

_CONTROL = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029]")
_TURNING = re.compile("[\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]")
_JOINERS = "\u200c\u200d"
# Control and format characters, separators of lines and paragraphs, half characters.
_UNSEEN = frozenset({"Cc", "Cf", "Cs", "Zl", "Zp"})
# Letters and marks by their category, and drawn as nothing at all.
_BLANKS = frozenset("\u034f\u115f\u1160\u17b4\u17b5\u2800\u3164\uffa0")
_DRIVE = re.compile(r"^[A-Za-z]:")


def safe_path(path: str) -> str:
    """The path in its one spelling (`a/b`: no `./`, no doubled slash); raises Invalid with what is wrong with it."""
    if not path:
        raise _unsafe("A file path is empty.")
    if found := _CONTROL.search(path) or _TURNING.search(path):
        raise _unsafe(f"The file path {_shown(path)} contains the character U+{ord(found[0]):04X}; remove it.")
    if "\\" in path:
        raise _unsafe(f"The file path {_shown(path)} contains a backslash; separate folders with “/”.")
    if path.startswith("/") or _DRIVE.match(path):
        raise _unsafe(f"The file path {_shown(path)} is absolute; write it relative to its folder.")
    if len(path.encode("utf-8", "surrogatepass")) > MAX_PATH_BYTES:
        raise _unsafe(f"The file path {_shown(path)} is longer than {MAX_PATH_BYTES} bytes.")
    segments = [segment for segment in path.split("/") if segment not in ("", ".")]
    if not segments:
        raise _unsafe(f"The file path {_shown(path)} names no file.")
    for segment in segments:
        _check_name(segment, path)
    return "/".join(segments)


def from_root(path: str) -> str:
    """Like `safe_path`, where one leading slash is the documented way to write "from the repository's root"."""
    return safe_path(path.removeprefix("/"))


def _check_name(name: str, path: str) -> None:
    if name == "..":
        raise _unsafe(f"The file path {_shown(path)} climbs out of its folder with “..”.")
    if is_git_folder(name):
        raise _unsafe(
            f"The file path {_shown(path)} holds a name that some systems take for a repository's own .git folder."
        )
    if len(name.encode("utf-8", "surrogatepass")) > MAX_NAME_BYTES:
        raise _unsafe(f"A name in the file path {_shown(path)} is longer than {MAX_NAME_BYTES} bytes.")


def is_git_folder(name: str) -> bool:
    """Whether some file system takes the name for `.git`."""
    # Format characters (zero width, byte order mark, …) are ignored by HFS+, case by HFS+ and NTFS; compatibility forms
    # such as the full-width stop are folded too, although no file system that we know does it.
    visible = "".join(character for character in name if unicodedata.category(character) != "Cf")
    folded = unicodedata.normalize("NFKC", visible).casefold()
    # NTFS: the part before a colon is the file, what follows is a stream of it; trailing dots and spaces do not count.
    bare = folded.partition(":")[0].rstrip(". ")
    return bare == ".git" or re.fullmatch(r"git~[1-9]", bare) is not None


def visible(name: str) -> str:
    """A name as a page shows it: each character that would hide, break or turn it stands as its number, `⟨U+202E⟩`.

    For names that were never asked for a rule: what somebody pushed, a source's files. Joiners stay between letters
    beyond ASCII, where emoji and some scripts need them.
    """
    if name.isascii() and name.isprintable():
        return name
    return "".join(
        f"⟨U+{ord(character):04X}⟩" if _is_hidden(name, at) else character for at, character in enumerate(name)
    )


# What turns, hides or is nothing in running text: as above, less what a text may hold (line breaks, tabs, control
# characters, which show) and the marks that scripts are written with.
_UNSEEN_IN_TEXT = re.compile(
    "[\u00ad\u061c\u180e\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb\U000e0000-\U000e007f"
    "\u034f\u115f\u1160\u17b4\u17b5\u2800\u3164\uffa0]"
)


def visible_text(text: str) -> str:
    """A text of any length as a page shows it: what turns or hides it stands as its number, joiners as in `visible`."""
    if text.isascii():
        return text
    return _UNSEEN_IN_TEXT.sub(lambda hit: f"⟨U+{ord(hit[0]):04X}⟩" if _is_hidden(text, hit.start()) else hit[0], text)


def unseen_in(text: str) -> str:
    """The code of the first such character, `U+202E`; "" for none."""
    if text.isascii():
        return ""
    hits = (hit for hit in _UNSEEN_IN_TEXT.finditer(text) if _is_hidden(text, hit.start()))
    return next((f"U+{ord(hit[0]):04X}" for hit in hits), "")


def _is_hidden(name: str, at: int) -> bool:
    if name[at] in _JOINERS:
        beside = (name[at - 1 : at], name[at + 1 : at + 2])
        return any(not other or other.isascii() or other in _JOINERS for other in beside)
    return unicodedata.category(name[at]) in _UNSEEN or name[at] in _BLANKS


def _shown(path: str) -> str:
    return repr(path if len(path) <= 80 else path[:80] + "…")


def _unsafe(text: str) -> Invalid:
    return Invalid(text, code=CODE)
