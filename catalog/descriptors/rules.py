"""The rules of the entity format: each says in a sentence what is wrong and what to write instead."""

import itertools
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from catalog.descriptors.kinds import KINDS, KindField, fields_of
from portal.kit.paths import unseen_in
from portal.kit.refs import BadRef, parse_ref
from portal.kit.yamltext import FieldPath


@dataclass(frozen=True)
class BrokenRule:
    """A broken rule at a field of one entity."""

    field: FieldPath
    code: str
    sentence: str


MAX_REF = 200
ROOT_KEYS = ("apiVersion", "kind", "metadata", "spec")

_NAME = re.compile(r"([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]", re.ASCII)
_DNS_LABEL = re.compile(r"[a-z0-9]+(?:-+[a-z0-9]+)*", re.ASCII)
_TAG = re.compile(r"[a-z0-9:+#]+(-[a-z0-9:+#]+)*", re.ASCII)
_KIND = re.compile(r"[a-zA-Z][a-z0-9A-Z]*", re.ASCII)
_VERSION_SUFFIX = re.compile(r"[a-z0-9A-Z]+", re.ASCII)
_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:", re.ASCII)
_NEEDS_HOST = {"http", "https", "ftp", "ws", "wss"}


def is_name(value: object) -> bool:
    """An object name: letters and digits with - _ . between them, 1 to 63."""
    return isinstance(value, str) and len(value) <= 63 and bool(_NAME.fullmatch(value))


def is_dns_label(value: object) -> bool:
    """A lower-case word of letters and digits with dashes between them, 1 to 63."""
    return isinstance(value, str) and len(value) <= 63 and bool(_DNS_LABEL.fullmatch(value))


def is_dns_subdomain(value: object) -> bool:
    """DNS labels joined by dots, 1 to 253."""
    return isinstance(value, str) and len(value) <= 253 and all(is_dns_label(part) for part in value.split("."))


def is_tag(value: object) -> bool:
    """A tag: lower-case letters, digits, : + # with dashes between them, 1 to 63."""
    return isinstance(value, str) and len(value) <= 63 and bool(_TAG.fullmatch(value))


def is_kind(value: object) -> bool:
    """A kind: a letter, then letters and digits, 1 to 63."""
    return isinstance(value, str) and len(value) <= 63 and bool(_KIND.fullmatch(value))


def is_prefixed(value: object, is_suffix: Callable[[object], bool]) -> bool:
    """`suffix` or `dns.sub.domain/suffix`."""
    if not isinstance(value, str):
        return False
    prefix, slash, suffix = value.rpartition("/")
    return is_suffix(suffix) and (not slash or is_dns_subdomain(prefix))


def is_api_version(value: object) -> bool:
    """`v1` or `group.example/v1`."""
    return is_prefixed(value, lambda v: isinstance(v, str) and len(v) <= 63 and bool(_VERSION_SUFFIX.fullmatch(v)))


_SLASHES = re.compile(r"^(https?):/?(?=[^/])", re.IGNORECASE)


def is_url(value: object) -> bool:
    """An absolute URL."""
    if not isinstance(value, str) or not _SCHEME.match(value.strip()):
        return False
    try:
        # One slash, or none, is what URL parsers accept as well: https:/api.example.com.
        parts = urlsplit(_SLASHES.sub(r"\1://", value.strip()))
        _ = parts.port
    except ValueError:
        return False
    if parts.scheme in _NEEDS_HOST:
        return bool(parts.hostname) and not re.search(r"[\s<>^|%]", parts.hostname or "")
    return True


def check(document: Any) -> list[BrokenRule]:
    """Every rule the entity breaks, in the order of the file's parts; an empty list means it is admitted."""
    if not isinstance(document, dict):
        return [BrokenRule((), "not-a-mapping", f"A descriptor is a mapping of fields, but this is {_what(document)}.")]
    broken = [*_check_root(document), *_check_envelope(document)]
    if isinstance(document.get("metadata"), dict):
        broken += _check_metadata(document["metadata"])
    if _has_same_keys(document):
        broken += _check_case(document, ())
    if is_kind(document.get("kind")):
        broken += _check_kind(document)
    return broken


MOST_TOLD = 5


def told(document: Any) -> list[BrokenRule]:
    """What is no reason to refuse an entity, and its author should know: texts that show other than they are."""
    hidden = ((at, unseen_in(text)) for at, text in _texts(document, ()) if not text.isascii())
    return [
        BrokenRule(
            at,
            "hidden-characters",
            f"`{'.'.join(map(str, at))}` holds {code}, which hides or turns the text around it.",
        )
        for at, code in itertools.islice(((at, code) for at, code in hidden if code), MOST_TOLD)
    ]


def _texts(value: Any, at: FieldPath) -> Iterator[tuple[FieldPath, str]]:
    if isinstance(value, str):
        yield at, value
    elif isinstance(value, dict):
        for key, inner in value.items():
            yield from _texts(inner, (*at, key))
    elif isinstance(value, list):
        for index, inner in enumerate(value):
            yield from _texts(inner, (*at, index))


def _check_root(document: Mapping[str, Any]) -> Iterator[BrokenRule]:
    for key in document:
        if key not in ROOT_KEYS:
            yield BrokenRule(
                (key,), "unknown-field", f'The field "{key}" is not known here; the top level holds {_list(ROOT_KEYS)}.'
            )


def _check_envelope(document: Mapping[str, Any]) -> Iterator[BrokenRule]:
    version = document.get("apiVersion")
    if version is None:
        yield BrokenRule(
            ("apiVersion",), "missing", "`apiVersion` is missing. Write `apiVersion: backstage.io/v1alpha1`."
        )
    elif not is_api_version(version):
        yield BrokenRule(
            ("apiVersion",),
            "api-version",
            f"`apiVersion` is {_show(version)}. Write for example backstage.io/v1alpha1.",
        )
    kind = document.get("kind")
    if kind is None:
        yield BrokenRule(("kind",), "missing", f"`kind` is missing. Write one of {_list(KINDS)}.")
    elif not is_kind(kind):
        yield BrokenRule(
            ("kind",), "kind", f"`kind` is {_show(kind)}. A kind is one word of letters and digits, e.g. Component."
        )
    metadata = document.get("metadata")
    if metadata is None:
        yield BrokenRule(
            ("metadata",),
            "missing",
            "`metadata` is missing. It holds at least the name: `metadata: {name: my-service}`.",
        )
    elif not isinstance(metadata, dict):
        yield BrokenRule(
            ("metadata",), "shape", f"`metadata` is {_what(metadata)}; it must be a mapping with at least a `name`."
        )
    if "spec" in document and not isinstance(document["spec"], dict):
        yield BrokenRule(("spec",), "shape", f"`spec` is {_what(document['spec'])}; it must be a mapping.")


def _check_metadata(metadata: Mapping[str, Any]) -> list[BrokenRule]:
    return [
        *_check_names(metadata),
        *_check_texts(metadata),
        *_check_labels(metadata),
        *_check_annotations(metadata),
        *_check_tags(metadata),
        *_check_links(metadata),
    ]


def _check_names(metadata: Mapping[str, Any]) -> Iterator[BrokenRule]:
    name = metadata.get("name")
    if name is None:
        yield BrokenRule(
            ("metadata", "name"), "missing", "`metadata.name` is missing. Write the name, e.g. `name: my-service`."
        )
    elif not is_name(name):
        yield BrokenRule(
            ("metadata", "name"),
            "name",
            f"`metadata.name` is {_show(name)}. A name has 1 to 63 letters and digits, with - _ . between them."
            f"{_suggest(name)} A readable name goes into `metadata.title`.",
        )
    namespace = metadata.get("namespace")
    if "namespace" in metadata and not is_dns_label(namespace):
        yield BrokenRule(
            ("metadata", "namespace"),
            "namespace",
            f"`metadata.namespace` is {_show(namespace)}. It has up to 63 lower-case letters, digits and - between.",
        )


def _suggest(name: object) -> str:
    if not isinstance(name, str):
        return f' Put it in quotes: "{name}".' if isinstance(name, int | float) else ""
    better = better_name(name)
    return f' Write "{better}".' if better else ""


def better_name(name: str) -> str:
    """The name that is nearest to one that is not allowed; "" where there is none."""
    better = re.sub(r"[^A-Za-z0-9_.]+", "-", name)[:63].strip("-_.")
    return better if is_name(better) else ""


def _check_texts(metadata: Mapping[str, Any]) -> Iterator[BrokenRule]:
    for key in ("uid", "etag", "title"):
        if key in metadata and not (isinstance(metadata[key], str) and metadata[key]):
            yield BrokenRule(
                ("metadata", key), "shape", f"`metadata.{key}` is {_what(metadata[key])}; it must be text."
            )
    if "description" in metadata and not isinstance(metadata["description"], str):
        yield BrokenRule(
            ("metadata", "description"),
            "shape",
            f"`metadata.description` is {_what(metadata['description'])}; it must be text.",
        )


def _mapping(metadata: Mapping[str, Any], key: str, broken: list[BrokenRule]) -> Mapping[str, Any]:
    value = metadata.get(key, {})
    if isinstance(value, dict):
        return value
    broken.append(
        BrokenRule(
            ("metadata", key), "shape", f"`metadata.{key}` is {_what(value)}; it must be a mapping of key: value."
        )
    )
    return {}


def _check_labels(metadata: Mapping[str, Any]) -> list[BrokenRule]:
    broken: list[BrokenRule] = []
    for key, value in _mapping(metadata, "labels", broken).items():
        at: FieldPath = ("metadata", "labels", key)
        if not is_prefixed(key, is_name):
            broken.append(
                BrokenRule(at, "label", f'The label key "{key}" is not allowed. Write name or example.com/name.')
            )
        if value != "" and not is_name(value):
            broken.append(
                BrokenRule(
                    at,
                    "label",
                    f'The label "{key}" is {_show(value)}. A label has up to 63 letters and digits, '
                    f"with - _ . between them.{_quote(value)}",
                )
            )
    return broken


def _check_annotations(metadata: Mapping[str, Any]) -> list[BrokenRule]:
    broken: list[BrokenRule] = []
    for key, value in _mapping(metadata, "annotations", broken).items():
        at: FieldPath = ("metadata", "annotations", key)
        if not is_prefixed(key, is_name):
            broken.append(
                BrokenRule(
                    at, "annotation", f'The annotation key "{key}" is not allowed. Write name or example.com/name.'
                )
            )
        if not isinstance(value, str):
            broken.append(
                BrokenRule(
                    at, "annotation", f'The annotation "{key}" is {_what(value)}; it must be text.{_quote(value)}'
                )
            )
    return broken


def _check_tags(metadata: Mapping[str, Any]) -> list[BrokenRule]:
    tags = metadata.get("tags", [])
    if not isinstance(tags, list):
        return [
            BrokenRule(
                ("metadata", "tags"),
                "shape",
                f"`metadata.tags` is {_what(tags)}; it must be a list, e.g. [java, data].",
            )
        ]
    rule = "A tag has 1 to 63 lower-case letters, digits, : + #, with - between them."
    return [
        BrokenRule(("metadata", "tags", index), "tag", f"The tag {_show(tag)} is not allowed. {rule}{_better_tag(tag)}")
        for index, tag in enumerate(tags)
        if not is_tag(tag)
    ]


def _better_tag(tag: object) -> str:
    if not isinstance(tag, str):
        return _quote(tag)
    better = better_tag(tag)
    return f' Write "{better}".' if better else ""


def better_tag(tag: str) -> str:
    """The tag that is nearest to one that is not allowed; "" where there is none."""
    better = re.sub(r"[^a-z0-9:+#]+", "-", tag.lower()).strip("-")
    return better if is_tag(better) else ""


def _check_links(metadata: Mapping[str, Any]) -> list[BrokenRule]:
    links = metadata.get("links", [])
    if not isinstance(links, list):
        return [
            BrokenRule(
                ("metadata", "links"),
                "shape",
                f"`metadata.links` is {_what(links)}; it must be a list of {{url, title}}.",
            )
        ]
    broken: list[BrokenRule] = []
    for index, link in enumerate(links):
        at: FieldPath = ("metadata", "links", index)
        if not isinstance(link, dict):
            broken.append(BrokenRule(at, "link", f"A link is a mapping with a `url`, but this is {_what(link)}."))
            continue
        if not is_url(link.get("url")):
            broken.append(
                BrokenRule(
                    (*at, "url"),
                    "link",
                    f"The link's `url` is {_show(link.get('url'))}. Write a whole address, e.g. https://example.com/wiki.",
                )
            )
        broken += [
            BrokenRule(
                (*at, key), "link", f"The link's `{key}` is {_what(link[key])}; write some text or leave it out."
            )
            for key in ("title", "icon", "type")
            if key in link and not _is_link_text(key, link[key])
        ]
    return broken


def _is_link_text(key: str, value: object) -> bool:
    return isinstance(value, str) and bool(value if key == "type" else value.strip())


def _has_same_keys(value: Any) -> bool:
    """Whether keys differ only by case, anywhere."""
    if isinstance(value, dict):
        if len({key.lower() for key in value}) != len(value):
            return True
        value = value.values()
    return any(_has_same_keys(inner) for inner in value if isinstance(inner, dict | list))


def _check_case(value: Any, at: FieldPath) -> Iterator[BrokenRule]:
    """Two keys that differ only by case would be one key in the index."""
    if isinstance(value, dict):
        seen: dict[str, str] = {}
        for key, inner in value.items():
            if (first := seen.setdefault(key.lower(), key)) != key:
                yield BrokenRule(
                    (*at, key),
                    "same-key",
                    f'The keys "{first}" and "{key}" differ only in upper and lower case. Keep one.',
                )
            yield from _check_case(inner, (*at, key))
    elif isinstance(value, list):
        for index, inner in enumerate(value):
            yield from _check_case(inner, (*at, index))


def _check_kind(document: Mapping[str, Any]) -> list[BrokenRule]:
    name: str = document["kind"]
    kind = KINDS.get(name)
    if kind is None:
        return [
            BrokenRule(
                ("kind",),
                "unknown-kind",
                f'The kind "{name}" is not known.{_near(name)} Known kinds are {_list(KINDS)}.',
            )
        ]
    version = document.get("apiVersion")
    if is_api_version(version) and version not in kind.versions:
        return [
            BrokenRule(
                ("apiVersion",),
                "api-version",
                f"`apiVersion` is {_show(version)}, which {name} does not have. Write {kind.versions[0]}.",
            )
        ]
    spec = document.get("spec")
    if spec is None:
        needed = [each.name for each in kind.fields if each.required]
        if not needed:
            return [
                BrokenRule(("spec",), "missing", "`spec` is missing. Write `spec: {}` when there is nothing to say.")
            ]
        return [BrokenRule(("spec",), "missing", f"`spec` is missing. A {name} says at least {_list(needed)}.")]
    if not isinstance(spec, dict):
        return []
    broken = [rule for each in fields_of(name, spec) for rule in _check_field(each, spec, document)]
    return broken + [rule for extra in _EXTRA.get(name, ()) for rule in extra(spec)]


def _near(name: str) -> str:
    known = better_kind(name)
    return f" Kinds are written with capitals: {known}." if known else ""


def better_kind(name: str) -> str:
    """The known kind that differs by its capitals only; "" where there is none."""
    return next((known for known in KINDS if known.lower() == name.lower()), "")


def _check_field(field: KindField, spec: Mapping[str, Any], document: Mapping[str, Any]) -> Iterator[BrokenRule]:
    at: FieldPath = ("spec", field.name)
    if field.name not in spec:
        if field.required:
            hint = f" Write {field.hint}." if field.hint else ""
            yield BrokenRule(at, "missing", f"`spec.{field.name}` is missing; every {document['kind']} needs it.{hint}")
        return
    value = spec[field.name]
    if field.shape == "text" and not (isinstance(value, str) and value):
        hint = f" Write {field.hint}." if field.hint else _quote(value)
        yield BrokenRule(at, "shape", f"`spec.{field.name}` is {_what(value)}; it must be text.{hint}")
    elif field.shape == "object" and not isinstance(value, dict):
        yield BrokenRule(at, "shape", f"`spec.{field.name}` is {_what(value)}; it must be a mapping.")
    elif field.shape == "texts":
        yield from _check_list(field, value)
    elif field.relation:
        yield from _check_ref(field, value, at)


def _check_list(field: KindField, value: object) -> Iterator[BrokenRule]:
    at: FieldPath = ("spec", field.name)
    if not isinstance(value, list):
        yield BrokenRule(
            at, "shape", f"`spec.{field.name}` is {_what(value)}; it must be a list, e.g. [first, second]."
        )
        return
    for index, item in enumerate(value):
        if not (isinstance(item, str) and item):
            yield BrokenRule(
                (*at, index),
                "shape",
                f"`spec.{field.name}` holds {_what(item)}; each entry must be text.{_quote(item)}",
            )
        elif field.relation:
            yield from _check_ref(field, item, (*at, index))


def _check_ref(field: KindField, value: str, at: FieldPath) -> Iterator[BrokenRule]:
    if len(value) > MAX_REF:
        yield BrokenRule(at, "reference", f"`spec.{field.name}` holds a reference of more than {MAX_REF} characters.")
        return
    try:
        parse_ref(value, kind=field.target)
    except BadRef as problem:
        yield BrokenRule(at, "reference", f"`spec.{field.name}`: {problem}")


def _check_profile(spec: Mapping[str, Any]) -> Iterator[BrokenRule]:
    profile = spec.get("profile")
    for key in ("displayName", "email", "picture"):
        if isinstance(profile, dict) and key in profile and not (isinstance(profile[key], str) and profile[key]):
            yield BrokenRule(
                ("spec", "profile", key), "shape", f"`spec.profile.{key}` is {_what(profile[key])}; it must be text."
            )


def _check_presence(spec: Mapping[str, Any]) -> Iterator[BrokenRule]:
    if "presence" in spec and spec["presence"] not in ("required", "optional"):
        yield BrokenRule(
            ("spec", "presence"), "shape", f"`spec.presence` is {_show(spec['presence'])}. Write required or optional."
        )


def _check_remotes(spec: Mapping[str, Any]) -> Iterator[BrokenRule]:
    if spec.get("type") != "mcp-server" or "remotes" not in spec:
        return
    remotes = spec["remotes"]
    if not isinstance(remotes, list) or not remotes:
        yield BrokenRule(("spec", "remotes"), "shape", "`spec.remotes` must be a list with at least one {type, url}.")
        return
    for index, remote in enumerate(remotes):
        for key in ("type", "url"):
            if not isinstance(remote, dict) or not isinstance(remote.get(key), str) or not remote[key]:
                yield BrokenRule(
                    ("spec", "remotes", index),
                    "shape",
                    f"A remote needs `{key}`, e.g. {{type: streamable-http, url: https://…}}.",
                )


def _check_template(spec: Mapping[str, Any]) -> Iterator[BrokenRule]:
    steps = spec.get("steps")
    if "steps" in spec and not isinstance(steps, list):
        yield BrokenRule(("spec", "steps"), "shape", f"`spec.steps` is {_what(steps)}; it must be a list of steps.")
    for index, step in enumerate(steps if isinstance(steps, list) else ()):
        at: FieldPath = ("spec", "steps", index)
        if not isinstance(step, dict):
            yield BrokenRule(at, "step", f"Step {index + 1} is {_what(step)}; it must be a mapping with an `action`.")
        elif not (isinstance(step.get("action"), str) and step["action"]):
            yield BrokenRule(at, "step", f"Step {index + 1} does not say its `action`, e.g. `action: fetch:template`.")
    pages = spec.get("parameters", [])
    if not isinstance(pages, dict | list) or (isinstance(pages, list) and not all(isinstance(p, dict) for p in pages)):
        yield BrokenRule(
            ("spec", "parameters"), "shape", "`spec.parameters` must be one JSON Schema or a list of them, one a page."
        )


_EXTRA: Mapping[str, tuple[Callable[[Mapping[str, Any]], Iterator[BrokenRule]], ...]] = {
    "Group": (_check_profile,),
    "User": (_check_profile,),
    "Location": (_check_presence,),
    "API": (_check_remotes,),
    "Template": (_check_template,),
}


def _what(value: object) -> str:
    """The kind of thing a value is, in words."""
    if value is None:
        return "empty"
    if isinstance(value, bool):
        return f"the truth value {str(value).lower()}"
    if isinstance(value, int | float):
        return f"the number {value}"
    if isinstance(value, list):
        return "a list"
    if isinstance(value, dict):
        return "a mapping"
    return "empty text" if not value else f'the text "{_cut(str(value))}"'


def _show(value: object) -> str:
    return f'"{_cut(value)}"' if isinstance(value, str) and value else _what(value)


def _cut(text: str) -> str:
    return text if len(text) <= 80 else f"{text[:77]}…"


def _quote(value: object) -> str:
    if isinstance(value, bool | int | float):
        return f' Put it in quotes: "{str(value).lower() if isinstance(value, bool) else value}".'
    return ""


def _list(words: object) -> str:
    items = [str(word) for word in words]  # type: ignore[attr-defined]  # a list in every rule
    return items[0] if len(items) == 1 else f"{', '.join(items[:-1])} and {items[-1]}"
