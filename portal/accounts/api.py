"""People, teams, tokens and the audit log for programs."""

from typing import Any

from drf_spectacular.utils import extend_schema, inline_serializer
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from portal.accounts import trail
from portal.accounts.apiview import TenantAPIView
from portal.accounts.contact import FIELDS
from portal.accounts.contract import text, whole
from portal.accounts.forms import AuditFilterForm
from portal.accounts.models import ApiToken, Membership, Team, TeamMembership
from portal.accounts.permissions import PERMISSIONS
from portal.kit.errors import Invalid

DAY = "^[0-9]{4}-[0-9]{2}-[0-9]{2}$"
PERSON = {"email": serializers.EmailField(), "name": serializers.CharField()}


class Me(TenantAPIView):
    """Who is asking, and what they may do here."""

    permission = "org.view"

    @extend_schema(
        operation_id="me",
        responses=inline_serializer(
            "Me",
            {
                **PERSON,
                "organisation": serializers.CharField(),
                "role": serializers.CharField(),
                "teams": serializers.ListField(child=serializers.CharField()),
                "permissions": serializers.ListField(child=serializers.CharField()),
                "token": serializers.CharField(allow_null=True),
            },
        ),
    )
    def get(self, request: Request, org: str) -> Response:
        access = self.access
        return Response(
            {
                "email": access.user.email,
                "name": str(access.user),
                "organisation": access.organisation.slug,
                "role": access.role,
                "teams": sorted(access.team_refs),
                "permissions": [name for name in PERMISSIONS if access.can(name)],
                "token": access.token.name if access.token else None,
            }
        )


class Members(TenantAPIView):
    """Everybody in the organisation."""

    permission = "people.view"

    @extend_schema(
        operation_id="members",
        responses=inline_serializer(
            "Member", {"id": serializers.IntegerField(), **PERSON, "role": serializers.CharField()}, many=True
        ),
    )
    def get(self, request: Request, org: str) -> Response:
        found = Membership.objects.for_tenant(self.access.organisation).select_related("user").order_by("user__email")
        return Response(
            [
                {"id": member.pk, "email": member.user.email, "name": str(member.user), "role": member.role}
                for member in found
            ]
        )


class Teams(TenantAPIView):
    """Every team with its people."""

    permission = "people.view"

    @extend_schema(
        operation_id="teams",
        responses=inline_serializer(
            "Team",
            {
                "slug": serializers.CharField(),
                "ref": serializers.CharField(),
                "name": serializers.CharField(),
                "description": serializers.CharField(),
                "parent": serializers.CharField(allow_null=True),
                "origin": serializers.CharField(),
                "stands": serializers.BooleanField(help_text="False while it waits to be confirmed: no rights yet."),
                "contact": inline_serializer("TeamContact", {name: serializers.CharField() for name in FIELDS}),
                "members": inline_serializer(
                    "TeamMember", {**PERSON, "is_lead": serializers.BooleanField()}, many=True
                ),
            },
            many=True,
        ),
    )
    def get(self, request: Request, org: str) -> Response:
        people: dict[int, list[dict[str, Any]]] = {}
        places = TeamMembership.objects.for_tenant(self.access.organisation).select_related("user")
        for place in places.order_by("user__email"):
            person = {"email": place.user.email, "name": str(place.user), "is_lead": place.is_lead}
            people.setdefault(place.team_id, []).append(person)
        found = Team.objects.for_tenant(self.access.organisation).select_related("parent").order_by("slug")
        return Response(
            [
                {
                    "slug": team.slug,
                    "ref": team.ref,
                    "name": team.name,
                    "description": team.description,
                    "parent": team.parent.ref if team.parent else None,
                    "origin": team.origin,
                    "stands": team.stands,
                    "contact": {name: getattr(team, name) for name in FIELDS},
                    "members": people.get(team.pk, []),
                }
                for team in found
            ]
        )


class Tokens(TenantAPIView):
    """One's own API tokens, without their secrets."""

    permission = "tokens.own"

    @extend_schema(
        operation_id="tokens",
        responses=inline_serializer(
            "Token",
            {
                "id": serializers.IntegerField(),
                "name": serializers.CharField(),
                "prefix": serializers.CharField(),
                "scopes": serializers.ListField(child=serializers.CharField()),
                "created_at": serializers.DateTimeField(),
                "expires_at": serializers.DateTimeField(),
                "last_used_at": serializers.DateTimeField(allow_null=True),
                "revoked_at": serializers.DateTimeField(allow_null=True),
            },
            many=True,
        ),
    )
    def get(self, request: Request, org: str) -> Response:
        fields = ("id", "name", "prefix", "scopes", "created_at", "expires_at", "last_used_at", "revoked_at")
        found = ApiToken.objects.for_tenant(self.access.organisation).filter(user=self.access.user).order_by("-pk")
        return Response(list(found.values(*fields)[:200]))


class Audit(TenantAPIView):
    """The audit log, newest first."""

    permission = "audit.view"

    @extend_schema(
        operation_id="audit",
        parameters=[
            whole("actor", least=1, about="A person’s id."),
            text("verb", about="A verb, or its noun.", most=60),
            text("subject", about="Words in the subject or the summary.", most=100),
            text("since", about="First day, YYYY-MM-DD.", pattern=DAY),
            text("until", about="Last day, YYYY-MM-DD.", pattern=DAY),
            text("after", about="Continue below: `after` of the answer before.", pattern="^[^~]+~[0-9]{1,18}$"),
        ],
        responses=inline_serializer(
            "AuditPage",
            {
                "items": inline_serializer(
                    "AuditEvent",
                    {
                        "id": serializers.IntegerField(),
                        "at": serializers.DateTimeField(),
                        **{name: serializers.CharField() for name in ("actor", "verb", "subject_kind", "subject_id")},
                        **{name: serializers.CharField() for name in ("subject", "summary", "way", "via", "agent")},
                        "ip": serializers.CharField(allow_null=True),
                        "data": serializers.DictField(),
                    },
                    many=True,
                ),
                "after": serializers.CharField(),
            },
        ),
    )
    def get(self, request: Request, org: str) -> Response:
        organisation = self.access.organisation
        form = AuditFilterForm(request.query_params, organisation=organisation)
        if not form.is_valid():
            field, errors = next(iter(form.errors.items()))
            raise Invalid(f"{field}: {errors[0]}", field=field)
        found = trail.narrowed(organisation, form.cleaned_data)
        if after := request.query_params.get("after", ""):
            found = trail.below(found, after)
        events = list(found[: trail.PAGE + 1])
        following = trail.cursor_of(events[trail.PAGE - 1]) if len(events) > trail.PAGE else ""
        return Response({"items": [trail.row_of(event) for event in events[: trail.PAGE]], "after": following})
