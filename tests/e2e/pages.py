"""Every page of the product and the states it can be in: what test_face.py walks and scripts/screenshots.py shows."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from django.urls import URLPattern, URLResolver, get_resolver

from portal.demo_people import SIGN_INS
from tests.e2e.acts import answer_the_form, confirm

O = "/o/parcelwright"  # noqa: E741 - as in the addresses
EMPTY = "/o/newharbour"
STRANGER = ""


@dataclass(frozen=True)
class Stop:
    """One page in one state. `route` is its name in the URLconf ("" for what no address leads to); `act` brings the
    page into the state; `address` is filled with the scene's facts."""

    name: str
    route: str
    address: str
    who: str = "dev"
    status: int = 200
    act: Callable[[Any], None] | None = None


def press(button: str, **answers: str) -> Callable[[Any], None]:
    """Fills the named fields and presses the button. The browser's own checks are off: the server's answer is shown."""

    def act(page: Any) -> None:
        page.evaluate("for (const form of document.forms) form.noValidate = true")
        for label, text in answers.items():
            page.get_by_label(label.replace("_", " "), exact=True).first.fill(text)
        with page.expect_navigation():
            page.get_by_role("button", name=button, exact=True).last.click()

    return act


def sign_in_wrongly(page: Any) -> None:
    page.get_by_label("E-mail address").fill("dev@slipway.example")
    page.get_by_label("Password", exact=True).fill("not-the-password")
    with page.expect_navigation():
        page.get_by_role("button", name="Sign in", exact=True).click()


def first_step_of_two(page: Any) -> None:
    """Pat has an authenticator app, so the password is half the way."""
    page.get_by_label("E-mail address").fill("pat@slipway.example")
    page.get_by_label("Password", exact=True).fill(SIGN_INS.password)
    page.get_by_role("button", name="Sign in", exact=True).click()
    page.get_by_role("heading", name="One more step").wait_for()


def hand_all_over(page: Any) -> None:
    """Everything in the list to one team, as far as the look at what it comes to."""
    page.get_by_label("Change many").select_option("owner")
    page.get_by_role("button", name="Of all").click()
    page.get_by_label("To", exact=True).fill("booking")
    with page.expect_navigation():
        page.get_by_role("button", name="Look at what it comes to").click()


def next_without_answers(page: Any) -> None:
    page.get_by_role("button", name="Next").last.click()
    page.locator(".field-errors p").first.wait_for()


def second_page(page: Any) -> None:
    page.get_by_label("Name", exact=True).fill("customs-desk")
    page.get_by_label("What it does").fill("Fills in customs forms for parcels that cross a border.")
    page.get_by_label("Owner", exact=True).select_option(label="Payments")
    page.get_by_role("button", name="Next").last.click()
    page.get_by_label("Cluster", exact=True).wait_for()


def review(page: Any) -> None:
    answer_the_form(page, "customs-desk", purpose="Fills in customs forms for parcels that cross a border.")


def palette(page: Any) -> None:
    page.keyboard.press("Control+k")
    page.locator("#palette-input").fill("pay")
    # What was there before fades while the answer is on its way.
    page.locator("#palette:not(.htmx-request) [role=option]").filter(has_text="Payment gateway").wait_for()


def palette_with_nothing(page: Any) -> None:
    page.keyboard.press("Control+k")
    page.locator("#palette-input").fill("zzzzqqq")
    page.locator(".palette-nothing").wait_for()


def shortcuts(page: Any) -> None:
    page.keyboard.press("?")
    page.locator("#shortcuts[open]").wait_for()


def menus(page: Any) -> None:
    page.locator("summary.topbar-button").last.click()
    page.get_by_role("button", name="Sign out").wait_for()


def question(button: str) -> Callable[[Any], None]:
    """Presses a button that asks first, and leaves the question standing."""

    def act(page: Any) -> None:
        page.get_by_role("button", name=button).first.click()
        page.locator("#confirm[open]").wait_for()

    return act


def preview_of_a_card(page: Any) -> None:
    page.get_by_role("button", name="Preview", exact=True).click()
    page.locator("#preview-title").wait_for()


def asked_cards(page: Any) -> None:
    """What a card is told appears by itself."""
    page.get_by_text("cannot be found").wait_for()


def new_token(page: Any) -> None:
    page.get_by_label("Name", exact=True).fill("laptop")
    page.get_by_label("Clone repositories").check()
    press("Make token")(page)
    confirm(page)
    page.get_by_text("is ready. Copy it now").wait_for()


def wrong_token(page: Any) -> None:
    page.get_by_label("Name", exact=True).fill("laptop")
    press("Make token")(page)
    confirm(page)
    page.locator(".field-errors p").first.wait_for()


def look_at_demo(page: Any) -> None:
    page.get_by_label("Kind").select_option(label="A folder on the server")
    page.get_by_label("Where").fill("/nowhere")
    press("Look first")(page)


def bad_descriptor(page: Any) -> None:
    page.get_by_role("textbox").last.fill(
        "apiVersion: backstage.io/v1alpha1\nkind: Componnent\nmetadata:\n  name: A B\n"
    )
    press("Save")(page)


def columns(page: Any) -> None:
    page.locator("summary", has_text="Columns").click()
    page.get_by_role("button", name="Show these").wait_for()


def change_all(page: Any) -> None:
    page.get_by_label("Change many").select_option(label="Add a tag")
    page.locator("tbody input[type=checkbox]").first.check()
    with page.expect_navigation():
        page.get_by_role("button", name="Of what is selected").click()


def changed_all(page: Any) -> None:
    """What has this tag comes from a folder: what became of it is a patch."""
    change_all(page)
    page.get_by_label("Tag").fill("harbour")
    with page.expect_navigation():
        page.get_by_role("button", name="Add a tag").click()
    page.get_by_text("Needs a commit").first.wait_for()


def why_a_notice(page: Any) -> None:
    page.locator(".notice-why summary").first.click()
    page.locator(".notice-ways button").first.wait_for()


def half_quiet_hours(page: Any) -> None:
    page.get_by_label("Nothing from").fill("22:00")
    press("Save hours")(page)


def new_destination(page: Any) -> None:
    """A webhook's secret is told once; then its own page."""
    page.get_by_label("Kind", exact=True).select_option(label="Webhook")
    page.get_by_label("Name", exact=True).fill("Night watch")
    page.get_by_label("Address", exact=True).fill("https://hooks.example.com/night")
    with page.expect_navigation():
        page.get_by_role("button", name="Save", exact=True).click()
    page.get_by_text("Copy it now").wait_for()
    with page.expect_navigation():
        page.get_by_role("link", name="Night watch").click()


STOPS: tuple[Stop, ...] = (
    # Outside any organisation, nobody signed in.
    Stop("sign-in", "account_login", "/accounts/login/", STRANGER),
    Stop("sign-in-wrong", "account_login", "/accounts/login/", STRANGER, act=sign_in_wrongly),
    Stop("sign-in-second-step", "mfa_authenticate", "/accounts/login/", STRANGER, act=first_step_of_two),
    Stop("sign-up-closed", "account_signup", "/accounts/signup/", STRANGER),
    Stop("sign-up", "account_signup", "{join_open}", STRANGER, act=press("Create your account")),
    Stop("password-reset", "account_reset_password", "/accounts/password/reset/", STRANGER),
    Stop("password-reset-sent", "account_reset_password_done", "/accounts/password/reset/done/", STRANGER),
    Stop("password-new", "account_reset_password_from_key", "{reset}", STRANGER),
    Stop("password-bad-link", "account_reset_password_from_key", "/accounts/password/reset/key/1-x/", STRANGER),
    Stop("password-done", "account_reset_password_from_key_done", "/accounts/password/reset/key/done/", STRANGER),
    Stop("mail-sent", "account_email_verification_sent", "/accounts/confirm-email/", STRANGER),
    Stop("inactive", "account_inactive", "/accounts/inactive/", STRANGER),
    Stop("provider-cancelled", "socialaccount_login_cancelled", "/accounts/3rdparty/login/cancelled/", STRANGER),
    Stop("provider-error", "socialaccount_login_error", "/accounts/3rdparty/login/error/", STRANGER, 401),
    Stop("join", "join", "{join_open}", STRANGER),
    Stop("join-gone", "join", "/join/parcelwright/of-no-use/", STRANGER, 404),
    Stop("nothing-here", "", "/no/such/address/", STRANGER, 404),
    # A person outside any organisation.
    Stop("nowhere", "start", "/", "pat"),
    Stop("organisation-new", "organisation-new", "/organisations/new/", "pat", 403),
    Stop("profile", "profile", "/accounts/profile/", "pat"),
    Stop("profile-member", "profile", "/accounts/profile/", "mae"),
    Stop("profile-wrong", "profile", "/accounts/profile/", "pat", act=press("Save", Name="")),
    Stop("email", "account_email", "/accounts/email/", "pat"),
    Stop("password-change", "account_change_password", "/accounts/password/change/", "pat"),
    Stop("sign-out", "account_logout", "/accounts/logout/", "pat"),
    Stop("reauthenticate", "account_reauthenticate", "/accounts/reauthenticate/?next=/accounts/2fa/", "dev"),
    Stop("reauthenticate-provider", "reauthenticate-provider", "/accounts/reauthenticate/provider/", "vic"),
    Stop("security", "mfa_index", "/accounts/2fa/", "pat"),
    Stop("security-none", "mfa_index", "/accounts/2fa/", "dev"),
    Stop("app-off", "mfa_deactivate_totp", "/accounts/2fa/totp/deactivate/", "pat"),
    Stop("app-on", "mfa_activate_totp", "/accounts/2fa/totp/activate/", "vic"),
    Stop("recovery-codes", "mfa_view_recovery_codes", "/accounts/2fa/recovery-codes/", "pat"),
    Stop("recovery-codes-new", "mfa_generate_recovery_codes", "/accounts/2fa/recovery-codes/generate/", "pat"),
    Stop("keys", "mfa_list_webauthn", "/accounts/2fa/webauthn/", "pat"),
    Stop("key-new", "mfa_add_webauthn", "/accounts/2fa/webauthn/add/", "pat"),
    Stop("reauthenticate-code", "mfa_reauthenticate", "/accounts/2fa/reauthenticate/", "pat"),
    Stop("connections", "socialaccount_connections", "/accounts/3rdparty/", "pat"),
    Stop("sessions", "usersessions_list", "/accounts/sessions/", "pat"),
    # A developer at work.
    Stop("home", "home", f"{O}/"),
    Stop("home-viewer", "home", f"{O}/", "vic"),
    Stop("home-menu", "home", f"{O}/", act=menus),
    Stop("palette", "palette", f"{O}/", act=palette),
    Stop("palette-nothing", "palette", f"{O}/", act=palette_with_nothing),
    Stop("search-page", "palette", f"{O}/search/?q=pay"),
    Stop("shortcuts", "home", f"{O}/", act=shortcuts),
    Stop("catalog", "catalog", f"{O}/catalog/"),
    Stop("catalog-filtered", "catalog", f"{O}/catalog/?kind=component&q=label"),
    Stop("catalog-nothing", "catalog", f"{O}/catalog/?q=zzzzqqq"),
    Stop("catalog-all", "catalog", f"{O}/catalog/?kind="),
    Stop("catalog-mine", "catalog", f"{O}/catalog/?kind=Component&whose=teams&sort=-health"),
    Stop("catalog-columns", "catalog", f"{O}/catalog/?kind=Component", act=columns),
    Stop("ownership-import", "ownership-import", f"{O}/catalog/ownership/import/", who="mae"),
    Stop(
        "ownership-import-looked",
        "ownership-import",
        f"{O}/catalog/ownership/import/",
        who="mae",
        act=press("Look at what changes", **{"Or its lines": "entity,holder\npayment-gateway,booking"}),
    ),
    Stop("reorganisations", "reorganisations", f"{O}/reorganisations/", who="mae"),
    Stop("reorganisation", "reorganisation", f"{O}/reorganisations/{{plan}}/", who="mae"),
    Stop("suggestions", "suggestions", f"{O}/suggestions/?whose=all", who="mae"),
    Stop("transfers", "transfers", f"{O}/transfers/?box=open", who="mae"),
    Stop("transfers-nothing", "transfers", f"{O}/transfers/?box=dated", who="mae"),
    Stop("transfer", "transfer", f"{O}/transfers/{{transfer}}/", who="mae"),
    Stop("transfer-new", "transfer-new", f"{O}/transfers/new/?entity=component:default/payment-gateway", who="mae"),
    Stop("transfer-new-looked", "transfer-new", f"{O}/catalog/?kind=Component", who="mae", act=hand_all_over),
    Stop("views", "views", f"{O}/catalog/views/"),
    Stop("view-new", "view-new", f"{O}/catalog/views/new/?kind=Component&owner=payments&sort=-name"),
    Stop("bulk-new", "bulk-new", f"{O}/catalog/?kind=Component", act=change_all),
    Stop("bulk", "bulk", f"{O}/catalog/?kind=Component&tag=pci", act=changed_all),
    Stop("entity", "entity", f"{O}/catalog/component/default/{{repo}}/"),
    Stop("entity-demo", "entity", f"{O}/catalog/component/default/payment-gateway/"),
    Stop("entity-api", "entity", f"{O}/catalog/api/default/payment-api/"),
    Stop("entity-runtime", "entity-tab", f"{O}/catalog/component/default/{{repo}}/runtime/"),
    Stop("entity-dependencies", "entity-tab", f"{O}/catalog/component/default/payment-gateway/dependencies/"),
    Stop("entity-definition", "entity-tab", f"{O}/catalog/api/default/payment-api/api/"),
    Stop("entity-ownership", "entity-tab", f"{O}/catalog/component/default/payment-gateway/ownership/"),
    Stop("entity-history", "entity-tab", f"{O}/catalog/component/default/{{written}}/history/", "ada"),
    Stop("entity-no-tab", "entity-tab", f"{O}/catalog/component/default/payment-gateway/nonsense/", status=404),
    Stop("entity-group", "entity", f"{O}/catalog/group/default/payments/"),
    Stop("entity-missing", "entity", f"{O}/catalog/component/default/none-such/", status=404),
    Stop("entity-edit", "entity-edit", f"{O}/catalog/component/default/{{written}}/edit/"),
    Stop("entity-new", "entity-new", f"{O}/catalog/new/"),
    Stop("entity-new-wrong", "entity-new", f"{O}/catalog/new/", act=bad_descriptor),
    Stop("problems", "catalog-problems", f"{O}/catalog/problems/"),
    Stop("problems-narrow", "catalog-problems", f"{O}/catalog/problems/?code=tag&severity=error&order=old"),
    Stop("problems-nothing", "catalog-problems", f"{O}/catalog/problems/?severity=hint"),
    Stop("problem", "problem", f"{O}/catalog/problems/{{problem}}/"),
    Stop("sources", "sources", f"{O}/catalog/sources/"),
    Stop("conflicts", "conflicts", f"{O}/catalog/conflicts/"),
    Stop("entities-removed", "entities-removed", f"{O}/catalog/removed/"),
    Stop("entities-unseen", "entities-unseen", f"{O}/catalog/unseen/"),
    Stop("source", "source", f"{O}/catalog/sources/{{source}}/"),
    Stop("source-register", "source-register", f"{O}/catalog/sources/register/"),
    Stop("source-register-wrong", "source-register", f"{O}/catalog/sources/register/", act=press("Register")),
    Stop("paths", "paths", f"{O}/paths/"),
    Stop("paths-nothing", "paths", f"{O}/paths/?q=zzzzqqq"),
    Stop("path", "path", f"{O}/paths/python-web-service/"),
    Stop("path-wrong", "path", f"{O}/paths/python-web-service/", act=next_without_answers),
    Stop("path-second", "path", f"{O}/paths/python-web-service/", act=second_page),
    Stop("review", "path-reviewed", f"{O}/paths/python-web-service/", act=review),
    Stop("versions", "path-versions", f"{O}/paths/python-web-service/versions/"),
    Stop("candidates", "candidates", f"{O}/paths/candidates/"),
    Stop("candidate", "candidate", f"{O}/paths/candidates/{{candidate}}/"),
    Stop("runs", "runs", f"{O}/runs/"),
    Stop("runs-nothing", "runs", f"{O}/runs/?status=undone"),
    Stop("run", "run", f"{O}/runs/{{run}}/"),
    Stop("run-failed", "run", f"{O}/runs/{{failed}}/"),
    Stop("run-waiting", "run", f"{O}/runs/{{waiting}}/"),
    Stop("run-cancel", "run-cancel", f"{O}/runs/{{waiting}}/cancel/"),
    Stop("run-retry", "run-retry", f"{O}/runs/{{failed}}/retry/"),
    Stop("run-undo", "run-undo", f"{O}/runs/{{run}}/undo/"),
    Stop("clusters", "clusters", f"{O}/clusters/"),
    Stop("cluster", "cluster", f"{O}/clusters/{{cluster}}/"),
    Stop("logs", "workload-logs", "{logs}"),
    Stop("repos", "repos", f"{O}/repos/"),
    Stop("repos-nothing", "repos", f"{O}/repos/?q=zzzzqqq"),
    Stop("repo", "repo", f"{O}/repos/{{repo}}/"),
    Stop("repo-folder", "repo-file", f"{O}/repos/{{repo}}/files/src"),
    Stop("repo-file", "repo-file", f"{O}/repos/{{repo}}/files/catalog-info.yaml"),
    Stop("repo-readme", "repo-file", f"{O}/repos/{{repo}}/files/README.md"),
    Stop("repo-commits", "repo-commits", f"{O}/repos/{{repo}}/commits/"),
    Stop("repo-access", "repo-access", f"{O}/repos/{{repo}}/access/"),
    Stop("repo-access-viewer", "repo-access", f"{O}/repos/{{repo}}/access/", "vic"),
    Stop("teams", "teams", f"{O}/teams/"),
    Stop("team", "team", f"{O}/teams/payments/"),
    Stop("team-parent", "team", f"{O}/teams/engineering/"),
    Stop("people", "people", f"{O}/people/"),
    Stop("tokens", "tokens", f"{O}/tokens/"),
    Stop("token-new", "tokens", f"{O}/tokens/", "mae", act=new_token),
    Stop("token-wrong", "tokens", f"{O}/tokens/", act=wrong_token),
    Stop("notices", "notices", f"{O}/notices/"),
    Stop("notices-all", "notices", f"{O}/notices/?show=all"),
    Stop("notices-why", "notices", f"{O}/notices/?show=all", act=why_a_notice),
    Stop("notice-preferences", "notice-preferences", f"{O}/notices/preferences/"),
    Stop("notice-hours-wrong", "notice-preferences", f"{O}/notices/preferences/", act=half_quiet_hours),
    Stop("unsubscribe-damaged", "notice-unsubscribe", "/notices/unsubscribe/of-no-use/", STRANGER, 404),
    Stop("api-docs", "api-docs", f"{O}/api-docs/"),
    Stop("forbidden", "settings", f"{O}/settings/", status=403),
    Stop("foreign", "home", "/o/kelpline/", status=404),
    # What managers and admins have more.
    Stop("home-admin", "home", f"{O}/", "ada"),
    Stop("paths-admin", "paths", f"{O}/paths/", "ada"),
    Stop("candidates-admin", "candidates", f"{O}/paths/candidates/", "ada"),
    Stop("candidate-admin", "candidate", f"{O}/paths/candidates/{{candidate}}/", "ada"),
    Stop("people-admin", "people", f"{O}/people/", "ada"),
    Stop("invite-wrong", "people-invite", f"{O}/people/", "ada", act=press("Send invitation")),
    Stop("remove-question", "member-remove", f"{O}/people/", "ada", act=question("Remove Dev")),
    Stop("team-new", "team-new", f"{O}/people/teams/new/", "ada"),
    Stop("team-edit", "team-edit", f"{O}/teams/payments/edit/", "ada"),
    Stop("audit", "audit", f"{O}/audit/", "ada"),
    Stop("audit-nothing", "audit", f"{O}/audit/?verb=zzz", "ada"),
    Stop("settings", "settings", f"{O}/settings/", "ada"),
    Stop("cards", "cards", f"{O}/catalog/cards/", "ada"),
    Stop("card-new", "card-new", f"{O}/catalog/cards/new/", "ada"),
    Stop(
        "card-wrong", "card-new", f"{O}/catalog/cards/new/", "ada", act=press("Save", Title="Costs", Address="nonsense")
    ),
    Stop("card-edit", "card-edit", f"{O}/catalog/cards/{{card}}/edit/", "ada"),
    Stop("card-preview", "card-edit", f"{O}/catalog/cards/{{card}}/edit/", "ada", act=preview_of_a_card),
    Stop("card-question", "card-remove", f"{O}/catalog/cards/", "ada", act=question("Remove Alerts")),
    Stop("entity-cards", "entity", f"{O}/catalog/system/default/payments/", "ada", act=asked_cards),
    Stop("repo-access-admin", "repo-access", f"{O}/repos/{{repo}}/access/", "ada"),
    Stop("grant-wrong", "repo-grant", f"{O}/repos/{{repo}}/access/", "ada", act=press("Let them push")),
    Stop(
        "protection-question", "repo-protect", f"{O}/repos/{{repo}}/access/", "ada", act=question("Lift the protection")
    ),
    Stop("git-hosts", "git-hosts", f"{O}/git-hosts/", "ada"),
    Stop("git-host-question", "git-host-remove", f"{O}/git-hosts/", "ada", act=question("Remove https")),
    Stop("git-host-new", "git-host-new", f"{O}/git-hosts/new", "ada"),
    Stop("git-host-wrong", "git-host-new", f"{O}/git-hosts/new", "ada", act=press("Save and try", Address="nonsense")),
    Stop("git-host-replace", "git-host-replace", f"{O}/git-hosts/{{git_host}}/credential", "ada"),
    Stop("destinations", "destinations", f"{O}/notices/destinations/", "ada"),
    Stop("destination-new", "destination-new", f"{O}/notices/destinations/new/", "ada"),
    Stop(
        "destination-wrong",
        "destination-new",
        f"{O}/notices/destinations/new/",
        "ada",
        act=press("Save", Name="#alerts", Address="nonsense"),
    ),
    Stop("destination-made", "destination-edit", f"{O}/notices/destinations/new/", "ada", act=new_destination),
    Stop("notice-defaults", "notice-defaults", f"{O}/notices/defaults/", "ada"),
    Stop("team-notices", "team-notices", f"{O}/teams/payments/notices/", "ada"),
    Stop("cluster-new", "cluster-new", f"{O}/clusters/new/", "ada"),
    Stop(
        "cluster-new-wrong",
        "cluster-new",
        f"{O}/clusters/new/",
        "ada",
        act=press("Connect", Name="Southern cluster", Kubeconfig="nonsense"),
    ),
    Stop("cluster-credential", "cluster-credential", f"{O}/clusters/{{cluster}}/credential/", "ada"),
    Stop("cluster-reach", "cluster-reach", f"{O}/clusters/{{cluster}}/reach/", "ada"),
    Stop("cluster-forget", "cluster-forget", f"{O}/clusters/{{cluster}}/forget/", "ada"),
    # An organisation on its first day.
    Stop("empty-home", "home", f"{EMPTY}/", "eve"),
    Stop("empty-catalog", "catalog", f"{EMPTY}/catalog/", "eve"),
    Stop("empty-views", "views", f"{EMPTY}/catalog/views/", "eve"),
    Stop("empty-problems", "catalog-problems", f"{EMPTY}/catalog/problems/", "eve"),
    Stop("empty-sources", "sources", f"{EMPTY}/catalog/sources/", "eve"),
    Stop("empty-paths", "paths", f"{EMPTY}/paths/", "eve"),
    Stop("empty-runs", "runs", f"{EMPTY}/runs/", "eve"),
    Stop("empty-clusters", "clusters", f"{EMPTY}/clusters/", "eve"),
    Stop("empty-repos", "repos", f"{EMPTY}/repos/", "eve"),
    Stop("empty-git-hosts", "git-hosts", f"{EMPTY}/git-hosts/", "eve"),
    Stop("empty-teams", "teams", f"{EMPTY}/teams/", "eve"),
    Stop("empty-people", "people", f"{EMPTY}/people/", "eve"),
    Stop("empty-tokens", "tokens", f"{EMPTY}/tokens/", "eve"),
    Stop("empty-audit", "audit", f"{EMPTY}/audit/", "eve"),
    Stop("empty-notices", "notices", f"{EMPTY}/notices/", "eve"),
    Stop("empty-notices-all", "notices", f"{EMPTY}/notices/?show=all", "eve"),
    Stop("empty-destinations", "destinations", f"{EMPTY}/notices/destinations/", "eve"),
)

_PROVIDER = "there when an identity provider is configured: tests/accounts/test_provider.py goes that way"
_ACTION = "an action behind a button; it leads back to a page"
# Addresses that show no page of their own, and what they do instead.
NOT_PAGES: dict[str, str] = {
    "healthz": "JSON for load balancers",
    "live": "the stream of server-sent events",
    "run-log": "plain text",
    "seen": "what a page says that was looked at, for search",
    "repo-raw": "a file as it is",
    "audit-export": "a file to keep",
    "mfa_download_recovery_codes": "a file to keep",
    "path-review": "leads to the review, by its job",
    "path-options": "what a picker finds, as a fragment of its page",
    "path-field": "one field of a form, as a fragment of its page",
    "team-of": "leads to the team of an entity",
    "repo-clone-url": "leads from the clone address to the repository",
    "git-info-refs": "git's own protocol",
    "git-upload-pack": "git's own protocol",
    "git-receive-pack": "git's own protocol",
    "account_set_password": "for people without one, who come by a provider; others are led to changing theirs",
    "account_confirm_login_code": "sign-in by code is off: leads to the sign-in page",
    "mfa_login_webauthn": "JSON and a form for the passkey script of the sign-in page",
    "mfa_reauthenticate_webauthn": "needs a key: tests/accounts/test_passkeys.py looks at it",
    "mfa_remove_webauthn": "needs a key: tests/accounts/test_passkeys.py looks at it",
    "mfa_edit_webauthn": "needs a key: tests/accounts/test_passkeys.py looks at it",
    "socialaccount_signup": _PROVIDER,
    **dict.fromkeys(("github_login", "github_callback", "gitlab_login", "gitlab_callback"), _PROVIDER),
    **dict.fromkeys(("google_login", "google_callback", "google_login_by_token"), _PROVIDER),
    **dict.fromkeys(("openid_connect_login", "openid_connect_callback"), _PROVIDER),
    **dict.fromkeys(("saml_acs", "saml_finish_acs", "saml_sls", "saml_metadata", "saml_login"), _PROVIDER),
    **dict.fromkeys(("path-launch", "paths-publish", "source-refresh", "source-remove", "entity-remove"), _ACTION),
    **dict.fromkeys(("cluster-kind-allow", "cluster-kind-remove"), _ACTION),
    **dict.fromkeys(("member-leave", "member-role", "invitation-resend", "invitation-revoke"), _ACTION),
    **dict.fromkeys(
        ("teams-confirm", "teams-decline", "team-delete", "team-member-add", "team-member-lead", "team-member-remove"),
        _ACTION,
    ),
    "token-revoke": _ACTION,
    **dict.fromkeys(("notices-read", "team-follow", "deliveries-retry"), _ACTION),
    **dict.fromkeys(("destination-secret", "destination-switch", "destination-test", "destination-remove"), _ACTION),
    "catalog-options": "what a choice offers, as a fragment of its page",
    "catalog-export": "a file to keep",
    "bulk-patch": "a file to keep",
    "view-edit": "the form of view-new, filled in: tests/catalog/test_views.py",
    **dict.fromkeys(("catalog-columns", "entity-stars", "view-remove", "view-opens", "bulk-undo"), _ACTION),
    **dict.fromkeys(("repo-hand-over", "repo-withdraw"), _ACTION),
    **dict.fromkeys(("git-host-try",), _ACTION),
    **dict.fromkeys(("candidate-publish", "candidate-decline", "candidate-trust", "trust-withdraw"), _ACTION),
    "join-invited": "the page of an invitation again, after sign-in",
    **dict.fromkeys(("problem-aside", "problem-back", "problem-mend"), _ACTION),
    **dict.fromkeys(("conflict-choose", "entity-restore", "ownership-state", "ownership-undo"), _ACTION),
    "ownership-export": "a file to keep",
    "transfers-export": "a file to keep",
    **dict.fromkeys(("transfer-answer", "suggestions-answer", "suggestions-look"), _ACTION),
    **dict.fromkeys(("reorganisation-step", "reorganisation-do"), _ACTION),
    "ownership-holders": "what a field offers, as a fragment of its page",
    "ownership-settle": "the record must differ from the file: tests/catalog/test_owners_pages.py",
    "conflict": "two sources must disagree: tests/catalog/test_truth_pages.py",
    "problem-patch": "a file: tests/catalog/test_inbox.py applies it",
    "job-cancel": _ACTION,
    "card-answers": _ACTION,
    "job": "leads on to what came of it: tests/jobs/test_page.py looks at it while it lasts",
}


def visit(page: Any, stop: Stop, facts: dict[str, str]) -> Any:
    """Opens the stop and brings it into its state; returns the first answer."""
    answer = page.goto(stop.address.format(**facts))
    if stop.act:
        stop.act(page)
    return answer


def routes() -> Iterator[str]:
    """The names of all addresses outside the API; Django's own redirects have none."""
    yield from _names(get_resolver(), "")


def _names(resolver: URLResolver, prefix: str) -> Iterator[str]:
    for entry in resolver.url_patterns:
        where = prefix + str(entry.pattern)
        if where.startswith("api/"):
            continue
        if isinstance(entry, URLResolver):
            yield from _names(entry, where)
        elif isinstance(entry, URLPattern) and entry.name:
            yield entry.name
