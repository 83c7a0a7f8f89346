"""Amounts such as `250m` and `1Gi`: read, added, compared and written."""

import re
from dataclasses import dataclass
from decimal import Decimal

_PATTERN = re.compile(r"^([+-]?[0-9]+(?:\.[0-9]*)?|[+-]?\.[0-9]+)([eE][+-]?[0-9]+|[KMGTPE]i|[numkMGTPE]?)$")
_UNITS = {
    "": Decimal(1),
    "n": Decimal("1e-9"),
    "u": Decimal("1e-6"),
    "m": Decimal("1e-3"),
    "k": Decimal(10**3),
    "M": Decimal(10**6),
    "G": Decimal(10**9),
    "T": Decimal(10**12),
    "P": Decimal(10**15),
    "E": Decimal(10**18),
    "Ki": Decimal(2**10),
    "Mi": Decimal(2**20),
    "Gi": Decimal(2**30),
    "Ti": Decimal(2**40),
    "Pi": Decimal(2**50),
    "Ei": Decimal(2**60),
}


def is_quantity(text: object) -> bool:
    return bool(_PATTERN.match(str(text)))


@dataclass(frozen=True, slots=True)
class Quantity:
    """An amount in thousandths, and whether it is written in powers of two."""

    milli: int
    binary: bool = False

    @classmethod
    def read(cls, text: object) -> "Quantity":
        found = _PATTERN.match(str(text))
        if not found:
            raise ValueError(f"{text!r} is not a quantity")
        number, unit = found.groups()
        if unit[:1] in ("e", "E") and len(unit) > 1 and unit != "Ei":
            return cls(int(Decimal(number + unit) * 1000))
        return cls(int(Decimal(number) * _UNITS[unit] * 1000), unit.endswith("i"))

    def __add__(self, other: "Quantity") -> "Quantity":
        return Quantity(self.milli + other.milli, self.binary or other.binary)

    def __sub__(self, other: "Quantity") -> "Quantity":
        return Quantity(self.milli - other.milli, self.binary or other.binary)

    def __str__(self) -> str:
        if self.milli % 1000:
            return f"{self.milli}m"
        whole = self.milli // 1000
        suffixes = ("Ei", "Pi", "Ti", "Gi", "Mi", "Ki") if self.binary else ("E", "P", "T", "G", "M", "k")
        for suffix in suffixes:
            unit = int(_UNITS[suffix])
            if whole and whole % unit == 0:
                return f"{whole // unit}{suffix}"
        return str(whole)


ZERO = Quantity(0)
