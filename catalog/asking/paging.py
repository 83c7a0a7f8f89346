"""Keyset pages: a cursor is the place of a row in its order, sealed against tampering."""

import base64
import binascii
import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from django.core.signing import BadSignature, Signer
from django.db.models import Q

from portal.kit.errors import Invalid

_SIGNER = Signer(salt="catalog.cursor")


def seal(content: Any) -> str:
    """An opaque cursor. It does not decode to JSON on purpose: callers must not look inside."""
    text = json.dumps(content, separators=(",", ":"), ensure_ascii=False)
    return base64.urlsafe_b64encode(_SIGNER.sign(text).encode()).decode().rstrip("=")


def unseal(cursor: str) -> Any:
    """What was sealed; raises Invalid for anything else."""
    try:
        padded = cursor + "=" * (-len(cursor) % 4)
        return json.loads(_SIGNER.unsign(base64.urlsafe_b64decode(padded.encode()).decode()))
    except (BadSignature, ValueError, binascii.Error, UnicodeError) as error:
        raise Invalid("The cursor is not one of ours. Start again from the first page.", field="cursor") from error


@dataclass(frozen=True)
class RowPage:
    """Rows with the cursors of their neighbours, empty where there is none."""

    rows: Sequence[Any]
    after: str = ""
    before: str = ""


def page_of(rows: Any, *, size: int, after: str = "", before: str = "") -> RowPage:
    """A page of a queryset in the order (sort_name, id), starting behind or ending before a cursor: one query."""
    if before:
        name, ident = _place(before)
        found = list(
            rows.filter(Q(sort_name__lt=name) | Q(sort_name=name, id__lt=ident)).order_by("-sort_name", "-id")[
                : size + 1
            ]
        )
        shown = found[:size][::-1]
        return RowPage(
            shown, after=before_first(shown, last=True), before=before_first(shown) if len(found) > size else ""
        )
    if after:
        name, ident = _place(after)
        rows = rows.filter(Q(sort_name__gt=name) | Q(sort_name=name, id__gt=ident))
    found = list(rows.order_by("sort_name", "id")[: size + 1])
    shown = found[:size]
    more = before_first(shown, last=True) if len(found) > size else ""
    return RowPage(shown, after=more, before=before_first(shown) if after else "")


def before_first(rows: Sequence[Any], *, last: bool = False) -> str:
    """The cursor of the first (or last) row."""
    return seal([rows[-1 if last else 0].sort_name, rows[-1 if last else 0].pk]) if rows else ""


def _place(cursor: str) -> tuple[str, int]:
    content = unseal(cursor)
    if not (
        isinstance(content, list) and len(content) == 2 and isinstance(content[0], str) and isinstance(content[1], int)
    ):
        raise Invalid("The cursor belongs to another list. Start again from the first page.", field="cursor")
    return content[0], content[1]
