"""The app's addresses: pages under o/<org>/, API under api/o/<org>/."""

from django.urls import URLPattern, URLResolver, path

from catalog.ownership import views

page_urls: list[URLPattern | URLResolver] = [
    path("teams/", views.teams, name="teams"),
    path("teams/of/<path:ref>/", views.team_of, name="team-of"),
    path("teams/waiting/confirm/", views.teams_confirm, name="teams-confirm"),
    path("teams/<slug:team>/", views.team, name="team"),
]
api_urls: list[URLPattern | URLResolver] = []
