"""One file, parsed into plain data that passes between processes. Pure, and quick to import."""

from collections.abc import Callable
from typing import Any

from catalog.descriptors.findings import Finding
from catalog.descriptors.parsing import ParsedEntity, parse
from catalog.intake.reading import FileRead, Found, digest_of, kept_of


def parsed(text: str, path: str, include: Callable[[str], str]) -> dict[str, Any]:
    """What the file says, as JSON can carry it; `include` as for descriptors.parsing.parse."""
    said = parse(text, path, include)
    return {
        "entities": [[each.document, each.line, each.raw, digest_of(each, path)] for each in said.entities],
        "problems": [[each.line, each.code, each.sentence, each.entity_ref] for each in said.problems],
        "broken": sorted(said.broken),
        "is_whole": said.is_whole,
    }


def file_read(said: dict[str, Any], path: str, mark: str, includes: dict[str, str]) -> FileRead:
    """What `parsed` said, with its place."""
    entities = [
        Found(ParsedEntity(document, line, raw), path, digest) for document, line, raw, digest in said["entities"]
    ]
    return FileRead(
        path,
        mark,
        includes,
        entities,
        kept_of(entities),
        [Finding(path, *rest) for rest in said["problems"]],
        frozenset(said["broken"]),
        said["is_whole"],
    )
