"""What a launch would make, before anything is made: the path's steps worked through on a pretend workspace."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from django.conf import settings
from django.urls import reverse

from catalog.descriptors.parsing import parse
from portal.accounts.access import Access
from portal.clusters.models import Cluster
from portal.githosts.builtin import check_name
from portal.goldenpaths import discovery, workspace
from portal.goldenpaths.discovery import Served
from portal.goldenpaths.files import File, Workspace, safe_folder, within
from portal.goldenpaths.language import expressions
from portal.goldenpaths.language.rendering import render_value
from portal.goldenpaths.manifests import Manifest, manifests_of
from portal.goldenpaths.models import Version
from portal.goldenpaths.questions import choices
from portal.goldenpaths.questions.forms import secret_questions
from portal.goldenpaths.templates import step_id
from portal.goldenpaths.vocabulary import ACTIONS, checked_input, repository_name
from portal.kit.errors import Refusal
from portal.kit.paths import from_root, safe_path

LATER = "known-after-launch"
HIDDEN = "••••••"
Ask = Callable[[Cluster, list[tuple[str, str]]], Served]


@dataclass(frozen=True, slots=True)
class PreviewFile:
    """One file of the new repository."""

    path: str
    size: int
    is_executable: bool
    text: str | None

    @property
    def lines(self) -> list[str]:
        return (self.text or "").splitlines()


@dataclass(slots=True)
class PreviewManifest:
    """One object that would go to a cluster. `is_served` is None when the cluster could not be asked."""

    manifest: Manifest
    cluster: str
    is_served: bool | None = None


@dataclass(frozen=True, slots=True)
class PreviewEntity:
    """One entity that would come into the catalog."""

    ref: str
    kind: str
    name: str
    description: str
    owner: str


@dataclass(frozen=True, slots=True)
class PreviewRepository:
    """The repository that would be made."""

    name: str
    branch: str
    files: int


@dataclass(frozen=True, slots=True)
class PreviewStep:
    """One step, and whether it would run with these answers."""

    id: str
    name: str
    action: str
    runs: bool


@dataclass(frozen=True, slots=True)
class PreviewProblem:
    """Something to know before launching; what `blocks` would make the run fail."""

    sentence: str
    blocks: bool = True


@dataclass(slots=True)
class Preview:
    """Everything a launch would make, and what stands in its way."""

    files: list[PreviewFile] = field(default_factory=list)
    manifests: list[PreviewManifest] = field(default_factory=list)
    problems: list[PreviewProblem] = field(default_factory=list)
    repository: PreviewRepository | None = None
    entities: list[PreviewEntity] = field(default_factory=list)
    steps: list[PreviewStep] = field(default_factory=list)

    @property
    def applied(self) -> list[PreviewManifest]:
        """The objects that would really be made: not those that their cluster does not serve."""
        return [one for one in self.manifests if one.is_served is not False]

    @property
    def is_blocked(self) -> bool:
        return any(problem.blocks for problem in self.problems)


def preview(version: Version, values: Mapping[str, Any], access: Access, *, ask: Ask | None = None) -> Preview:
    """Work through the path's steps with cleaned answers. Makes nothing; a mistake ends up among the problems."""
    walk = _Walk(version, values, access)
    walk.run()
    _check_clusters(walk.preview, access, ask or discovery.served)
    return walk.preview


class _Walk:
    """One pass over the steps, with a workspace and outputs that look like a run's."""

    def __init__(self, version: Version, values: Mapping[str, Any], access: Access) -> None:
        self.access = access
        self.document = version.document
        self.bundle = version.bundle()
        self.workspace: Workspace = {}
        self.preview = Preview()
        self.context: dict[str, Any] = {
            "parameters": dict(values),
            "secrets": dict.fromkeys(secret_questions(self.document), HIDDEN),
            "steps": {},
            "user": _person(access),
            "context": {"task": {"id": LATER}},
            "environment": {"parameters": {}, "secrets": {}},
        }

    def run(self) -> None:
        for index, step in enumerate(self.document["spec"]["steps"]):
            identity = step_id(step, index)
            try:
                ran = self._step(step, identity)
            except Refusal as refusal:
                self._note(step, identity, runs=True)
                self.preview.problems.append(PreviewProblem(refusal.text))
                break
            self._note(step, identity, runs=ran)
        self._show_files()

    def _note(self, step: Mapping[str, Any], identity: str, *, runs: bool) -> None:
        name = str(step.get("name") or ACTIONS[step["action"]].description)
        self.preview.steps.append(PreviewStep(identity, name, step["action"], runs))

    def _step(self, step: Mapping[str, Any], identity: str) -> bool:
        """Work one step out; False when its condition leaves it out."""
        where = f"step “{identity}”"
        if "each" not in step:
            if not expressions.condition(step.get("if"), self.context, where=f"{where}, if"):
                return False
            self.context["steps"][identity] = {"output": self._once(step, self.context, identity)}
            return True
        outputs = []
        for each in expressions.iterations(step["each"], self.context, where=f"{where}, each"):
            scope = {**self.context, "each": each}
            if expressions.condition(step.get("if"), scope, where=f"{where}, if"):
                outputs.append(self._once(step, scope, identity))
        self.context["steps"][identity] = {"output": outputs}
        return bool(outputs)

    def _once(self, step: Mapping[str, Any], scope: Mapping[str, Any], identity: str) -> dict[str, Any]:
        rendered = render_value(step.get("input") or {}, scope, path=f"step “{identity}”")
        given = checked_input(step["action"], rendered, step=identity)
        act = _PRETEND.get(step["action"])
        return act(self, given) if act else {}

    def fetch_template(self, given: dict[str, Any]) -> dict[str, Any]:
        self.workspace = workspace.fetch_template(self.workspace, given, self.bundle)
        return {}

    def fetch_plain(self, given: dict[str, Any]) -> dict[str, Any]:
        self.workspace = workspace.fetch_plain(self.workspace, given, self.bundle)
        return {}

    def rename(self, given: dict[str, Any]) -> dict[str, Any]:
        self.workspace = workspace.rename(self.workspace, given)
        return {}

    def delete(self, given: dict[str, Any]) -> dict[str, Any]:
        self.workspace = workspace.delete(self.workspace, given)
        return {}

    def publish(self, given: dict[str, Any]) -> dict[str, Any]:
        name = check_name(repository_name(given))
        branch = str(given.get("defaultBranch") or "main")
        files = within(self.workspace, safe_folder(given.get("sourcePath")))
        self.preview.repository = PreviewRepository(name, branch, len(files))
        if not files:
            self._problem("There is nothing to publish: the workspace is empty when the repository is made.")
        if choices.has_repository(self.access.organisation, name):
            self._problem(f"A repository called “{name}” exists already. Choose another name.")
        slug = self.access.organisation.slug
        page = reverse("repo", kwargs={"org": slug, "repo": name})
        return {
            "remoteUrl": f"{settings.PUBLIC_URL}/o/{slug}/git/{name}.git",
            "repoContentsUrl": f"{settings.PUBLIC_URL}{page}",
            "commitHash": LATER,
            "repo": name,
        }

    def apply(self, given: dict[str, Any]) -> dict[str, Any]:
        found = manifests_of(given, self.workspace)
        self.preview.manifests += [PreviewManifest(manifest, given["cluster"]) for manifest in found]
        objects = [
            {
                "apiVersion": one.api_version,
                "kind": one.kind,
                "namespace": one.namespace,
                "name": one.name,
                "uid": LATER,
            }
            for one in found
        ]
        return {"objects": objects}

    def register(self, given: dict[str, Any]) -> dict[str, Any]:
        path = from_root(str(given.get("catalogInfoPath") or "catalog-info.yaml"))
        file = self.workspace.get(path)
        if file is None:
            if given.get("repo") and not given.get("optional"):
                self._problem(f"The repository would have no {path}, so nothing could be registered.")
            return {"entityRef": LATER, "catalogInfoUrl": LATER}
        parsed = parse(file.content.decode("utf-8", "replace"), path, self._read)
        for problem in parsed.problems:
            self._problem(f"{problem.path}, line {problem.line}: {problem.sentence}")
        refs = [self._entity(entity.document, str(entity.ref)) for entity in parsed.entities]
        main = next((ref for ref in refs if ref.startswith("component:")), refs[0] if refs else LATER)
        return {"entityRef": main, "catalogInfoUrl": LATER}

    def _read(self, path: str) -> str:
        file = self.workspace.get(safe_path(path))
        return file.content.decode("utf-8", "replace") if file else ""

    def _entity(self, document: dict[str, Any], ref: str) -> str:
        metadata, spec = document["metadata"], document.get("spec") or {}
        taken = choices.entity_of_name(self.access.organisation, ref)
        if taken is not None:
            self._problem(
                f"{taken.kind} “{taken.display_name}” ({taken.ref}) is in the catalog already. Choose another name."
            )
        self.preview.entities.append(
            PreviewEntity(
                ref,
                str(document["kind"]),
                str(metadata.get("title") or metadata["name"]),
                str(metadata.get("description") or ""),
                str(spec.get("owner") or ""),
            )
        )
        return ref

    def _problem(self, sentence: str) -> None:
        if sentence not in {problem.sentence for problem in self.preview.problems}:
            self.preview.problems.append(PreviewProblem(sentence))

    def _show_files(self) -> None:
        self.preview.files = [_shown(path, file) for path, file in sorted(self.workspace.items())]


_PRETEND: dict[str, Callable[[_Walk, dict[str, Any]], dict[str, Any]]] = {
    "fetch:template": _Walk.fetch_template,
    "fetch:plain": _Walk.fetch_plain,
    "fs:rename": _Walk.rename,
    "fs:delete": _Walk.delete,
    "publish:slipway": _Walk.publish,
    "kubernetes:apply": _Walk.apply,
    "catalog:register": _Walk.register,
}


def _shown(path: str, file: File) -> PreviewFile:
    return PreviewFile(path, len(file.content), file.is_executable, file.text())


def _person(access: Access) -> dict[str, Any]:
    name = access.user.email.partition("@")[0].lower()
    profile = {"displayName": str(access.user), "email": access.user.email}
    return {
        "ref": f"user:default/{name}",
        "entity": {"kind": "User", "metadata": {"name": name}, "spec": {"profile": profile}},
    }


def _check_clusters(made: Preview, access: Access, ask: Ask) -> None:
    """Ask each cluster whether it serves what would be applied to it."""
    for slug in dict.fromkeys(one.cluster for one in made.manifests):
        mine = [one for one in made.manifests if one.cluster == slug]
        cluster = choices.cluster_named(access.organisation, slug)
        if cluster is None:
            made.problems.append(PreviewProblem(f"There is no cluster called “{slug}”. An admin connects clusters."))
            continue
        answer = ask(cluster, [(one.manifest.api_version, one.manifest.kind) for one in mine])
        if answer.trouble:
            made.problems.append(PreviewProblem(answer.trouble, blocks=answer.is_down))
            continue
        for one in mine:
            _check_served(made, one, cluster, answer)


def _note_wide(made: Preview, one: PreviewManifest, cluster: Cluster) -> None:
    """An object in no namespace reaches everybody on the cluster; a namespace itself is the one that paths need."""
    manifest = one.manifest
    one.manifest = replace(manifest, namespace="")
    if manifest.kind == "Namespace":
        return
    sentence = (
        f"{manifest.kind} {manifest.name} ({manifest.where}) lies in no namespace: "
        f"it is for the whole cluster {cluster.name}, and applied only if the portal’s credential there may do so."
    )
    made.problems.append(PreviewProblem(sentence, blocks=False))


def _check_served(made: Preview, one: PreviewManifest, cluster: Cluster, answer: Served) -> None:
    manifest = one.manifest
    kind = (manifest.api_version, manifest.kind)
    one.is_served = answer.kinds.get(kind, False)
    if one.is_served:
        if kind in answer.cluster_wide:
            _note_wide(made, one, cluster)
        return
    newest = answer.newest.get(manifest.kind, "")
    instead = f" It serves {manifest.kind} as {newest}." if newest else ""
    what = f"{manifest.kind} as {manifest.api_version} ({manifest.where})"
    sentence = f"The cluster {cluster.name} does not serve {what}.{instead}"
    if manifest.is_optional:
        sentence += " The manifest is optional, so it is left out."
    made.problems.append(PreviewProblem(sentence, blocks=not manifest.is_optional))
