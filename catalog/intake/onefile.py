"""One file, parsed into plain data that passes between processes. Pure, and quick to import."""

from collections.abc import Callable
from typing import Any

from catalog.descriptors.parsing import parse
from catalog.intake.reading import FileRead, FoundEntity, entity_from, entity_plain, finding_from, kept_of, plain_of


def parsed(text: str, path: str, include: Callable[[str], str]) -> dict[str, Any]:
    """What the file says, as JSON can carry it; `include` as for descriptors.parsing.parse."""
    said = parse(text, path, include)
    return {
        "entities": [entity_plain(FoundEntity(each, path)) for each in said.entities],
        "problems": [plain_of(each) for each in said.problems],
        "broken": sorted(said.broken),
        "is_whole": said.is_whole,
    }


def file_read(said: dict[str, Any], path: str, mark: str, includes: dict[str, str]) -> FileRead:
    """What `parsed` said, with its place."""
    entities = [entity_from(path, plain) for plain in said["entities"]]
    return FileRead(
        path,
        mark,
        includes,
        entities,
        kept_of(entities),
        [finding_from(path, plain) for plain in said["problems"]],
        frozenset(said["broken"]),
        said["is_whole"],
    )
