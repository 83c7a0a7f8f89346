"""When a step runs and how often: the meaning of `if` and `each`."""

import re
from collections.abc import Mapping
from typing import Any

from portal.goldenpaths.language.rendering import Options, RenderError, render_value

_AFTER_FAILURE = re.compile(r"\b(?:always|failure)\s*\(\s*\)")


def is_truthy(value: Any) -> bool:
    """False for false, null, "", 0 and the empty list; the texts "false" and "0", and the empty object, are true."""
    return value not in (None, False, "", 0) and value != []


def condition(value: Any, context: Mapping[str, Any], *, where: str = "if", failed: bool = False) -> bool:
    """Whether a step with this `if` runs; a step without one runs. `failed`: whether an earlier step failed."""
    if value is None:
        return True
    return is_truthy(render_value(value, context, path=where, options=Options(failed=failed)))


def runs_after_failure(value: Any) -> bool:
    """Whether a step asks to be considered although an earlier one failed."""
    return isinstance(value, str) and _AFTER_FAILURE.search(value) is not None


def iterations(
    value: Any, context: Mapping[str, Any], *, where: str = "each", failed: bool = False
) -> list[dict[str, Any]]:
    """The `each` objects ({key, value}) of a step that repeats, in order; none for an unanswered question."""
    items = render_value(value, context, path=where, options=Options(failed=failed))
    if items is None:
        return []
    if isinstance(items, list):
        return [{"key": str(index), "value": item} for index, item in enumerate(items)]
    if isinstance(items, dict):
        return [{"key": str(key), "value": item} for key, item in items.items()]
    raise RenderError("“each” must come to a list or an object.", where)
