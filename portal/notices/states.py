"""What a delivery can be, and where destinations are: data."""

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class DeliveryState:
    """One word: its label, the badge it wears (kit/words.py), and whether an admin may have it tried again."""

    name: str
    label: str
    badge: str
    may_retry: bool = False


DELIVERY_STATES: Mapping[str, DeliveryState] = {
    state.name: state
    for state in (
        DeliveryState("waiting", "Waiting", "waiting"),
        # A worker has it, and nothing has left the house: whoever comes after a dead worker begins anew.
        DeliveryState("claimed", "Being sent", "running"),
        # It is leaving: from here on nobody but the other side knows whether it arrived.
        DeliveryState("handed", "Being sent", "running"),
        DeliveryState("sent", "Sent", "done"),
        DeliveryState("dropped", "Not wanted any more", "skipped"),
        # The worker died, or the line broke, while it was leaving, and the channel cannot tell a second one from the
        # first: it is not sent again unless a person says so.
        DeliveryState("unsure", "Perhaps sent", "warning", may_retry=True),
        DeliveryState("dead", "Given up", "failed", may_retry=True),
    )
}
SLACK, TEAMS, WEBHOOK = "slack", "teams", "webhook"
DESTINATIONS: Mapping[str, str] = {SLACK: "Slack", TEAMS: "Microsoft Teams", WEBHOOK: "Webhook"}
DEAD = ("dead", "unsure")
