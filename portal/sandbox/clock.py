"""Time as the API writes it, and the scale at which the sandbox's kubelets live."""

from dataclasses import dataclass
from datetime import UTC, datetime


def now() -> datetime:
    return datetime.now(UTC)


def stamp(moment: datetime | None = None) -> str:
    """Seconds, as in `metadata.creationTimestamp`."""
    return (moment or now()).strftime("%Y-%m-%dT%H:%M:%SZ")


def micro(moment: datetime | None = None) -> str:
    """Microseconds, as in leases."""
    return (moment or now()).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def parse(text: str) -> datetime:
    return datetime.fromisoformat(text.replace("Z", "+00:00"))


@dataclass(frozen=True, slots=True)
class Pace:
    """How much faster than life kubelets and back-offs run."""

    speed: float = 1.0

    def seconds(self, natural: float) -> float:
        return natural / self.speed
