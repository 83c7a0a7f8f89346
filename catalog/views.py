"""The catalog's pages: the list, an entity, and the problems of all sources."""

from collections.abc import Mapping
from typing import Any

from django.http import HttpResponse
from django.shortcuts import render
from django.urls import reverse

from catalog import graph, panels
from catalog.asking.paging import page_of
from catalog.asking.query import Choice, counts, live
from catalog.descriptors.kinds import COLUMNS, KINDS, RELATION_TYPES, relation_word
from catalog.graph import Neighbour
from catalog.models import Entity, Problem, Relation, Source
from catalog.naming import address, named
from catalog.teams import is_written_here
from portal.accounts.access import TenantRequest, gate
from portal.accounts.models import Organisation
from portal.clusters import status
from portal.githosts.weburls import edit_page, edit_page_of
from portal.kit.errors import NotFound
from portal.kit.references import Named

PAGE_SIZE = 50
LISTED = (
    "id", "uid", "organisation_id", "kind", "namespace", "name", "ref", "title", "description", "type", "lifecycle",
    "owner_ref", "system_ref", "tags", "sort_name",
)  # fmt: skip


@gate("catalog.view")
def catalog(request: TenantRequest) -> HttpResponse:
    """The list, with its state in the address."""
    wanted = {name: _parameter(request, name) for name in ("kind", "type", "owner", "lifecycle", "tag")}
    wanted["kind"] = next((name for name in KINDS if name.lower() == wanted["kind"].lower()), wanted["kind"])
    wanted["owner"], wanted["tag"] = wanted["owner"].lower(), wanted["tag"].lower()
    choice = Choice(**wanted, text=_parameter(request, "q"))
    organisation = request.access.organisation
    counted = counts(organisation, choice)
    page = page_of(
        live(organisation).filter(choice.conditions()).only(*LISTED),
        size=PAGE_SIZE,
        after=request.GET.get("after", ""),
        before=request.GET.get("before", ""),
    )
    total = counted["kind"].get(choice.kind, 0) if choice.kind else sum(counted["kind"].values())
    kind = KINDS.get(choice.kind)
    # Every owner of the page is among those counted.
    names = named(organisation.pk, [*counted["owner"], *(row.system_ref for row in page.rows)])
    context = {
        "choice": choice,
        "names": names,
        "columns": kind.columns if kind else COLUMNS,
        "counts": counted,
        "kinds": [(name, kind.plural, counted["kind"].get(name, 0)) for name, kind in KINDS.items()],
        "all_count": sum(counted["kind"].values()),
        "page": page,
        "rows": with_status(organisation, page.rows),
        "total": total,
        "is_filtered": any((choice.type, choice.owner, choice.lifecycle, choice.tag, choice.text)),
        "filters": [
            (
                name,
                label,
                any_label,
                getattr(choice, name),
                getattr(choice, name) in counted[name],
                _options(counted[name], names),
            )
            for name, label, any_label in (
                ("type", "Type", "Any type"),
                ("owner", "Owner", "Any owner"),
                ("lifecycle", "Lifecycle", "Any lifecycle"),
                ("tag", "Tag", "Any tag"),
            )
        ],
    }
    template = "catalog/list.html#results" if request.wants_fragment else "catalog/list.html"
    return render(request, template, context)


def _options(counted: dict[str, int], names: Mapping[str, Named]) -> list[tuple[str, str, int]]:
    """(value, what people read, count): owners by their titles, in the order of what is read."""
    options = [(value, _read(value, names), count) for value, count in counted.items()]
    return sorted(options, key=lambda option: option[1].lower())


def _read(value: str, names: Mapping[str, Named]) -> str:
    known = names.get(value)
    return (known.title if known else value.removeprefix("group:default/"))[:80]


def _parameter(request: TenantRequest, name: str) -> str:
    return request.GET.get(name, "").replace("\0", "").strip()[:200]


def with_status(organisation: Organisation, rows: Any) -> list[tuple[Entity, Any]]:
    """Each entity with what live says of its workloads, or None."""
    found = status.of_entities(organisation.pk, [row.uid for row in rows if row.has_workloads])
    return [(row, found.get(str(row.uid))) for row in rows]


def find_entity(request: TenantRequest, kind: str, namespace: str, name: str) -> Entity | None:
    """The entity of an address, tombstones included."""
    ref = f"{kind}:{namespace}/{name}".lower()
    found: Entity | None = (
        Entity.objects.for_tenant(request.access.organisation).select_related("source").filter(ref=ref).first()
    )
    return found


@gate("catalog.view")
def entity(request: TenantRequest, kind: str, namespace: str, name: str) -> HttpResponse:
    """One entity; a name that others point to but nobody describes gets a page that says so."""
    found = find_entity(request, kind, namespace, name)
    ref = f"{kind}:{namespace}/{name}".lower()
    pairs = _edges_of(request.access.organisation, ref)
    mine = [found.owner_ref, found.system_ref] if found else []
    names = named(request.access.organisation.pk, [*(target for _, target in pairs), *mine])
    edges = _neighbours(pairs, names)
    if found is None:
        rows = Problem.objects.for_tenant(request.access.organisation).filter(entity_ref=ref).select_related("source")
        problems = list(rows.order_by("path", "line")[:50])
        if not (edges or problems):
            raise NotFound(f"There is no {ref} in this catalog.")
        shown = {"ref": ref, "name": name, "groups": _grouped(edges), "problems": problems, "names": names}
        return render(request, "catalog/missing.html", shown, status=404)
    return render(
        request,
        "catalog/entity.html",
        {**_entity_context(request, found, edges), "names": names},
        status=410 if found.removed_at else 200,
    )


def _entity_context(request: TenantRequest, found: Entity, edges: list[Neighbour]) -> dict[str, Any]:
    organisation, access = request.access.organisation, request.access
    problems = Problem.objects.for_tenant(organisation).filter(entity_ref=found.ref).select_related("source")
    source = found.source
    drawing = graph.draw(found.ref, found.display_name, edges)
    return {
        "entity": found,
        "kind": KINDS.get(found.kind),
        "problems": list(problems) + _worries(found, edges),
        "groups": _grouped(edges),
        "graph": drawing,
        "graph_nodes": [
            (node, address(organisation.slug, node.ref), relation_word(node.relation))
            for node in (drawing.nodes if drawing else ())
        ],
        "links": _links(found),
        "definition": found.spec.get("definition") if found.kind == "API" else None,
        "profile": found.spec.get("profile") if isinstance(found.spec.get("profile"), dict) else {},
        "panels": panels.rendered(request, found) if not found.removed_at else [],
        "is_portal": source is not None and source.kind == Source.Kind.PORTAL and not is_written_here(found),
        "may_edit": access.can("catalog.edit", found.owner_ref or None),
        "may_remove": access.can("catalog.remove", found.owner_ref or None),
        "edit_address": edit_address(found),
        "team": f"group:{found.namespace}/{found.name}".lower() if found.kind == "Group" else "",
        "status": status.of_entities(organisation.pk, [found.uid]).get(str(found.uid)) if found.has_workloads else None,
    }


class Worry:
    """Something about an entity that its descriptor alone does not show."""

    path = ""
    line = 0
    source = None

    def __init__(self, code: str, sentence: str) -> None:
        self.code, self.sentence = code, sentence


def _worries(found: Entity, edges: list[Neighbour]) -> list[Worry]:
    worries = [
        Worry(
            "dangling",
            f"It names {each.ref} ({relation_word(each.type).lower()}), which is not in the catalog.",
        )
        for each in edges
        if not each.is_known
    ]
    if found.lifecycle == "deprecated":
        users = [each.label for each in edges if each.type in ("dependencyOf", "apiConsumedBy")]
        if users:
            worries.append(Worry("deprecated", f"It is deprecated, and still used by {', '.join(users[:5])}."))
    return worries


def _edges_of(organisation: Organisation, ref: str) -> list[tuple[str, str]]:
    """(type, other end) of the relations of an entity: one query."""
    rows = Relation.objects.for_tenant(organisation).filter(source_ref=ref)
    return sorted(set(rows.values_list("type", "target_ref")))[:1000]


def _neighbours(edges: list[tuple[str, str]], names: Mapping[str, Named]) -> list[Neighbour]:
    """The other ends with their titles."""
    return [
        Neighbour(
            kind,
            target,
            names[target].title if target in names else target.partition("/")[2],
            target in names and names[target].is_there,
        )
        for kind, target in edges
    ]


def _grouped(edges: list[Neighbour]) -> list[tuple[str, list[Neighbour]]]:
    groups: dict[str, list[Neighbour]] = {}
    for name, kind in RELATION_TYPES.items():
        for each in edges:
            if each.type == name:
                groups.setdefault(kind.word, []).append(each)
    return list(groups.items())


def _links(found: Entity) -> list[dict[str, str]]:
    """Only web and mail addresses become links: a descriptor is not trusted with scripts."""
    links = found.document.get("metadata", {}).get("links") or []
    return [
        {"url": link["url"], "title": link.get("title") or link["url"]}
        for link in links
        if str(link.get("url", "")).lower().startswith(("https://", "http://", "mailto:"))
    ]


def edit_address(found: Entity) -> str:
    """Where an entity from a repository on the web is edited, when that can be known."""
    source = found.source
    if source is None:
        return ""
    if source.kind == Source.Kind.URL:
        return edit_page_of(source.target)
    if source.kind == Source.Kind.GIT and source.target.startswith("https://"):
        return edit_page(source.target, source.revision, found.path)
    return ""


@gate("catalog.view")
def problems(request: TenantRequest) -> HttpResponse:
    """What is wrong anywhere, by source and file."""
    rows = Problem.objects.for_tenant(request.access.organisation).select_related("source")
    source = request.GET.get("source", "")
    if source.isdigit() and len(source) < 18:
        rows = rows.filter(source_id=int(source))
    shown = list(rows.order_by("source_id", "path", "line", "id")[:501])
    failed = Source.objects.for_tenant(request.access.organisation).filter(state=Source.State.FAILED)
    return render(
        request,
        "catalog/problems.html",
        {
            "names": named(request.access.organisation.pk, [problem.entity_ref for problem in shown]),
            "problems": shown[:500],
            "is_more": len(shown) > 500,
            "failed": list(failed),
            "source_id": source,
        },
    )


def entity_address(request: TenantRequest, found: Entity) -> str:
    """The address of an entity's page."""
    where = {"kind": found.kind.lower(), "namespace": found.namespace, "name": found.name}
    return reverse("entity", kwargs={"org": request.access.organisation.slug, **where})
