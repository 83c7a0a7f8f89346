"""Notices, choices and destinations as programs see them."""

from __future__ import annotations

from typing import Any

from drf_spectacular.utils import inline_serializer
from rest_framework import serializers

from portal.notices.models import Delivery, Destination, Notice
from portal.notices.registry import CHANNELS, MODES
from portal.notices.states import DELIVERY_STATES, DESTINATIONS

TEXT = serializers.CharField()
LINES = inline_serializer("NoticeLine", {"text": TEXT, "link": TEXT, "at": serializers.DateTimeField()}, many=True)


class NoticeSerializer(serializers.ModelSerializer[Notice]):
    """A notice; `link` is a path of the portal, `why` the reason why one got it."""

    lines = LINES
    read = serializers.SerializerMethodField()

    class Meta:
        model = Notice
        fields = ("id", "kind", "title", "text", "link", "why", "count", "lines", "first_at", "at", "read", "read_at")

    def get_read(self, notice: Notice) -> bool:
        """Whether it was read."""
        return notice.read_at is not None


class MarkWish(serializers.Serializer[Any]):
    """Which of one's notices become read or unread: those named, or all (of a kind)."""

    notices = serializers.ListField(child=serializers.IntegerField(min_value=1), max_length=500, required=False)
    all = serializers.BooleanField(required=False, help_text="All of them, instead of naming each.")
    kind = serializers.CharField(required=False, max_length=60, help_text="With `all`: of this kind alone.")
    read = serializers.BooleanField(required=False, help_text="False makes them unread again. True by itself.")


class PreferenceWish(serializers.Serializer[Any]):
    """How a kind comes over a channel."""

    kind = serializers.CharField(max_length=60, allow_blank=True, help_text="Empty: every kind that has no own word.")
    channel = serializers.ChoiceField(choices=list(CHANNELS))
    mode = serializers.ChoiceField(
        choices=[*MODES, "default"], help_text="`default`: as one’s teams, the organisation or the kind say."
    )


class HoursSerializer(serializers.Serializer[Any]):
    """When digests come and when nothing comes, in the person’s own time zone; minutes of the day."""

    hour = serializers.IntegerField(min_value=0, max_value=23)
    quiet_from = serializers.IntegerField(min_value=0, max_value=1439, allow_null=True)
    quiet_until = serializers.IntegerField(min_value=0, max_value=1439, allow_null=True)
    quiet_weekend = serializers.BooleanField()


class PreferencesWish(serializers.Serializer[Any]):
    """What to change; what is left out stays."""

    preferences = PreferenceWish(many=True, required=False)
    hours = HoursSerializer(required=False)


class DestinationSerializer(serializers.ModelSerializer[Destination]):
    """A destination; of its address only the host is ever told."""

    id = serializers.UUIDField(source="uid")
    team = serializers.SerializerMethodField()
    kinds = serializers.ListField(child=serializers.CharField())
    secret = serializers.SerializerMethodField()

    class Meta:
        model = Destination
        fields = (
            "id", "kind", "name", "host", "team", "kinds", "is_on", "sentence", "sent_at", "created_at", "before_until",
            "secret",
        )  # fmt: skip

    def get_team(self, row: Destination) -> str | None:
        """The team’s reference, where it is told only what is about that team."""
        return row.team.ref if row.team else None

    def get_secret(self, row: Destination) -> str:
        """Of a webhook that was just made, or given a new one; never again."""
        return str(self.context.get("secret", ""))


class DestinationWish(serializers.Serializer[Any]):
    """A new destination."""

    kind = serializers.ChoiceField(choices=list(DESTINATIONS))
    name = serializers.CharField(max_length=80)
    address = serializers.CharField(max_length=2000)
    team = serializers.CharField(required=False, allow_null=True, max_length=200, help_text="A team’s reference.")
    kinds = serializers.ListField(child=serializers.CharField(max_length=60), required=False, max_length=200)


class DestinationChange(serializers.Serializer[Any]):
    """What of a destination can be changed; what is left out stays."""

    name = serializers.CharField(max_length=80, required=False)
    address = serializers.CharField(max_length=2000, required=False)
    team = serializers.CharField(required=False, allow_null=True, max_length=200)
    kinds = serializers.ListField(child=serializers.CharField(max_length=60), required=False, max_length=200)
    is_on = serializers.BooleanField(required=False)


class UndeliveredSerializer(serializers.ModelSerializer[Delivery]):
    """Something that was not delivered, or perhaps was."""

    state = serializers.ChoiceField(choices=list(DELIVERY_STATES))
    to = serializers.CharField(source="recipient")
    log = serializers.ListField(child=serializers.ListField(child=serializers.CharField()))

    class Meta:
        model = Delivery
        fields = ("id", "channel", "to", "kind", "title", "state", "sentence", "attempts", "at", "ended_at", "log")


class RetryWish(serializers.Serializer[Any]):
    """What to send again."""

    deliveries = serializers.ListField(child=serializers.IntegerField(min_value=1), min_length=1, max_length=500)
