"""The app's addresses: pages under o/<org>/, API under api/o/<org>/."""

from django.urls import URLPattern, URLResolver, path

from portal.goldenpaths import api, views

page_urls: list[URLPattern | URLResolver] = [
    path("paths/", views.paths, name="paths"),
    path("paths/publish/", views.paths_publish, name="paths-publish"),
    path("paths/<slug:path>/", views.path, name="path"),
    path("paths/<slug:path>/field/", views.path_field, name="path-field"),
    path("paths/<slug:path>/versions/", views.path_versions, name="path-versions"),
]
api_urls: list[URLPattern | URLResolver] = [
    path("paths/", api.Paths.as_view(), name="api-paths"),
    path("paths/<slug:path>/", api.PathDetail.as_view(), name="api-path"),
    path("paths/<slug:path>/parameter-schema/", api.ParameterSchema.as_view(), name="api-path-parameter-schema"),
]
