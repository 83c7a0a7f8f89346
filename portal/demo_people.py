"""The demo's people: who they are and how they sign in. Loaded once by load_demo, printed by `make up`."""

from dataclasses import dataclass


@dataclass(frozen=True)
class SignIns:
    """E-mail address -> what that person can do, and the password they share."""

    password: str
    people: tuple[tuple[str, str], ...]

    def lines(self) -> tuple[tuple[str, str], ...]:
        return self.people


SIGN_INS = SignIns(
    password="launch-day-2026",  # noqa: S106 - the demo's own, printed at every start
    people=(
        ("dev@slipway.example", "a developer: launch a service"),
        ("mae@slipway.example", "a manager, in both organisations"),
        ("ada@slipway.example", "an admin: paths, clusters, people"),
        ("vic@slipway.example", "a viewer"),
        ("eve@slipway.example", "the other organisation's admin"),
    ),
)
