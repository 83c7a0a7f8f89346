"""What reading a source gives: entities with their place, file by file, and what is wrong. Pure."""

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, NamedTuple

from catalog.descriptors import relations
from catalog.descriptors.findings import Finding, edit_from, excerpt_from
from catalog.descriptors.parsing import ParsedEntity
from catalog.index.parts import Parts

# Part of every digest and mark: raising it makes each file be read and each entity be written again.
FORMAT = "2"
# Kinds whose documents are wanted although their file did not change: what points to files, and what rooms above take.
KEPT = frozenset({"Location", "Template"})


@dataclass(frozen=True)
class FoundEntity:
    """An entity as read, with its place. What comes last is there where somebody has worked it out already: `given` its
    digest, `parts` what the index is to hold of it, `packed` what it says as its row keeps it."""

    entity: ParsedEntity
    path: str
    given: str = field(default="", compare=False)
    parts: Parts | None = field(default=None, compare=False)
    packed: bytes = field(default=b"", compare=False)

    @cached_property
    def ref(self) -> str:
        return str(self.entity.ref)

    @property
    def line(self) -> int:
        return self.entity.line

    @cached_property
    def digest(self) -> str:
        """Changes exactly when something that is stored of the entity changes."""
        return self.given or digest_of(self.entity, self.path)


def digest_of(entity: ParsedEntity, path: str) -> str:
    """The digest of an entity at this place."""
    parts = [FORMAT, path, entity.line, entity.raw, entity.document]
    return hashlib.sha256(json.dumps(parts, sort_keys=True, ensure_ascii=False).encode()).hexdigest()


class Remnant(NamedTuple):
    """An entity of a file that did not change since it was read: what is remembered of it."""

    ref: str
    line: int
    digest: str
    path: str


@dataclass(frozen=True)
class FileRead:
    """What one file says. `kept` are the entities of the kinds KEPT, with their documents, read now or remembered.

    mark      of its bytes; "" when it could not be had
    includes  what its placeholders brought, by the place as written: the mark of the text, or of the sentence why not
    is_known  whether it was not read, because neither its bytes nor what it includes changed
    """

    path: str
    mark: str = ""
    includes: Mapping[str, str] = field(default_factory=dict)
    entities: list[FoundEntity] | list[Remnant] = field(default_factory=list)
    kept: list[FoundEntity] = field(default_factory=list)
    problems: list[Finding] = field(default_factory=list)
    broken: frozenset[str] = frozenset()
    is_whole: bool = True
    is_known: bool = False


@dataclass(frozen=True)
class Reading:
    """Everything a source says. `broken` are references whose text is not admitted now: what was known of them stays.
    Unless `is_whole`, some file could not be read, and nothing may be concluded from what is absent.

    Of a source that is stored while it is read, `entities` are only those of the kinds KEPT.
    """

    entities: list[FoundEntity] = field(default_factory=list)
    problems: list[Finding] = field(default_factory=list)
    broken: frozenset[str] = frozenset()
    is_whole: bool = True
    revision: str = ""
    author: str = ""
    # What the rooms above took from the same files, by the room's name (see ingest.ALSO_READ).
    beside: Mapping[str, Any] = field(default_factory=dict)


def kept_of(entities: Iterable[FoundEntity]) -> list[FoundEntity]:
    """Those of the kinds KEPT."""
    return [found for found in entities if found.entity.document["kind"] in KEPT]


def finding_at(path: str, code: str, sentence: str, entity: ParsedEntity) -> Finding:
    """What is wrong with an admitted entity as a whole, with the lines it begins with."""
    owner = relations.owner_of(entity.document)
    return Finding(path, entity.line, code, sentence, str(entity.ref), owner_ref=owner, excerpt=entity.excerpt())


def entity_plain(found: FoundEntity) -> list[Any]:
    """An entity, as JSON keeps it; its path is known."""
    entity = found.entity
    return [entity.document, entity.line, entity.raw, entity.raw_line, found.digest]


def entity_from(path: str, plain: list[Any], parts: Parts | None = None, packed: bytes = b"") -> FoundEntity:
    """What `entity_plain` kept."""
    *entity, digest = plain
    return FoundEntity(ParsedEntity(*entity), path, digest, parts, packed)


def plain_of(finding: Finding) -> list[Any]:
    """What is wrong, as JSON keeps it; its path is known."""
    excerpt, edit = finding.excerpt and finding.excerpt.plain(), finding.edit and finding.edit.plain()
    rest = [finding.field, finding.owner_ref, excerpt, edit]
    return [finding.line, finding.code, finding.sentence, finding.entity_ref, *rest]


def finding_from(path: str, plain: list[Any]) -> Finding:
    """What `plain_of` kept."""
    line, code, sentence, ref, field_name, owner, excerpt, edit = plain
    return Finding(
        path, line, code, sentence, ref, field_name, owner, excerpt=excerpt_from(excerpt), edit=edit_from(edit)
    )
