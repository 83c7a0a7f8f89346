"""The app's addresses: pages under o/<org>/, API under api/o/<org>/, and a few outside organisations."""

from django.urls import URLPattern, URLResolver, path

from portal.accounts import api, views, views_again, views_audit, views_people, views_teams, views_tokens
from portal.accounts.schema import SchemaView
from portal.accounts.stream import live

root_urls: list[URLPattern | URLResolver] = [
    path("accounts/profile/", views.profile, name="profile"),
    path("organisations/new/", views.organisation_new, name="organisation-new"),
    path("accounts/reauthenticate/provider/", views_again.provider_again, name="reauthenticate-provider"),
    path("join/<slug:org>/", views.join_invited, name="join-invited"),
    path("join/<slug:org>/<str:secret>/", views.join, name="join"),
]

page_urls: list[URLPattern | URLResolver] = [
    path("live/", live, name="live"),
    path("people/", views_people.people, name="people"),
    path("people/invite/", views_people.people_invite, name="people-invite"),
    path("people/leave/", views_people.member_leave, name="member-leave"),
    path("people/<int:member>/role/", views_people.member_role, name="member-role"),
    path("people/<int:member>/remove/", views_people.member_remove, name="member-remove"),
    path("people/invitations/<int:invitation>/resend/", views_people.invitation_resend, name="invitation-resend"),
    path("people/invitations/<int:invitation>/revoke/", views_people.invitation_revoke, name="invitation-revoke"),
    path("people/teams/new/", views_teams.team_new, name="team-new"),
    path("teams/<slug:team>/edit/", views_teams.team_edit, name="team-edit"),
    path("teams/<slug:team>/delete/", views_teams.team_delete, name="team-delete"),
    path("teams/<slug:team>/members/", views_teams.team_member_add, name="team-member-add"),
    path("teams/<slug:team>/members/<int:person>/lead/", views_teams.team_member_lead, name="team-member-lead"),
    path("teams/<slug:team>/members/<int:person>/remove/", views_teams.team_member_remove, name="team-member-remove"),
    path("tokens/", views_tokens.tokens, name="tokens"),
    path("tokens/<int:token>/revoke/", views_tokens.token_revoke, name="token-revoke"),
    path("audit/", views_audit.audit_log, name="audit"),
    path("audit/export/", views_audit.audit_export, name="audit-export"),
    path("settings/", views_people.organisation_settings, name="settings"),
]

api_urls: list[URLPattern | URLResolver] = [
    path("schema/", SchemaView.as_view(), name="api-schema"),
    path("me/", api.Me.as_view(), name="api-me"),
    path("members/", api.Members.as_view(), name="api-members"),
    path("teams/", api.Teams.as_view(), name="api-teams"),
    path("tokens/", api.Tokens.as_view(), name="api-tokens"),
    path("audit/", api.Audit.as_view(), name="api-audit"),
]
