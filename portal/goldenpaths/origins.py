"""Where a path comes from: its name belongs to that place, and nobody else may publish under it."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Origin:
    """A place that paths come from.

    `key` is the place itself ("shipped", "api", "source:<uid>"), `label` its name in words, `address` what it pointed
    to when it was looked at (a source that is registered again at the same address is the same origin), `detail`
    which state of it, such as a commit.
    """

    key: str
    label: str
    address: str = ""
    detail: str = ""

    def is_same(self, key: str, address: str) -> bool:
        """Whether this is the origin of that key and address: the same source, or one at the same address."""
        return key == self.key or (self.address != "" and address == self.address)

    @property
    def words(self) -> str:
        """The origin of one version."""
        return f"{self.label} at {self.detail}" if self.detail else self.label


SHIPPED = Origin("shipped", "Shipped with Slipway")
API = Origin("api", "Published through the API")

_OWNERS = {"shipped": "Slipway itself", "api": "whoever publishes through the API"}


def owner_in_words(key: str, label: str) -> str:
    """Who owns a name, for a sentence."""
    return _OWNERS.get(key) or f"the source {label}"
