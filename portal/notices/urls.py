"""The room's addresses."""

from django.urls import URLPattern, URLResolver, path

from portal.notices import api, views, views_defaults, views_destinations, views_unsubscribe

root_urls: list[URLPattern | URLResolver] = [
    path("notices/unsubscribe/<str:token>/", views_unsubscribe.notice_unsubscribe, name="notice-unsubscribe"),
]
page_urls: list[URLPattern | URLResolver] = [
    path("notices/", views.notices, name="notices"),
    path("notices/read/", views.notices_read, name="notices-read"),
    path("notices/preferences/", views.notice_preferences, name="notice-preferences"),
    path("notices/defaults/", views_defaults.notice_defaults, name="notice-defaults"),
    path("notices/destinations/", views_destinations.destinations, name="destinations"),
    path("notices/destinations/new/", views_destinations.destination_new, name="destination-new"),
    path("notices/destinations/<uuid:destination>/", views_destinations.destination_edit, name="destination-edit"),
    path(
        "notices/destinations/<uuid:destination>/secret/",
        views_destinations.destination_secret,
        name="destination-secret",
    ),
    path(
        "notices/destinations/<uuid:destination>/switch/",
        views_destinations.destination_switch,
        name="destination-switch",
    ),
    path("notices/destinations/<uuid:destination>/test/", views_destinations.destination_test, name="destination-test"),
    path(
        "notices/destinations/<uuid:destination>/remove/",
        views_destinations.destination_remove,
        name="destination-remove",
    ),
    path("notices/deliveries/retry/", views_destinations.deliveries_retry, name="deliveries-retry"),
    path("teams/<slug:team>/notices/", views_defaults.team_notices, name="team-notices"),
    path("teams/<slug:team>/follow/", views_defaults.team_follow, name="team-follow"),
]
api_urls: list[URLPattern | URLResolver] = [
    path("notices/", api.NoticesView.as_view(), name="api-notices"),
    path("notices/read/", api.NoticesReadView.as_view(), name="api-notices-read"),
    path("notices/kinds/", api.KindsView.as_view(), name="api-notice-kinds"),
    path("notices/preferences/", api.PreferencesView.as_view(), name="api-notice-preferences"),
    path("notices/defaults/", api.DefaultsView.as_view(), name="api-notice-defaults"),
    path("notices/destinations/", api.DestinationsView.as_view(), name="api-destinations"),
    path("notices/destinations/<uuid:destination>/", api.DestinationView.as_view(), name="api-destination"),
    path(
        "notices/destinations/<uuid:destination>/secret/",
        api.DestinationSecretView.as_view(),
        name="api-destination-secret",
    ),
    path(
        "notices/destinations/<uuid:destination>/test/", api.DestinationTestView.as_view(), name="api-destination-test"
    ),
    path("notices/undelivered/", api.UndeliveredView.as_view(), name="api-undelivered"),
    path("teams/<slug:team>/follow/", api.FollowView.as_view(), name="api-team-follow"),
]
