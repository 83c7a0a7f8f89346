"""The room's addresses: pages under o/<org>/, API under api/o/<org>/."""

from django.urls import URLPattern, URLResolver, path

from catalog.handing import (
    api,
    api_plans,
    api_suggestions,
    views,
    views_files,
    views_plans,
    views_suggestions,
)

page_urls: list[URLPattern | URLResolver] = [
    path("catalog/ownership/import/", views_files.ownership_import, name="ownership-import"),
    path("reorganisations/", views_plans.reorganisations, name="reorganisations"),
    path("reorganisations/<int:plan>/", views_plans.reorganisation, name="reorganisation"),
    path("reorganisations/<int:plan>/step/", views_plans.reorganisation_step, name="reorganisation-step"),
    path("reorganisations/<int:plan>/do/", views_plans.reorganisation_do, name="reorganisation-do"),
    path("suggestions/", views_suggestions.suggestions, name="suggestions"),
    path("suggestions/answer/", views_suggestions.suggestions_answer, name="suggestions-answer"),
    path("suggestions/look/", views_suggestions.suggestions_look, name="suggestions-look"),
    path("transfers/", views.transfers, name="transfers"),
    path("transfers/export/", views.transfers_export, name="transfers-export"),
    path("transfers/new/", views.transfer_new, name="transfer-new"),
    path("transfers/<int:transfer>/", views.transfer, name="transfer"),
    path("transfers/<int:transfer>/answer/", views.transfer_answer, name="transfer-answer"),
]

api_urls: list[URLPattern | URLResolver] = [
    path("reorganisations", api_plans.ReorganisationsView.as_view(), name="api-reorganisations"),
    path("reorganisations/<int:plan>", api_plans.ReorganisationView.as_view(), name="api-reorganisation"),
    path("suggestions", api_suggestions.SuggestionsView.as_view(), name="api-suggestions"),
    path("transfers", api.TransfersView.as_view(), name="api-transfers"),
    path("transfers/<int:transfer>", api.TransferView.as_view(), name="api-transfer"),
    path("transfers/<int:transfer>/answer", api.TransferAnswerView.as_view(), name="api-transfer-answer"),
]
