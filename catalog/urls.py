"""The app's addresses: pages under o/<org>/, API under api/o/<org>/."""

from django.urls import URLPattern, URLResolver, path, register_converter

from catalog import views, views_edit, views_sources


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
    path("catalog/", views.catalog, name="catalog"),
    path("catalog/problems/", views.problems, name="catalog-problems"),
    path("catalog/new/", views_edit.new_entity, name="entity-new"),
    path("catalog/sources/", views_sources.sources, name="sources"),
    path("catalog/sources/register/", views_sources.register, name="source-register"),
    path("catalog/sources/<int:source>/", views_sources.source, name="source"),
    path("catalog/sources/<int:source>/refresh/", views_sources.refresh, name="source-refresh"),
    path("catalog/sources/<int:source>/remove/", views_sources.remove, name="source-remove"),
    path(ENTITY, views.entity, name="entity"),
    path(f"{ENTITY}edit/", views_edit.edit_entity, name="entity-edit"),
    path(f"{ENTITY}remove/", views_edit.remove_entity, name="entity-remove"),
]
api_urls: list[URLPattern | URLResolver] = []
