"""The app's addresses: pages under o/<org>/, API under api/o/<org>/."""

from django.urls import URLPattern, URLResolver, path

from portal.desk import views

page_urls: list[URLPattern | URLResolver] = [
    path("", views.home, name="home"),
    path("search/", views.palette, name="palette"),
    path("seen/", views.seen, name="seen"),
    path("api-docs/", views.api_docs, name="api-docs"),
]
api_urls: list[URLPattern | URLResolver] = []
