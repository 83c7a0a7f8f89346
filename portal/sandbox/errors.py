"""Refusals of the API in the shape that Kubernetes clients know: a Status object."""

from dataclasses import dataclass
from typing import Any

from portal.sandbox.kinds import Resource


@dataclass(frozen=True, slots=True)
class Cause:
    """One field that is wrong: reason, message and path as the real server words them."""

    reason: str
    message: str
    field: str = ""

    def document(self) -> dict[str, str]:
        out = {"reason": self.reason, "message": self.message}
        return out | {"field": self.field} if self.field else out


class ApiError(Exception):
    """A request that is refused: HTTP code, reason word, message and details."""

    def __init__(self, code: int, reason: str, message: str, details: dict[str, Any] | None = None) -> None:
        super().__init__(message)
        self.code = code
        self.reason = reason
        self.message = message
        self.details = details

    def status(self) -> dict[str, Any]:
        out: dict[str, Any] = {
            "kind": "Status",
            "apiVersion": "v1",
            "metadata": {},
            "status": "Failure",
            "message": self.message,
        }
        if self.reason:
            out["reason"] = self.reason
        if self.details is not None:
            out["details"] = self.details
        return out | {"code": self.code}


def _details(resource: Resource, name: str, *, kind: bool = False) -> dict[str, Any]:
    out: dict[str, Any] = {"name": name} if name else {}
    if resource.group:
        out["group"] = resource.group
    return out | {"kind": resource.kind if kind else resource.plural}


def not_found(resource: Resource, name: str) -> ApiError:
    return ApiError(404, "NotFound", f'{resource.qualified} "{name}" not found', _details(resource, name))


def already_exists(resource: Resource, name: str) -> ApiError:
    return ApiError(409, "AlreadyExists", f'{resource.qualified} "{name}" already exists', _details(resource, name))


def conflict(resource: Resource, name: str, text: str) -> ApiError:
    message = f'Operation cannot be fulfilled on {resource.qualified} "{name}": {text}'
    return ApiError(409, "Conflict", message, _details(resource, name))


def stale(resource: Resource, name: str) -> ApiError:
    text = "the object has been modified; please apply your changes to the latest version and try again"
    return conflict(resource, name, text)


def changed_since(resource: Resource, name: str, text: str) -> ApiError:
    """A failed precondition of a deletion, which the real server words with the kind, not the plural."""
    subject = f"{resource.kind}.{resource.group}" if resource.group else resource.kind
    message = f'Operation cannot be fulfilled on {subject} "{name}": {text}'
    return ApiError(409, "Conflict", message, _details(resource, name, kind=True))


def forbidden(resource: Resource, name: str, text: str) -> ApiError:
    subject = f'{resource.qualified} "{name}" is forbidden' if name else f"{resource.qualified} is forbidden"
    return ApiError(403, "Forbidden", f"{subject}: {text}", _details(resource, name))


def invalid(resource: Resource, name: str, causes: list[Cause]) -> ApiError:
    texts = [f"{cause.field}: {cause.message}" if cause.field else cause.message for cause in causes]
    joined = texts[0] if len(texts) == 1 else f"[{', '.join(texts)}]"
    details = _details(resource, name, kind=True) | {"causes": [cause.document() for cause in causes]}
    return ApiError(422, "Invalid", f'{resource.qualified_kind} "{name}" is invalid: {joined}', details)


def invalid_options(kind: str, field: str, reason: str, text: str) -> ApiError:
    """A wrong query option, which the real server words as an invalid ListOptions, PatchOptions and so on."""
    cause = Cause(reason, text, field)
    details = {"group": "meta.k8s.io", "kind": kind, "causes": [cause.document()]}
    return ApiError(422, "Invalid", f'{kind}.meta.k8s.io "" is invalid: {field}: {text}', details)


def bad_request(message: str) -> ApiError:
    return ApiError(400, "BadRequest", message)


def expired(message: str) -> ApiError:
    return ApiError(410, "Expired", message)


def unauthorized() -> ApiError:
    return ApiError(401, "Unauthorized", "Unauthorized")


def method_not_allowed() -> ApiError:
    return ApiError(405, "MethodNotAllowed", "the server does not allow this method on the requested resource", {})


def no_such_path() -> ApiError:
    return ApiError(404, "NotFound", "the server could not find the requested resource", {})


def too_large() -> ApiError:
    return ApiError(413, "RequestEntityTooLarge", "Request entity too large: limit is 3145728", {})


def unsupported_media(wanted: str) -> ApiError:
    text = f"the body of the request was in an unknown format - accepted media types include: {wanted}"
    return ApiError(415, "UnsupportedMediaType", text)


def required(field: str, text: str = "Required value") -> Cause:
    return Cause("FieldValueRequired", text, field)


def wrong(field: str, value: object, text: str) -> Cause:
    shown = f'"{value}"' if isinstance(value, str) else go_value(value)
    return Cause("FieldValueInvalid", f"Invalid value: {shown}: {text}", field)


def unsupported(field: str, value: str, wanted: list[str]) -> Cause:
    choices = ", ".join(f'"{word}"' for word in sorted(wanted))
    return Cause("FieldValueNotSupported", f'Unsupported value: "{value}": supported values: {choices}', field)


def go_value(value: object) -> str:
    """A value as today's server prints it in a message: JSON."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, dict):
        inner = ",".join(f'"{key}":{go_value(item)}' for key, item in value.items())
        return f"{{{inner}}}"
    if isinstance(value, list):
        return f"[{','.join(go_value(item) for item in value)}]"
    return f'"{value}"' if isinstance(value, str) else str(value)
