"""Entity references: `[<kind>:][<namespace>/]<name>`, compared without regard to case."""

from dataclasses import dataclass

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
    return Ref(given_kind or kind or "", given_namespace or namespace, rest)


def _require(is_given: bool, text: str) -> None:
    if not is_given:
        raise BadRef(f'"{text}" is not a reference: a part is empty. Write [kind:][namespace/]name.')


def ref_of(document: dict[str, object]) -> Ref:
    """The reference of an entity document that passed the envelope rules."""
    metadata = document["metadata"]
    assert isinstance(metadata, dict)
    return Ref(str(document["kind"]), str(metadata.get("namespace") or DEFAULT_NAMESPACE), str(metadata["name"]))


def normal(text: str, *, kind: str | None = None, namespace: str = DEFAULT_NAMESPACE) -> str:
    """The lower-case complete form of a reference; raises BadRef."""
    return str(parse_ref(text, kind=kind, namespace=namespace))
