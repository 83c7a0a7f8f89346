"""A refusal is a typed sentence for the person; anything else that is raised is a bug and a 500."""

from typing import Any


class Refusal(Exception):
    """Something the person asked for cannot be done, and why.

    text   a full sentence, ending in a full stop, that says what to do where possible
    status the HTTP status that fits
    code   a stable word for programs
    field  the form field the sentence belongs to, or ""
    detail facts for programs (never secrets)
    """

    status = 400
    code = "refused"
    # The error name that clients of the catalog API expect (reference: backstage-compat 4b.6).
    wire_name = "InputError"

    def __init__(
        self,
        text: str,
        *,
        status: int | None = None,
        code: str | None = None,
        field: str = "",
        detail: dict[str, Any] | None = None,
    ) -> None:
        super().__init__(text)
        self.text = text
        self.field = field
        self.detail = detail or {}
        if status is not None:
            self.status = status
        if code is not None:
            self.code = code


class Invalid(Refusal):
    """What was sent does not make sense; the sentence says which part."""

    code = "invalid"


class Unauthenticated(Refusal):
    """Nobody is signed in, or the credential is not accepted."""

    status = 401
    code = "unauthenticated"
    wire_name = "AuthenticationError"


class Forbidden(Refusal):
    """A colleague without the right: the sentence says which right and who has it."""

    status = 403
    code = "forbidden"
    wire_name = "NotAllowedError"


class NotFound(Refusal):
    """There is no such thing here, or the person is a stranger to it: the two look the same."""

    status = 404
    code = "not-found"
    wire_name = "NotFoundError"


class NotAllowed(Refusal):
    """The address is right and the method is not."""

    status = 405
    code = "method-not-allowed"


class Conflict(Refusal):
    """The thing exists already, or has moved on since it was read."""

    status = 409
    code = "conflict"
    wire_name = "ConflictError"


class TooLarge(Refusal):
    """More bytes, files or items than the stated bound."""

    status = 413
    code = "too-large"


class TooMany(Refusal):
    """More at once, or more often, than one person or organisation may; the sentence says when to try again."""

    status = 429
    code = "too-many"


class Unavailable(Refusal):
    """A part we depend on is away; trying again later is sensible."""

    status = 503
    code = "unavailable"
    wire_name = "ServiceUnavailableError"


class Away(Unavailable):
    """Another system does not answer; raised at the one door of each, of connection errors alone (kit/away.py).

    what  the system, in words or by its host
    why   the library's own name for what happened; never an address with a credential, nor what was sent
    """

    code = "away"

    def __init__(self, text: str, *, what: str = "", why: BaseException | None = None, **more: Any) -> None:
        super().__init__(text, **more)
        self.what = what
        self.why = type(why).__name__ if why else ""
