"""The filters of the template language: the original's list and no more, each returning plain values."""

import html
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict
from typing import Any
from urllib.parse import parse_qs, quote, urlsplit

from jinja2.runtime import Undefined

from portal.goldenpaths.language.values import DialectError, as_json, text_of
from portal.kit.refs import DEFAULT_NAMESPACE, BadRef, parse_ref

# Jinja's own implementations that mean the same. Left out on purpose: `random` (rendering is repeatable),
# `attr`, `format`, `map`, `tojson`, `unique`, `xmlattr` (the original has none of them).
SAME = (
    "abs batch capitalize center dictsort first float groupby indent int last length reject rejectattr reverse "
    "round select selectattr slice sum trim upper lower urlize wordcount striptags"
)
ALIASES = {"count": "length"}


class Regex:
    """A regular expression literal r/…/flags."""

    def __init__(self, pattern: str, flags: str) -> None:
        options = (re.IGNORECASE if "i" in flags else 0) | (re.MULTILINE if "m" in flags else 0)
        try:
            self.pattern = re.compile(pattern, options)
        except re.error as error:
            raise DialectError(f"The regular expression /{pattern}/ is not valid: {error}.") from None
        self.is_global = "g" in flags

    def sub_in(self, value: str, new: str) -> str:
        return self.pattern.sub(
            re.sub(r"\$(\d)", r"\\\1", new.replace("\\", "\\\\")), value, 0 if self.is_global else 1
        )

    def test(self, value: str) -> bool:
        return self.pattern.search(text_of(value)) is not None

    def exec(self, value: str) -> list[str | None] | None:
        found = self.pattern.search(text_of(value))
        return None if found is None else [found[0], *found.groups()]


def regex(pattern: str, flags: str = "") -> Regex:
    return Regex(pattern, flags)


def default(value: Any, other: Any = "", also_empty: bool = False) -> Any:
    """`other` for what is not defined or not answered; with `true`, for anything empty too."""
    if isinstance(value, Undefined) or value is None:
        return other
    return other if also_empty and not value else value


def dump(value: Any, indent: int | str | None = None) -> str:
    """JSON; nothing for an unanswered question, as the original prints nothing for what is undefined."""
    return "" if value is None else as_json(value, indent)


def title(value: Any) -> str:
    """Each word between spaces with a capital: “my-service” is one word."""
    return " ".join(word[:1].upper() + word[1:].lower() for word in text_of(value).split(" "))


def truncate(value: Any, length: int = 255, whole: bool = False, end: str = "...") -> str:
    """The first `length` characters, back to a space unless `whole`, and `end` where something is missing."""
    text = text_of(value)
    if len(text) <= length:
        return text
    if not whole:
        space = text.rfind(" ", 0, length + 1)
        length = length if space < 0 else space
    return text[: max(length, 0)] + text_of(end)


def join(value: Iterable[Any], separator: str = "", attribute: str | None = None) -> str:
    items = (item.get(attribute) if attribute else item for item in value)
    return text_of(separator).join(text_of(item) for item in items)


def replace(value: Any, old: Any, new: Any, count: int = -1) -> str:
    if isinstance(old, Regex):
        return old.sub_in(text_of(value), text_of(new))
    return text_of(value).replace(text_of(old), text_of(new), count)


def sort(
    value: Iterable[Any], reverse: bool = False, case_sensitive: bool = False, attribute: str | None = None
) -> list[Any]:
    def key(item: Any) -> tuple[int, Any]:
        part = item.get(attribute) if attribute and isinstance(item, dict) else item
        if isinstance(part, (int, float)):
            return (0, part)
        return (1, text_of(part) if case_sensitive else text_of(part).lower())

    return sorted(value, key=key, reverse=reverse)


def pairs(value: Any) -> Any:
    """What a loop with two names runs over: the entries of an object, or a list of pairs as it is."""
    return list(value.items()) if isinstance(value, Mapping) else items(value)


def items(value: Any) -> Any:
    """What a loop runs over: an unanswered question has nothing to run over."""
    return [] if value is None else value


def pick(value: Any, path: str) -> Any:
    """A part of an object by its path, `a.b[0].c`; nothing when a part is missing."""
    for part in re.findall(r"[^.\[\]]+", path):
        if isinstance(value, Mapping):
            value = value.get(part)
        elif isinstance(value, list) and part.isdigit() and int(part) < len(value):
            value = value[int(part)]
        else:
            return None
    return value


def parse_entity_ref(ref: Any, context: Mapping[str, str] | None = None) -> dict[str, str]:
    """`[kind:][namespace/]name` → its three parts; the first colon ends the kind unless a slash comes before it."""
    context = context or {}
    namespace = str(context.get("defaultNamespace", DEFAULT_NAMESPACE))
    try:
        return asdict(parse_ref(text_of(ref), kind=str(context.get("defaultKind", "")), namespace=namespace))
    except BadRef as error:
        raise DialectError(str(error)) from None


_REQUIRED = {
    "slipway": ("repo",),
    "gitlab": ("owner", "repo"),
    "bitbucket.org": ("workspace", "project", "repo"),
    "bitbucket": ("project", "repo"),
    "dev.azure.com": ("project", "repo"),
    "gitea": ("repo",),
    "gerrit": ("repo",),
}


def parse_repo_url(url: Any) -> dict[str, str]:
    """`host?owner=…&repo=…` → its parts; which parts a host needs is the original's rule."""
    try:
        parsed = urlsplit(f"https://{text_of(url).removeprefix('https://')}")
    except ValueError as error:
        raise DialectError(f"“{url}” is not a repository address.") from error
    query = {key: values[0] for key, values in parse_qs(parsed.query).items()}
    if not parsed.netloc:
        raise DialectError(f"The repository address “{url}” names no host.")
    required = next((parts for host, parts in _REQUIRED.items() if host in parsed.netloc), ("owner", "repo"))
    if "gitlab" in parsed.netloc and "project" in query:
        required = ("project",)
    for part in required:
        if part not in query:
            raise DialectError(f"The repository address “{url}” lacks “{part}”.")
    return {"host": parsed.netloc, **{key: query[key] for key in _PARTS if key in query}}


_PARTS = ("owner", "repo", "organization", "workspace", "project")


def project_slug(url: Any) -> str:
    parts = parse_repo_url(url)
    return f"{parts['owner']}/{parts['repo']}" if "owner" in parts else parts["repo"]


OWN: dict[str, Callable[..., Any]] = {
    "default": default,
    "d": default,
    "dump": dump,
    "title": title,
    "truncate": truncate,
    "join": join,
    "replace": replace,
    "sort": sort,
    "string": text_of,
    "list": lambda value: list(value),
    "safe": text_of,
    "escape": lambda value: html.escape(text_of(value)),
    "e": lambda value: html.escape(text_of(value)),
    "forceescape": lambda value: html.escape(text_of(value)),
    "nl2br": lambda value: text_of(value).replace("\n", "<br />\n"),
    "urlencode": lambda value: quote(text_of(value), safe="!~*'()"),
    "pick": pick,
    "parseEntityRef": parse_entity_ref,
    "parseRepoUrl": parse_repo_url,
    "projectSlug": project_slug,
    "__pairs": pairs,
    "__items": items,
    "__concat": lambda items: "".join(text_of(item) for item in items),
}


def table(jinja: Mapping[str, Callable[..., Any]], *, cookiecutter: bool = False) -> dict[str, Callable[..., Any]]:
    """Every filter by its name."""
    filters = {name: jinja[name] for name in SAME.split()} | {new: jinja[old] for new, old in ALIASES.items()}
    return filters | OWN | ({"jsonify": as_json} if cookiecutter else {})
