"""catalog:register: the new repository's catalog-info.yaml becomes a source of the catalog, read at once."""

from collections.abc import Mapping
from typing import Any

from catalog import actions as catalog
from catalog.descriptors.parsing import parse
from catalog.models import Entity, Problem, Source
from portal.accounts.tenancy import tenant
from portal.githosts.hosts import HOSTS
from portal.goldenpaths.files import File
from portal.goldenpaths.questions import choices
from portal.goldenpaths.vocabulary import FLAG, TEXT, Example, shape
from portal.kit.errors import Invalid, Refusal
from portal.kit.paths import from_root, safe_path
from portal.kit.plain import split_url
from portal.kit.refs import kind_of, name_of
from portal.provisioning.acting.contract import Action, EffectTarget, LeftBehind, StepContext, UndoContext, Undone
from portal.provisioning.acting.outcomes import Done
from portal.provisioning.acting.pretence import LATER, Pretence, PreviewEntity
from portal.provisioning.models import Effect

KIND = "source"
FILE = "catalog-info.yaml"


def run(ctx: StepContext, given: dict[str, Any]) -> Done:
    """Add the source, or find it again, and read it; the entity that it is about is the step's answer."""
    try:
        return _register(ctx, given)
    except Refusal as refusal:
        if not given.get("optional"):
            raise
        ctx.log(f"Not registered, which the path allows: {refusal.text}", "warning")
        return Done()


def _register(ctx: StepContext, given: dict[str, Any]) -> Done:
    kind, target, path = _origin(ctx, given)
    existing = _source(ctx, kind, target, path)
    label = f"Catalog source {target}" + ("" if path == FILE else f" ({path})")
    before = {"uid": str(existing.uid)} if existing else None
    [intent] = ctx.intend(KIND, [EffectTarget(f"{kind}/{target}/{path}", label, before, _place(kind, target, path))])
    with tenant(ctx.organisation):
        source = catalog.add_source(
            organisation=ctx.organisation,
            actor=ctx.actor,
            kind=kind,
            target=target,
            path=path,
            run_id=ctx.run_id,
            on_conflict="refresh",
        )
    ctx.failpoint("after-effect")
    refs = _report(ctx, source)
    ref = _main(refs)
    intent.confirm("adopted" if intent.before else "created", {**intent.reference, "entityRef": ref})
    if not ref:
        raise Invalid(f"{path} of {target} describes no entity that the catalog accepts.", code="no-entity")
    return Done({"entityRef": ref, "catalogInfoUrl": _address(ctx, kind, target, path)})


def _place(kind: str, target: str, path: str) -> dict[str, str]:
    return {"kind": kind, "target": target, "path": path}


def _report(ctx: StepContext, source: Source) -> list[str]:
    """Say what the catalog made of the file; the references of its entities, in the order of the file."""
    with tenant(ctx.organisation):
        problems = Problem.objects.for_tenant(ctx.organisation).filter(source=source).order_by("path", "line")
        for problem in problems:
            ctx.log(f"{problem.path}, line {problem.line}: {problem.sentence}", "warning")
        entities = Entity.objects.for_tenant(ctx.organisation).filter(source=source, removed_at=None)
        refs = list(entities.order_by("path", "line").values_list("ref", flat=True))
    for ref in refs:
        ctx.log(f"The catalog knows {ref}.")
    return refs


def _main(refs: list[str]) -> str:
    """The entity that a file is about: its first Component that nobody generated, else the next best."""
    named = [ref for ref in refs if not name_of(ref).startswith("generated-")]
    components = [ref for ref in named if kind_of(ref) == "component"]
    return next(iter([*components, *named, *refs]), "")


def _origin(ctx: StepContext, given: dict[str, Any]) -> tuple[str, str, str]:
    """Kind, target and path of the source: one of our own repositories, or an address elsewhere."""
    path = from_root(str(given.get("catalogInfoPath") or FILE))
    if given.get("repo"):
        return "repository", str(given["repo"]), path
    url = str(given.get("repoContentsUrl") or given.get("catalogInfoUrl"))
    own = _own_repository(ctx, url)
    if own:
        name, inner = own
        return "repository", name, (inner or path) if given.get("catalogInfoUrl") else path
    if given.get("repoContentsUrl"):
        url = f"{url.rstrip('/')}/{path}"
    return "url", url, ""


def _own_repository(ctx: StepContext, url: str) -> tuple[str, str] | None:
    """Name and inner path when the address is one of our own repositories' pages."""
    parts = split_url(url)
    if parts is None:
        raise Invalid(f"“{url}” is not a web address.", code="bad-input", field="catalogInfoUrl")
    head, mark, tail = parts.path.partition(f"/o/{ctx.organisation.slug}/repos/")
    if head or not mark:
        return None
    name, _, inner = tail.strip("/").partition("/")
    return (name, inner) if HOSTS["slipway"].find_repository(ctx.organisation, name) else None


def _source(ctx: StepContext | UndoContext, kind: str, target: str, path: str) -> Source | None:
    with tenant(ctx.organisation):
        rows = Source.objects.for_tenant(ctx.organisation).filter(kind=kind, target=target, path=path)
        found: Source | None = rows.first()
    return found


def _address(ctx: StepContext, kind: str, target: str, path: str) -> str:
    if kind != "repository":
        return target
    repo = HOSTS["slipway"].find_repository(ctx.organisation, target)
    return f"{HOSTS['slipway'].web_url(repo)}{path}" if repo else ""


def undo(ctx: UndoContext, effect: Effect) -> Undone | LeftBehind:
    """Remove the source and, with it, the entities that it brought."""
    at = effect.reference
    if effect.before is not None:
        return LeftBehind(f"{effect.label} was registered before this run; it stays.")
    source = _source(ctx, at["kind"], at["target"], at["path"])
    if source is None:
        return Undone(f"{effect.label} is gone already.")
    with tenant(ctx.organisation):
        catalog.remove_source(organisation=ctx.organisation, actor=ctx.actor, source=source)
    return Undone(f"Removed {effect.label} and the entities that it brought.")


def pretend(world: Pretence, given: dict[str, Any]) -> dict[str, Any]:
    """The entities that the workspace's descriptor would bring; those of an address elsewhere are not known yet."""
    path = from_root(str(given.get("catalogInfoPath") or FILE))
    if not given.get("repo") and path not in world.workspace:
        return {"entityRef": LATER, "catalogInfoUrl": LATER}
    try:
        refs = _would_bring(world, path)
    except Refusal:
        if not given.get("optional"):
            raise
        return {}
    return {"entityRef": _main(refs), "catalogInfoUrl": LATER}


def _would_bring(world: Pretence, path: str) -> list[str]:
    file = world.workspace.get(path)
    if file is None:
        raise Invalid(f"The repository would have no {path}, so nothing could be registered.", code="no-descriptor")
    parsed = parse(_text(file), path, lambda other: _read(world.workspace, other))
    for problem in parsed.problems:
        world.problem(f"{problem.path}, line {problem.line}: {problem.sentence}")
    for entity in parsed.entities:
        _announce(world, entity.document, str(entity.ref))
    if not parsed.entities:
        raise Invalid(f"{path} describes no entity that the catalog accepts.", code="no-entity")
    return [str(entity.ref) for entity in parsed.entities]


def _text(file: File) -> str:
    return file.content.decode("utf-8", "replace")


def _read(workspace: Mapping[str, File], path: str) -> str:
    file = workspace.get(safe_path(path))
    return _text(file) if file else ""


def _announce(world: Pretence, document: dict[str, Any], ref: str) -> None:
    metadata, spec = document["metadata"], document.get("spec") or {}
    taken = choices.entity_of_name(world.organisation, ref)
    if taken is not None:
        world.problem(
            f"{taken.kind} “{taken.display_name}” ({taken.ref}) is in the catalog already. Choose another name."
        )
    world.preview.entities.append(
        PreviewEntity(
            ref,
            str(document["kind"]),
            str(metadata.get("title") or metadata["name"]),
            str(metadata.get("description") or ""),
            str(spec.get("owner") or ""),
        )
    )


ACTION = Action(
    id="catalog:register",
    description="Registers the repository's catalog-info.yaml in the catalog.",
    input_schema=shape(repo=TEXT, catalogInfoUrl=TEXT, repoContentsUrl=TEXT, catalogInfoPath=TEXT, optional=FLAG)
    | {"anyOf": [{"required": [key]} for key in ("repo", "catalogInfoUrl", "repoContentsUrl")]},
    output_schema=shape((), entityRef=TEXT, catalogInfoUrl=TEXT),
    examples=(
        Example("The repository of an earlier step", {"repo": "${{ steps.publish.output.repo }}"}),
        Example("A file elsewhere", {"catalogInfoUrl": "https://git.example.com/shop/raw/main/catalog-info.yaml"}),
    ),
    run=run,
    pretend=pretend,
    undo={KIND: undo},
)
