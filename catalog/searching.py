"""What search finds in the catalog: entities, teams, and the tab of an entity that a word beside its name asks for."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass

from django.db.models import Q
from django.urls import NoReverseMatch, reverse

from catalog.asking.filters import All, In, Node
from catalog.asking.operations import NamedOperation
from catalog.asking.query import entities_of
from catalog.asking.ranking import rank
from catalog.asking.within import OWNER, widened
from catalog.asking.words import parts, run_together
from catalog.choosing import chosen, operations
from catalog.descriptors.kinds import KINDS, owner_ref
from catalog.models import Entity
from catalog.panels import TABS, Look
from portal.accounts.access import Access, TenantRequest
from portal.accounts.models import Organisation, Team
from portal.kit.refs import DEFAULT_NAMESPACE, completed, name_of
from portal.kit.searching import MOST, Command, Hit, Searchable, Sought, register_command, register_searchable

# How much likelier a kind is meant than another of the same name.
WEIGHTS: Mapping[str, float] = {
    "Component": 14, "System": 10, "Domain": 7, "API": 8, "Resource": 6, "Group": 9, "User": 5, "Template": 2,
    "Location": -10,
}  # fmt: skip
STAGES: Mapping[str, float] = {"production": 6, "experimental": -3, "deprecated": -12}
AT_HOME = 5.0  # for the namespace that nobody writes
TEAM = "Team"
MOST_TEAMS = 60
FIELDS: Mapping[str, str] = {"type": "spec.type", "tag": "metadata.tags", "lifecycle": "spec.lifecycle"}


def within(access: Access, filters: Mapping[str, str]) -> Node:
    """The filters in words as the catalog's own: `owner:payments` names a team, `owner:me` all of one's own."""
    wanted: list[Node] = [In(FIELDS[name], (value,)) for name, value in filters.items() if name in FIELDS]
    if kind := filters.get("kind"):
        wanted.append(In("kind", ("group" if kind == "team" else "user" if kind in PEOPLE else kind,)))
    if owner := filters.get("owner"):
        wanted.append(widened(access.organisation, In(OWNER, tuple(owners(access, owner)))))
    if system := filters.get("system"):
        wanted.append(In("relations.partof", (completed("-".join(system.split()), kind="system"),)))
    return All(tuple(wanted))


PEOPLE = frozenset({"person", "people", "user"})


def owners(access: Access, text: str) -> list[str]:
    """The references that `owner:` may mean: as written, and teams whose address it is, in whatever namespace."""
    if text in {"me", "mine"}:
        return sorted(access.team_refs)
    slug = "-".join(parts(text))
    teams = Team.objects.for_tenant(access.organisation).filter(slug=slug).values_list("ref", flat=True)
    return sorted({one for one in (owner_ref("-".join(text.split())), *teams) if one})


def mine(access: Access) -> list[str]:
    """Their teams and those below, as far as they help to choose: who stands above thousands is near to none."""
    return sorted(access.team_refs)[:MOST_TEAMS]


def find_entities(access: Access, asked: Sought, most: int) -> list[Hit]:
    """Entities, a Group as its team; and teams that no Group describes any more, by their address."""
    rows = chosen(access.organisation, asked, most=most, within=within(access, asked.filters), mine=mine(access))
    slugs = {"-".join(asked.words), asked.whole} if asked.words and not asked.filters else set()
    return as_found(access.organisation, rows, slugs=slugs if access.can("people.view") else ())


def as_found(organisation: Organisation, rows: Sequence[Entity], *, slugs: Collection[str] = ()) -> list[Hit]:
    """Entities as search shows them, and teams of these addresses. One statement for the teams among them."""
    groups = {row.ref: row for row in rows if row.kind == "Group"}
    known: Iterable[Team] = ()
    if groups or slugs:
        known = Team.objects.for_tenant(organisation).filter(Q(ref__in=list(groups)) | Q(slug__in=list(slugs)))
    teams = {team.ref: team_found(organisation, team, groups.get(team.ref)) for team in known}
    hits = {row.ref: teams.get(row.ref) or _found(organisation, row) for row in rows}
    return list({**hits, **teams}.values())


def team_found(organisation: Organisation, team: Team, group: Entity | None = None) -> Hit:
    """A team leads to its own page."""
    return Hit(
        key=team.ref,
        title=team.name,
        note=team.description or team.ref,
        kind=TEAM,
        icon="users-group",
        url=reverse("team", kwargs={"org": organisation.slug, "team": team.slug}),
        names=tuple(dict.fromkeys([team.slug, team.name, name_of(team.ref), *([group.title] if group else [])])),
        words=("group", group.type if group else ""),
        weight=16,
        owner_ref=team.ref,
    )


def _found(organisation: Organisation, row: Entity) -> Hit:
    kind = KINDS.get(row.kind)
    return Hit(
        key=row.ref,
        title=row.title or row.name,
        note=row.description or row.ref,
        kind="Person" if row.kind == "User" else row.kind,
        icon=kind.icon if kind else "file-text",
        url=entity_page(organisation, row),
        names=(row.name, row.title) if row.title else (row.name,),
        words=(
            row.kind,
            row.type,
            row.lifecycle,
            row.namespace,
            *row.tags,
            name_of(row.owner_ref),
            name_of(row.system_ref),
        ),
        weight=_weight(row),
        owner_ref=row.owner_ref,
        lifecycle=row.lifecycle,
    )


def _weight(row: Entity) -> float:
    home = AT_HOME if row.namespace == DEFAULT_NAMESPACE else 0.0
    return WEIGHTS.get(row.kind, 0) + STAGES.get(row.lifecycle.lower(), 0) + home


def entity_page(organisation: Organisation, row: Entity, tab: str = "") -> str:
    """The address of an entity's page, or of one of its tabs; "" for one that no address can hold."""
    where = {"org": organisation.slug, "kind": row.kind.lower(), "namespace": row.namespace, "name": row.name}
    try:
        return reverse("entity-tab", kwargs={**where, "tab": tab}) if tab else reverse("entity", kwargs=where)
    except NoReverseMatch:
        return ""


def find_operations(access: Access, asked: Sought, most: int) -> list[Hit]:
    """Operations of APIs, for what reads like one: a path, or more than a word."""
    if len(asked.words) < 2 and "/" not in asked.text:
        return []
    narrowed = within(access, {name: value for name, value in asked.filters.items() if name != "kind"})
    found = operations(access.organisation, asked, within=narrowed, mine=mine(access))
    return [_operation(access, api, one) for api, one in found[:most]]


def _operation(access: Access, api: Entity, one: NamedOperation) -> Hit:
    return Hit(
        key=f"operation:{api.ref}:{one.title}",
        title=one.title,
        note=f"{one.summary} · {api.title or api.name}" if one.summary else api.title or api.name,
        kind="Operation",
        icon="api",
        url=entity_page(access.organisation, api, "api"),
        names=tuple(name for name in (one.title, one.path, one.name, one.summary) if name),
        words=(api.name, api.title),
        weight=2,
        owner_ref=api.owner_ref,
        lifecycle=api.lifecycle,
    )


@dataclass(frozen=True)
class TabWord:
    """A word beside a name, and the tab of the entity's page that it asks for."""

    words: frozenset[str]
    label: str
    tab: str
    icon: str
    permission: str = "catalog.view"


DOINGS = (
    TabWord(frozenset({"logs", "log", "tail"}), "Logs of {}", "runtime", "file-text", "workloads.logs"),
    TabWord(frozenset({"runtime", "pods", "pod", "workloads", "deployment"}), "Runtime of {}", "runtime", "server-2"),
    TabWord(frozenset({"dependencies", "dependency", "depends", "graph", "relations"}), "Dependencies of {}",
          "dependencies", "stack-2"),
    TabWord(frozenset({"definition", "openapi", "swagger", "spec", "asyncapi"}), "Definition of {}", "api", "api"),
    TabWord(frozenset({"docs", "doc", "documentation", "readme"}), "Documentation of {}", "docs", "book"),
    TabWord(frozenset({"ownership"}), "Ownership of {}", "ownership", "users-group"),
    TabWord(frozenset({"history"}), "History of {}", "history", "history", "audit.view"),
)  # fmt: skip
ACTS_ON = 3


def find_doings(access: Access, asked: Sought, most: int) -> list[Hit]:
    """`refund-worker logs`, `docs of payment-api`: where that is done, for the nearest entities."""
    doing = next((one for one in DOINGS if one.words & set(asked.words)), None)
    if doing is None:
        return []
    rest = tuple(word for word in asked.words if word not in doing.words and word not in {"of", "for", "the", "show"})
    if not rest:
        return []
    text = " ".join(rest)
    thing = Sought(text, rest, run_together(text))
    rows = chosen(access.organisation, thing, most=MOST, mine=mine(access), few=1)
    by_ref = {row.ref: row for row in rows}
    ranked = [one for one in rank(thing, as_found(access.organisation, rows)) if not one.is_loose][:ACTS_ON]
    refs = [one.hit.key for one in ranked if one.hit.key in by_ref]
    may = [ref for ref in refs if access.can(doing.permission, by_ref[ref].owner_ref or None)]
    shown = _with_tab(access, may, doing.tab)
    return [_doing(access, doing, asked, by_ref[ref]) for ref in may if ref in shown]


def _with_tab(access: Access, refs: list[str], tab: str) -> set[str]:
    """Those whose page has this tab for this person: an action never leads to a page that is not there."""
    if not refs:
        return set()
    request = TenantRequest()
    request.access = access
    rows = entities_of(access.organisation).filter(ref__in=refs).select_related("source", "body")
    wanted = TABS[tab]
    return {row.ref for row in rows if access.can(wanted.permission) and wanted.shown(Look(request, row))}


def _doing(access: Access, doing: TabWord, asked: Sought, row: Entity) -> Hit:
    title = row.title or row.name
    return Hit(
        key=f"do:{doing.tab}:{row.ref}",
        title=doing.label.format(title),
        note=row.ref,
        kind="Action",
        icon=doing.icon,
        url=entity_page(access.organisation, row, doing.tab),
        names=(f"{row.name} {' '.join(sorted(doing.words & set(asked.words)))}", f"{title} {doing.label.format('')}"),
        words=(*doing.words, row.type),
        weight=8,
        owner_ref=row.owner_ref,
    )


def register() -> None:
    """Called when the app is ready."""
    kinds = frozenset(name.lower() for name in KINDS) | {"team", "person"}
    register_searchable(
        Searchable("entities", "Catalog", "catalog.view", 10, find_entities, kinds, has_fields=True),
        Searchable(
            "operations",
            "API operations",
            "catalog.view",
            25,
            find_operations,
            frozenset({"operation"}),
            has_fields=True,
        ),
        Searchable("doings", "Actions", "catalog.view", 5, find_doings, frozenset({"action"})),
    )
    register_command(
        Command("entity-new", "Describe a new entity", "plus", "catalog.register", "entity-new", "write add"),
        Command("mine", "What my teams own", "layout-grid", "catalog.view", "palette", "my services components",
                "?q=owner%3Ame"),
    )  # fmt: skip
