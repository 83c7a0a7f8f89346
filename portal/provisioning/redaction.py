"""Secrets are taken out of text before it is stored or shown, in every costume they are likely to wear."""

import base64
import html
import json
import re
from collections.abc import Iterable
from typing import Any
from urllib.parse import quote, quote_plus

MASK = "***"
# Shorter values would black out ordinary words; the form refuses secrets this short.
MIN_LENGTH = 6


def variants(secret: str) -> set[str]:
    """Every form of `secret` that is worth looking for: itself, its lines, base64, URL, JSON and HTML escapes."""
    plain = {secret, secret.strip(), *(line.strip() for line in secret.splitlines())}
    found: set[str] = set()
    for text in plain:
        if len(text) >= MIN_LENGTH:
            found |= {text, *_escaped(text), *_encoded(text.encode())}
    return {form for form in found if len(form) >= MIN_LENGTH}


def _escaped(text: str) -> set[str]:
    percent = {quote(text), quote(text, safe=""), quote_plus(text)}
    lowered = {re.sub(r"%[0-9A-F]{2}", lambda hit: hit.group().lower(), form) for form in percent}
    quoted = {json.dumps(text)[1:-1], json.dumps(text, ensure_ascii=False)[1:-1], repr(text)[1:-1]}
    return percent | lowered | quoted | {html.escape(text), html.escape(text, quote=False)}


def _encoded(data: bytes) -> set[str]:
    """The part of base64 that depends on `data` alone, at each of the three places it may begin in a longer text."""
    forms = set()
    for shift in range(3):
        head = (0, 2, 3)[shift]
        tail = (0, 3, 2)[(shift + len(data)) % 3]
        for encode in (base64.b64encode, base64.urlsafe_b64encode):
            text = encode(b"\0" * shift + data).decode()
            forms.add(text[head : len(text) - tail])
    return forms


class Redactor:
    """Replaces known secrets by `***`; `feed` and `flush` do so for text that arrives in pieces."""

    def __init__(self, secrets: Iterable[str] = ()) -> None:
        self._forms: set[str] = set()
        self._pattern: re.Pattern[str] | None = None
        self._held = ""
        self.add(secrets)

    def add(self, secrets: Iterable[str]) -> None:
        """Look for these as well from now on."""
        for secret in secrets:
            self._forms |= variants(secret)
        if self._forms:
            longest_first = sorted(self._forms, key=lambda form: (-len(form), form))
            # A lookahead finds overlapping hits too: two secrets may share letters.
            self._pattern = re.compile(f"(?=({'|'.join(map(re.escape, longest_first))}))")

    def __bool__(self) -> bool:
        return bool(self._forms)

    def clean(self, text: str) -> str:
        """`text` without secrets."""
        return _masked(text, self._spans(text))

    def clean_value(self, value: Any) -> Any:
        """The same for JSON: keys and values at any depth."""
        if isinstance(value, str):
            return self.clean(value)
        if isinstance(value, dict):
            return {self.clean(str(key)): self.clean_value(item) for key, item in value.items()}
        if isinstance(value, list | tuple):
            return [self.clean_value(item) for item in value]
        if isinstance(value, int | float) and not isinstance(value, bool) and self.clean(str(value)) != str(value):
            return MASK
        return value

    def feed(self, chunk: str) -> str:
        """The part of the text so far that is certain; the rest is held until more arrives."""
        self._held += chunk
        spans = self._spans(self._held)
        border = max(len(self._held) - max(map(len, self._forms), default=1) + 1, 0)
        for start, end in spans:
            if start < border < end:
                border = start
        ready, self._held = self._held[:border], self._held[border:]
        return _masked(ready, [span for span in spans if span[1] <= border])

    def flush(self) -> str:
        """What was held, at the end of the text."""
        held, self._held = self._held, ""
        return self.clean(held)

    def _spans(self, text: str) -> list[tuple[int, int]]:
        """Where secrets lie, merged where they touch one another."""
        merged: list[tuple[int, int]] = []
        for hit in self._pattern.finditer(text) if self._pattern else ():
            start, end = hit.span(1)
            if merged and start < merged[-1][1]:
                merged[-1] = (merged[-1][0], max(end, merged[-1][1]))
            else:
                merged.append((start, end))
        return merged


def _masked(text: str, spans: list[tuple[int, int]]) -> str:
    parts, at = [], 0
    for start, end in spans:
        parts += [text[at:start], MASK]
        at = end
    return "".join([*parts, text[at:]])


def leaves(value: Any) -> list[str]:
    """Every string and number inside a JSON value, names of fields included."""
    if isinstance(value, str):
        return [value]
    if isinstance(value, int | float) and not isinstance(value, bool):
        return [str(value)]
    if isinstance(value, dict):
        return [leaf for key, item in value.items() for leaf in (str(key), *leaves(item))]
    if isinstance(value, list | tuple):
        return [leaf for item in value for leaf in leaves(item)]
    return []


def has_mask(value: Any) -> bool:
    """Whether a secret was taken out of a JSON value."""
    return any(MASK in leaf for leaf in leaves(value))


def derived(with_secrets: Any, without: Any) -> list[str]:
    """Strings that the secrets changed: what a template made of them is as secret as they are.

    The two values are the same input rendered with the secrets and with placeholders in their stead.
    """
    known = set(leaves(without))
    return [leaf for leaf in leaves(with_secrets) if leaf not in known]
