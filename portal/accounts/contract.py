"""What the API promises, as an OpenAPI document, and requests held to it: the one place for both.

The document says of each operation what it takes and what it answers; what it takes is checked here before the view
runs, so that nothing is silently ignored and a view may trust the shapes. Query parameters that it does not name stay
accepted, as Backstage's clients expect.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Iterable, Mapping
from typing import Any

from drf_spectacular.generators import SchemaGenerator
from drf_spectacular.openapi import AutoSchema
from drf_spectacular.utils import OpenApiParameter
from jsonschema import Draft202012Validator, ValidationError
from rest_framework import serializers
from rest_framework.request import Request

from portal.kit.errors import Invalid

MOST_TEXT = 4000
_CONVERTER = re.compile(r"<(?:\w+:)?(\w+)>")
_DIGITS = re.compile(r"-?[0-9]{1,18}", re.ASCII)
# A NUL, or bytes that are no UTF-8 (PlainAddressMiddleware).
_UNREADABLE = "\ufffd"


class ErrorSerializer(serializers.Serializer[Any]):
    """Why not: `message` is a sentence for people, `code` a word for programs, `name` what Backstage calls it."""

    name = serializers.CharField()
    message = serializers.CharField()
    code = serializers.CharField()
    field = serializers.CharField(required=False, help_text="The parameter or part of the body that is meant.")
    detail = serializers.DictField(required=False)


class RequestSerializer(serializers.Serializer[Any]):
    """What was asked."""

    method = serializers.CharField(allow_blank=True)
    url = serializers.CharField(allow_blank=True)


class StatusSerializer(serializers.Serializer[Any]):
    """The status once more."""

    statusCode = serializers.IntegerField()


class RefusalSerializer(serializers.Serializer[Any]):
    """The body of every answer that is an error."""

    error = ErrorSerializer()
    request = RequestSerializer()
    response = StatusSerializer()


# Whoever is not signed in, may not, or is a stranger; an answer in another form than JSON; a part that is away.
ALWAYS = {
    "401": "Not signed in, or the token is not accepted.",
    "403": "Not allowed; the sentence says who is.",
    "404": "There is no such thing here, or it is not yours to see.",
    "406": "The answer is JSON and nothing else.",
    "503": "A part that this depends on is away; try again.",
}
BAD_REQUEST = {"400": "A parameter or the body makes no sense; the sentence says which."}
# The work of a job or a cluster can be refused in these ways as well.
ON_WRITES = {"409": "It exists already, or has moved on since.", "422": "What was asked cannot be done with this."}
WITH_BODY = {"413": "The body is larger than is taken here.", "415": "The body is not JSON."}
IN_FLIGHT = {"429": "Too much is under way for one person or organisation; the sentence says when to try again."}


class Schema(AutoSchema):  # type: ignore[misc]  # drf-spectacular is untyped
    """An operation's description, with the refusals that it can answer."""

    def _get_response_bodies(self, direction: str = "response") -> dict[str, Any]:
        bodies: dict[str, Any] = super()._get_response_bodies(direction)
        for code, said in self._refusals().items():
            if code not in bodies:
                bodies[code] = self._get_response_for_code(RefusalSerializer, code, None, direction)
                bodies[code]["description"] = said
        return bodies

    def _refusals(self) -> Mapping[str, str]:
        found = dict(ALWAYS) | BAD_REQUEST
        if self.method not in ("GET", "HEAD"):
            found |= ON_WRITES
        if self.method in ("POST", "PUT", "PATCH") and self.get_request_serializer() is not None:
            found |= WITH_BODY
        if getattr(self.view, "works_by_jobs", False) and self.method in ("POST", "PUT"):
            found |= IN_FLIGHT | WITH_BODY
        return found


def whole(name: str, *, least: int = 0, most: int = 10**9 - 1, about: str = "") -> OpenApiParameter:
    """A whole number in the query."""
    return OpenApiParameter(name, {"type": "integer", "minimum": least, "maximum": most}, description=about)


def text(name: str, *, about: str = "", pattern: str = "", most: int = MOST_TEXT) -> OpenApiParameter:
    """A text in the query."""
    return OpenApiParameter(name, _text(pattern, most), description=about)


def texts(
    name: str, *, about: str = "", pattern: str = "", most: int = MOST_TEXT, required: bool = False
) -> OpenApiParameter:
    """A text that may stand in the query several times."""
    schema: dict[str, Any] = {"type": "array", "items": _text(pattern, most)}
    if required:
        schema["minItems"] = 1
    return OpenApiParameter(name, schema, description=about, required=required, style="form", explode=True)


def one_of(name: str, words: Iterable[str], *, about: str = "") -> OpenApiParameter:
    """One of a few words in the query."""
    return OpenApiParameter(name, {"type": "string", "enum": list(words)}, description=about)


def flag(name: str, *, about: str = "") -> OpenApiParameter:
    """true or false in the query."""
    return OpenApiParameter(name, {"type": "boolean"}, description=about)


def _text(pattern: str, most: int) -> dict[str, Any]:
    return {"type": "string", "maxLength": most} | ({"pattern": pattern} if pattern else {})


@functools.cache
def document() -> dict[str, Any]:
    """The whole OpenAPI 3 document as plain data; made once per process, for it is the same for everybody."""
    made: dict[str, Any] = SchemaGenerator().get_schema(request=None, public=True)
    return made


def check(request: Request) -> None:
    """Holds a request to what its operation takes; raises Invalid with a sentence, naming the parameter or the part."""
    operation = _operation(request)
    for parameter in operation.get("parameters", ()):
        if parameter["in"] == "query":
            _check_query(parameter, request.query_params.getlist(parameter["name"]))
    body = operation.get("requestBody", {}).get("content", {}).get("application/json")
    # An archive is looked at by whoever unpacks it.
    data: Any = request.data if body is not None else None
    if body is not None and not isinstance(data, bytes):
        _check_body(body["schema"], data)


def _operation(request: Request) -> dict[str, Any]:
    match = request._request.resolver_match
    route = "/" + _CONVERTER.sub(r"{\1}", match.route if match else "")
    found: dict[str, Any] = document()["paths"].get(route, {}).get((request.method or "").lower(), {})
    return found


def _check_query(parameter: Mapping[str, Any], values: list[str]) -> None:
    name, schema = parameter["name"], parameter["schema"]
    if not values and parameter.get("required"):
        raise Invalid(f"`{name}` is missing. {parameter.get('description', '')}".strip(), field=name)
    item = schema["items"] if schema.get("type") == "array" else schema
    for value in values:
        _check_value(name, item, value, parameter.get("description", ""))


def _check_value(name: str, schema: Mapping[str, Any], value: str, about: str) -> None:
    if _UNREADABLE in value:
        raise Invalid(f"`{name}` holds a character that cannot be read.", field=name)
    kind = schema.get("type")
    if kind == "integer":
        least, most = schema["minimum"], schema["maximum"]
        if not _DIGITS.fullmatch(value) or not least <= int(value) <= most:
            raise Invalid(f"`{name}` must be a whole number of at least {least} and at most {most}.", field=name)
    elif kind == "boolean" and value not in ("true", "false"):
        raise Invalid(f"`{name}` must be true or false.", field=name)
    elif "enum" in schema and value not in schema["enum"]:
        raise Invalid(f"`{name}` must be one of {', '.join(schema['enum'])}.", field=name)
    elif len(value) > schema.get("maxLength", MOST_TEXT):
        raise Invalid(f"`{name}` has more than {schema.get('maxLength', MOST_TEXT)} characters.", field=name)
    elif "pattern" in schema and not _fits(schema["pattern"], value):
        raise Invalid(f'"{value[:100]}" is no {name}. {about}'.strip(), field=name)


def _fits(pattern: str, value: str) -> bool:
    """By JSON Schema's rules, where $ is the end itself and not also the place before a last line break."""
    return re.search(f"{pattern[:-1]}\\Z" if pattern.endswith("$") else pattern, value) is not None


def _check_body(schema: Mapping[str, Any], data: Any) -> None:
    validator = Draft202012Validator({**schema, "components": document()["components"]})
    error = next(iter(validator.iter_errors(data)), None)
    if error is None:
        return
    place = ".".join(map(str, error.absolute_path))
    if not place and error.validator == "type":
        raise Invalid("Send a JSON object.")
    raise Invalid(f"{f'`{place}`' if place else 'The body'} {_wrong(error)}.", field=place)


_TYPES = {"object": "an object", "array": "a list", "string": "text", "integer": "a whole number"}


def _wrong(error: ValidationError) -> str:
    value: Any = error.validator_value
    if error.validator == "type" and isinstance(value, str) and value in _TYPES:
        return f"must be {_TYPES[value]}"
    if error.validator == "enum":
        return f"must be one of {', '.join(map(str, value))}"
    return f"does not fit: {error.message[:300].rstrip('.')}"
