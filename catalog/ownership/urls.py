"""The app's addresses: pages under o/<org>/, API under api/o/<org>/."""

from django.urls import URLPattern, URLResolver, path

from catalog.ownership import api, views

page_urls: list[URLPattern | URLResolver] = [
    path("teams/", views.teams, name="teams"),
    path("teams/of/<path:ref>/", views.team_of, name="team-of"),
    path("teams/waiting/confirm/", views.teams_confirm, name="teams-confirm"),
    path("teams/waiting/decline/", views.teams_decline, name="teams-decline"),
    path("teams/<slug:team>/", views.team, name="team"),
]
api_urls: list[URLPattern | URLResolver] = [
    path("teams/waiting/", api.WaitingTeams.as_view(), name="api-teams-waiting"),
    path("teams/waiting/confirm/", api.TeamsConfirm.as_view(), name="api-teams-confirm"),
    path("teams/waiting/decline/", api.TeamsDecline.as_view(), name="api-teams-decline"),
]
