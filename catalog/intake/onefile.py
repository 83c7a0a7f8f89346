"""One file, parsed into plain data that passes between processes. Pure, and quick to import."""

from base64 import b64decode, b64encode
from collections.abc import Callable
from typing import Any

from catalog.descriptors.parsing import ParsedEntity, parse
from catalog.index.parts import Parts, parts_of_many
from catalog.intake.reading import FileRead, FoundEntity, entity_from, entity_plain, finding_from, kept_of, plain_of
from catalog.packing import pack


def parsed(text: str, path: str, include: Callable[[str], str]) -> dict[str, Any]:
    """What the file says, as JSON can carry it; `include` as for descriptors.parsing.parse.

    What the index is to hold of the entities goes with them, and what they say as their rows keep it.
    """
    said = parse(text, path, include)
    parts = parts_of_many(each.document for each in said.entities)
    return {
        "entities": [
            [entity_plain(FoundEntity(each, path)), _packed(each), mine.many, list(map(list, mine.said)), mine.placed]
            for each, mine in zip(said.entities, parts, strict=True)
        ],
        "lines": sorted([line, places] for line, places in parts[0].lines) if parts else [],
        "problems": [plain_of(each) for each in said.problems],
        "broken": sorted(said.broken),
        "is_whole": said.is_whole,
    }


def _packed(entity: ParsedEntity) -> str:
    return b64encode(pack(entity.document, entity.raw)).decode()


def file_read(said: dict[str, Any], path: str, mark: str, includes: dict[str, str]) -> FileRead:
    """What `parsed` said, with its place."""
    lines: list[tuple[str, list[int]]] = said["lines"]
    entities = [_entity(path, lines, place, *plain) for place, plain in enumerate(said["entities"])]
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


def _entity(
    path: str,
    lines: list[tuple[str, list[int]]],
    place: int,
    plain: list[Any],
    packed: str,
    many: list[str],
    said: list[list[str]],
    placed: list[str],
) -> FoundEntity:
    parts = Parts(lines, place, many, [(kind, target) for kind, target in said], placed)
    return entity_from(path, plain, parts, b64decode(packed))
