"""Splits names into the words that people search for, the same way for what is kept and for what is typed."""

import re
from collections.abc import Mapping
from functools import lru_cache
from typing import Any

MAX_WORDS = 20_000  # PostgreSQL refuses a tsvector over a megabyte
MOST_TYPED = 12

_SEPARATORS = re.compile(r"[-._/\s]+")
_CAMEL = re.compile(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])")
_LETTERS = re.compile(r"[^\W_]+")


def split_name(name: str) -> list[str]:
    """`quoteEngine-v2.1` -> quoteEngine-v2.1, quote, Engine, v2, 1: the whole and its parts."""
    parts = [word for piece in _SEPARATORS.split(name) if piece for word in (piece, *_CAMEL.split(piece))]
    return list(dict.fromkeys([name, *parts]))


@lru_cache(maxsize=50_000)
def parts(text: str) -> tuple[str, ...]:
    """The finest parts in lower case, as they stand: `paymentGateway v2` -> payment, gateway, v2.

    Everything but letters and digits separates. Nothing is left out, and what stands twice is given twice.
    """
    return tuple(word.lower() for piece in _LETTERS.findall(text) for word in _CAMEL.split(piece))


@lru_cache(maxsize=50_000)
def run_together(text: str) -> str:
    """`dunning-job`, `DunningJob` and `dunning job` are all dunningjob."""
    return "".join(parts(text))


def typed(text: str) -> tuple[str, ...]:
    """The words that are looked for: each once, no more than anybody types on purpose."""
    return tuple(dict.fromkeys(parts(text)))[:MOST_TYPED]


def words_of(document: Mapping[str, Any]) -> str:
    """What the index holds with the highest weight: name, title, kind, type, stage and tags in all their parts.

    Name and title stand there run together as well, so that `dunningjob` finds dunning-job."""
    metadata = document["metadata"]
    spec = document.get("spec")
    fields = spec if isinstance(spec, dict) else {}
    called = [str(metadata["name"]), str(metadata.get("title") or "")]
    kinds = [str(document.get("kind", "")), str(fields.get("type") or ""), str(fields.get("lifecycle") or "")]
    texts = [*called, *kinds, *map(str, metadata.get("tags") or [])]
    profile = fields.get("profile")
    if isinstance(profile, dict):
        called.append(str(profile.get("displayName") or ""))
        texts += [called[-1], str(profile.get("email") or "")]
    found = [word for text in texts for word in split_name(text) if word]
    return " ".join(dict.fromkeys([*found, *(run_together(text) for text in called if text)]))[:MAX_WORDS]
