"""The app's addresses: pages under o/<org>/, API under api/o/<org>/."""

from django.urls import URLPattern, URLResolver, path, register_converter

from catalog import (
    api,
    api_bulk,
    api_check,
    api_lists,
    api_locations,
    api_owners,
    api_problems,
    views,
    views_bulk,
    views_cards,
    views_edit,
    views_kept,
    views_lists,
    views_owners,
    views_ownership_files,
    views_problems,
    views_sources,
    views_truth,
)


class NameConverter:
    """A part of an entity's reference."""

    regex = r"[A-Za-z0-9][A-Za-z0-9_.-]*"

    def to_python(self, value: str) -> str:
        return value

    def to_url(self, value: str) -> str:
        return value


register_converter(NameConverter, "entitypart")

ENTITY = "catalog/<entitypart:kind>/<entitypart:namespace>/<entitypart:name>/"

page_urls: list[URLPattern | URLResolver] = [
    path("catalog/", views_lists.catalog, name="catalog"),
    path("catalog/options/<slug:field>/", views_lists.catalog_options, name="catalog-options"),
    path("catalog/columns/", views_lists.catalog_columns, name="catalog-columns"),
    path("catalog/export/", views_lists.catalog_export, name="catalog-export"),
    path("catalog/stars/", views_kept.entity_stars, name="entity-stars"),
    path("catalog/views/", views_kept.views, name="views"),
    path("catalog/views/new/", views_kept.view_new, name="view-new"),
    path("catalog/views/<int:view>/", views_kept.view_edit, name="view-edit"),
    path("catalog/views/<int:view>/remove/", views_kept.view_remove, name="view-remove"),
    path("catalog/views/<int:view>/opens/", views_kept.view_opens, name="view-opens"),
    path("catalog/bulk/", views_bulk.bulk_new, name="bulk-new"),
    path("catalog/bulk/<int:bulk>/", views_bulk.bulk, name="bulk"),
    path("catalog/bulk/<int:bulk>/undo/", views_bulk.bulk_undo, name="bulk-undo"),
    path("catalog/bulk/<int:bulk>/patch/", views_bulk.bulk_patch, name="bulk-patch"),
    path("catalog/problems/", views_problems.problems, name="catalog-problems"),
    path("catalog/problems/<int:problem>/", views_problems.problem, name="problem"),
    path("catalog/problems/<int:problem>/aside/", views_problems.set_aside, name="problem-aside"),
    path("catalog/problems/<int:problem>/back/", views_problems.take_back, name="problem-back"),
    path("catalog/problems/<int:problem>/mend/", views_problems.mend, name="problem-mend"),
    path("catalog/problems/<int:problem>/patch/", views_problems.patch, name="problem-patch"),
    path("catalog/new/", views_edit.new_entity, name="entity-new"),
    path("catalog/conflicts/", views_truth.conflicts, name="conflicts"),
    path("catalog/conflicts/<int:claim>/", views_truth.conflict, name="conflict"),
    path("catalog/conflicts/<int:claim>/choose/", views_truth.choose, name="conflict-choose"),
    path("catalog/removed/", views_truth.removed, name="entities-removed"),
    path("catalog/unseen/", views_truth.unseen, name="entities-unseen"),
    path("catalog/sources/", views_sources.sources, name="sources"),
    path("catalog/sources/register/", views_sources.register, name="source-register"),
    path("catalog/sources/<int:source>/", views_sources.source, name="source"),
    path("catalog/sources/<int:source>/refresh/", views_sources.refresh, name="source-refresh"),
    path("catalog/sources/<int:source>/remove/", views_sources.remove, name="source-remove"),
    path("catalog/cards/", views_cards.cards, name="cards"),
    path("catalog/cards/new/", views_cards.card_new, name="card-new"),
    path("catalog/cards/<int:card>/edit/", views_cards.card_edit, name="card-edit"),
    path("catalog/cards/<int:card>/remove/", views_cards.card_remove, name="card-remove"),
    path(ENTITY, views.entity, name="entity"),
    path(f"{ENTITY}edit/", views_edit.edit_entity, name="entity-edit"),
    path(f"{ENTITY}restore/", views_truth.restore, name="entity-restore"),
    path(f"{ENTITY}remove/", views_edit.remove_entity, name="entity-remove"),
    path("catalog/ownership/export/", views_ownership_files.ownership_export, name="ownership-export"),
    path("catalog/holders/", views_owners.holders, name="ownership-holders"),
    path(f"{ENTITY}ownership/state/", views_owners.state, name="ownership-state"),
    path(f"{ENTITY}ownership/undo/", views_owners.undo, name="ownership-undo"),
    path(f"{ENTITY}ownership/settle/", views_owners.settle, name="ownership-settle"),
    path(f"{ENTITY}cards/", views_cards.card_answers, name="card-answers"),
    path(f"{ENTITY}<slug:tab>/", views.entity_tab, name="entity-tab"),
]
BY_NAME = "<entitypart:kind>/<entitypart:namespace>/<entitypart:name>"
# Without a slash at the end: these are the addresses that clients of the catalog API know.
api_urls: list[URLPattern | URLResolver] = [
    path("catalog/entities", api.EntitiesView.as_view(), name="api-entities"),
    path("catalog/entities/by-query", api.ByQueryView.as_view(), name="api-entities-by-query"),
    path("catalog/entities/by-refs", api.ByRefsView.as_view(), name="api-entities-by-refs"),
    path("catalog/entities/by-uid/<uuid:uid>", api.ByUidView.as_view(), name="api-entity-by-uid"),
    path(f"catalog/entities/by-name/{BY_NAME}", api.ByNameView.as_view(), name="api-entity-by-name"),
    path(f"catalog/entities/by-name/{BY_NAME}/ancestry", api.AncestryView.as_view(), name="api-entity-ancestry"),
    path("catalog/entities/by-uid/<uuid:uid>/ownership", api_owners.OwnershipView.as_view(), name="api-ownership"),
    path(
        "catalog/entities/by-uid/<uuid:uid>/ownership/undo",
        api_owners.OwnershipUndoView.as_view(),
        name="api-ownership-undo",
    ),
    path("catalog/ownership", api_owners.ManyView.as_view(), name="api-ownership-many"),
    path("catalog/list", api_lists.ListedView.as_view(), name="api-list"),
    path("catalog/stars", api_lists.StarsView.as_view(), name="api-stars"),
    path("catalog/stars/<uuid:uid>", api_lists.StarView.as_view(), name="api-star"),
    path("catalog/views", api_lists.ViewsView.as_view(), name="api-views"),
    path("catalog/views/<int:view>", api_lists.SavedViewView.as_view(), name="api-view"),
    path("catalog/views/<int:view>/opens", api_lists.OpensView.as_view(), name="api-view-opens"),
    path("catalog/bulk", api_bulk.BulksView.as_view(), name="api-bulks"),
    path("catalog/bulk/<int:bulk>", api_bulk.BulkView.as_view(), name="api-bulk"),
    path("catalog/bulk/<int:bulk>/undo", api_bulk.BulkUndoView.as_view(), name="api-bulk-undo"),
    path("catalog/entity-facets", api.FacetsView.as_view(), name="api-entity-facets"),
    path("catalog/refresh", api.RefreshView.as_view(), name="api-entity-refresh"),
    path("catalog/problems", api_problems.ProblemsView.as_view(), name="api-problems"),
    path("catalog/check", api_check.CheckView.as_view(), name="api-check"),
    path("catalog/validate-entity", api.ValidateView.as_view(), name="api-validate-entity"),
    path("catalog/analyze-location", api_locations.AnalyzeView.as_view(), name="api-analyze-location"),
    path("catalog/locations", api_locations.LocationsView.as_view(), name="api-locations"),
    path("catalog/locations/by-query", api_locations.LocationsByQueryView.as_view(), name="api-locations-by-query"),
    path("catalog/locations/<uuid:uid>", api_locations.LocationView.as_view(), name="api-location"),
    path(
        f"catalog/locations/by-entity/{BY_NAME}",
        api_locations.LocationByEntityView.as_view(),
        name="api-location-by-entity",
    ),
]
