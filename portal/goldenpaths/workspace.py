"""What fetching does to a workspace: files in, files out; publishing looks at a skeleton with the same eyes."""

from collections.abc import Mapping
from typing import Any

from portal.goldenpaths import files as paths
from portal.goldenpaths.files import File, Workspace
from portal.goldenpaths.globs import select
from portal.goldenpaths.language.rendering import Options, RenderError, RenderJob, render_tree
from portal.kit.errors import Invalid, NotFound
from portal.kit.paths import safe_path

TEMPLATE_EXTENSION = ".njk"


def source_folder(url: str) -> str:
    """The folder of the path's own files that a `url` names; nothing outside the path can be fetched."""
    if "://" in url:
        raise Invalid(
            f"“{url}” lies outside the golden path: a version carries its files with it, so “url” names a folder "
            "beside template.yaml.",
            code="outside-path",
        )
    return paths.safe_folder(url)


def _source(bundle: Mapping[str, File], url: str) -> Workspace:
    folder = source_folder(url)
    source = paths.within(bundle, folder)
    if not source:
        raise NotFound(f"The golden path has no folder “{folder or './'}”.", code="missing-skeleton")
    return source


def fetch_plain(workspace: Workspace, step_input: Mapping[str, Any], bundle: Mapping[str, File]) -> Workspace:
    """Copy a folder of the path into the workspace as it is; existing files are replaced."""
    target = paths.safe_folder(step_input.get("targetPath"))
    source = _source(bundle, step_input["url"])
    return paths.checked({**workspace, **{paths.join(target, path): file for path, file in source.items()}})


def fetch_template(workspace: Workspace, step_input: Mapping[str, Any], bundle: Mapping[str, File]) -> Workspace:
    """Render a folder of the path into the workspace: names and contents, binary files and modes kept."""
    folder = source_folder(step_input["url"])
    target = paths.safe_folder(step_input.get("targetPath"))
    rendered = render_files(_source(bundle, step_input["url"]), step_input, label=folder)
    moved = {paths.join(target, path): file for path, file in rendered.items()}
    if step_input.get("replace"):
        return paths.checked({**workspace, **moved})
    return paths.checked({**moved, **workspace})


def render_files(source: Mapping[str, File], step_input: Mapping[str, Any], *, label: str = "") -> Workspace:
    """Every file of `source` under its rendered name with its rendered content; `label` is its folder, for errors."""
    cookiecutter = bool(step_input.get("cookiecutterCompat"))
    options = Options(
        trim_blocks=bool(step_input.get("trimBlocks")),
        lstrip_blocks=bool(step_input.get("lstripBlocks")),
        cookiecutter=cookiecutter,
    )
    values = dict(step_input.get("values") or {})
    context: dict[str, Any] = {"values": values} | ({"cookiecutter": values} if cookiecutter else {})
    plan = RenderPlan(source, step_input)
    jobs: list[RenderJob] = []
    for path in source:
        shown = f"{label}/{path}" if label else path
        jobs.append(RenderJob(path if path not in plan.keep_names else "", shown))
        jobs.append(RenderJob(plan.text(path) or "", shown))
    results = iter(render_tree(jobs, context, options))
    tree: Workspace = {}
    for path, file in source.items():
        name, content = next(results), next(results)
        new_path = path if path in plan.keep_names else plan.stripped(path, name)
        if new_path is None:
            continue
        if new_path in tree:
            raise RenderError(f"Two files render to the same name “{new_path}”.", f"{label}/{path}" if label else path)
        tree[new_path] = file if plan.text(path) is None else File(content.encode(), file.mode)
    return tree


class RenderPlan:
    """Which files of a template are rendered, by name and by content."""

    def __init__(self, source: Mapping[str, File], step_input: Mapping[str, Any]) -> None:
        self.source = source
        extension = step_input.get("templateFileExtension")
        self.extension: str = (TEMPLATE_EXTENSION if extension is True else str(extension)) if extension else ""
        if self.extension and not self.extension.startswith("."):
            self.extension = f".{self.extension}"
        copied = list(step_input.get("copyWithoutTemplating") or [])
        untouched = list(step_input.get("copyWithoutRender") or [])
        if self.extension and (copied or untouched):
            raise Invalid(
                "“templateFileExtension” cannot be combined with “copyWithoutTemplating” or “copyWithoutRender”.",
                code="bad-input",
            )
        self.keep_names = select(source, untouched)
        self.keep_contents = select(source, copied) | self.keep_names

    def text(self, path: str) -> str | None:
        """The text to render, or None when the file is copied as it is."""
        if path in self.keep_contents or (self.extension and not path.endswith(self.extension)):
            return None
        return self.source[path].text()

    def stripped(self, path: str, name: str) -> str | None:
        """The rendered name in its final form; None when the template chose to leave the file out."""
        if self.extension and path.endswith(self.extension):
            name = name.removesuffix(self.extension)
        if not name or any(not segment.strip() for segment in name.split("/")):
            return None
        return safe_path(name)
