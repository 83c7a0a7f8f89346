"""Entity references, `[<kind>:][<namespace>/]<name>`: the one place that takes them apart and puts them together.

They are compared without regard to case; a complete one in lower case is what rows keep. Pure.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

DEFAULT_NAMESPACE = "default"


class BadRef(ValueError):
    """The text is not a reference; `str()` is the sentence."""


@dataclass(frozen=True)
class Ref:
    """A complete reference as its author wrote it."""

    kind: str
    namespace: str
    name: str

    def __str__(self) -> str:
        return f"{self.kind}:{self.namespace}/{self.name}".lower()

    @property
    def short(self) -> str:
        """`name`, or `namespace/name` outside the default namespace."""
        return self.name if self.namespace.lower() == DEFAULT_NAMESPACE else f"{self.namespace}/{self.name}"


def parse_ref(text: str, *, kind: str | None = None, namespace: str = DEFAULT_NAMESPACE) -> Ref:
    """Reads a reference, short forms completed by `kind` and `namespace`; raises BadRef."""
    rest, given_kind, given_namespace = text, "", ""
    colon, slash = rest.find(":"), rest.find("/")
    if colon != -1 and (slash == -1 or colon < slash):
        given_kind, rest = rest[:colon], rest[colon + 1 :]
        _require(bool(given_kind), text)
        slash = rest.find("/")
    if slash != -1:
        given_namespace, rest = rest[:slash], rest[slash + 1 :]
        _require(bool(given_namespace), text)
    _require(bool(rest), text)
    if not (given_kind or kind):
        raise BadRef(
            f'The reference "{text}" does not say its kind. Write it as kind:namespace/name, e.g. component:{text}.'
        )
    return Ref(given_kind or kind or "", given_namespace or namespace or DEFAULT_NAMESPACE, rest)


def _require(is_given: bool, text: str) -> None:
    if not is_given:
        raise BadRef(f'"{text}" is not a reference: a part is empty. Write [kind:][namespace/]name.')


def ref_of(document: Mapping[str, Any]) -> Ref:
    """The reference of an entity document that passed the envelope rules."""
    metadata = document["metadata"]
    return Ref(str(document["kind"]), str(metadata.get("namespace") or DEFAULT_NAMESPACE), str(metadata["name"]))


def normal(text: str, *, kind: str | None = None, namespace: str = DEFAULT_NAMESPACE) -> str:
    """The lower-case complete form of a reference; raises BadRef."""
    return str(parse_ref(text, kind=kind, namespace=namespace))


def ref_to(kind: str, name: str, namespace: str = DEFAULT_NAMESPACE) -> str:
    """The complete reference of these parts, in lower case."""
    return str(Ref(kind, namespace, name))


def completed(text: str, *, kind: str, namespace: str = DEFAULT_NAMESPACE) -> str:
    """As `normal`, for what a person or an author wrote, with space around it; "" for a text that is no reference."""
    try:
        return normal(text.strip(), kind=kind, namespace=namespace)
    except BadRef:
        return ""


def kind_of(ref: str) -> str:
    """The kind in a complete reference; "" when it is none."""
    return _part(ref, "kind")


def name_of(ref: str) -> str:
    """The name in a complete reference; "" when it is none."""
    return _part(ref, "name")


def _part(ref: str, part: str) -> str:
    try:
        return str(getattr(parse_ref(ref), part))
    except BadRef:
        return ""
