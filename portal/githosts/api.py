"""Repositories for programs."""

from typing import Any

from django.conf import settings
from drf_spectacular.utils import OpenApiParameter, extend_schema, inline_serializer
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from portal.accounts.apiview import TenantAPIView
from portal.githosts import bare
from portal.githosts.builtin import clone_path
from portal.githosts.models import Repository
from portal.kit.errors import NotFound

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
        parameters=[OpenApiParameter("after", str, description="Continue after this name.")],
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


class RepositoryDetail(TenantAPIView):
    """One repository with its branches."""

    permission = "repos.view"

    @extend_schema(operation_id="repository", responses=RepositorySerializer)
    def get(self, request: Request, org: str, repo: str) -> Response:
        found = Repository.objects.for_tenant(self.access.organisation).filter(name=repo).first()
        if found is None:
            raise NotFound(f"There is no repository named “{repo}”.")
        body: dict[str, Any] = dict(RepositorySerializer(found, context={"org": org}).data)
        heads = bare.refs(found.path) if bare.is_repository(found.path) else {}
        prefix = "refs/heads/"
        body["branches"] = {name.removeprefix(prefix): at for name, at in heads.items() if name.startswith(prefix)}
        return Response(body)
