"""Kubernetes quantities as whole numbers: thousandths of a core, bytes."""

from __future__ import annotations

import re
from decimal import Decimal, InvalidOperation
from functools import lru_cache

SUFFIXES = {
    "": Decimal(1),
    "n": Decimal("1e-9"),
    "u": Decimal("1e-6"),
    "m": Decimal("1e-3"),
    "k": Decimal(10) ** 3,
    "M": Decimal(10) ** 6,
    "G": Decimal(10) ** 9,
    "T": Decimal(10) ** 12,
    "P": Decimal(10) ** 15,
    "E": Decimal(10) ** 18,
    "Ki": Decimal(2) ** 10,
    "Mi": Decimal(2) ** 20,
    "Gi": Decimal(2) ** 30,
    "Ti": Decimal(2) ** 40,
    "Pi": Decimal(2) ** 50,
    "Ei": Decimal(2) ** 60,
}
QUANTITY = re.compile(r"([+-]?[0-9.]+(?:[eE][+-]?[0-9]{1,3})?)([numkMGTPE]i?)?")


@lru_cache(maxsize=4096)
def parse(text: str | None) -> Decimal:
    """The number a quantity stands for; what is no quantity counts as zero, since a cluster is hostile input."""
    match = QUANTITY.fullmatch(text or "")
    if not match:
        return Decimal(0)
    try:
        return Decimal(match[1]) * SUFFIXES.get(match[2] or "", Decimal(0))
    except InvalidOperation:
        return Decimal(0)


def millicores(text: str | None) -> int:
    """CPU in thousandths of a core."""
    return int(parse(text) * 1000)


def size(text: str | None) -> int:
    """Memory in bytes."""
    return int(parse(text))


def readable(number: int) -> str:
    """Bytes for a person, in binary units."""
    value = float(number)
    for unit in ("B", "KiB", "MiB", "GiB", "TiB"):
        if value < 1024:
            return f"{value:.0f} {unit}" if value >= 10 or unit == "B" else f"{value:.1f} {unit}"
        value /= 1024
    return f"{value:.0f} PiB"
