"""Typed readers of the process environment: the only place that touches os.environ for settings."""

import os
from collections.abc import Sequence


class MissingSetting(Exception):
    """A setting without a default is absent; the message says which and what it should look like."""


def text(name: str, default: str | None = None, *, example: str = "") -> str:
    """The variable's value, stripped; `default` when unset or empty.

    Raises MissingSetting when there is neither.
    """
    value = os.environ.get(name, "").strip()
    if value:
        return value
    if default is None:
        raise MissingSetting(f"{name} is not set" + (f", for example {name}={example}" if example else "") + ".")
    return default


def boolean(name: str, *, default: bool = False) -> bool:
    """True for 1, true, yes, on; False for 0, false, no, off; anything else raises MissingSetting."""
    value = os.environ.get(name, "").strip().lower()
    if not value:
        return default
    if value in {"1", "true", "yes", "on"}:
        return True
    if value in {"0", "false", "no", "off"}:
        return False
    raise MissingSetting(f"{name} must be yes or no, not {value!r}.")


def integer(name: str, default: int) -> int:
    """A whole number; raises MissingSetting for anything else."""
    value = os.environ.get(name, "").strip()
    if not value:
        return default
    try:
        return int(value)
    except ValueError as error:
        raise MissingSetting(f"{name} must be a whole number, not {value!r}.") from error


def words(name: str, default: Sequence[str] = ()) -> list[str]:
    """A comma-separated list, blanks dropped."""
    value = os.environ.get(name, "")
    return [part.strip() for part in value.split(",") if part.strip()] or list(default)
