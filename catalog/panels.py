"""The tabs of an entity's page and the cards on them, as a registry: rooms register theirs when their app is ready.

A tab has an address of its own and asks for nothing that another tab shows. A card names its tab, for whom and for what
it is, and a function from the page's `Look` to one frozen dataclass, which its template knows as `it`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Literal

from django.contrib.postgres.expressions import ArraySubquery
from django.db.models import F, OuterRef, Q, QuerySet, Subquery
from django.db.models.functions import JSONObject

from catalog.descriptors.kinds import KINDS, EntityKind
from catalog.descriptors.relations import owner_of
from catalog.graph import Neighbour
from catalog.index import edges
from catalog.models import CardAnswer, ConfiguredCard, Entity, FormerName, NameClaim, Problem, Statement
from catalog.naming import named_and_reached
from portal.accounts.access import TenantRequest
from portal.accounts.contact import Contact
from portal.accounts.models import AuditEvent, Organisation, Team
from portal.clusters import status
from portal.clusters.status import EntityStatus
from portal.kit.references import Named
from portal.kit.refs import name_of
from portal.kit.statements import written_once

OVERVIEW = "overview"
MOST_RELATIONS = 1000
CARD = ("pk", "title", "label", "address", "permission", "shows", "refresh_seconds")
STATEMENT = ("pk", "role", "holder_ref", "since", "how", "by_label", "why", "path", "commit")
ANSWER = ("text", "as_of", "error", "tried_at")
Place = Literal["top", "main", "side"]


@dataclass
class Look:
    """One look at an entity: what its tabs and cards may ask. Each is read when it is first asked for, and once."""

    request: TenantRequest
    entity: Entity

    @property
    def organisation(self) -> Organisation:
        return self.request.access.organisation

    @property
    def kind(self) -> EntityKind | None:
        return KINDS.get(self.entity.kind)

    @cached_property
    def edges(self) -> list[tuple[str, str]]:
        """(type, other end) of its relations."""
        return edges_of(self.organisation, self.entity.ref)

    @property
    def names(self) -> dict[str, Named]:
        """Titles of everything that it is related to."""
        return self._named[0]

    def also_named(self, refs: Iterable[str]) -> None:
        """Adds titles of what only one card shows. One statement for those that are not known yet."""
        names, reached = self._named
        more = named_and_reached(self.organisation.pk, {ref for ref in refs if ref} - names.keys())
        names.update(more[0])
        reached.update(more[1])

    @property
    def contact(self) -> Contact | None:
        """How those who answer for it are reached; None where they are no team and no person here."""
        return self.reached.get(self.answers)

    @property
    def reached(self) -> dict[str, Contact]:
        """How the teams and people that hold a role are reached."""
        return self._named[1]

    @cached_property
    def standing(self) -> dict[str, dict[str, Any]]:
        """The statements that stand, by role: STATEMENT. The first of its owner is not among them (owners/reading)."""
        told: list[dict[str, Any]] | None = getattr(self.entity, "standing", None)
        if told is None:
            rows = with_standing(Entity.objects.for_tenant(self.organisation).filter(pk=self.entity.pk))
            told = list(rows.get().standing)  # type: ignore[attr-defined]  # annotated by with_standing
        return {each["role"]: each for each in told}

    @property
    def answers(self) -> str:
        """Who answers for it: its owner; a Group answers for itself. "" for nobody."""
        return self.entity.ref if self.kind and self.kind.is_team else self.entity.owner_ref

    @cached_property
    def _named(self) -> tuple[dict[str, Named], dict[str, Contact]]:
        mine = [self.answers, self.entity.owner_ref, self.entity.system_ref, owner_of(self.entity.document)]
        mine += [each["holder_ref"] for each in self.standing.values()]
        return named_and_reached(self.organisation.pk, [*(target for _, target in self.edges), *mine])

    @cached_property
    def neighbours(self) -> list[Neighbour]:
        return neighbours(self.edges, self.names)

    @cached_property
    def problems(self) -> list[Problem]:
        return _problems(self.organisation.pk, self.entity.ref)

    @cached_property
    def seen(self) -> EntityStatus | None:
        """What is known of its workloads; None for kinds that have none."""
        if not self.entity.has_workloads:
            return None
        return status.of_entity(self.organisation.pk, self.entity.uid)

    @cached_property
    def status(self) -> EntityStatus | None:
        """The status that its badge tells; None where nothing has ever run for it."""
        if self.seen is None:
            return None
        uid = str(self.entity.uid)
        return status.worth_telling(self.organisation.pk, {uid: self.seen}).get(uid)

    @cached_property
    def team(self) -> Team | None:
        """The team that answers for it; a Group's is the team itself."""
        rows = Team.objects.for_tenant(self.organisation)
        return rows.filter(ref=self.answers).first() if self.answers else None

    @cached_property
    def configured(self) -> list[dict[str, Any]]:
        """The cards that admins added for its kind, by title: CARD, and under "answer" ANSWER or None."""
        told: list[dict[str, Any]] | None = getattr(self.entity, "configured", None)
        if told is not None:
            return told
        rows = with_configured(Entity.objects.for_tenant(self.organisation).filter(pk=self.entity.pk))
        return list(rows.get().configured)  # type: ignore[attr-defined]  # annotated by with_configured

    @cached_property
    def names_before(self) -> tuple[list[str], list[int]]:
        """What it was called before, and the claims of others to its name (their pks)."""
        former: list[str] | None = getattr(self.entity, "former", None)
        claims: list[int] | None = getattr(self.entity, "claims", None)
        return former or [], claims or []

    @cached_property
    def has_history(self) -> bool:
        return self.events().exists()

    def events(self) -> QuerySet[AuditEvent]:
        """The audit events of the entity, newest first."""
        rows = AuditEvent.objects.for_tenant(self.organisation)
        return rows.filter(subject_kind="entity", subject_id=str(self.entity.pk)).order_by("-at", "-id")


@written_once
def _problems(organisation_id: int, ref: str) -> QuerySet[Problem]:
    rows = Problem.objects.for_tenant(organisation_id).filter(entity_ref=ref)
    return rows.select_related("source").order_by("path", "line", "id")[:50]


def with_configured(rows: QuerySet[Entity]) -> QuerySet[Entity]:
    """Entities together with the cards that admins added for their kinds: the page needs no statement for them."""
    mine = ConfiguredCard.objects.filter(organisation=OuterRef("organisation_id"))
    mine = mine.filter(Q(kinds=[]) | Q(kinds__contains=[OuterRef("kind")]))
    kept = CardAnswer.objects.filter(card=OuterRef("pk"), entity=OuterRef(OuterRef("pk")))
    answer = Subquery(kept.values(told=JSONObject(**{name: F(name) for name in ANSWER})))
    told = mine.order_by("title").values(told=JSONObject(answer=answer, **{name: F(name) for name in CARD}))
    return rows.annotate(configured=ArraySubquery(told))


def with_standing(rows: QuerySet[Entity]) -> QuerySet[Entity]:
    """Entities together with the statements about them that stand: the page needs no statement for them."""
    stands = Statement.objects.filter(organisation=OuterRef("organisation_id"), entity=OuterRef("pk"), until=None)
    told = stands.order_by("id").values(told=JSONObject(**{name: F(name) for name in STATEMENT}))
    return rows.annotate(standing=ArraySubquery(told))


def with_names(rows: QuerySet[Entity]) -> QuerySet[Entity]:
    """Entities together with what they were called before, and with the claims of other sources to their names."""
    former = FormerName.objects.filter(organisation=OuterRef("organisation_id"), entity=OuterRef("pk"))
    claims = NameClaim.objects.filter(organisation=OuterRef("organisation_id"), ref=OuterRef("ref"))
    return rows.annotate(
        former=ArraySubquery(former.order_by("-renamed_at").values("ref")[:10]),
        claims=ArraySubquery(claims.order_by("pk").values("pk")[:10]),
    )


def edges_of(organisation: Organisation, ref: str) -> list[tuple[str, str]]:
    """(type, other end) of the relations of a reference, whoever describes it: one statement."""
    return sorted({(kind, target) for _, kind, target in edges.from_refs(organisation.pk, [ref])})[:MOST_RELATIONS]


def neighbours(edges: list[tuple[str, str]], names: dict[str, Named]) -> list[Neighbour]:
    """The other ends with their titles."""
    return [
        Neighbour(
            kind,
            target,
            names[target].title if target in names else name_of(target),
            target in names and names[target].is_there,
        )
        for kind, target in edges
    ]


def _always(look: Look) -> bool:
    return True


@dataclass(frozen=True, kw_only=True)
class Tab:
    """One tab. `shown` decides with facts of the entity; a tab that would be empty says no."""

    name: str
    title: str
    order: int
    shown: Callable[[Look], bool] = _always
    permission: str = "catalog.view"


@dataclass(frozen=True, kw_only=True)
class Card:
    """One card of a tab. `context` gives what the template shows, or None to stay away; `kinds` empty: of any kind.

    place   top: above the columns; main, side: in them
    framed  False where the template brings its own frame
    """

    name: str
    title: str
    tab: str
    order: int
    template: str
    context: Callable[[Look], object | None]
    permission: str = "catalog.view"
    kinds: frozenset[str] = frozenset()
    place: Place = "main"
    framed: bool = True


TABS: dict[str, Tab] = {}
CARDS: dict[str, Card] = {}


def register_tab(*tabs: Tab) -> None:
    """Adds tabs to every entity's page; a name that is known is replaced."""
    TABS.update({tab.name: tab for tab in tabs})


def register_card(*cards: Card) -> None:
    """Adds cards; a name that is known is replaced."""
    CARDS.update({card.name: card for card in cards})


def tabs_of(look: Look) -> list[Tab]:
    """The tabs that this person is shown for this entity, in order. What is gone has its overview alone."""
    access = look.request.access
    known = sorted(TABS.values(), key=lambda tab: tab.order)
    if look.entity.removed_at:
        known = [tab for tab in known if tab.name == OVERVIEW]
    return [tab for tab in known if access.can(tab.permission) and tab.shown(look)]


@dataclass(frozen=True)
class ShownCard:
    """A card with what its template shows."""

    card: Card
    it: object


def cards_of(look: Look, tab: str) -> dict[str, list[ShownCard]]:
    """The cards of one tab by place, in order; those of other tabs are not asked."""
    access, entity = look.request.access, look.entity
    found: dict[str, list[ShownCard]] = {"top": [], "main": [], "side": []}
    for card in sorted(CARDS.values(), key=lambda each: each.order):
        if card.tab != tab or (card.kinds and entity.kind not in card.kinds) or not access.can(card.permission):
            continue
        if (it := card.context(look)) is not None:
            found[card.place].append(ShownCard(card, it))
    return found
