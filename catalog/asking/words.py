"""Splits names and sentences into the words that people search for."""

import re
from collections.abc import Mapping
from typing import Any

MAX_WORD = 100

_WORD = re.compile(r"[^\W_]+")
_CAMEL = re.compile(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])")


def split_words(text: str) -> list[str]:
    """`quoteEngine-v2.1` -> quote, engine, v2, 1: the finest parts, in lower case, in their order, each once."""
    parts = [part for word in _WORD.findall(text) for part in _CAMEL.split(word)]
    return list(dict.fromkeys(part.lower()[:MAX_WORD] for part in parts if part))


MAX_WORDS = 20_000  # PostgreSQL refuses a tsvector over a megabyte
_SEPARATORS = re.compile(r"[-._/\s]+")


def split_name(name: str) -> list[str]:
    """`quoteEngine-v2.1` -> quoteEngine-v2.1, quote, Engine, v2, 1: the whole and its parts."""
    parts = [word for piece in _SEPARATORS.split(name) if piece for word in (piece, *_CAMEL.split(piece))]
    return list(dict.fromkeys([name, *parts]))


def words_of(document: Mapping[str, Any]) -> str:
    """What the index holds with the highest weight: name, title, type and tags in all their parts."""
    metadata = document["metadata"]
    texts = [str(metadata["name"]), str(metadata.get("title") or ""), *map(str, metadata.get("tags") or [])]
    spec = document.get("spec")
    profile = spec.get("profile") if isinstance(spec, dict) else None
    if isinstance(profile, dict):
        texts += [str(profile.get("displayName") or ""), str(profile.get("email") or "")]
    return " ".join(dict.fromkeys(word for text in texts for word in split_name(text) if word))[:MAX_WORDS]
