"""Teams that wait, for programs: what waits, and the two answers to it."""

from typing import Any

from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from catalog.ownership import confirming
from portal.accounts.apiview import TenantAPIView
from portal.accounts.models import Team
from portal.accounts.teams import LONGEST_REASON, require_manage

MOST_TOKENS = 500


class DeletedSerializer(serializers.Serializer[Any]):
    """That a team of this name was deleted."""

    by = serializers.CharField()
    at = serializers.DateTimeField()


class WaitingTeamSerializer(serializers.Serializer[Any]):
    """What one team waits for: itself (`is_new`), another place, or another file that wants to describe it."""

    slug = serializers.CharField(source="team.slug")
    ref = serializers.CharField(source="team.ref")
    name = serializers.CharField(source="team.name")
    is_new = serializers.BooleanField()
    is_other_file = serializers.BooleanField()
    place = serializers.CharField(help_text="The team above that it would be part of; empty for none.")
    told_by = serializers.CharField(help_text="The file that says so; empty for a team that was made in the portal.")
    people = serializers.ListField(child=serializers.CharField(), help_text="Who would have its rights.")
    owned = serializers.IntegerField(help_text="How many entities and repositories bear its name already.")
    needs = serializers.CharField(help_text="What keeps it from being confirmed by itself; empty for nothing.")
    deleted = DeletedSerializer(allow_null=True)
    token = serializers.CharField(help_text="Names exactly this, for confirm and decline.")


class ConfirmSerializer(serializers.Serializer[Any]):
    """What was looked at, by its tokens."""

    teams = serializers.ListField(child=serializers.CharField(max_length=100), min_length=1, max_length=MOST_TOKENS)


class DeclineSerializer(ConfirmSerializer):
    """The same, and why not."""

    reason = serializers.CharField(max_length=LONGEST_REASON)


class AnsweredTeamSerializer(serializers.Serializer[Any]):
    """A team that was confirmed or declined."""

    slug = serializers.CharField()
    ref = serializers.CharField()
    name = serializers.CharField()
    stands = serializers.BooleanField(help_text="Whether it gives rights.")


class _Waiting(TenantAPIView):
    """For those who may make teams: not for leads."""

    permission = "teams.manage"

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        super().initial(request, *args, **kwargs)
        require_manage(self.access, None)

    def answered(self, done: list[Team]) -> Response:
        return Response(AnsweredTeamSerializer(done, many=True).data)


class WaitingTeams(_Waiting):
    """What waits to be confirmed, by name; without what was declined."""

    @extend_schema(operation_id="waiting_teams", responses=WaitingTeamSerializer(many=True))
    def get(self, request: Request, org: str) -> Response:
        return Response(WaitingTeamSerializer(confirming.waiting(self.access.organisation), many=True).data)


class TeamsConfirm(_Waiting):
    """Let teams give rights, exactly as they were looked at; all or none. 409 where one is another by now."""

    @extend_schema(
        operation_id="confirm_teams", request=ConfirmSerializer, responses={200: AnsweredTeamSerializer(many=True)}
    )
    def post(self, request: Request, org: str) -> Response:
        asked = ConfirmSerializer(data=request.data)
        asked.is_valid(raise_exception=True)
        return self.answered(
            confirming.confirm(
                organisation=self.access.organisation, actor=self.access.actor, tokens=asked.validated_data["teams"]
            )
        )


class TeamsDecline(_Waiting):
    """Leave teams without what is asked for them; the same is not asked again. 409 where one is another by now."""

    @extend_schema(
        operation_id="decline_teams", request=DeclineSerializer, responses={200: AnsweredTeamSerializer(many=True)}
    )
    def post(self, request: Request, org: str) -> Response:
        asked = DeclineSerializer(data=request.data)
        asked.is_valid(raise_exception=True)
        return self.answered(
            confirming.decline(
                organisation=self.access.organisation,
                actor=self.access.actor,
                tokens=asked.validated_data["teams"],
                reason=asked.validated_data["reason"],
            )
        )
