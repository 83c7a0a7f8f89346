"""The tabs and cards that the catalog itself puts on an entity's page. The extension contract: docs/catalog.md."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.urls import reverse
from django.utils.safestring import SafeString, mark_safe
from django.utils.timezone import now

from catalog import freshness, graph
from catalog.answers import answers, is_owned, ownership, told
from catalog.configured import address_for
from catalog.descriptors.findings import Finding
from catalog.descriptors.kinds import OWNED_BY, OWNER_OF, RELATION_TYPES, relation_word
from catalog.freshness import Freshness
from catalog.graph import Graph, GraphNode, Neighbour
from catalog.models import CardAnswer, ConfiguredCard, Entity, Problem, Source
from catalog.naming import address
from catalog.panels import OVERVIEW, Card, Look, Tab, register_card, register_tab
from catalog.refreshing import is_due, topic_of
from catalog.teams import is_written_here
from portal.accounts import trail
from portal.accounts.models import AuditEvent, Team, TeamMembership
from portal.accounts.permissions import PERMISSIONS
from portal.clusters.panels import workloads_html
from portal.githosts.weburls import edit_page, edit_page_of

KUBERNETES = "backstage.io/kubernetes-"
TECHDOCS = "backstage.io/techdocs-ref"
DOCS_WORDS = ("docs", "documentation", "readme", "handbook")
RELATIONS_IN_SHORT = 6
HISTORY_PAGE = 50


@dataclass(frozen=True)
class ToLookAt:
    """What is wrong, each with the row that keeps it; what only this page finds has none."""

    problems: Sequence[tuple[Finding, Problem | None]]


def to_look_at(look: Look) -> ToLookAt | None:
    kept: list[tuple[Finding, Problem | None]] = [(row.finding, row) for row in look.problems]
    found = kept + [(finding, None) for finding in _findings(look.entity, look.neighbours)]
    return ToLookAt(found) if found else None


def _findings(found: Entity, edges: list[Neighbour]) -> list[Finding]:
    """What an entity's descriptor alone does not show."""
    findings = [
        Finding(
            "",
            0,
            "dangling",
            f"It names {each.ref} ({relation_word(each.type).lower()}), which is not in the catalog.",
            found.ref,
        )
        for each in edges
        if not each.is_known
    ]
    if found.lifecycle == "deprecated":
        users = [each.label for each in edges if each.type in ("dependencyOf", "apiConsumedBy")]
        if users:
            sentence = f"It is deprecated, and still used by {', '.join(users[:5])}."
            findings.append(Finding("", 0, "deprecated", sentence, found.ref))
    return findings


@dataclass(frozen=True)
class About:
    profile: dict[str, Any]
    description: str


def about(look: Look) -> About:
    profile = look.entity.spec.get("profile")
    return About(profile if isinstance(profile, dict) else {}, look.entity.description)


@dataclass(frozen=True)
class Links:
    links: list[dict[str, str]]


def links(look: Look) -> Links | None:
    found = links_of(look.entity)
    return Links(found) if found else None


def links_of(found: Entity) -> list[dict[str, str]]:
    """Only web and mail addresses become links: a descriptor is not trusted with scripts."""
    said = found.document.get("metadata", {}).get("links") or []
    return [
        {"url": link["url"], "title": link.get("title") or link["url"], "type": str(link.get("type") or "")}
        for link in said
        if str(link.get("url", "")).lower().startswith(("https://", "http://", "mailto:"))
    ]


@dataclass(frozen=True)
class ConfiguredLink:
    """One card from configuration for this entity. Of a link, `url`; of an answer, `answer` (None: not asked yet)."""

    pk: int
    title: str
    label: str
    url: str
    is_link: bool
    topic: str
    answer: CardAnswer | None


@dataclass(frozen=True)
class ConfiguredCards:
    """They are asked again every `seconds`, and at once where `is_due`; 0: there is nothing to ask."""

    cards: list[ConfiguredLink]
    seconds: int
    is_due: bool


def configured(look: Look) -> ConfiguredCards | None:
    """The cards that admins added, for which this entity has all that their patterns want."""
    access, moment = look.request.access, now()
    found, seconds, due = [], [], False
    for row in look.configured:
        url = address_for(row["address"], look.entity)
        if not url or row["permission"] not in PERMISSIONS or not access.can(row["permission"]):
            continue
        answer = answer_of(row["answer"])
        is_link = row["shows"] == ConfiguredCard.Shows.LINK
        topic = topic_of(row["pk"], look.entity.pk)
        found.append(ConfiguredLink(row["pk"], row["title"], row["label"] or row["title"], url, is_link, topic, answer))
        if not is_link and not look.entity.removed_at:
            seconds.append(row["refresh_seconds"])
            due = due or is_due(row["refresh_seconds"], answer.tried_at if answer else None, moment)
    return ConfiguredCards(found, min(seconds, default=0), due) if found else None


def answer_of(told: dict[str, Any] | None) -> CardAnswer | None:
    """An answer as it came with its entity, times as text; None where nothing was asked yet."""
    if told is None:
        return None
    times = {name: datetime.fromisoformat(told[name]) if told[name] else None for name in ("as_of", "tried_at")}
    return CardAnswer(text=told["text"], error=told["error"], **times)


@dataclass(frozen=True)
class OriginCard:
    """Where it comes from and how fresh it is. former: what it was called before; claim: the number of another
    description of its name, 0 for none."""

    is_portal: bool
    edit_address: str
    fresh: Freshness
    former: list[str]
    claim: int


def origin(look: Look) -> OriginCard:
    fresh = freshness.of_entity(look.entity, look.problems)
    former, claims = look.names_before
    return OriginCard(is_portal(look.entity), edit_address(look.entity), fresh, former, claims[0] if claims else 0)


def is_portal(found: Entity) -> bool:
    """Whether it is written and edited in the portal; the Group of a team is edited as the team."""
    return found.source is not None and found.source.kind == Source.Kind.PORTAL and not is_written_here(found)


def edit_address(found: Entity) -> str:
    """Where an entity from a repository on the web is edited, when that can be known."""
    return edit_address_at(found.source, found.path) if found.source else ""


def edit_address_at(source: Source, path: str) -> str:
    """Where a file of a source on the web is edited, when that can be known."""
    if source.kind == Source.Kind.URL:
        return edit_page_of(source.target)
    if source.kind == Source.Kind.GIT and source.target.startswith("https://"):
        return edit_page(source.target, source.revision, path)
    return ""


@dataclass(frozen=True)
class Workloads:
    uid: str
    html: SafeString


def _runs(look: Look) -> bool:
    """Away for entities that have never had anything to do with a cluster."""
    if not look.entity.has_workloads:
        return False
    return any(key.startswith(KUBERNETES) for key in look.entity.annotations) or look.status is not None


def workloads(look: Look) -> Workloads | None:
    """The fragment of the topic `workloads:<uid>`, which keeps it alive."""
    if look.entity.removed_at or not _runs(look):
        return None
    html = workloads_html(look.organisation, look.entity.uid, look.seen)
    return Workloads(str(look.entity.uid), mark_safe(html))  # noqa: S308 - rendered by the topic's own template


@dataclass(frozen=True)
class BindingFact:
    said: list[tuple[str, str]]


def binding(look: Look) -> BindingFact | None:
    said = [(key, value) for key, value in look.entity.annotations.items() if key.startswith(KUBERNETES)]
    return BindingFact(said) if said else None


@dataclass(frozen=True)
class Relations:
    groups: list[tuple[str, list[Neighbour]]]
    most: int


def relations(look: Look) -> Relations | None:
    return Relations(grouped(look.neighbours), 200) if look.edges else None


def relations_in_short(look: Look) -> Relations | None:
    groups = grouped([each for each in look.neighbours if each.type != OWNED_BY])
    return Relations(groups, RELATIONS_IN_SHORT) if groups else None


def grouped(edges: list[Neighbour]) -> list[tuple[str, list[Neighbour]]]:
    """(word, other ends) in the order of the relations' types."""
    groups: dict[str, list[Neighbour]] = {}
    for name, kind in RELATION_TYPES.items():
        for each in edges:
            if each.type == name:
                groups.setdefault(kind.word, []).append(each)
    return list(groups.items())


@dataclass(frozen=True)
class Drawing:
    graph: Graph
    nodes: list[tuple[GraphNode, str, str]]


def drawing(look: Look) -> Drawing | None:
    found = graph.draw(look.entity.ref, look.entity.display_name, look.neighbours)
    if found is None:
        return None
    slug = look.organisation.slug
    return Drawing(found, [(node, address(slug, node.ref), relation_word(node.relation)) for node in found.nodes])


@dataclass(frozen=True)
class Definition:
    text: str


def definition(look: Look) -> Definition | None:
    text = look.entity.spec.get(look.kind.definition) if look.kind and look.kind.definition else None
    return Definition(text) if isinstance(text, str) and text.strip() else None


@dataclass(frozen=True)
class Docs:
    links: list[dict[str, str]]


def docs(look: Look) -> Docs | None:
    """Where its documentation is: its links that say so, its annotation, the README of its repository."""
    found = [link for link in links_of(look.entity) if _is_docs(link)]
    said = str(look.entity.annotations.get(TECHDOCS, ""))
    target = said.removeprefix("url:").strip()
    if target.lower().startswith(("https://", "http://")):
        found.append({"url": target, "title": "Documentation at its source"})
    elif said and look.entity.source is not None and look.entity.source.kind == Source.Kind.REPOSITORY:
        where = {"org": look.organisation.slug, "repo": look.entity.source.target}
        found.append({"url": reverse("repo", kwargs=where), "title": "README of its repository"})
    return Docs(found) if found else None


def _is_docs(link: dict[str, str]) -> bool:
    said = f"{link['type']} {link['title']}".lower().replace("-", " ").split()
    return any(word in DOCS_WORDS for word in said) or "readme" in link["url"].lower()


@dataclass(frozen=True)
class MembersCard:
    team: Team
    members: list[TeamMembership]


def members(look: Look) -> MembersCard | None:
    if look.team is None:
        return None
    rows = TeamMembership.objects.for_tenant(look.organisation).filter(team=look.team).select_related("user")
    return MembersCard(look.team, list(rows.order_by("-is_lead", "user__name", "user__email")[:200]))


@dataclass(frozen=True)
class Owned:
    others: list[Neighbour]


def owned(look: Look) -> Owned | None:
    found = [each for each in look.neighbours if each.type == OWNER_OF]
    return Owned(found) if found else None


@dataclass(frozen=True)
class History:
    events: list[AuditEvent]
    older: str
    is_first: bool


def history(look: Look) -> History:
    after = look.request.GET.get("after", "").replace("\0", "")
    found = look.events()
    events = list((trail.below(found, after) if after else found)[: HISTORY_PAGE + 1])
    older = trail.cursor_of(events[HISTORY_PAGE - 1]) if len(events) > HISTORY_PAGE else ""
    return History(events[:HISTORY_PAGE], older, not after)


def _card(name: str, title: str, tab: str, order: int, context: Any, template: str = "", **more: Any) -> Card:
    where = f"catalog/cards/{template or name}.html"
    return Card(name=name, title=title, tab=tab, order=order, context=context, template=where, **more)


def register() -> None:
    """Called when the app is ready."""
    register_tab(
        Tab(name=OVERVIEW, title="Overview", order=0),
        Tab(name="runtime", title="Runtime", order=10, shown=_runs),
        Tab(name="dependencies", title="Dependencies", order=20, shown=lambda look: bool(look.edges)),
        Tab(name="api", title="API", order=30, shown=lambda look: definition(look) is not None),
        Tab(name="docs", title="Docs", order=40, shown=lambda look: docs(look) is not None),
        Tab(name="ownership", title="Ownership", order=50, shown=is_owned),
        Tab(name="history", title="History", order=60, shown=lambda look: look.has_history, permission="audit.view"),
    )
    register_card(
        _card("answers", "Who answers for it", OVERVIEW, 0, answers, place="top", framed=False),
        _card("problems", "To look at", OVERVIEW, 5, to_look_at),
        _card("about", "About", OVERVIEW, 8, about, place="side"),
        _card("workloads", "Live workloads", OVERVIEW, 10, workloads),
        _card("relations-short", "Relations", OVERVIEW, 40, relations_in_short, "relations"),
        _card("links", "Links", OVERVIEW, 50, links, place="side"),
        _card("configured", "", OVERVIEW, 60, configured, place="side", framed=False),
        _card("origin", "Source", OVERVIEW, 70, origin, place="side"),
        _card("workloads-all", "Live workloads", "runtime", 10, workloads, "workloads"),
        _card("binding", "How they are found", "runtime", 50, binding, place="side"),
        _card("drawing", "Around it", "dependencies", 10, drawing),
        _card("relations", "Relations", "dependencies", 20, relations),
        _card("definition", "Definition", "api", 10, definition),
        _card("docs", "Documentation", "docs", 10, docs),
        _card("ownership", "Who answers for it", "ownership", 10, ownership),
        _card("owned", "What it owns", "ownership", 15, owned),
        _card("statements", "What was stated", "ownership", 18, told),
        _card("members", "Members", "ownership", 20, members, place="side"),
        _card("history", "What was done to it", "history", 10, history),
    )
