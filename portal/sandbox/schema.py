"""What the definitions say of every field: its shape, its list keys, how patches merge it."""

from dataclasses import dataclass, field
from functools import cache
from typing import Any, Literal

from portal.sandbox.definitions import definitions
from portal.sandbox.errors import bad_request
from portal.sandbox.kinds import Resource
from portal.sandbox.quantity import is_quantity

Shape = Literal["scalar", "struct", "map", "list", "any"]
# The published schema has these defaults for fields that are list keys; the data file's source drops defaults.
KEY_DEFAULTS: dict[str, Any] = {"protocol": "TCP"}
_INT_OR_STRING = "io.k8s.apimachinery.pkg.util.intstr.IntOrString"
_QUANTITY = "io.k8s.apimachinery.pkg.api.resource.Quantity"


@dataclass(slots=True, eq=False)
class Node:
    """The schema of one value."""

    shape: Shape
    type: str = "any"
    name: str = ""
    fields: dict[str, "Node"] = field(default_factory=dict)
    element: "Node | None" = None
    keys: tuple[str, ...] = ()
    list_type: str = "atomic"
    atomic: bool = False
    merge_key: str = ""
    strategy: tuple[str, ...] = ()
    required: tuple[str, ...] = ()


ANY = Node("any")


@cache
def definition(name: str) -> Node:
    """The node of a definition by its full name."""
    return _fill(Node("any", name=name.rsplit(".", 1)[1]), definitions()[name], name)


def _fill(node: Node, raw: dict[str, Any], name: str = "") -> Node:
    if name in (_INT_OR_STRING, _QUANTITY):
        node.shape, node.type = "scalar", "intstr" if name == _INT_OR_STRING else "quantity"
        return node
    kind = raw.get("type", "object" if "properties" in raw else "any")
    if kind == "object" and "properties" in raw:
        node.shape = "struct"
        node.fields = {key: _property(value) for key, value in raw["properties"].items()}
        node.required = tuple(raw.get("required", ()))
    elif kind == "object" and "additionalProperties" in raw:
        node.shape, node.element = "map", _property(raw["additionalProperties"])
    elif kind == "array":
        node.shape, node.element = "list", _property(raw["items"])
    elif kind in ("string", "integer", "number", "boolean"):
        node.shape, node.type = "scalar", kind
        if kind == "integer":
            node.name = raw.get("format", "int64")
    node.atomic = raw.get("x-kubernetes-map-type") == "atomic" or node.atomic
    return node


def _property(raw: dict[str, Any]) -> Node:
    if "$ref" in raw:
        base = definition(raw["$ref"].rsplit("/", 1)[1])
        if not any(key.startswith("x-kubernetes") for key in raw):
            return base
        node = Node(base.shape, base.type, base.name, base.fields, base.element)
        node.atomic, node.required = base.atomic, base.required
    else:
        node = _fill(Node("any"), raw)
    node.keys = tuple(raw.get("x-kubernetes-list-map-keys", ()))
    node.list_type = raw.get("x-kubernetes-list-type", "atomic")
    node.atomic = node.atomic or raw.get("x-kubernetes-map-type") == "atomic"
    node.merge_key = raw.get("x-kubernetes-patch-merge-key", "")
    node.strategy = (
        tuple(raw.get("x-kubernetes-patch-strategy", "").split(","))
        if node.merge_key or raw.get("x-kubernetes-patch-strategy")
        else ()
    )
    return node


def of(resource: Resource) -> Node:
    return definition(resource.definition)


def item_key(node: Node, item: Any) -> tuple[tuple[str, Any], ...] | Any:
    """What identifies an item of a set or of a list with keys."""
    if node.list_type == "set":
        return item
    return tuple((key, item.get(key, KEY_DEFAULTS.get(key))) for key in node.keys)


class Decoder:
    """Reads a JSON document as a typed server would: wrong types are refused, unknown fields collected and dropped."""

    def __init__(self, resource: Resource) -> None:
        self.resource = resource
        self.unknown: list[str] = []

    def decode(self, document: dict[str, Any]) -> dict[str, Any]:
        cleaned: dict[str, Any] = self._value(of(self.resource), document, "", self.resource.kind)
        return cleaned

    def _value(self, node: Node, value: Any, path: str, owner: str) -> Any:
        if node.shape == "scalar":
            return self._scalar(node, value, path, owner)
        if node.shape == "struct":
            return self._struct(node, value, path, owner)
        if node.shape == "list":
            if not isinstance(value, list):
                raise self._mismatch(value, path, owner, f"[]{_go_type(node.element)}")
            element = node.element or ANY
            return [self._value(element, item, f"{path}[{index}]", owner) for index, item in enumerate(value)]
        if node.shape == "map":
            if not isinstance(value, dict):
                raise self._mismatch(value, path, owner, f"map[string]{_go_type(node.element)}")
            element = node.element or ANY
            return {key: self._value(element, item, f"{path}.{key}", owner) for key, item in value.items()}
        return value

    def _struct(self, node: Node, value: Any, path: str, owner: str) -> dict[str, Any]:
        if not isinstance(value, dict):
            raise self._mismatch(value, path, owner, f"v1.{node.name}")
        out: dict[str, Any] = {}
        for key, item in value.items():
            child = node.fields.get(key)
            where = f"{path}.{key}" if path else key
            if child is None:
                self.unknown.append(where)
            elif item is not None:
                read = self._value(child, item, where, node.name)
                if read not in ([], {}) or child.shape == "struct" or child.shape == "any":
                    out[key] = read
        return out

    def _scalar(self, node: Node, value: Any, path: str, owner: str) -> Any:
        if value is None:
            return {"string": "", "integer": 0, "boolean": False}.get(node.type)
        kinds: dict[str, tuple[type, ...]] = {
            "string": (str,),
            "integer": (int,),
            "number": (int, float),
            "boolean": (bool,),
            "intstr": (int, str),
            "quantity": (int, float, str),
        }
        wrong_bool = isinstance(value, bool) and node.type != "boolean"
        if wrong_bool or not isinstance(value, kinds[node.type]):
            raise self._mismatch(value, path, owner, _go_type(node))
        if node.type == "quantity":
            return self._quantity(value)
        return value

    def _quantity(self, value: Any) -> str:
        if not is_quantity(value):
            resource = self.resource
            raise bad_request(
                f'{resource.kind} in version "{resource.version}" cannot be handled as a {resource.kind}: quantities '
                "must match the regular expression '^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$'"
            )
        return str(value)

    def _mismatch(self, value: Any, path: str, owner: str, wanted: str) -> Exception:
        word = {str: "string", bool: "bool", list: "array", dict: "object"}.get(type(value), "number")
        resource = self.resource
        return bad_request(
            f'{resource.kind} in version "{resource.version}" cannot be handled as a {resource.kind}: json: '
            f"cannot unmarshal {word} into Go struct field {owner}.{path} of type {wanted}"
        )


def _go_type(node: Node | None) -> str:
    if node is None or node.shape == "any":
        return "interface {}"
    if node.shape == "struct":
        return f"v1.{node.name}"
    if node.type == "integer":
        return node.name
    return {"string": "string", "boolean": "bool", "number": "float64"}.get(node.type, node.type)
