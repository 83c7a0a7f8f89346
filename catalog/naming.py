"""What references stand for: how they are written, what they are called, where they lead (portal/kit/references)."""

from collections.abc import Iterable, Mapping

from django.db import connection
from django.urls import NoReverseMatch, reverse

from catalog.descriptors.kinds import icon_of
from catalog.descriptors.refs import DEFAULT_NAMESPACE, BadRef, normal, parse_ref
from portal.accounts.contact import Contact
from portal.kit.references import Named

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
    wanted = sorted({ref for ref in refs if ref})
    if not wanted:
        return {}
    with connection.cursor() as cursor:
        cursor.execute(_NAMED, [wanted, organisation_id])
        return {row[0]: _named(*row) for row in cursor.fetchall()}


def _named(ref: str, title: str, team: str | None, organisation: str, is_there: bool, *contact: str | None) -> Named:
    if team is None:
        return Named(ref, title, is_there=is_there)
    return Named(ref, title, _team_page(organisation, team), Contact(*(text or "" for text in contact)).note, is_there)


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


class Guide:
    """What the tags of every page ask."""

    def parse(self, text: str, *, is_owner: bool) -> str:
        """The complete reference: an owner without a kind is a group, anything else a component."""
        try:
            return normal(text.strip(), kind="group" if is_owner else "component")
        except BadRef:
            return ""

    def short(self, ref: str) -> str:
        """`name`, or `namespace/name` outside the default namespace."""
        found = parse_ref(ref)
        return found.name if found.namespace == DEFAULT_NAMESPACE else f"{found.namespace}/{found.name}"

    def icon(self, kind: str) -> str:
        return icon_of(kind)

    def address(self, organisation_slug: str, ref: str) -> str:
        return address(organisation_slug, ref)

    def named(self, organisation_id: int, refs: Iterable[str]) -> Mapping[str, Named]:
        return named(organisation_id, refs)
