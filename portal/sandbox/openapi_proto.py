"""The version 2 document in the protobuf form that kubectl asks for.

The messages and field numbers are those of gnostic's `openapiv2/OpenAPIv2.proto`; only the fields that kubectl reads
are written.
"""

from collections.abc import Mapping
from typing import Any

import orjson


def _varint(value: int) -> bytes:
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)


def _bytes(number: int, value: bytes) -> bytes:
    return _varint(number << 3 | 2) + _varint(len(value)) + value


def _text(number: int, value: str) -> bytes:
    return _bytes(number, value.encode()) if value else b""


def _bool(number: int, value: bool) -> bytes:
    return _varint(number << 3) + b"\x01" if value else b""


def _any(value: Any) -> bytes:
    """gnostic's Any: a YAML text. JSON is YAML."""
    return _text(2, orjson.dumps(value).decode() + "\n")


def _extensions(number: int, raw: Mapping[str, Any]) -> bytes:
    return b"".join(
        _bytes(number, _text(1, key) + _bytes(2, _any(value))) for key, value in raw.items() if key.startswith("x-")
    )


def _named(number: int, values: Mapping[str, Any]) -> bytes:
    return b"".join(_bytes(number, _text(1, key) + _bytes(2, _schema(value))) for key, value in values.items())


def _schema(raw: Mapping[str, Any]) -> bytes:
    out = _text(1, raw.get("$ref", "")) + _text(2, raw.get("format", "")) + _text(4, raw.get("description", ""))
    out += b"".join(_text(19, name) for name in raw.get("required", ()))
    if "additionalProperties" in raw:
        extra = raw["additionalProperties"]
        out += _bytes(21, _bool(2, extra) if isinstance(extra, bool) else _bytes(1, _schema(extra)))
    if "type" in raw:
        out += _bytes(22, _text(1, raw["type"]))
    if "items" in raw:
        out += _bytes(23, _bytes(1, _schema(raw["items"])))
    if "properties" in raw:
        out += _bytes(25, _named(1, raw["properties"]))
    return out + _extensions(31, raw)


def _parameter(raw: Mapping[str, Any]) -> bytes:
    query = _text(2, "query") + _text(3, raw.get("description", "")) + _text(4, raw["name"]) + _text(6, raw["type"])
    # ParametersItem > Parameter > NonBodyParameter > QueryParameterSubSchema
    return _bytes(1, _bytes(2, _bytes(3, query)))


def _operation(raw: Mapping[str, Any]) -> bytes:
    out = _text(5, raw["operationId"])
    out += b"".join(_bytes(8, _parameter(item)) for item in raw["parameters"])
    return out + _bytes(9, b"") + _extensions(13, raw)


def _path(raw: Mapping[str, Any]) -> bytes:
    numbers = {"get": 2, "put": 3, "post": 4, "delete": 5, "patch": 8}
    return b"".join(_bytes(numbers[action], _operation(value)) for action, value in raw.items())


def encode(document: Mapping[str, Any]) -> bytes:
    """The Document message."""
    info = _text(1, document["info"]["title"]) + _text(2, document["info"]["version"])
    paths = b"".join(_bytes(2, _text(1, key) + _bytes(2, _path(value))) for key, value in document["paths"].items())
    return (
        _text(1, document["swagger"])
        + _bytes(2, info)
        + _bytes(8, paths)
        + _bytes(9, _named(1, document["definitions"]))
    )
