"""What search finds among people, and what a person does about themselves and others."""

from __future__ import annotations

from urllib.parse import quote

from django.db import connection
from django.urls import reverse

from portal.accounts.access import Access
from portal.kit.searching import Command, Hit, Searchable, Sought, register_command, register_searchable

# People of this organisation whose name, last name or address begins so. A person's name is kept once for all
# organisations, so the beginnings are looked up among all people, in order and only so many, and their membership
# after that: the work has a bound whatever is typed. Each column has its own index (0011_for_search).
_BEGINNINGS = ("lower(name)", "lower(regexp_replace(name, '^.*\\s', ''))", "lower(email)")
_LOOKED_AT = 200
_ONE = """(SELECT id, name, email FROM accounts_user
 WHERE is_active AND {column} COLLATE "C" >= %s AND {column} COLLATE "C" < %s ORDER BY {column} COLLATE "C" LIMIT %s)"""
_PEOPLE = f"""
SELECT person.id, person.name, person.email, member.role
FROM ({" UNION ".join(_ONE.format(column=column) for column in _BEGINNINGS)}) AS person
-- OFFSET 0: each looked up in the index, never all members compared with all of them.
CROSS JOIN LATERAL (
    SELECT role FROM accounts_membership WHERE organisation_id = %s AND user_id = person.id OFFSET 0
) AS member
ORDER BY person.name, person.email LIMIT %s
"""  # noqa: S608 - constant columns
LAST = "\U0010ffff"


def find_people(access: Access, asked: Sought, most: int) -> list[Hit]:
    """Members by the beginning of their name, of their last name or of their e-mail address."""
    start = asked.text.lower()
    if not start or not asked.words:
        return []
    parameters = [part for _ in _BEGINNINGS for part in (start, start + LAST, _LOOKED_AT)]
    with connection.cursor() as cursor:
        cursor.execute(_PEOPLE, [*parameters, access.organisation.pk, most])
        rows = cursor.fetchall()
    page = reverse("people", kwargs={"org": access.organisation.slug})
    return [
        Hit(
            key=f"person:{email.lower()}",
            title=name or email,
            note=f"{email} · {role}",
            kind="Person",
            icon="user",
            url=f"{page}?q={quote(email)}",
            names=tuple(one for one in (name, email, email.partition("@")[0]) if one),
            words=(role,),
            weight=10,
        )
        for _, name, email, role in rows
    ]


def register() -> None:
    """Called when the app is ready."""
    register_searchable(
        Searchable("people", "People", "people.view", 30, find_people, frozenset({"person", "people", "user"}))
    )
    register_command(
        Command("token-new", "New API token", "key", "tokens.own", "tokens", "create make personal access credential",
                "#new-title"),
        Command("invite", "Invite somebody", "user-plus", "people.manage", "people", "add person member colleague",
                "#invite"),
        Command("team-new", "Make a team", "users-group", "teams.manage", "team-new", "new create add group"),
        Command("profile", "Your profile", "user-circle", "org.view", "profile", "account name zone me", org=False),
        Command("security", "Sign-in security", "shield-lock", "org.view", "mfa_index",
                "change password two factor passkey authenticator mfa 2fa", org=False),
        Command("log-out", "Sign out", "logout", "org.view", "account_logout", "log out logout leave exit", org=False,
                does="submit"),
    )  # fmt: skip
