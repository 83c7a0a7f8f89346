"""What is wrong with a file or an entity: one type from the reader to the page; the `Problem` row keeps it."""

from dataclasses import dataclass


@dataclass(frozen=True, order=True)
class Finding:
    """One thing wrong: file path inside the source, line from 1, a stable code, a sentence, and the entity if known.

    What no file says, such as a relation that leads nowhere, has no path and line 0.
    """

    path: str
    line: int
    code: str
    sentence: str
    entity_ref: str = ""

    def __str__(self) -> str:
        return f"{self.path}, line {self.line}: {self.sentence}" if self.path else self.sentence
