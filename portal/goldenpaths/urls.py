"""The app's addresses: pages under o/<org>/, API under api/o/<org>/."""

from django.urls import URLPattern, URLResolver, path

from portal.goldenpaths import api, api_curation, views, views_curation

page_urls: list[URLPattern | URLResolver] = [
    path("paths/", views.paths, name="paths"),
    path("paths/publish/", views.paths_publish, name="paths-publish"),
    path("paths/candidates/", views_curation.candidates, name="candidates"),
    path("paths/candidates/<uuid:uid>/", views_curation.candidate, name="candidate"),
    path("paths/candidates/<uuid:uid>/publish/", views_curation.candidate_publish, name="candidate-publish"),
    path("paths/candidates/<uuid:uid>/decline/", views_curation.candidate_decline, name="candidate-decline"),
    path("paths/candidates/<uuid:uid>/trust/", views_curation.candidate_trust, name="candidate-trust"),
    path("paths/trust/<uuid:uid>/withdraw/", views_curation.trust_withdraw, name="trust-withdraw"),
    path("paths/<slug:path>/", views.path, name="path"),
    path("paths/<slug:path>/field/", views.path_field, name="path-field"),
    path("paths/<slug:path>/options/", views.path_options, name="path-options"),
    path("paths/<slug:path>/versions/", views.path_versions, name="path-versions"),
]
api_urls: list[URLPattern | URLResolver] = [
    path("paths/", api.Paths.as_view(), name="api-paths"),
    path("paths/candidates/", api_curation.Candidates.as_view(), name="api-candidates"),
    path("paths/candidates/<uuid:uid>/", api_curation.CandidateDetail.as_view(), name="api-candidate"),
    path(
        "paths/candidates/<uuid:uid>/publish/",
        api_curation.CandidatePublication.as_view(),
        name="api-candidate-publish",
    ),
    path("paths/candidates/<uuid:uid>/decline/", api_curation.CandidateRefusal.as_view(), name="api-candidate-decline"),
    path("paths/trust/", api_curation.Trusts.as_view(), name="api-trusts"),
    path("paths/trust/<uuid:uid>/", api_curation.TrustDetail.as_view(), name="api-trust"),
    path("paths/<slug:path>/", api.PathDetail.as_view(), name="api-path"),
    path("paths/<slug:path>/parameter-schema/", api.ParameterSchema.as_view(), name="api-path-parameter-schema"),
]
