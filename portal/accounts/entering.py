"""Who asks, and where: told by the database in one round trip, for a browser's session or an API token.

The functions behind it stand in migration 0008. Nothing here is kept from one request to the next.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from typing import Any, TypeVar

import orjson
from allauth.usersessions.models import UserSession
from django.conf import settings
from django.contrib.auth import BACKEND_SESSION_KEY, HASH_SESSION_KEY, SESSION_KEY
from django.db import connection, models
from django.utils.crypto import constant_time_compare

from portal.accounts.models import ApiToken, Membership, Organisation, User
from portal.accounts.sessions import SessionStore
from portal.accounts.tenancy import asking_as

_M = TypeVar("_M", bound=models.Model)


@dataclass(frozen=True)
class Entering:
    """What one look told: the person, and where the address names one, the organisation and their place in it."""

    person: User
    organisation: Organisation | None = None
    membership: Membership | None = None
    token: ApiToken | None = None
    tracked: UserSession | None = None
    session: dict[str, Any] | None = None
    # (slug, name, role) of every organisation that the person is in, by name; None where that was not told.
    places: list[tuple[str, str, str]] | None = None

    def tells(self, person: User, slug: str) -> bool:
        """Whether it is about this person in this organisation."""
        return self.person.pk == person.pk and self.organisation is not None and self.organisation.slug == slug


def by_session(key: str, slug: str) -> Entering | None:
    """What the session with this key tells; None when Django's own path has to look closer.

    That is so when it is unknown or over, when nobody is signed in with it, when the person is closed, or when their
    password has changed since. The tenant is not set: the gate does that in its transaction.
    """
    with connection.cursor() as cursor:
        cursor.execute("SELECT * FROM slipway_by_session(%s, %s)", [key, slug])
        row = cursor.fetchone()
    if row is None:
        return None
    session = SessionStore(key).decode(row[0])
    if row[1] is None:
        return _untracked(session, slug)
    person = _made(User, row[1])
    if not _is_signed_in(session, person):
        return None
    return Entering(
        person=person,
        organisation=_made(Organisation, row[3]) if row[3] else None,
        membership=_made(Membership, row[4]) if row[4] else None,
        tracked=_made(UserSession, row[2]) if row[2] else None,
        session=session,
        places=[(slug, name, role) for slug, name, role in orjson.loads(row[5])] if row[5] else None,
    )


def _untracked(session: dict[str, Any], slug: str) -> Entering | None:
    """The same for a session that is in nobody's list yet: who it belongs to stands inside its seal alone."""
    ident = str(session.get(SESSION_KEY, ""))
    person = User.objects.filter(pk=int(ident)).first() if ident.isdigit() else None
    if person is None or not _is_signed_in(session, person):
        return None
    organisation = Organisation.objects.filter(slug=slug).first() if slug else None
    membership = None
    if organisation is not None:
        with asking_as(person.pk):
            membership = Membership.objects.for_tenant(organisation).filter(user=person).first()
    return Entering(person=person, organisation=organisation, membership=membership, session=session)


def _is_signed_in(session: dict[str, Any], person: User) -> bool:
    """As Django's own `get_user` decides; a hash by an older SECRET_KEY is left to it, for it renews that one."""
    return (
        session.get(SESSION_KEY) == str(person.pk)
        and session.get(BACKEND_SESSION_KEY) in settings.AUTHENTICATION_BACKENDS
        and person.is_active
        and constant_time_compare(str(session.get(HASH_SESSION_KEY, "")), person.get_session_auth_hash())
    )


def by_token(slug: str, digest: str) -> Entering | None:
    """What the token with this digest tells in the organisation; None when it is unknown there.

    Sets the tenant and the person for the transaction that it must run in. Whether the token may still be used is the
    caller's to judge.
    """
    with connection.cursor() as cursor:
        cursor.execute("SELECT * FROM slipway_by_token(%s, %s)", [digest, slug])
        row = cursor.fetchone()
    if row is None:
        return None
    return Entering(
        person=_made(User, row[2]),
        organisation=_made(Organisation, row[0]),
        membership=_made(Membership, row[3]) if row[3] else None,
        token=_made(ApiToken, row[1]),
    )


def place_of_token(digest: str) -> str | None:
    """The slug of the organisation that the token with this digest belongs to; None when there is no such token.

    Sets nothing: whether the token may be used there is asked again by whoever enters with it.
    """
    with connection.cursor() as cursor:
        cursor.execute("SELECT slipway_place_of_token(%s)", [digest])
        row = cursor.fetchone()
    return row[0] if row else None


@lru_cache(maxsize=16)
def _columns(model: type[models.Model]) -> tuple[tuple[str, str, Any], ...]:
    """(attribute, column, reader of what JSON holds) of every field."""
    return tuple((field.attname, str(field.column), _reader(field)) for field in model._meta.concrete_fields)


def _reader(field: Any) -> Any:
    if isinstance(field, models.DateTimeField):
        return datetime.fromisoformat
    return None if isinstance(field, models.JSONField) else field.to_python


def _made(model: type[_M], data: Any) -> _M:
    """The row as the ORM would have read it, from the JSON that the database made of it."""
    values = orjson.loads(data) if isinstance(data, str | bytes) else data
    names, found = [], []
    for attribute, column, read in _columns(model):
        value = values[column]
        names.append(attribute)
        found.append(value if value is None or read is None else read(value))
    return model.from_db("default", names, found)
