"""Reading a request: its path, its options, its body."""

from dataclasses import dataclass
from typing import Any

import orjson
import yaml
from aiohttp import web

from portal.sandbox.errors import bad_request, invalid_options, unsupported_media
from portal.sandbox.kinds import BY_PATH, Resource
from portal.sandbox.registry import Call

_JSON = "application/json"
_YAML = "application/yaml"
APPLY = "application/apply-patch+yaml"


@dataclass(frozen=True, slots=True)
class Target:
    """What a path names."""

    resource: Resource
    namespace: str
    name: str
    subresource: str
    everywhere: bool


def target(path: str) -> Target | None:
    """Read /api/v1/... and /apis/<group>/<version>/...; None for anything else."""
    steps = [step for step in path.split("/") if step]
    if steps[:1] == ["api"] and len(steps) > 2:
        group, version, rest = "", steps[1], steps[2:]
    elif steps[:1] == ["apis"] and len(steps) > 3:
        group, version, rest = steps[1], steps[2], steps[3:]
    else:
        return None
    namespace = ""
    if rest[0] == "namespaces" and len(rest) > 2 and (group, version, rest[2]) in BY_PATH:
        namespace, rest = rest[1], rest[2:]
    resource = BY_PATH.get((group, version, rest[0]))
    if resource is None or len(rest) > 3:
        return None
    if (not resource.namespaced and namespace) or (resource.namespaced and not namespace and len(rest) > 1):
        return None
    name = rest[1] if len(rest) > 1 else ""
    return Target(resource, namespace, name, rest[2] if len(rest) > 2 else "", resource.namespaced and not namespace)


def flag(request: web.BaseRequest, name: str) -> bool:
    return request.query.get(name, "").lower() in ("true", "1")


def number(request: web.BaseRequest, name: str, default: int = 0) -> int:
    text = request.query.get(name, "")
    if not text:
        return default
    try:
        return int(text)
    except ValueError as error:
        raise bad_request(f'strconv.ParseInt: parsing "{text}": invalid syntax') from error


def call(request: web.BaseRequest, user: str, kind: str, subresource: str) -> Call:
    """The circumstances of a write."""
    dry_run = request.query.getall("dryRun", [])
    if dry_run not in ([], ["All"]):
        text = f'Unsupported value: "{dry_run[0]}": supported values: "All"'
        raise invalid_options(kind, "dryRun", "FieldValueNotSupported", text)
    strictness = request.query.get("fieldValidation", "Warn") or "Warn"
    if strictness not in ("Strict", "Warn", "Ignore"):
        text = f'Unsupported value: "{strictness}": supported values: "", "Ignore", "Strict", "Warn"'
        raise invalid_options(kind, "fieldValidation", "FieldValueNotSupported", text)
    agent = request.headers.get("User-Agent", "").split("/")[0] or "unknown"
    manager = request.query.get("fieldManager", "") or agent
    return Call(user, manager, bool(dry_run), strictness, subresource)


async def body(request: web.BaseRequest) -> Any:
    """The request's body from JSON or YAML."""
    data = await request.read()
    media = request.headers.get("Content-Type", _JSON).split(";")[0].strip().lower()
    if not data:
        return {}
    if media in (_YAML, APPLY):
        try:
            return yaml.safe_load(data)
        except yaml.YAMLError as error:
            raise bad_request(f"error decoding YAML: {error}") from error
    if media.endswith("json") or media in ("", "*/*", "application/octet-stream"):
        try:
            return orjson.loads(data)
        except orjson.JSONDecodeError as error:
            raise bad_request(f"couldn't get version/kind; json parse error: {error}") from error
    raise unsupported_media(f"{_JSON}, {_YAML}, {APPLY}")


async def document(request: web.BaseRequest) -> dict[str, Any]:
    """A body that must be an object."""
    read = await body(request)
    if not isinstance(read, dict):
        raise bad_request("the body of the request is not an object")
    return read
