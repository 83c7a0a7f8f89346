"""Reads a descriptor file: which entities it describes, and what is wrong with it, line by line."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from catalog.descriptors import placeholders, rules
from catalog.descriptors.findings import Finding
from catalog.descriptors.rules import BrokenRule, is_kind, is_name
from portal.kit.refs import DEFAULT_NAMESPACE, Ref, ref_of
from portal.kit.yamltext import Document, Unreadable, read_documents

Reader = Callable[[str], str]


@dataclass(frozen=True)
class ParsedEntity:
    """An admitted entity: its document with the namespace filled in, the line it starts on, and its text as written."""

    document: dict[str, Any]
    line: int
    raw: str = ""

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
    documents, problems = list[Document](), list[Finding]()
    for read_one in read_documents(text):
        if isinstance(read_one, Unreadable):
            problems.append(Finding(path, read_one.line, read_one.code, read_one.sentence))
        else:
            documents.append(read_one)
    entities: list[ParsedEntity] = []
    broken: set[str] = set()
    is_whole = not problems
    for document in documents:
        value, broken_rules = _complete(document, read)
        if not broken_rules:
            entities.append(ParsedEntity(value, document.first_line, document.raw))
            continue
        ref = _guess_ref(document.data)
        is_whole = is_whole and bool(ref)
        broken.add(ref)
        problems += [
            Finding(path, document.line_of(rule.field), rule.code, rule.sentence, ref) for rule in broken_rules
        ]
    return Parsed(
        entities, sorted(problems, key=lambda each: (each.line, each.code)), frozenset(broken - {""}), is_whole
    )


def _complete(document: Document, read: Reader | None) -> tuple[Any, list[BrokenRule]]:
    """The document with its files included, checked; a field whose file is missing is not reported twice."""
    value, broken_rules = document.data, list[BrokenRule]()
    if read is not None and isinstance(value, dict):
        value, broken_rules = placeholders.resolve(value, read)
    blamed = {path for rule in broken_rules for path in (rule.field, rule.field[:-1])}
    broken_rules += [rule for rule in rules.check(value) if rule.field not in blamed]
    if not broken_rules and not value["metadata"].get("namespace"):
        value = {**value, "metadata": {**value["metadata"], "namespace": DEFAULT_NAMESPACE}}
    return value, broken_rules


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
