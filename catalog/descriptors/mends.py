"""Which broken rules a machine can mend, and how: an edit of one word of the file, tried before it is offered."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

from catalog.descriptors import rules
from catalog.descriptors.findings import Edit, edited
from catalog.descriptors.kinds import KINDS
from catalog.descriptors.rules import ROOT_KEYS, BrokenRule
from portal.kit.yamltext import Document, FieldPath, Span, Spans, Unreadable, read_document

# So many edits are tried for one document; each is one reading of it.
MOST_TRIED = 20
_PLAIN = re.compile(r"[A-Za-z0-9][A-Za-z0-9._/+-]*", re.ASCII)
_ENTRY = re.compile(r"^(?P<head>\s*(?:- )?[\w.$/-]+:[ ]+)(?P<value>[^\s\"'\[{|>&*!#%@`].*?)(?P<tail>\s+#.*)?$")


def mends_of(path: str, document: Document, spans: Spans, broken: Sequence[BrokenRule]) -> dict[BrokenRule, Edit]:
    """The edits that take away exactly one broken rule each and break no other."""
    found: dict[BrokenRule, Edit] = {}
    tried = 0
    for rule in broken:
        for edit in _candidates(path, document, spans, rule):
            tried += 1
            if tried > MOST_TRIED:
                return found
            if _helps(document, edit, rule, broken):
                found[rule] = edit
                break
    return found


def mend_of_syntax(path: str, trouble: Unreadable, lines: Sequence[str], chunk: str, chunk_line: int) -> Edit | None:
    """The edit that makes a document readable: tabs that indent become spaces, a value with a colon gets quotes."""
    if trouble.code != "yaml-syntax" or not 0 < trouble.line <= len(lines):
        return None
    line = lines[trouble.line - 1].rstrip("\r\n")
    for edit in _syntax_candidates(path, trouble.line, line):
        try:
            read_document(edited(chunk, [replace(edit, line=edit.line - chunk_line + 1)]), chunk_line)
        except Unreadable:
            continue
        return edit
    return None


def _syntax_candidates(path: str, number: int, line: str) -> Iterator[Edit]:
    indent = line[: len(line) - len(line.lstrip())]
    if "\t" in indent:
        yield Edit(path, number, 0, indent, indent.replace("\t", "  "))
    if found := _ENTRY.match(line):
        yield Edit(path, number, len(found["head"]), found["value"], json.dumps(found["value"], ensure_ascii=False))


def _candidates(path: str, document: Document, spans: Spans, rule: BrokenRule) -> Iterator[Edit]:
    if rule.code == "missing" and rule.field == ("apiVersion",):
        yield from _with_version(path, document)
        return
    if rule.code == "unknown-field":
        span = spans.keys.get(rule.field)
        better = next((key for key in ROOT_KEYS if key.lower() == str(rule.field[0]).lower()), "")
        if span and better and better not in document.data:
            yield _over(path, span, better)
        return
    span = spans.values.get(rule.field)
    if span is not None and rule.field != ("spec", "definition"):  # no machine knows an API's definition
        value = _value_at(document.data, rule.field)
        yield from (_over(path, span, text) for text in _better(rule, value, document.data))


def _over(path: str, span: Span, text: str) -> Edit:
    return Edit(path, span.line, span.column, span.text, text)


def _with_version(path: str, document: Document) -> Iterator[Edit]:
    kind = KINDS.get(str(document.data.get("kind"))) if isinstance(document.data, dict) else None
    first = document.raw.splitlines()[document.first_line - document.raw_line]
    if kind and first and not first[0].isspace() and first[0] not in "{-":
        yield Edit(path, document.first_line, 0, first, f"apiVersion: {kind.versions[0]}\n{first}")


def _value_at(value: Any, path: FieldPath) -> Any:
    for part in path:
        try:
            value = value[part]
        except (KeyError, IndexError, TypeError):
            return None
    return value


def _better(rule: BrokenRule, value: Any, document: Any) -> Iterator[str]:
    """What could stand there instead, as YAML, best first."""
    if isinstance(value, bool | int | float):
        yield json.dumps(str(value).lower() if isinstance(value, bool) else str(value))
        return
    if not isinstance(value, str) or not value:
        return
    if rule.code == "tag":
        yield from _written(rules.better_tag(value))
    elif rule.code == "name":
        yield from _written(rules.better_name(value))
    elif rule.code == "namespace":
        yield from _written(rules.better_name(value).lower().replace("_", "-").replace(".", "-"))
    elif rule.code == "unknown-kind":
        yield from _written(rules.better_kind(value))
    elif rule.code == "api-version" and (kind := KINDS.get(str(document.get("kind")))):
        yield kind.versions[0]
    elif rule.code == "link" and "." in value and ":" not in value:
        yield from _written(f"https://{value.lstrip('/')}")
    elif rule.code == "shape":
        # One text where a list of them is meant.
        yield f"[{json.dumps(value, ensure_ascii=False)}]"


def _written(text: str) -> Iterator[str]:
    """A word as YAML; in quotes where it could be taken for something else than text."""
    if text:
        plain = _PLAIN.fullmatch(text) or text.startswith("https://")
        yield text if plain and not text[0].isdigit() else json.dumps(text, ensure_ascii=False)


def _helps(document: Document, edit: Edit, rule: BrokenRule, broken: Sequence[BrokenRule]) -> bool:
    try:
        moved = replace(edit, line=edit.line - document.raw_line + 1)
        after = rules.check(read_document(edited(document.raw, [moved]), document.raw_line).data)
    except Unreadable:
        return False
    before = {(each.field, each.code) for each in broken}
    left = {(each.field, each.code) for each in after}
    # The right kind or version lets the kind's own rules be looked at for the first time.
    uncovers = rule.code in ("unknown-kind", "missing", "api-version")
    return (rule.field, rule.code) not in left and (uncovers or left <= before)
