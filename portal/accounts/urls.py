"""The app's addresses: pages under o/<org>/, API under api/o/<org>/."""

from django.urls import URLPattern, URLResolver, path

from portal.accounts.schema import SchemaView
from portal.accounts.stream import live

page_urls: list[URLPattern | URLResolver] = [path("live/", live, name="live")]
api_urls: list[URLPattern | URLResolver] = [path("schema/", SchemaView.as_view(), name="api-schema")]
