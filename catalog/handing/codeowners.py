"""CODEOWNERS files: who is named for a path, by the rules of the host that the file is written for. Pure.

GitHub: the last matching line counts, a line without owners clears. GitLab: sections, in each the last matching line,
all of them together; `!` takes a path out of a section. Gitea and Forgejo: a regular expression a line, `!` turns it
round, all that match. Source: the hosts' documentation. It is evidence of who owns something, never the record.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field

GITHUB, GITLAB, GITEA = "github", "gitlab", "gitea"
# In this order; the first that is there counts.
PLACES: dict[str, str] = {
    ".github/CODEOWNERS": GITHUB,
    ".gitlab/CODEOWNERS": GITLAB,
    ".gitea/CODEOWNERS": GITEA,
    ".forgejo/CODEOWNERS": GITEA,
    "CODEOWNERS": "",
    "docs/CODEOWNERS": "",
}
MOST_BYTES = 3_000_000
MOST_RULES = 5000
_SECTION = re.compile(r"(?P<optional>\^)?\[(?P<name>[^\]]+)\](?:\[\d+\])?(?P<defaults>(?:\s+\S+)*)\s*$")
_OWNER = re.compile(r"@[A-Za-z0-9][\w.-]*(/[\w.-]+)*|[^@\s]+@[^@\s]+\.[^@\s]+")
# Expressions of strangers: none that could take for ever, and none over a path that is longer.
_MOST_PATTERN, _MOST_PATH, _MOST_LOOPS = 200, 300, 3
_REPEATED = re.compile(r"\)\s*[*+{]")


@dataclass(frozen=True)
class Glob:
    """Folders and a name: `*` and `?` stay within one, `**` is any number of them. Looked at in steps, not by an
    expression: no pattern takes longer than its length times the path's."""

    segments: tuple[str, ...]

    def fullmatch(self, path: str) -> bool:
        return _fits(self.segments, path.split("/"), "**", _is_name)


def _is_name(pattern: str, name: str) -> bool:
    return _fits(pattern, name, "*", lambda wanted, letter: wanted in ("?", letter))


def _fits(pattern: Sequence[str], text: Sequence[str], star: str, is_one: Callable[[str, str], bool]) -> bool:
    """Whether a text is as a pattern says, in which `star` stands for any number of its parts."""
    at, place, last, tried = 0, 0, -1, 0
    while at < len(text):
        if place < len(pattern) and pattern[place] == star:
            last, tried, place = place, at, place + 1
        elif place < len(pattern) and is_one(pattern[place], text[at]):
            at, place = at + 1, place + 1
        elif last >= 0:
            tried += 1
            at, place = tried, last + 1
        else:
            return False
    return all(each == star for each in pattern[place:])


@dataclass(frozen=True)
class OwnerRule:
    """One line: what it matches, whom it names; `takes_out` for GitLab's and Gitea's `!`."""

    pattern: Glob | re.Pattern[str]
    owners: tuple[str, ...]
    takes_out: bool = False


@dataclass(frozen=True)
class CodeOwners:
    """A file of one dialect; `sections` hold rules in the order of the file (but GitLab's, one section)."""

    dialect: str
    sections: tuple[tuple[OwnerRule, ...], ...] = ()
    faults: tuple[int, ...] = field(default=())

    def of(self, path: str) -> tuple[str, ...]:
        """Who is named for a file, each once, as the file writes them; nobody: ()."""
        if len(path) > _MOST_PATH:
            return ()
        if self.dialect == GITEA:
            rules = [rule for section in self.sections for rule in section]
            found = [rule for rule in rules if (not rule.pattern.fullmatch(path)) == rule.takes_out]
            return tuple(dict.fromkeys(owner for rule in found for owner in rule.owners))
        return tuple(dict.fromkeys(owner for section in self.sections for owner in _last(section, path)))


def _last(section: Sequence[OwnerRule], path: str) -> tuple[str, ...]:
    if any(rule.takes_out and rule.pattern.fullmatch(path) for rule in section):
        return ()
    for rule in reversed(section):
        if not rule.takes_out and rule.pattern.fullmatch(path):
            return rule.owners
    return ()


def parse(text: str, dialect: str = "") -> CodeOwners:
    """The file's rules; lines that make no sense are left out and told by their numbers in `faults`.

    dialect  empty: told from the text, GitLab's where a line is a section's, else GitHub's
    """
    if len(text.encode()) > MOST_BYTES:
        return CodeOwners(dialect or GITHUB)
    lines = [(number, line.strip()) for number, line in enumerate(text.splitlines(), 1)]
    lines = [(number, line) for number, line in lines if line and not line.startswith("#")][:MOST_RULES]
    if not dialect:
        dialect = GITLAB if any(_SECTION.fullmatch(line) for _, line in lines) else GITHUB
    if dialect == GITLAB:
        return _gitlab(lines)
    read = _gitea_rule if dialect == GITEA else _github_rule
    rules, faults = list[OwnerRule](), list[int]()
    for number, line in lines:
        rule = read(line)
        if rule is None:
            faults.append(number)
        else:
            rules.append(rule)
    return CodeOwners(dialect, (tuple(rules),), tuple(faults))


def _words(line: str) -> list[str]:
    """The pattern and the owners: a space is written `\\ `, what follows ` #` is a comment."""
    words = [word.replace("\0", " ") for word in line.replace("\\ ", "\0").split()]
    for place, word in enumerate(words):
        if place and word.startswith("#"):
            return words[:place]
    return words


def _owners(words: Iterable[str]) -> tuple[str, ...] | None:
    found = tuple(words)
    return found if all(_OWNER.fullmatch(word) for word in found) else None


# --- GitHub ---


def _github_rule(line: str) -> OwnerRule | None:
    pattern, *rest = _words(line)
    owners = _owners(rest)
    if owners is None or pattern.startswith("!") or "[" in pattern or "]" in pattern:
        return None
    return OwnerRule(_glob(pattern.replace("\\#", "#")), owners)


def _glob(pattern: str) -> Glob:
    """As in .gitignore: a slash inside ties it to the root; a folder holds all below it; `folder/*` only its files."""
    body = pattern.strip("/")
    is_tied = "/" in pattern.rstrip("/")
    segments = [*([] if is_tied else ["**"]), *body.split("/")]
    if pattern.endswith("/"):
        return _read(segments, folder=True)
    if is_tied and segments[-1] == "*":
        return _read(segments)
    return _read([*segments, "**"]) if segments[-1] != "**" else _read(segments)


def _read(segments: Sequence[str], *, folder: bool = False) -> Glob:
    """`folder`, and a last `**`, mean what lies inside, not the thing itself."""
    read = list(segments)
    if folder:
        read += ["*", "**"]
    # Several `**` in a row are one: what a stranger writes is read in a moment.
    short = [each for place, each in enumerate(read) if not (each == "**" and place and read[place - 1] == "**")]
    return Glob(tuple(short))


# --- GitLab ---


def _gitlab(lines: Sequence[tuple[int, str]]) -> CodeOwners:
    """Sections of the same name are one, whatever their case."""
    sections: dict[str, list[OwnerRule]] = {"": []}
    name, defaults, faults = "", tuple[str, ...](), list[int]()
    for number, line in lines:
        head = _SECTION.fullmatch(line)
        if head is not None:
            name, defaults = head["name"].lower(), tuple(head["defaults"].split())
            sections.setdefault(name, [])
            continue
        rule = _gitlab_rule(line, defaults)
        if rule is None:
            faults.append(number)
        else:
            sections[name].append(rule)
    return CodeOwners(GITLAB, tuple(tuple(rules) for rules in sections.values() if rules), tuple(faults))


def _gitlab_rule(line: str, defaults: tuple[str, ...]) -> OwnerRule | None:
    pattern, *rest = _words(line)
    takes_out = pattern.startswith("!")
    pattern = pattern.removeprefix("!").replace("\\#", "#")
    # Roles (@@developer) are nobody in particular.
    named = [word for word in rest if not word.startswith("@@")]
    owners = _owners(named)
    if owners is None or not pattern:
        return None
    body = pattern.strip("/")
    segments = [*([] if pattern.startswith("/") else ["**"]), *(body.split("/") if body else ["**"])]
    wanted = owners if rest else defaults
    return OwnerRule(
        _read(segments, folder=bool(body) and pattern.endswith("/")), () if takes_out else wanted, takes_out
    )


# --- Gitea ---


def _gitea_rule(line: str) -> OwnerRule | None:
    pattern, *rest = _words(line)
    owners = _owners(rest)
    takes_out = pattern.startswith("!")
    pattern = pattern.removeprefix("!")
    loops = len(re.findall(r"[*+{]", pattern))
    is_dear = len(pattern) > _MOST_PATTERN or loops > _MOST_LOOPS or _REPEATED.search(pattern)
    if not owners or not pattern or is_dear:
        return None
    try:
        return OwnerRule(re.compile(pattern, re.DOTALL), owners, takes_out)
    except (re.error, OverflowError):
        return None
