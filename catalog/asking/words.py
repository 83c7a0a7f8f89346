"""Splits names and sentences into the words that people search for, the same way for what is kept and what is typed."""

import re
from functools import lru_cache

MAX_WORD = 100
MOST_TYPED = 12
# Words that say nothing of what is looked for.
SMALL = frozenset({"the", "a", "an", "of", "for", "in", "to", "with", "and", "or", "please"})

_WORD = re.compile(r"[^\W_]+")
_CAMEL = re.compile(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])")


def _parts(text: str) -> tuple[str, ...]:
    return tuple(part.lower()[:MAX_WORD] for word in _WORD.findall(text) for part in _CAMEL.split(word) if part)


def split_words(text: str) -> list[str]:
    """`quoteEngine-v2.1` -> quote, engine, v2, 1: the finest parts, in lower case, in their order, each once."""
    return list(dict.fromkeys(_parts(text)))


# Names are asked for again and again while somebody types; for sentences there is `split_words`.
parts = lru_cache(maxsize=50_000)(_parts)


@lru_cache(maxsize=50_000)
def run_together(text: str) -> str:
    """`dunning-job`, `DunningJob` and `dunning job` are all dunningjob."""
    return "".join(_parts(text))


def typed(text: str) -> tuple[str, ...]:
    """The words that are looked for: each once, no more than anybody types on purpose; `the` and its like only where
    there is nothing else."""
    found = split_words(text)[: MOST_TYPED * 2]
    return tuple([word for word in found if word not in SMALL] or found)[:MOST_TYPED]
