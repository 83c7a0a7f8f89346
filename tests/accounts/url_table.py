"""Who may pass each door, by the name of its address: the table that the matrix test replays.

The role is the lowest that the door itself lets in. Where a view asks again about the object (a team's lead, a run's
requester), the door is as wide as the widest of them. An address that is missing here fails the test: add a line.
"""

PAGES: dict[str, str] = {
    "home": "viewer",
    "palette": "viewer",
    "api-docs": "viewer",
    # people
    "people": "viewer",
    "people-invite": "admin",
    "member-leave": "viewer",
    "member-role": "admin",
    "member-remove": "admin",
    "invitation-resend": "admin",
    "invitation-revoke": "admin",
    "team-new": "developer",
    "team-edit": "developer",
    "team-delete": "developer",
    "team-member-add": "developer",
    "team-member-lead": "developer",
    "team-member-remove": "developer",
    "tokens": "viewer",
    "token-revoke": "viewer",
    "audit": "manager",
    "audit-export": "manager",
    "settings": "admin",
    # repositories
    "repos": "viewer",
    "repo": "viewer",
    "repo-file": "viewer",
    "repo-raw": "viewer",
    "repo-commits": "viewer",
    "repo-clone-url": "viewer",
    # catalog and teams
    "catalog": "viewer",
    "catalog-problems": "viewer",
    "entity": "viewer",
    "entity-new": "developer",
    "entity-edit": "developer",
    "entity-remove": "developer",
    "sources": "viewer",
    "source": "viewer",
    "source-register": "developer",
    "source-refresh": "developer",
    "source-remove": "developer",
    "teams": "viewer",
    "team": "viewer",
    # golden paths and runs
    "paths": "viewer",
    "path": "viewer",
    "path-review": "developer",
    "path-launch": "developer",
    "runs": "viewer",
    "run": "viewer",
    "run-log": "viewer",
    "run-cancel": "developer",
    "run-retry": "developer",
    "run-undo": "developer",
    # clusters
    "clusters": "viewer",
    "cluster": "viewer",
}

API: dict[str, str | dict[str, str]] = {
    "api-schema": "viewer",
    "api-me": "viewer",
    "api-members": "viewer",
    "api-teams": "viewer",
    "api-tokens": "viewer",
    "api-audit": "manager",
    "api-repos": "viewer",
    "api-repo": "viewer",
    "api-runs": {"get": "viewer", "post": "developer"},
    "api-run": "viewer",
    "api-run-events": "viewer",
    "api-run-cancel": "developer",
    "api-run-retry": "developer",
    "api-run-undo": "developer",
}

# These doors check their visitors themselves; each names the test that knocks at it.
OWN_DOORS = {
    "live": "tests/accounts/test_doors.py",
    "git-info-refs": "tests/githosts/test_smart_http.py",
    "git-upload-pack": "tests/githosts/test_smart_http.py",
    "git-receive-pack": "tests/githosts/test_smart_http.py",
}

# Outside organisations: who may open them, and why that is right.
OUTSIDE = {
    "start": "sends people on",
    "healthz": "tells a load balancer that the process answers, and nothing else",
    "profile": "one's own account",
    "organisation-new": "asks the policy itself",
    "join": "an invitation's secret is the key",
}
