"""The one gate: pages and API enter an organisation here, or not at all.

A stranger gets 404 whether or not the organisation exists; a colleague without the right gets 403 and the sentence.
"""

from __future__ import annotations

import functools
import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Concatenate
from urllib.parse import urlsplit

from django.contrib.auth.models import AnonymousUser
from django.contrib.auth.views import redirect_to_login
from django.db import connection, transaction
from django.db.models import Q
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.urls import reverse
from django.utils import timezone

from portal.accounts.actor import Actor, Agent
from portal.accounts.entering import Entering, by_token
from portal.accounts.models import ApiToken, Membership, Organisation, User, Way
from portal.accounts.permissions import PERMISSIONS, Verdict, decide
from portal.accounts.tenancy import set_tenant, tenant
from portal.accounts.whom import who_can_help
from portal.kit.answers import asked_outside
from portal.kit.errors import Forbidden, NotFound, Refusal, Unauthenticated
from portal.kit.refusing import answer

USED_EVERY = timedelta(minutes=1)
STRANGER = "There is nothing here, or it is not yours to see."


@dataclass
class Access:
    """A person inside an organisation, as the gate let them in."""

    organisation: Organisation
    user: User
    membership: Membership
    token: ApiToken | None = None
    way: Way = Way.PAGE
    address: str | None = None
    agent: Agent | None = None

    @functools.cached_property
    def actor(self) -> Actor:
        """The person as actions and the audit log know them: with credential, address and way in."""
        return Actor.entered(self.user, self.way, address=self.address, token=self.token, agent=self.agent)

    @property
    def role(self) -> str:
        return self.membership.role

    @functools.cached_property
    def team_refs(self) -> frozenset[str]:
        """Catalog references of the person's teams and of every team below them, as far as these are confirmed."""
        with connection.cursor() as cursor:
            cursor.execute(_TEAMS_AND_BELOW, [self.organisation.pk, self.user.pk])
            return frozenset(row[0] for row in cursor.fetchall())

    def can(self, permission: str, owner_ref: str | None = None, *, is_requester: bool = False) -> Verdict:
        """May they? `owner_ref` is the object's owner (group:default/payments); raises KeyError for unknown names."""
        found = self.verdict(permission, is_owner=is_requester)
        if found or is_requester or owner_ref is None or not PERMISSIONS[permission].owners:
            return found
        # Only now: whoever may by their role needs no look at their teams, which may be thousands.
        return self.verdict(permission, is_owner=True) if owner_ref.lower() in self.team_refs else found

    def verdict(self, permission: str, *, is_owner: bool) -> Verdict:
        """The policy's word, bounded by the token's scopes and, where an agent acts, by its scopes and its time."""
        agent = self.agent
        if agent and agent.is_over:
            return Verdict(False, agent.over_sentence)
        found = decide(permission, role=self.role, is_owner=is_owner, scopes=self.token.scopes if self.token else None)
        if not found or agent is None:
            return found
        return decide(permission, role=self.role, is_owner=is_owner, scopes=agent.scopes)

    def require(self, permission: str, owner_ref: str | None = None, *, is_requester: bool = False) -> None:
        """Raises Forbidden with the verdict's sentence unless they may."""
        verdict = self.can(permission, owner_ref, is_requester=is_requester)
        if not verdict:
            raise Forbidden(verdict.sentence, detail=whose_right(permission, owner_ref))


_TEAMS_AND_BELOW = """
SELECT DISTINCT t.ref FROM accounts_teammembership m
JOIN accounts_teampath p ON p.organisation_id = m.organisation_id AND p.above_id = m.team_id AND p.stands
JOIN accounts_team t ON t.organisation_id = m.organisation_id AND t.id = p.below_id
WHERE m.organisation_id = %s AND m.user_id = %s
"""


def whose_right(permission: str, owner_ref: str | None = None) -> dict[str, Any]:
    """Who has a right, as the facts of a refusal: the lowest role, and the owner whose team has it as well."""
    rule = PERMISSIONS[permission]
    return {"ask": {"role": rule.role, "owner": (owner_ref or "") if rule.owners else ""}}


class TenantRequest(HttpRequest):
    """A request that passed the gate."""

    access: Access
    user: Any  # a User: the gate lets nobody anonymous through
    htmx: Any
    wants_fragment: bool


def address_of(request: HttpRequest) -> str | None:
    """The client's network address, as our server or its trusted proxy says; None over a local socket."""
    return request.META.get("REMOTE_ADDR") or None


def entering_of(request: HttpRequest) -> Entering | None:
    """What the database has told of this request already."""
    found: Entering | None = getattr(request, "entering", None)
    return found


def actor_of(request: HttpRequest, user: User) -> Actor:
    """Somebody who acts on a page outside any organisation."""
    return Actor.entered(user, Way.PAGE, address=address_of(request))


def enter(
    user: User | AnonymousUser | Any,
    slug: str,
    *,
    way: Way,
    address: str | None,
    token: ApiToken | None = None,
    agent: Agent | None = None,
    entering: Entering | None = None,
) -> Access:
    """Steps into the organisation: sets the tenant for the current transaction and returns the person's access.

    `entering` is what this request has been told already; what it holds is not asked again.
    Raises NotFound for strangers. Must run inside a transaction.
    """
    if not isinstance(user, User):
        raise NotFound(STRANGER)
    if entering is None or not entering.tells(user, slug):
        entering = None
    organisation = entering.organisation if entering else Organisation.objects.filter(slug=slug).first()
    if organisation is None:
        raise NotFound(STRANGER)
    if entering is None or entering.token is None:  # a token's own look has set the tenant already
        set_tenant(organisation, user_id=user.pk)
    membership = (
        entering.membership if entering else Membership.objects.for_tenant(organisation).filter(user=user).first()
    )
    if membership is None or not user.is_active:
        raise NotFound(STRANGER)
    return Access(
        organisation=organisation,
        user=user,
        membership=membership,
        token=token,
        way=way,
        address=address,
        agent=agent,
    )


PageView = Callable[Concatenate[TenantRequest, ...], HttpResponseBase]


def gate(permission: str) -> Callable[[PageView], Callable[..., Any]]:
    """Declares what a page needs and lets in only those who have it; the view runs in one tenant transaction."""
    if permission not in PERMISSIONS:
        raise KeyError(f"{permission} is not in the policy")

    def wrap(view: PageView) -> Callable[..., Any]:
        @functools.wraps(view)
        def guarded(request: TenantRequest, org: str, **kwargs: Any) -> HttpResponseBase:
            def inside() -> HttpResponseBase:
                with transaction.atomic():
                    request.access = enter(
                        request.user, org, way=Way.PAGE, address=address_of(request), entering=entering_of(request)
                    )
                    _remember(request.access)
                    admit(request.access, permission)
                    response = view(request, **kwargs)
                    # A lazy template would be rendered after the transaction, without a tenant.
                    render = getattr(response, "render", None)
                    rendered: HttpResponseBase = render() if callable(render) else response
                    return rendered

            if not request.user.is_authenticated:
                return sign_in_first(request)
            try:
                return asked_outside(inside)
            except Refusal as refusal:
                return refused(request, refusal)

        guarded.permission = permission  # type: ignore[attr-defined]  # read by the test that walks the URLs
        return guarded

    return wrap


def refused(request: HttpRequest, refusal: Refusal) -> HttpResponse:
    """A member's 403 or 404 as a page of their organisation: with the navigation, and with the names of who can help.

    Raises the refusal again where it needs no such page: strangers, fragments, everything else that can be refused.
    """
    access: Access | None = getattr(request, "access", None)
    if access is None or refusal.status not in {403, 404} or getattr(request, "wants_fragment", False):
        raise refusal
    with transaction.atomic():
        set_tenant(access.organisation, user_id=access.user.pk)
        helpers = who_can_help(access.organisation, access.user, refusal)
        return answer(request, refusal, shown={"frame": "base.html", "helpers": helpers})


def lost(request: HttpRequest, org: str, refusal: Refusal) -> HttpResponse:
    """An address inside an organisation that leads nowhere: its members stay in it, strangers get any other 404."""
    try:
        with transaction.atomic():
            access = enter(request.user, org, way=Way.PAGE, address=address_of(request))
        request.access = access  # type: ignore[attr-defined]
        return refused(request, refusal)
    except Refusal as plain:
        return answer(request, plain)


def admit(access: Access, permission: str) -> None:
    """The gate's own check. Rights that owners may have are decided by the view, which knows the object's owner."""
    verdict = access.can(permission)
    if verdict:
        return
    rule = PERMISSIONS[permission]
    if rule.owners and access.verdict(permission, is_owner=True):
        return
    raise Forbidden(verdict.sentence, detail=whose_right(permission))


def _remember(access: Access) -> None:
    """The next sign-in leads to the organisation that was open last; written only when it changes."""
    if access.user.last_organisation_id != access.organisation.pk:
        User.objects.filter(pk=access.user.pk).update(last_organisation=access.organisation)


def sign_in_first(request: HttpRequest) -> HttpResponse:
    """Sends the browser to sign in and back; htmx is told to navigate rather than to swap the form in."""
    redirect = redirect_to_login(_way_back(request))
    if getattr(request, "wants_fragment", False):
        return HttpResponse(status=401, headers={"HX-Redirect": redirect.url})
    return redirect


def _way_back(request: HttpRequest) -> str:
    """The page to return to: where a form or a fragment was asked for from, for it has no page of its own."""
    if request.method in {"GET", "HEAD"} and not getattr(request, "wants_fragment", False):
        return request.get_full_path()
    asker = urlsplit(request.headers.get("Referer", ""))
    if asker.netloc != request.get_host():
        return reverse("start")
    return f"{asker.path}?{asker.query}" if asker.query else asker.path


def digest_of(secret: str) -> str:
    """What is kept of a token or an invitation's secret."""
    return hashlib.sha256(secret.encode()).hexdigest()


def person_of_token(slug: str, secret: str) -> tuple[User, ApiToken, Entering]:
    """The person and the token behind an API secret in an organisation, and all that was told; sets the tenant.

    Raises Unauthenticated when the token is unknown here, revoked or expired. Must run inside a transaction.
    """
    found = by_token(slug, digest_of(secret))
    token = found.token if found else None
    now = timezone.now()
    if found is None or token is None or token.revoked_at is not None or not found.person.is_active:
        raise Unauthenticated("This token is not accepted here. Make a new one under Tokens.")
    if token.expires_at <= now:
        raise Unauthenticated(
            f"This token expired on {token.expires_at:%d %B %Y, %H:%M} UTC. Make a new one under Tokens."
        )
    return found.person, token, found


def note_use(token: ApiToken) -> None:
    """Remembers that a token is in use. Call it outside the request's transaction, which would hold the row to its end.

    Once a minute is enough to say "last used" and keeps reads from writing; of calls at the same moment one writes, and
    the others do not wait for it.
    """
    now = timezone.now()
    if token.last_used_at is not None and token.last_used_at > now - USED_EVERY:
        return
    with tenant(token.organisation_id):
        rows = ApiToken.objects.for_tenant(token.organisation_id)
        stale = rows.filter(Q(last_used_at=None) | Q(last_used_at__lte=now - USED_EVERY), pk=token.pk)
        rows.filter(pk__in=stale.select_for_update(skip_locked=True).values("pk")).update(last_used_at=now)
