"""Every kind of problem: how bad it is, what was expected, how it is mended. A code means one thing everywhere.

The sentence of a finding says what is wrong here; what is said for the whole kind stands here, once, and in
docs/problems.md under the same code.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal

Severity = Literal["error", "warning", "hint"]
# Worst first; the database keeps the place in this order.
SEVERITIES: Final[tuple[Severity, ...]] = ("error", "warning", "hint")


@dataclass(frozen=True, slots=True)
class ProblemKind:
    """One kind. `error`: something is kept out of the catalog by it; `warning`: it came in, and not as written;
    `hint`: nothing is wrong with the file, and somebody should know."""

    code: str
    title: str
    severity: Severity
    expected: str
    mend: str

    @property
    def rank(self) -> int:
        """0 is worst."""
        return SEVERITIES.index(self.severity)


def _kinds(*kinds: ProblemKind) -> dict[str, ProblemKind]:
    return {kind.code: kind for kind in kinds}


PROBLEM_KINDS: Final[dict[str, ProblemKind]] = _kinds(
    # The file as YAML.
    ProblemKind("yaml-syntax", "Not valid YAML", "error", "YAML that every reader takes the same way.",
                "Look at the marked line and the one above it: indentation, quotes and colons."),
    ProblemKind("yaml-characters", "Characters that cannot be kept", "error", "Text without control characters.",
                "Remove the character, or save the file as UTF-8 again."),
    ProblemKind("yaml-tag", "Unknown YAML tag", "error", "Plain data: text, numbers, truth values, lists and mappings.",
                "Leave the tag out."),
    ProblemKind("duplicate-key", "A key twice", "error", "Each key once in a mapping.",
                "Keep one of the two lines."),
    ProblemKind("merge-key", "Merge key without a mapping", "error", "`<<` followed by a mapping, or a list of them.",
                "Name a mapping that is marked with &, or put << in quotes."),
    ProblemKind("complex-key", "A key that is no text", "error", "Keys that are plain text.", "Write the key as text."),
    ProblemKind("alias-loop", "An alias inside itself", "error", "Aliases that end.",
                "Write out what the alias stands for."),
    ProblemKind("too-many-aliases", "Too many aliases", "error", "A document that stays small when it is written out.",
                "Write out what the aliases stand for."),
    ProblemKind("too-deep", "Nested too deep", "error", "At most the documented number of levels.",
                "Take levels out, or keep the deep part in a file of its own."),
    ProblemKind("too-large", "Too large", "error", "At most 1 MiB a file.", "Split the file."),
    ProblemKind("too-many-documents", "Too many documents in a file", "error", "A bounded number of documents a file.",
                "Split the file."),
    ProblemKind("number", "A number that cannot be kept", "error", "Numbers that JSON can hold.",
                "Put it in quotes, if text is meant."),
    # The document as an entity.
    ProblemKind("not-a-mapping", "Not a descriptor", "error", "A mapping with apiVersion, kind, metadata and spec.",
                "Write the four fields, or take the file out of what is read."),
    ProblemKind("unknown-field", "Unknown field", "error", "apiVersion, kind, metadata and spec at the top level.",
                "Move the field below metadata or spec, or remove it."),
    ProblemKind("missing", "Something is missing", "error", "Every field that the kind needs.", "Add the field."),
    ProblemKind("api-version", "Wrong apiVersion", "error", "A version that the kind has.",
                "Write backstage.io/v1alpha1, or the version that the sentence names."),
    ProblemKind("kind", "Not a kind", "error", "One word of letters and digits, such as Component.",
                "Write one of the known kinds."),
    ProblemKind("unknown-kind", "Unknown kind", "error", "One of the kinds of this catalog.",
                "Write one of the known kinds, with its capitals."),
    ProblemKind("shape", "Wrong type of value", "error", "The type that the sentence names: text, list or mapping.",
                "Change the value's type; numbers and truth values become text in quotes."),
    ProblemKind("name", "Name not allowed", "error", "1 to 63 letters and digits, with - _ . between them.",
                "Choose a plain name; a readable one goes into metadata.title."),
    ProblemKind("namespace", "Namespace not allowed", "error", "Up to 63 lower-case letters, digits and - between.",
                "Write it in lower case, or leave it out for `default`."),
    ProblemKind("label", "Label not allowed", "error", "name or example.com/name, with a short plain value.",
                "Shorten the value, or make it an annotation."),
    ProblemKind("annotation", "Annotation not allowed", "error", "name or example.com/name, with text as value.",
                "Put the value in quotes, or mend the key."),
    ProblemKind("tag", "Tag not allowed", "error", "1 to 63 lower-case letters, digits, : + #, with - between them.",
                "Write the tag in lower case, with - for everything else."),
    ProblemKind("link", "Link not complete", "error", "A mapping with a whole address as `url`.",
                "Write the address with https:// in front."),
    ProblemKind("same-key", "Keys that differ by case only", "error", "Keys that differ by more than their case.",
                "Keep one of the two."),
    ProblemKind("reference", "Reference not readable", "error", "[kind:][namespace/]name.",
                "Write the reference in that form."),
    ProblemKind("step", "Step not complete", "error", "A mapping with an `action` for every step.",
                "Say the step's action."),
    ProblemKind("placeholder", "Included file not readable", "error", "A file of the same source, in the form named.",
                "Mend the path or the file that it names."),
    ProblemKind("golden-path", "Not publishable as a golden path", "error", "A template that can be rendered and run.",
                "Do what the sentence says; docs/golden-paths.md has the format."),
    ProblemKind("hidden-characters", "Characters that hide or turn text", "warning",
                "Text that shows as it is written: no bidirectional controls, zero-width or tag characters.",
                "Remove the character; pages show its number in its place."),
    # Files among each other.
    ProblemKind("unreadable-file", "File not readable", "error", "A text file at the path that is named.",
                "Mend the path, or add the file."),
    ProblemKind("location", "Location leads nowhere", "warning", "A path or pattern inside the same source.",
                "Mend the target, or register the other place as a source of its own."),
    ProblemKind("too-many", "Too much for one source", "warning", "A source within the documented bounds.",
                "Split the source, or name fewer files."),
    ProblemKind("described-twice", "Described twice", "warning", "One description for a name in a source.",
                "Remove one of the two."),
    ProblemKind("conflict", "Name taken by another source", "error", "One source for a name.",
                "Rename this one, remove it there, or let an admin choose under Conflicts."),
    ProblemKind("source-unread", "Source not readable", "error", "A source that answers and names a file.",
                "Mend its address, branch, path or credential; the sentence says which."),
    # What a descriptor alone does not show.
    ProblemKind("dangling", "Leads to nothing", "hint", "A reference to something in the catalog.",
                "Mend the name, or have the other side described."),
    ProblemKind("deprecated", "Deprecated and in use", "hint", "Nobody depends on what is deprecated.",
                "Move its users, or take the deprecation back."),
    # What no file says: those who answer for it cannot.
    ProblemKind("owner-left", "Held by somebody who left", "warning", "Somebody who is here.",
                "Name somebody else on its tab Ownership."),
    ProblemKind("owner-empty", "Held by a team with nobody in it", "warning", "A team with people.",
                "Put somebody into the team, or hand it over on its tab Ownership."),
    ProblemKind("owner-gone", "Held by a team that is gone", "warning", "A team that is there.",
                "Hand it over on its tab Ownership, or make the team again."),
    # A launch.
    ProblemKind("launch-blocked", "Stands in the way of the launch", "error", "Answers that a run can work with.",
                "Change the answer, or the path."),
    ProblemKind("launch-note", "Good to know before the launch", "warning", "", "Read it, then go on."),
)  # fmt: skip


# Kept by catalog/alarms, not by what a source says.
ALARMS: Final = frozenset({"owner-left", "owner-empty", "owner-gone"})


def kind_of_problem(code: str) -> ProblemKind:
    """The kind of a code; a code that an older version wrote is an error called by its own name."""
    return PROBLEM_KINDS.get(code) or ProblemKind(code, code.replace("-", " ").capitalize(), "error", "", "")
