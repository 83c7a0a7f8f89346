"""The app's addresses: pages under o/<org>/, API under api/o/<org>/."""

from django.urls import URLPattern, URLResolver

page_urls: list[URLPattern | URLResolver] = []
api_urls: list[URLPattern | URLResolver] = []
