"""The app's addresses: pages under o/<org>/, API under api/o/<org>/."""

from django.urls import URLPattern, URLResolver, path

from portal.provisioning import api, api_preview, launching, reviewing, views

page_urls: list[URLPattern | URLResolver] = [
    path("runs/", views.run_list, name="runs"),
    path("runs/<int:run>/", views.run_page, name="run"),
    path("runs/<int:run>/log/", views.run_log, name="run-log"),
    path("runs/<int:run>/cancel/", views.run_cancel, name="run-cancel"),
    path("runs/<int:run>/retry/", views.run_retry, name="run-retry"),
    path("runs/<int:run>/undo/", views.run_undo, name="run-undo"),
    path("paths/<slug:path>/review/", reviewing.path_review, name="path-review"),
    path("paths/<slug:path>/review/<uuid:uid>/", reviewing.path_reviewed, name="path-reviewed"),
    path("paths/<slug:path>/launch/", launching.path_launch, name="path-launch"),
]
api_urls: list[URLPattern | URLResolver] = [
    path("paths/<slug:path>/preview/", api_preview.PathPreview.as_view(), name="api-path-preview"),
    path("runs/", api.RunsView.as_view(), name="api-runs"),
    path("runs/<int:run>/", api.RunView.as_view(), name="api-run"),
    path("runs/<int:run>/events/", api.RunEventsView.as_view(), name="api-run-events"),
    path("runs/<int:run>/cancel/", api.CancelView.as_view(), name="api-run-cancel"),
    path("runs/<int:run>/retry/", api.RetryView.as_view(), name="api-run-retry"),
    path("runs/<int:run>/undo/", api.UndoView.as_view(), name="api-run-undo"),
]
