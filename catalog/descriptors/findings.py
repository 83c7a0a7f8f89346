"""What is wrong with a descriptor, said with its place: the pure twin of the `Problem` row."""

from dataclasses import dataclass


@dataclass(frozen=True, order=True)
class Finding:
    """One thing wrong: file path inside the source, line from 1, a stable code, a sentence, and the entity if known."""

    path: str
    line: int
    code: str
    sentence: str
    entity_ref: str = ""
