"""Addresses of the built-in git host: pages, the API and git's own protocol."""

from django.urls import URLPattern, URLResolver, path, register_converter
from django.urls.converters import StringConverter

from portal.githosts import api, serve, views, views_access, views_connections


class RepoPathConverter(StringConverter):
    """A path inside a repository: whatever git lets a name be, line breaks too."""

    regex = "(?s:.+)"


register_converter(RepoPathConverter, "repopath")

page_urls: list[URLPattern | URLResolver] = [
    path("repos/", views.repos, name="repos"),
    path("repos/<slug:repo>/", views.repo, name="repo"),
    path("repos/<slug:repo>/files/<repopath:path>", views.repo_file, name="repo-file"),
    path("repos/<slug:repo>/raw/<repopath:path>", views.repo_raw, name="repo-raw"),
    path("repos/<slug:repo>/commits/", views.repo_commits, name="repo-commits"),
    path("repos/<slug:repo>/access/", views_access.repo_access, name="repo-access"),
    path("repos/<slug:repo>/access/owner", views_access.repo_hand_over, name="repo-hand-over"),
    path("repos/<slug:repo>/access/grants", views_access.repo_grant, name="repo-grant"),
    path("repos/<slug:repo>/access/grants/<int:grant>/withdraw", views_access.repo_withdraw, name="repo-withdraw"),
    path("repos/<slug:repo>/access/protection", views_access.repo_protect, name="repo-protect"),
    path("git-hosts/", views_connections.git_hosts, name="git-hosts"),
    path("git-hosts/new", views_connections.git_host_new, name="git-host-new"),
    path("git-hosts/<int:connection>/credential", views_connections.git_host_replace, name="git-host-replace"),
    path("git-hosts/<int:connection>/try", views_connections.git_host_try, name="git-host-try"),
    path("git-hosts/<int:connection>/remove", views_connections.git_host_remove, name="git-host-remove"),
    path("git/<slug:repo>.git", views.repo_of_clone_url, name="repo-clone-url"),
    path("git/<slug:repo>.git/info/refs", serve.info_refs, name="git-info-refs"),
    path("git/<slug:repo>.git/git-upload-pack", serve.upload_pack, name="git-upload-pack"),
    path("git/<slug:repo>.git/git-receive-pack", serve.receive_pack, name="git-receive-pack"),
]

api_urls: list[URLPattern | URLResolver] = [
    path("repos/", api.Repositories.as_view(), name="api-repos"),
    path("repos/<slug:repo>/", api.RepositoryDetail.as_view(), name="api-repo"),
    path("repos/<slug:repo>/grants/", api.Grants.as_view(), name="api-repo-grants"),
    path("repos/<slug:repo>/grants/<int:grant>/", api.GrantDetail.as_view(), name="api-repo-grant"),
]
