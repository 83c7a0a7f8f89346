"""Notices for programs: one's own, how they come, where the organisation's go, and what was not delivered."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar
from uuid import UUID

from django.http import HttpResponse
from drf_spectacular.utils import extend_schema, inline_serializer
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from portal.accounts.apiview import TenantAPIView
from portal.accounts.contract import one_of, text
from portal.accounts.models import Team
from portal.kit.errors import Invalid, NotFound
from portal.notices import actions, destinations, reading
from portal.notices.choosing import Choices, Chosen
from portal.notices.models import Destination, FollowedTeam, Rhythm
from portal.notices.reading import NoticeChoice
from portal.notices.registry import CHANNELS, KINDS, MAIL, PORTAL
from portal.notices.shapes import (
    DestinationChange,
    DestinationSerializer,
    DestinationWish,
    HoursSerializer,
    MarkWish,
    NoticeSerializer,
    PreferencesWish,
    PreferenceWish,
    RetryWish,
    UndeliveredSerializer,
)

TAGS = ["Notices"]
MOST_UNDELIVERED = 200


class NoticesView(TenantAPIView):
    """One's own notices, newest first."""

    permission: ClassVar[str | dict[str, str]] = "org.view"

    @extend_schema(
        tags=TAGS,
        operation_id="notices",
        parameters=[
            one_of("show", ["unread", "all"], about="Unread ones by itself."),
            text("kind", about="Of this kind alone.", most=60),
            text("after", about="Continue below: `after` of the answer before.", pattern="^[^~]+~[0-9]{1,18}$"),
        ],
        responses=inline_serializer(
            "NoticePage",
            {
                "items": NoticeSerializer(many=True),
                "after": serializers.CharField(),
                "unread": serializers.IntegerField(help_text="Of all kinds together."),
            },
        ),
    )
    def get(self, request: Request, org: str) -> Response:
        query = request.query_params
        if (kind := query.get("kind", "")) and kind not in KINDS:
            raise Invalid("There is no such kind of notice.", field="kind")
        choice = NoticeChoice.read(query)
        page = reading.page_of(reading.chosen(self.access, choice), query.get("after", ""))
        return Response(
            {
                "items": NoticeSerializer(page.rows, many=True).data,
                "after": page.after,
                "unread": self.access.membership.unread_notices,
            }
        )


class NoticesReadView(TenantAPIView):
    """Reading them, and putting them back."""

    permission: ClassVar[str | dict[str, str]] = "notices.own"

    @extend_schema(
        tags=TAGS,
        operation_id="mark_notices",
        request=MarkWish,
        responses=inline_serializer("NoticesMarked", {"changed": serializers.IntegerField()}),
    )
    def post(self, request: Request, org: str) -> Response:
        said: Any = request.data
        if not said.get("all") and not said.get("notices"):
            raise Invalid("Name `notices`, or say `all`.", field="notices")
        changed = actions.mark(
            membership=self.access.membership,
            is_read=said.get("read", True),
            notices=None if said.get("all") else said["notices"],
            kind=said.get("kind", "") if said.get("all") else "",
        )
        return Response({"changed": changed})


class KindsView(TenantAPIView):
    """Which kinds there are."""

    permission: ClassVar[str | dict[str, str]] = "org.view"

    @extend_schema(
        tags=TAGS,
        operation_id="notice_kinds",
        responses=inline_serializer(
            "NoticeKind",
            {name: serializers.CharField() for name in ("kind", "label", "section", "told_when")},
            many=True,
        ),
    )
    def get(self, request: Request, org: str) -> Response:
        return Response(
            [
                {"kind": kind.key, "label": kind.label, "section": kind.section, "told_when": kind.about}
                for kind in KINDS.values()
            ]
        )


HELD = inline_serializer(
    "NoticePreference",
    {
        "kind": serializers.CharField(),
        "channel": serializers.ChoiceField(choices=list(CHANNELS)),
        "mode": serializers.CharField(),
        "by": serializers.CharField(
            help_text="Who says so: `you`, a team’s name, `organisation`, or empty for the kind itself."
        ),
    },
    many=True,
)


def _wishes(said: list[Mapping[str, str]]) -> dict[tuple[str, str], str]:
    return {(one["kind"], one["channel"]): "" if one["mode"] == "default" else one["mode"] for one in said}


def _held(kind: str, channel: str, held: Chosen) -> dict[str, str]:
    return {"kind": kind, "channel": channel, "mode": held.mode, "by": held.by}


class PreferencesView(TenantAPIView):
    """How notices come to the person who asks."""

    permission: ClassVar[str | dict[str, str]] = {"get": "org.view", "put": "notices.own"}
    shape = inline_serializer("NoticePreferences", {"preferences": HELD, "hours": HoursSerializer()})

    @extend_schema(tags=TAGS, operation_id="notice_preferences", responses=shape)
    def get(self, request: Request, org: str) -> Response:
        return Response(self._said())

    @extend_schema(tags=TAGS, operation_id="change_notice_preferences", request=PreferencesWish, responses={200: shape})
    def put(self, request: Request, org: str) -> Response:
        """Changes what is named; what is left out stays."""
        access = self.access
        said: Any = request.data
        actions.choose(
            organisation=access.organisation,
            actor=access.actor,
            membership=access.membership,
            wishes=_wishes(said.get("preferences", [])),
        )
        if hours := said.get("hours"):
            told = {str(name): hours[name] for name in HoursSerializer().fields}
            actions.set_hours(membership=access.membership, **told)
        return Response(self._said())

    def _said(self) -> dict[str, Any]:
        access = self.access
        pk, user = access.membership.pk, access.user.pk
        choices = Choices.of(access.organisation, [pk], [user])
        rhythm = Rhythm.objects.for_tenant(access.organisation).filter(membership=pk).first() or Rhythm()
        return {
            "preferences": [
                _held(kind, channel, choices.mode(pk, user, kind, channel))
                for kind in KINDS
                for channel in (PORTAL, MAIL)
            ],
            "hours": HoursSerializer(rhythm).data,
        }


class DefaultsView(TenantAPIView):
    """How notices come to whoever chose nothing."""

    permission: ClassVar[str | dict[str, str]] = {"get": "org.view", "put": "notices.manage"}

    @extend_schema(tags=TAGS, operation_id="notice_defaults", responses=HELD)
    def get(self, request: Request, org: str) -> Response:
        return Response(self._said())

    @extend_schema(
        tags=TAGS,
        operation_id="change_notice_defaults",
        request=inline_serializer("NoticeDefaultsWish", {"preferences": PreferenceWish(many=True)}),
        responses={200: HELD},
    )
    def put(self, request: Request, org: str) -> Response:
        """Changes what is named; what is left out stays."""
        access = self.access
        said: Any = request.data
        wishes = _wishes(said["preferences"])
        actions.choose(organisation=access.organisation, actor=access.actor, wishes=wishes)
        return Response(self._said())

    def _said(self) -> list[dict[str, str]]:
        choices = Choices.of(self.access.organisation, [])
        return [_held(kind, channel, choices.for_all(kind, channel)) for kind in KINDS for channel in (PORTAL, MAIL)]


class DestinationsView(TenantAPIView):
    """Where notices of the organisation go."""

    permission: ClassVar[str | dict[str, str]] = "notices.manage"

    @extend_schema(tags=TAGS, operation_id="destinations", responses=DestinationSerializer(many=True))
    def get(self, request: Request, org: str) -> Response:
        rows = Destination.objects.for_tenant(self.access.organisation).select_related("team").order_by("name")
        return Response(DestinationSerializer(rows, many=True).data)

    @extend_schema(
        tags=TAGS, operation_id="add_destination", request=DestinationWish, responses={201: DestinationSerializer}
    )
    def post(self, request: Request, org: str) -> Response:
        """Adds one. Of a webhook the answer tells the secret, this once."""
        said: Any = request.data
        row, secret = destinations.add_destination(
            organisation=self.access.organisation,
            actor=self.access.actor,
            kind=said["kind"],
            name=said["name"],
            address=said["address"],
            kinds=said.get("kinds", []),
            team=team_named(self, said.get("team")),
        )
        return Response(DestinationSerializer(row, context={"secret": secret}).data, status=201)


def team_named(view: TenantAPIView, ref: str | None) -> Team | None:
    """The team of that reference, None for none; Invalid for one that is not here."""
    if not ref:
        return None
    found = Team.objects.for_tenant(view.access.organisation).filter(ref=ref.strip().lower()).first()
    if found is None:
        raise Invalid(f"There is no team “{ref[:200]}” here.", field="team")
    return found


class OneDestination(TenantAPIView):
    """Views of one destination."""

    permission: ClassVar[str | dict[str, str]] = "notices.manage"

    def row(self, uid: UUID) -> Destination:
        """The destination; raises NotFound."""
        rows = Destination.objects.for_tenant(self.access.organisation).filter(uid=uid)
        found = rows.select_related("team").first()
        if found is None:
            raise NotFound("There is no such destination.")
        return found


class DestinationView(OneDestination):
    """One destination."""

    @extend_schema(tags=TAGS, operation_id="destination", responses=DestinationSerializer)
    def get(self, request: Request, org: str, destination: UUID) -> Response:
        return Response(DestinationSerializer(self.row(destination)).data)

    @extend_schema(
        tags=TAGS, operation_id="change_destination", request=DestinationChange, responses={200: DestinationSerializer}
    )
    def patch(self, request: Request, org: str, destination: UUID) -> Response:
        """Changes what is named; another address switches it on again."""
        row, access = self.row(destination), self.access
        said: Any = request.data
        if said.keys() - {"is_on"}:
            destinations.change_destination(
                organisation=access.organisation,
                actor=access.actor,
                destination=row,
                name=said.get("name", row.name),
                address=said.get("address", ""),
                kinds=said.get("kinds", row.kinds),
                team=team_named(self, said["team"]) if "team" in said else row.team,
            )
        if "is_on" in said:
            destinations.switch(
                organisation=access.organisation, actor=access.actor, destination=row, is_on=said["is_on"]
            )
        return Response(DestinationSerializer(self.row(destination)).data)

    @extend_schema(tags=TAGS, operation_id="remove_destination", responses={204: None})
    def delete(self, request: Request, org: str, destination: UUID) -> HttpResponse:
        """Forgets it, and what waits for it."""
        row = self.row(destination)
        destinations.remove_destination(organisation=self.access.organisation, actor=self.access.actor, destination=row)
        return HttpResponse(status=204)


class DestinationSecretView(OneDestination):
    """The secret of a webhook."""

    @extend_schema(
        tags=TAGS, operation_id="replace_destination_secret", request=None, responses={200: DestinationSerializer}
    )
    def post(self, request: Request, org: str, destination: UUID) -> Response:
        """A new one, told this once; until `before_until` what is sent is signed with the one before as well."""
        row = self.row(destination)
        secret = destinations.rotate_secret(
            organisation=self.access.organisation, actor=self.access.actor, destination=row
        )
        return Response(DestinationSerializer(row, context={"secret": secret}).data)


class DestinationTestView(OneDestination):
    """Trying a destination."""

    @extend_schema(tags=TAGS, operation_id="test_destination", request=None, responses={202: None})
    def post(self, request: Request, org: str, destination: UUID) -> HttpResponse:
        """A worker sends one message that says that it is a test."""
        row = self.row(destination)
        destinations.send_test(organisation=self.access.organisation, actor=self.access.actor, destination=row)
        return HttpResponse(status=202)


class UndeliveredView(TenantAPIView):
    """What was not delivered."""

    permission: ClassVar[str | dict[str, str]] = "notices.manage"

    @extend_schema(tags=TAGS, operation_id="undelivered", responses=UndeliveredSerializer(many=True))
    def get(self, request: Request, org: str) -> Response:
        """The newest 200."""
        rows = destinations.undelivered(self.access.organisation)[:MOST_UNDELIVERED]
        return Response(UndeliveredSerializer(rows, many=True).data)

    @extend_schema(
        tags=TAGS,
        operation_id="retry_undelivered",
        request=RetryWish,
        responses=inline_serializer("Retried", {"retried": serializers.IntegerField()}),
    )
    def post(self, request: Request, org: str) -> Response:
        """Sends them again; what has perhaps arrived may arrive twice."""
        said: Any = request.data
        retried = destinations.retry(
            organisation=self.access.organisation, actor=self.access.actor, deliveries=said["deliveries"]
        )
        return Response({"retried": retried})


class FollowView(TenantAPIView):
    """Following a team."""

    permission: ClassVar[str | dict[str, str]] = {"get": "org.view", "put": "notices.own", "delete": "notices.own"}

    def team(self, slug: str) -> Team:
        """The team; raises NotFound."""
        found = Team.objects.for_tenant(self.access.organisation).filter(slug=slug).first()
        if found is None:
            raise NotFound("There is no such team.")
        return found

    @extend_schema(
        tags=TAGS,
        operation_id="is_following_team",
        responses=inline_serializer("Following", {"follows": serializers.BooleanField()}),
    )
    def get(self, request: Request, org: str, team: str) -> Response:
        rows = FollowedTeam.objects.for_tenant(self.access.organisation).filter(membership=self.access.membership)
        return Response({"follows": rows.filter(team=self.team(team)).exists()})

    @extend_schema(tags=TAGS, operation_id="follow_team", request=None, responses={204: None})
    def put(self, request: Request, org: str, team: str) -> HttpResponse:
        """Hear of it; twice is once."""
        actions.follow_team(membership=self.access.membership, team=self.team(team), follows=True)
        return HttpResponse(status=204)

    @extend_schema(tags=TAGS, operation_id="unfollow_team", responses={204: None})
    def delete(self, request: Request, org: str, team: str) -> HttpResponse:
        """Hear no more of it."""
        actions.follow_team(membership=self.access.membership, team=self.team(team), follows=False)
        return HttpResponse(status=204)
