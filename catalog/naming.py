"""What references stand for: how they are written, what they are called, where they lead (portal/kit/references)."""

from collections.abc import Iterable, Mapping

from django.db import connection
from django.urls import NoReverseMatch, reverse

from catalog.descriptors.kinds import icon_of, owner_ref
from portal.accounts.contact import Contact
from portal.kit.references import Named
from portal.kit.refs import BadRef, parse_ref

# One statement for any number of references, of teams and of everything else: a page asks once.
_NAMED = """
SELECT wanted.ref, coalesce(nullif(entity.title, ''), entity.name, team.name), team.slug, organisation.slug,
  entity.id IS NOT NULL, team.mail, team.chat, team.on_call, team.runbook
FROM unnest(%s::text[]) AS wanted (ref)
JOIN accounts_organisation organisation ON organisation.id = %s
LEFT JOIN catalog_entity entity
  ON entity.organisation_id = organisation.id AND entity.ref = wanted.ref AND entity.removed_at IS NULL
LEFT JOIN accounts_team team ON team.organisation_id = organisation.id AND team.ref = wanted.ref
WHERE entity.id IS NOT NULL OR team.id IS NOT NULL
"""


def named(organisation_id: int, refs: Iterable[str]) -> dict[str, Named]:
    """Titles and pages by reference, of those that are known; a team leads to its page. One statement."""
    return named_and_reached(organisation_id, refs)[0]


def named_and_reached(organisation_id: int, refs: Iterable[str]) -> tuple[dict[str, Named], dict[str, Contact]]:
    """The same, and of those that are teams how they are reached, out of the same statement."""
    wanted = sorted({ref for ref in refs if ref})
    if not wanted:
        return {}, {}
    with connection.cursor() as cursor:
        cursor.execute(_NAMED, [wanted, organisation_id])
        rows = cursor.fetchall()
    reached = {row[0]: Contact(*(text or "" for text in row[5:])) for row in rows if row[2] is not None}
    return {
        ref: _named(ref, title, team, organisation, is_there, reached.get(ref))
        for ref, title, team, organisation, is_there, *_ in rows
    }, reached


def _named(ref: str, title: str, team: str | None, organisation: str, is_there: bool, contact: Contact | None) -> Named:
    if team is None or contact is None:
        return Named(ref, title, is_there=is_there)
    return Named(ref, title, _team_page(organisation, team), contact.note, is_there)


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
