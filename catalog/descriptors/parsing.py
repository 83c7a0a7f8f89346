"""Reads a descriptor file: which entities it describes, and what is wrong with it, line by line."""

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from catalog.descriptors import mends, placeholders, rules
from catalog.descriptors.findings import Excerpt, Finding, excerpt_of
from catalog.descriptors.rules import BrokenRule, is_dns_label, is_kind, is_name
from portal.kit.refs import DEFAULT_NAMESPACE, Ref, completed, ref_of
from portal.kit.yamltext import Document, Span, Unreadable, read_documents, spans_of, split_documents

Reader = Callable[[str], str]


@dataclass(frozen=True)
class ParsedEntity:
    """An admitted entity: its document with the namespace filled in, the line it starts on, and its text as written,
    which begins on `raw_line`."""

    document: dict[str, Any]
    line: int
    raw: str = ""
    raw_line: int = 1

    def excerpt(self) -> Excerpt | None:
        """The lines that it begins with."""
        return excerpt_of(self.raw.splitlines(), self.line, first=self.raw_line)

    @property
    def ref(self) -> Ref:
        """The entity's reference."""
        return ref_of(self.document)


@dataclass(frozen=True)
class Parsed:
    """What a file holds. `broken` names entities that are described but not admitted, where a name could be read;
    `is_whole` is false when a part of the file could not be read at all."""

    entities: list[ParsedEntity] = field(default_factory=list)
    problems: list[Finding] = field(default_factory=list)
    broken: frozenset[str] = frozenset()
    is_whole: bool = True


def parse(text: str, path: str, read: Reader | None = None) -> Parsed:
    """Every entity of a multi-document file. `read` gives the text of a file named by a placeholder."""
    page = _Page(text, path)
    documents, problems = list[Document](), list[Finding]()
    for read_one in read_documents(text):
        if isinstance(read_one, Unreadable):
            problems.append(page.unreadable(read_one))
        else:
            documents.append(read_one)
    entities: list[ParsedEntity] = []
    broken: set[str] = set()
    is_whole = not problems
    for document in documents:
        value, broken_rules = _complete(document, read)
        if not broken_rules:
            entities.append(ParsedEntity(value, document.first_line, document.raw, document.raw_line))
            told = [] if _is_plain(document) else rules.told(document.data)
            problems += page.broken(document, told, _guess_ref(document.data))
            continue
        ref = _guess_ref(document.data)
        is_whole = is_whole and bool(ref)
        broken.add(ref)
        problems += page.broken(document, broken_rules, ref)
    return Parsed(
        entities, sorted(problems, key=lambda each: (each.line, each.code)), frozenset(broken - {""}), is_whole
    )


@dataclass
class _Page:
    """One file as its author sees it: findings with the lines around them, and what a machine could write instead."""

    text: str
    path: str

    @cached_property
    def lines(self) -> list[str]:
        return self.text.removeprefix("\ufeff").splitlines()

    def unreadable(self, trouble: Unreadable) -> Finding:
        edit = None
        if trouble.code == "yaml-syntax":
            start, chunk = next(
                (each for each in reversed(list(split_documents(self.text))) if each[0] <= trouble.line), (1, "")
            )
            edit = mends.mend_of_syntax(self.path, trouble, self.lines, chunk, start)
        excerpt = excerpt_of(self.lines, trouble.line)
        return Finding(self.path, trouble.line, trouble.code, trouble.sentence, excerpt=excerpt, edit=edit)

    def broken(self, document: Document, broken: list[BrokenRule], ref: str) -> list[Finding]:
        if not broken:
            return []  # where its words stand is asked of the parser once more
        spans = spans_of(document)
        edits = mends.mends_of(self.path, document, spans, broken)
        owner = _guess_owner(document.data)
        return [
            Finding(
                self.path,
                line := document.line_of(rule.field),
                rule.code,
                rule.sentence,
                ref,
                field=".".join(map(str, rule.field)),
                owner_ref=owner,
                excerpt=self._excerpt(line, spans.values.get(rule.field), spans.keys.get(rule.field)),
                edit=edits.get(rule),
            )
            for rule in broken
        ]

    def _excerpt(self, line: int, *spans: Span | None) -> Excerpt | None:
        span = next((each for each in spans if each and each.line == line), None)
        if span is None:
            return excerpt_of(self.lines, line)
        return excerpt_of(self.lines, line, column=span.column, length=len(span.text))


def _complete(document: Document, read: Reader | None) -> tuple[Any, list[BrokenRule]]:
    """The document with its files included, checked; a field whose file is missing is not reported twice."""
    value, broken_rules = document.data, list[BrokenRule]()
    if read is not None and isinstance(value, dict) and _may_hold(document, "$"):
        value, broken_rules = placeholders.resolve(value, read)
    blamed = {path for rule in broken_rules for path in (rule.field, rule.field[:-1])}
    broken_rules += [rule for rule in rules.check(value) if rule.field not in blamed]
    if not broken_rules and not value["metadata"].get("namespace"):
        value = {**value, "metadata": {**value["metadata"], "namespace": DEFAULT_NAMESPACE}}
    return value, broken_rules


def _may_hold(document: Document, letter: str) -> bool:
    """Whether the letter stands in the text, or something is written there as an escape."""
    return letter in document.raw or "\\" in document.raw


def _is_plain(document: Document) -> bool:
    """Whether nothing in it can be other than it shows: letters that everybody knows, each as itself."""
    return document.raw.isascii() and "\\" not in document.raw


def check_entity(value: Any) -> list[BrokenRule]:
    """What is wrong with one entity given as data."""
    return rules.check(value)


def _guess_ref(value: Any) -> str:
    """The reference of a document that is not admitted, when kind and name can be read."""
    metadata = value.get("metadata") if isinstance(value, dict) else None
    if not isinstance(metadata, dict) or not is_kind(value.get("kind")) or not is_name(metadata.get("name")):
        return ""
    namespace = metadata.get("namespace")
    return str(
        Ref(
            value["kind"],
            namespace if isinstance(namespace, str) and namespace else DEFAULT_NAMESPACE,
            metadata["name"],
        )
    )


def _guess_owner(value: Any) -> str:
    """The owner that a document names although it is not admitted; "" where that cannot be read."""
    spec = value.get("spec") if isinstance(value, dict) else None
    if not isinstance(spec, dict) or not isinstance(spec.get("owner"), str):
        return ""
    metadata = value.get("metadata")
    namespace = metadata.get("namespace") if isinstance(metadata, dict) else None
    home = str(namespace) if is_dns_label(namespace) else DEFAULT_NAMESPACE
    return completed(spec["owner"], kind="group", namespace=home)
