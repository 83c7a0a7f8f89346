"""The room's addresses."""

from django.urls import URLPattern, URLResolver, path

from portal.jobs import api, views

page_urls: list[URLPattern | URLResolver] = [
    path("jobs/<uuid:uid>/", views.job, name="job"),
    path("jobs/<uuid:uid>/cancel/", views.cancel, name="job-cancel"),
]
api_urls: list[URLPattern | URLResolver] = [path("jobs/<uuid:uid>/", api.JobView.as_view(), name="api-job")]
