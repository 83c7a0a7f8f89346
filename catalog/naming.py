"""What references stand for: how they are written, what they are called, where they lead (portal/kit/references)."""

from collections.abc import Iterable, Mapping
from urllib.parse import quote

from django.db import connection
from django.urls import NoReverseMatch, reverse

from catalog.descriptors.contacts import contact_of
from catalog.descriptors.kinds import icon_of, owner_ref
from catalog.holders import member_number
from catalog.packing import document_of
from portal.accounts.contact import Contact
from portal.kit.references import Named
from portal.kit.refs import BadRef, parse_ref

# One statement for any number of references, of teams and of everything else: a page asks once.
_NAMED = """
SELECT wanted.ref, coalesce(nullif(entity.title, ''), entity.name, team.name, nullif(person.name, ''), person.email),
  team.slug, organisation.slug, entity.id IS NOT NULL OR person.id IS NOT NULL, team.mail, team.chat, team.on_call,
  team.runbook, person.email, body.packed
FROM unnest(%s::text[]) AS wanted (ref)
JOIN accounts_organisation organisation ON organisation.id = %s
LEFT JOIN catalog_entity entity
  ON entity.organisation_id = organisation.id AND entity.ref = wanted.ref AND entity.removed_at IS NULL
LEFT JOIN accounts_team team ON team.organisation_id = organisation.id AND team.ref = wanted.ref
LEFT JOIN catalog_body body ON body.entity_id = entity.id AND entity.kind = 'User'
LEFT JOIN accounts_membership member ON member.organisation_id = organisation.id
  AND member.user_id = substring(wanted.ref FROM '^user:slipway/([0-9]{1,18})$')::bigint
LEFT JOIN accounts_user person ON person.id = member.user_id
WHERE entity.id IS NOT NULL OR team.id IS NOT NULL OR person.id IS NOT NULL
"""


def named(organisation_id: int, refs: Iterable[str]) -> dict[str, Named]:
    """Titles and pages by reference, of those that are known; a team leads to its page. One statement."""
    return named_and_reached(organisation_id, refs)[0]


def named_and_reached(organisation_id: int, refs: Iterable[str]) -> tuple[dict[str, Named], dict[str, Contact]]:
    """The same, and how those that are teams or people are reached, out of the same statement."""
    wanted = sorted({ref for ref in refs if ref})
    if not wanted:
        return {}, {}
    with connection.cursor() as cursor:
        cursor.execute(_NAMED, [wanted, organisation_id])
        rows = cursor.fetchall()
    reached = {row[0]: contact for row in rows if (contact := _contact(*row[2:3], *row[5:])) is not None}
    return {
        ref: _named(ref, title, team, organisation, is_there, reached.get(ref))
        for ref, title, team, organisation, is_there, *_ in rows
    }, reached


def _contact(
    team: str | None, mail: str, chat: str, on_call: str, runbook: str, person: str | None, packed: bytes | None
) -> Contact | None:
    """Of a team what it says, of a described person what their file says, of a member their address."""
    if team is not None:
        return Contact(*(text or "" for text in (mail, chat, on_call, runbook)))
    if packed is not None:
        return contact_of(document_of(packed))
    return Contact(mail=person) if person else None


def _named(ref: str, title: str, team: str | None, organisation: str, is_there: bool, contact: Contact | None) -> Named:
    if team is not None and contact is not None:
        return Named(ref, title, _team_page(organisation, team), contact.note, is_there)
    if member_number(ref) is not None and contact is not None:
        people = reverse("people", kwargs={"org": organisation})
        return Named(ref, title, f"{people}?q={quote(contact.mail)}", contact.note, is_there)
    return Named(ref, title, is_there=is_there)


def _team_page(organisation_slug: str, team_slug: str) -> str:
    return reverse("team", kwargs={"org": organisation_slug, "team": team_slug})


def address(organisation_slug: str, ref: str) -> str:
    """The page of a complete reference; "" for one that no address can hold: authors write any text as an owner."""
    try:
        found = parse_ref(ref)
        where = {"kind": found.kind, "namespace": found.namespace, "name": found.name}
        return reverse("entity", kwargs={"org": organisation_slug, **where})
    except (BadRef, NoReverseMatch):
        return ""


class CatalogGuide:
    """What the tags of every page ask."""

    def icon(self, kind: str) -> str:
        return icon_of(kind)

    def address(self, organisation_slug: str, ref: str) -> str:
        return address(organisation_slug, ref)

    def owner(self, text: str) -> str:
        return owner_ref(text)

    def named(self, organisation_id: int, refs: Iterable[str]) -> Mapping[str, Named]:
        return named(organisation_id, refs)
