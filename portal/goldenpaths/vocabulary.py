"""The actions that a golden path's steps may name: what each takes and what it gives."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from jsonschema import Draft7Validator

from portal.goldenpaths.language.filters import parse_repo_url
from portal.goldenpaths.language.values import DialectError
from portal.goldenpaths.sentences import sentence_of
from portal.kit.errors import Invalid

Schema = dict[str, Any]
TEXT: Schema = {"type": "string"}
FLAG: Schema = {"type": "boolean"}
TEXTS: Schema = {"type": "array", "items": {"type": "string"}}
OBJECTS: Schema = {
    "type": "array",
    "items": {
        "type": "object",
        "required": ["apiVersion", "kind", "name"],
        "properties": dict.fromkeys(("apiVersion", "kind", "namespace", "name", "uid"), TEXT),
    },
}


def _object(required: tuple[str, ...] = (), **properties: Schema) -> Schema:
    return {"type": "object", "required": list(required), "properties": properties, "additionalProperties": False}


@dataclass(frozen=True, slots=True)
class ActionSpec:
    """One action: its name, what it does, and JSON schemas of what goes in and comes out."""

    id: str
    description: str
    input_schema: Schema
    output_schema: Schema = field(default_factory=_object)


_FETCH: dict[str, Schema] = {"url": TEXT, "targetPath": TEXT, "token": TEXT}

_SPECS = (
    ActionSpec(
        "fetch:template",
        "Renders a folder of the golden path into the workspace: file names and contents.",
        _object(
            ("url",),
            **_FETCH,
            values={"type": "object"},
            copyWithoutTemplating=TEXTS,
            copyWithoutRender=TEXTS,
            cookiecutterCompat=FLAG,
            templateFileExtension={"type": ["string", "boolean"]},
            replace=FLAG,
            trimBlocks=FLAG,
            lstripBlocks=FLAG,
        ),
    ),
    ActionSpec(
        "fetch:plain", "Copies a folder of the golden path into the workspace as it is.", _object(("url",), **_FETCH)
    ),
    ActionSpec(
        "publish:slipway",
        "Creates a repository on the built-in git host and pushes the workspace to it.",
        _object(
            repoUrl=TEXT,
            repo=TEXT,
            description=TEXT,
            defaultBranch=TEXT,
            sourcePath=TEXT,
            owner=TEXT,
            gitCommitMessage=TEXT,
        )
        | {"anyOf": [{"required": ["repoUrl"]}, {"required": ["repo"]}]},
        _object(("remoteUrl", "repo"), remoteUrl=TEXT, repoContentsUrl=TEXT, commitHash=TEXT, repo=TEXT),
    ),
    ActionSpec(
        "kubernetes:apply",
        "Applies Kubernetes manifests to a cluster by server-side apply.",
        _object(
            ("cluster",),
            cluster=TEXT,
            namespace=TEXT,
            path=TEXT,
            manifests={"type": "array", "items": {"type": "object"}},
            optional=TEXTS,
        )
        | {"anyOf": [{"required": ["path"]}, {"required": ["manifests"]}]},
        _object(("objects",), objects=OBJECTS),
    ),
    ActionSpec(
        "kubernetes:wait",
        "Waits until what was applied is rolled out, holding no worker meanwhile.",
        _object(
            ("cluster",),
            cluster=TEXT,
            namespace=TEXT,
            objects=OBJECTS,
            timeout={"type": ["string", "integer"], "pattern": r"^[0-9]+(ms|s|m|h)?$"},
        ),
    ),
    ActionSpec(
        "catalog:register",
        "Registers the repository's catalog-info.yaml in the catalog.",
        _object(repo=TEXT, catalogInfoUrl=TEXT, repoContentsUrl=TEXT, catalogInfoPath=TEXT, optional=FLAG)
        | {"anyOf": [{"required": [key]} for key in ("repo", "catalogInfoUrl", "repoContentsUrl")]},
        _object(("entityRef",), entityRef=TEXT, catalogInfoUrl=TEXT),
    ),
    ActionSpec(
        "debug:log",
        "Writes a message, and on request the workspace's files, to the run's log.",
        _object(message=TEXT, listWorkspace={"enum": [True, False, "with-filenames", "with-contents"]}),
    ),
    ActionSpec(
        "fs:rename",
        "Moves files or folders within the workspace.",
        _object(
            ("files",),
            files={
                "type": "array",
                "items": {
                    "type": "object",
                    "required": ["from", "to"],
                    "properties": {"from": TEXT, "to": TEXT, "overwrite": FLAG},
                },
            },
        ),
    ),
    ActionSpec("fs:delete", "Removes files from the workspace.", _object(("files",), files=TEXTS)),
)

ACTIONS: dict[str, ActionSpec] = {spec.id: spec for spec in _SPECS}


def checked_input(action: str, step_input: Mapping[str, Any], *, step: str = "") -> dict[str, Any]:
    """A rendered input without its unanswered (null) entries, or a refusal that names the step and the field."""
    given = {key: value for key, value in step_input.items() if value is not None}
    for error in Draft7Validator(ACTIONS[action].input_schema).iter_errors(given):
        place = ".".join(str(part) for part in error.absolute_path)
        raise Invalid(
            f"Step “{step or action}”: {sentence_of(error, place or 'the input')}", code="bad-input", field=place
        )
    return given


def repository_name(step_input: Mapping[str, Any]) -> str:
    """The repository that an input names, by `repo` or by `repoUrl` (slipway?repo=NAME)."""
    if step_input.get("repo"):
        return str(step_input["repo"])
    try:
        parts = parse_repo_url(step_input["repoUrl"])
    except DialectError as error:
        raise Invalid(str(error), code="bad-input", field="repoUrl") from None
    if parts["host"] != "slipway":
        raise Invalid(
            f"“publish:slipway” creates repositories on the host “slipway”, not on “{parts['host']}”.", code="bad-input"
        )
    return parts["repo"]
