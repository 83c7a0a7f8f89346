"""Repositories for programs."""

from typing import Any, ClassVar

from django.conf import settings
from drf_spectacular.utils import extend_schema, inline_serializer
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from portal.accounts.apiview import TenantAPIView
from portal.accounts.contract import text
from portal.accounts.models import Membership, Team
from portal.githosts import actions, bare, rights
from portal.githosts.builtin import clone_path
from portal.githosts.models import Grant, Repository
from portal.githosts.rights import grant_of
from portal.kit.errors import Forbidden, Invalid, NotFound

PAGE = 100


class RepositorySerializer(serializers.ModelSerializer[Repository]):
    """A repository as programs see it."""

    clone_url = serializers.SerializerMethodField()

    class Meta:
        model = Repository
        fields = (
            "name",
            "description",
            "owner_ref",
            "default_branch",
            "is_protected",
            "created_by_run",
            "created_at",
            "pushed_at",
            "clone_url",
        )

    def get_clone_url(self, repository: Repository) -> str:
        """The address for `git clone`."""
        return f"{settings.PUBLIC_URL}{clone_path(self.context['org'], repository.name)}"


class Repositories(TenantAPIView):
    """Every repository, by name."""

    permission = "repos.view"

    @extend_schema(
        operation_id="repositories",
        parameters=[text("after", about="Continue after this name.", most=200)],
        responses=inline_serializer(
            "RepositoryPage",
            {"items": RepositorySerializer(many=True), "after": serializers.CharField(allow_blank=True)},
        ),
    )
    def get(self, request: Request, org: str) -> Response:
        found = Repository.objects.for_tenant(self.access.organisation).order_by("name")
        if after := request.query_params.get("after", "").replace("\0", ""):
            found = found.filter(name__gt=after)
        rows = list(found[: PAGE + 1])
        items = RepositorySerializer(rows[:PAGE], many=True, context={"org": org}).data
        return Response({"items": items, "after": rows[PAGE - 1].name if len(rows) > PAGE else ""})


GRANT = {
    "id": serializers.IntegerField(),
    "team": serializers.CharField(allow_null=True, help_text="The team's reference."),
    "person": serializers.EmailField(allow_null=True),
    "granted_at": serializers.DateTimeField(),
}


def grant_data(grant: Grant) -> dict[str, Any]:
    """A grant as programs see it."""
    return {
        "id": grant.pk,
        "team": grant.team.ref if grant.team else None,
        "person": grant.person.email if grant.person else None,
        "granted_at": grant.granted_at,
    }


class RepositoryChange(serializers.Serializer[Any]):
    """What of a repository can be changed; what is left out stays."""

    owner_ref = serializers.CharField(required=False, help_text="A team's reference, such as group:default/payments.")
    is_protected = serializers.BooleanField(
        required=False, help_text="Whether nobody rewrites or deletes the default branch. Only admins set it to false."
    )


class GrantWish(serializers.Serializer[Any]):
    """Who may push as well: a team's reference, or a member's e-mail address."""

    team = serializers.CharField(required=False)
    person = serializers.EmailField(required=False)


class RepositoryView(TenantAPIView):
    """Views of one repository."""

    def repository(self, name: str) -> Repository:
        """The repository of that name; NotFound otherwise."""
        found = Repository.objects.for_tenant(self.access.organisation).filter(name=name).first()
        if found is None:
            raise NotFound(f"There is no repository named “{name}”.")
        return found

    def managed(self, name: str) -> Repository:
        """One whose access the caller may change; Forbidden otherwise."""
        found = self.repository(name)
        if not (verdict := rights.may_manage(self.access, found)):
            raise Forbidden(verdict.sentence)
        return found

    def team(self, ref: str) -> Team:
        """The team of that reference; Invalid otherwise."""
        team = Team.objects.for_tenant(self.access.organisation).filter(ref=ref.strip().lower()).first()
        if team is None:
            raise Invalid(f"There is no team “{ref[:200]}” here.", field="team")
        if not team.stands:
            raise Invalid(f"{team} waits to be confirmed: it gives no rights yet.", field="team", code="waits")
        return team

    def body(self, serializer: type[serializers.Serializer[Any]], request: Request) -> dict[str, Any]:
        """The request's data, checked; Invalid names the first field that is wrong."""
        given = serializer(data=request.data)
        if not given.is_valid():
            field, said = next(iter(given.errors.items()))
            raise Invalid(f"{field}: {said[0]}", field=field)
        return dict(given.validated_data)

    def described(self, repository: Repository, org: str) -> dict[str, Any]:
        """The repository with its branches, and who may push to it."""
        body: dict[str, Any] = dict(RepositorySerializer(repository, context={"org": org}).data)
        heads = bare.refs(repository.path) if bare.is_repository(repository.path) else {}
        prefix = "refs/heads/"
        body["branches"] = {name.removeprefix(prefix): at for name, at in heads.items() if name.startswith(prefix)}
        verdict = rights.may_push(self.access, repository)
        body["access"] = {
            "may_push": bool(verdict),
            "why_not": verdict.sentence,
            "may_manage": bool(rights.may_manage(self.access, repository)),
        }
        return body


ACCESS = {
    "may_push": serializers.BooleanField(),
    "why_not": serializers.CharField(allow_blank=True),
    "may_manage": serializers.BooleanField(),
}


class RepositoryDetailSerializer(RepositorySerializer):
    """A repository with its branches, and what the caller may do to it."""

    branches = serializers.DictField(child=serializers.CharField())
    access = inline_serializer("RepositoryAccess", ACCESS)

    class Meta:
        model = Repository
        fields = (*RepositorySerializer.Meta.fields, "branches", "access")


class RepositoryDetail(RepositoryView):
    """One repository with its branches, and what the caller may do to it."""

    permission: ClassVar[str | dict[str, str]] = {"get": "repos.view", "patch": "repos.manage"}

    @extend_schema(operation_id="repository", responses=RepositoryDetailSerializer)
    def get(self, request: Request, org: str, repo: str) -> Response:
        return Response(self.described(self.repository(repo), org))

    @extend_schema(operation_id="change_repository", request=RepositoryChange, responses=RepositoryDetailSerializer)
    def patch(self, request: Request, org: str, repo: str) -> Response:
        repository = self.managed(repo)
        wanted = self.body(RepositoryChange, request)
        organisation, actor = self.access.organisation, self.access.actor
        if "is_protected" in wanted:
            if not wanted["is_protected"] and not (verdict := rights.may_unprotect(self.access)):
                raise Forbidden(verdict.sentence)
            actions.set_protection(
                organisation=organisation,
                actor=actor,
                repository=repository,
                is_protected=wanted["is_protected"],
            )
        if "owner_ref" in wanted:
            actions.hand_over(
                organisation=organisation,
                actor=actor,
                repository=repository,
                team=self.team(wanted["owner_ref"]),
            )
        return Response(self.described(repository, org))


class Grants(RepositoryView):
    """Who may push beside the owner."""

    permission: ClassVar[str | dict[str, str]] = {"get": "repos.view", "post": "repos.manage"}

    @extend_schema(operation_id="repository_grants", responses=inline_serializer("RepositoryGrant", GRANT, many=True))
    def get(self, request: Request, org: str, repo: str) -> Response:
        rows = Grant.objects.for_tenant(self.access.organisation).filter(repository=self.repository(repo))
        return Response([grant_data(grant) for grant in rows.select_related("team", "person").order_by("granted_at")])

    @extend_schema(
        operation_id="grant_push", request=GrantWish, responses={201: inline_serializer("RepositoryGrantMade", GRANT)}
    )
    def post(self, request: Request, org: str, repo: str) -> Response:
        repository = self.managed(repo)
        wanted = self.body(GrantWish, request)
        person = None
        if email := wanted.get("person"):
            members = Membership.objects.for_tenant(self.access.organisation).filter(user__email__iexact=email)
            member = members.select_related("user").first()
            if member is None:
                raise Invalid(f"{email} is not in this organisation.", field="person")
            person = member.user
        grant = actions.let_push(
            organisation=self.access.organisation,
            actor=self.access.actor,
            repository=repository,
            team=self.team(wanted["team"]) if wanted.get("team") else None,
            person=person,
        )
        return Response(grant_data(grant), status=201)


class GrantDetail(RepositoryView):
    """One grant."""

    permission = "repos.manage"

    @extend_schema(operation_id="withdraw_push", responses={204: None})
    def delete(self, request: Request, org: str, repo: str, grant: int) -> Response:
        repository = self.managed(repo)
        actions.withdraw(
            organisation=self.access.organisation,
            actor=self.access.actor,
            repository=repository,
            grant=grant_of(repository, grant),
        )
        return Response(status=204)
