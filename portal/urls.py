"""Every address of the product."""

from django.urls import URLPattern, URLResolver, include, path

from catalog import urls as catalog
from catalog.handing import urls as handing
from catalog.ownership import urls as ownership
from portal import errors as pages
from portal.accounts import urls as accounts
from portal.accounts.views import start
from portal.clusters import urls as clusters
from portal.desk import urls as insights
from portal.githosts import urls as githosts
from portal.goldenpaths import urls as goldenpaths
from portal.jobs import urls as jobs
from portal.notices import urls as notices
from portal.provisioning import urls as provisioning

APPS = (insights, provisioning, goldenpaths, handing, ownership, catalog, clusters, githosts, notices, jobs, accounts)

urlpatterns: list[URLPattern | URLResolver] = [
    path("", start, name="start"),
    path("healthz", pages.healthz, name="healthz"),
    path("accounts/", include("allauth.urls")),
    *(item for app in APPS for item in getattr(app, "root_urls", [])),
    path("o/<slug:org>/", include([item for app in APPS for item in app.page_urls])),
    path("api/o/<slug:org>/", include([item for app in APPS for item in app.api_urls])),
]

handler400 = "portal.errors.bad_request"
handler403 = "portal.errors.forbidden"
handler404 = "portal.errors.missing"
handler500 = "portal.errors.broken"
