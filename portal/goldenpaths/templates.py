"""Reading a template.yaml: everything that is wrong with a golden path, found before anyone can launch it."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from jsonschema import Draft7Validator, FormatChecker, SchemaError

from catalog.descriptors.findings import Finding
from portal.goldenpaths.files import File, within
from portal.goldenpaths.language.rendering import (
    Checked,
    Options,
    Read,
    RenderError,
    RenderJob,
    check_texts,
    is_template,
    matches,
)
from portal.goldenpaths.questions import schemas
from portal.goldenpaths.sentences import sentence_of
from portal.goldenpaths.shape import CODE, SHAPE
from portal.goldenpaths.vocabulary import ACTION_SPECS
from portal.goldenpaths.workspace import RenderPlan, source_folder
from portal.kit.errors import Invalid, Refusal
from portal.kit.yamltext import Document, YamlError, load_all
from portal.kit.yamltext import FieldPath as Path

NO_FORMATS = FormatChecker(formats=())  # patterns are tried in the rendering child, never here
ROOTS = frozenset({"parameters", "steps", "secrets", "user", "environment", "context", "each", "always", "failure"})


@dataclass(frozen=True, slots=True)
class Examined:
    """A template's document (or None when there is none to speak of) and what is wrong with it."""

    document: dict[str, Any] | None
    findings: list[Finding]


def _finding(path: str, line: int, sentence: str) -> Finding:
    return Finding(path, line, CODE, sentence)


@dataclass(slots=True)
class _Reader:
    """Collects the findings of one golden path."""

    path: str
    document: Document
    bundle: Mapping[str, File]
    findings: list[Finding] = field(default_factory=list)

    @property
    def spec(self) -> Mapping[str, Any]:
        spec: Mapping[str, Any] = self.document.data["spec"]
        return spec

    def find(self, place: Path, sentence: str) -> None:
        self.findings.append(_finding(self.path, self.document.line(place), sentence))


def folder_of(template_path: str) -> str:
    return template_path.rpartition("/")[0]


def examine(files: Mapping[str, File], template_path: str = "template.yaml") -> Examined:
    """The template at `template_path` among `files`, and everything that is wrong with it."""
    file = files.get(template_path)
    text = file.text() if file else None
    if text is None:
        return Examined(None, [_finding(template_path, 1, "There is no such file, or it is not text.")])
    try:
        documents = load_all(text, template_path)
    except YamlError as error:
        return Examined(None, [_finding(error.path, error.line, error.sentence)])
    templates = [
        document
        for document in documents
        if isinstance(document.data, dict) and document.data.get("kind") == "Template"
    ]
    if len(templates) != 1:
        count = "no" if not templates else str(len(templates))
        return Examined(
            None, [_finding(template_path, 1, f"The file must hold one document of kind Template; it has {count}.")]
        )
    reader = _Reader(template_path, templates[0], within(files, folder_of(template_path)))
    if _check_shape(reader):
        _check_pages(reader)
        _check_steps(reader)
        _check_expressions(reader)
        _check_skeletons(reader)
    return Examined(reader.document.data, sorted(set(reader.findings)))


def _check_shape(reader: _Reader) -> bool:
    for error in Draft7Validator(SHAPE).iter_errors(reader.document.data):
        place = tuple(error.absolute_path)
        reader.find(place, sentence_of(error, ".".join(str(part) for part in place) or "the template"))
    return not reader.findings


def _check_pages(reader: _Reader) -> None:
    single = isinstance(reader.spec.get("parameters"), dict)
    patterns: list[tuple[Path, str]] = []
    for index, page in enumerate(schemas.pages_of(reader.document.data)):
        place: Path = ("spec", "parameters") if single else ("spec", "parameters", index)
        try:
            Draft7Validator.check_schema(page, format_checker=NO_FORMATS)
        except SchemaError as error:
            reader.find((*place, *error.absolute_path), _schema_sentence(error))
            continue
        for at in _references(page):
            reader.find((*place, *at), "“$ref” is not available in a form's schema; write the part out.")
        for at in _quoting(page):
            sentence = "A form takes this as it stands; “${{ … }}” would never be worked out. Work it out in a step."
            reader.find((*place, *at), sentence)
        _check_required(reader, page, place)
        patterns += [((*place, *at), pattern) for at, pattern in _patterns(page)]
    for (at, pattern), verdict in zip(patterns, matches((pattern, "") for _, pattern in patterns), strict=True):
        if verdict is None:
            reader.find(at, f"The pattern “{pattern}” is not a valid regular expression.")


def _schema_sentence(error: SchemaError) -> str:
    where = ".".join(str(part) for part in error.absolute_path) or "the schema"
    if error.absolute_path and error.absolute_path[-1] == "type":
        return f"{where}: “{error.instance}” is no type; there are string, integer, number, boolean, array and object."
    return sentence_of(error, where)


def _references(value: Any, place: Path = ()) -> Iterator[Path]:
    """Where a schema points elsewhere: a reference could make the portal fetch an address of the author's choice."""
    if isinstance(value, Mapping):
        if isinstance(value.get("$ref"), str):
            yield (*place, "$ref")
        for key, item in value.items():
            yield from _references(item, (*place, key))
    elif isinstance(value, list):
        for index, item in enumerate(value):
            yield from _references(item, (*place, index))


def _quoting(value: Any, place: Path = ()) -> Iterator[Path]:
    """Where a default or an allowed value quotes something that is only known later."""
    for key, item in value.items() if isinstance(value, Mapping) else ():
        if key in ("default", "const", "enum"):
            yield from (at for at, text in _texts(item, (*place, key)) if "${{" in text)
        yield from _quoting(item, (*place, key))
    if isinstance(value, list):
        for index, item in enumerate(value):
            yield from _quoting(item, (*place, index))


def _check_required(reader: _Reader, schema: Mapping[str, Any], place: Path) -> None:
    known = schemas.declared(schema)
    for name in schema.get("required") or []:
        if name not in known:
            reader.find((*place, "required"), f"“{name}” is required but the page has no such field.")
    for name, child in (schema.get("properties") or {}).items():
        if isinstance(child, Mapping) and child.get("type") == "object":
            _check_required(reader, child, (*place, "properties", name))


def _patterns(value: Any, place: Path = ()) -> Iterator[tuple[Path, str]]:
    if isinstance(value, Mapping):
        for key, item in value.items():
            if key == "pattern" and isinstance(item, str):
                yield (*place, key), item
            yield from _patterns(item, (*place, key))
    elif isinstance(value, list):
        for index, item in enumerate(value):
            yield from _patterns(item, (*place, index))


def step_id(step: Mapping[str, Any], index: int) -> str:
    return str(step.get("id") or f"step-{index + 1}")


def _check_steps(reader: _Reader) -> None:
    seen: dict[str, bool] = {}
    for index, step in enumerate(reader.spec["steps"]):
        place: Path = ("spec", "steps", index)
        identity = step_id(step, index)
        # The usual idiom for one of two hosts; that only one of them runs is seen when the answers are known.
        if identity in seen and not (seen[identity] and "if" in step):
            reader.find(
                (*place, "id"),
                f"Two steps have the id “{identity}”. They may share it where the “if” of each excludes the other.",
            )
        seen[identity] = seen.get(identity, True) and "if" in step
        spec = ACTION_SPECS.get(step["action"])
        if spec is None:
            known = ", ".join(ACTION_SPECS)
            reader.find((*place, "action"), f"There is no action called “{step['action']}”; there are: {known}.")
            continue
        for error in Draft7Validator(spec.input_schema).iter_errors(step.get("input") or {}):
            at = tuple(error.absolute_path)
            # What an expression comes to is checked when it is worked out.
            if isinstance(error.instance, str) and is_template(error.instance):
                continue
            label = (
                f"the input of step “{identity}”"
                if not at
                else f"{'.'.join(str(part) for part in at)} of step “{identity}”"
            )
            reader.find((*place, "input", *at), sentence_of(error, label))


def _texts(value: Any, place: Path) -> Iterator[tuple[Path, str]]:
    if isinstance(value, str):
        yield place, value
    elif isinstance(value, Mapping):
        for key, item in value.items():
            yield from _texts(item, (*place, key))
    elif isinstance(value, list):
        for index, item in enumerate(value):
            yield from _texts(item, (*place, index))


def _check_expressions(reader: _Reader) -> None:
    """Every expression of steps and output: syntax, filters, and that it reads only what exists by then."""
    places = [*_texts(reader.spec["steps"], ("spec", "steps")), *_texts(reader.spec.get("output"), ("spec", "output"))]
    jobs = [RenderJob(text, reader.path, reader.document.line(place)) for place, text in places]
    parameters: dict[str, Any] = {}
    for page in schemas.pages_of(reader.document.data):
        parameters |= schemas.declared(page)
    steps = [step_id(step, index) for index, step in enumerate(reader.spec["steps"])]
    for (place, _), checked in zip(places, check_texts(jobs), strict=True):
        reader.findings += [_finding(reader.path, line, sentence) for sentence, line in checked.problems]
        earlier = steps[: int(place[2])] if place[1] == "steps" else steps
        hyphens = [
            _finding(reader.path, read.line, sentence)
            for read in checked.reads
            if (sentence := _hyphen(read, {"steps": earlier, "parameters": list(parameters)}))
        ]
        reader.findings += hyphens or [
            _finding(reader.path, read.line, sentence)
            for read in checked.reads
            if not read.is_guarded and (sentence := _unknown(reader, read, checked, parameters, earlier, place))
        ]


def _hyphen(read: Read, known: Mapping[str, list[str]]) -> str:
    """A sentence when a name with hyphens was written behind a dot, where the hyphen is a minus."""
    root, *rest = read.path
    names = known.get(root, [])
    if not rest or rest[0] in names:
        return ""
    meant = next((name for name in names if name.startswith(f"{rest[0]}-")), "")
    return f"A name with a hyphen is not read behind a dot: write {root}['{meant}']." if meant else ""


def _repeats(reader: _Reader, place: Path) -> bool:
    """Whether the place lies in a step that repeats, and not in the list that it repeats for."""
    return place[1] == "steps" and place[3] != "each" and "each" in reader.spec["steps"][place[2]]


def _unknown(
    reader: _Reader, read: Read, checked: Checked, parameters: Mapping[str, Any], earlier: list[str], place: Path
) -> str:
    """A sentence when the chain reads something that is never there."""
    root, *rest = read.path
    if root not in checked.names:
        return ""  # set inside the template itself
    if root not in ROOTS:
        return (
            f"“{root}” is not a name that is known here; there are {', '.join(sorted(ROOTS - {'always', 'failure'}))}."
        )
    if root == "parameters" and rest and rest[0] not in parameters and rest[0] != "length":
        return f"No page of the form asks for “{rest[0]}”."
    if root == "each" and not _repeats(reader, place):
        return "“each” is known only in a step that has an “each”."
    if root == "steps" and rest and rest[0] not in earlier:
        return f"No earlier step has the id “{rest[0]}”."
    if root == "secrets" and place[1] == "output":
        return "What a path shows at the end is read by everybody: “secrets” are not known there."
    if root == "environment" and len(rest) > 1:
        return f"There is no “{'.'.join(rest)}” in the environment: this portal sets nothing there."
    return ""


def _check_skeletons(reader: _Reader) -> None:
    for index, step in enumerate(reader.spec["steps"]):
        url = (step.get("input") or {}).get("url")
        if not step["action"].startswith("fetch:") or not isinstance(url, str):
            continue
        place: Path = ("spec", "steps", index, "input", "url")
        try:
            folder = source_folder(url.partition("${{")[0].rpartition("/")[0] if "${{" in url else url)
        except Refusal as refusal:
            reader.find(place, refusal.text)
            continue
        source = within(reader.bundle, folder)
        if not source:
            reader.find(place, f"The golden path has no folder “{folder or './'}”.")
        elif step["action"] == "fetch:template":
            _check_skeleton(reader, step.get("input") or {}, folder, source, place)


def _check_skeleton(
    reader: _Reader, step_input: Mapping[str, Any], folder: str, source: Mapping[str, File], place: Path
) -> None:
    values = step_input.get("values")
    known = set(values) if isinstance(values, Mapping) else None
    cookiecutter = bool(step_input.get("cookiecutterCompat"))
    options = Options(
        trim_blocks=bool(step_input.get("trimBlocks")),
        lstrip_blocks=bool(step_input.get("lstripBlocks")),
        cookiecutter=cookiecutter,
    )
    try:
        plan = RenderPlan(source, step_input)
    except Refusal as refusal:
        reader.find(place, refusal.text)
        return
    prefix = f"{folder_of(reader.path)}/" if folder_of(reader.path) else ""
    jobs: list[RenderJob] = []
    for path in source:
        shown = f"{prefix}{folder}/{path}" if folder else f"{prefix}{path}"
        jobs.append(RenderJob("" if path in plan.keep_names else path, shown))
        jobs.append(RenderJob(plan.text(path) or "", shown))
    for job, checked in zip(jobs, check_texts(jobs, options), strict=True):
        reader.findings += [_finding(job.path, line, sentence) for sentence, line in checked.problems]
        reader.findings += [
            _finding(job.path, read.line, sentence)
            for read in checked.reads
            if not read.is_guarded and (sentence := _unknown_value(read, checked, known, cookiecutter))
        ]


def _unknown_value(read: Read, checked: Checked, known: set[str] | None, cookiecutter: bool) -> str:
    root, *rest = read.path
    if root not in checked.names:
        return ""
    roots = ("values", "cookiecutter") if cookiecutter else ("values",)
    if root not in roots:
        return f"“{root}” is not a name that is known here; files of a skeleton read “values”."
    if known is not None and rest and rest[0] not in known:
        return f"The step gives no value called “{rest[0]}”."
    return ""


def refuse(findings: Iterable[Finding]) -> None:
    """Raise all findings as one refusal, when there are any."""
    found = list(findings)
    if not found:
        return
    first = found[0]
    more = f" (and {len(found) - 1} more)" if len(found) > 1 else ""
    raise InvalidTemplate(f"{first}{more}", found)


class InvalidTemplate(Invalid):
    """A golden path cannot be published; `findings` has every reason."""

    code = "invalid-template"

    def __init__(self, text: str, findings: list[Finding]) -> None:
        listed = [{"path": finding.path, "line": finding.line, "sentence": finding.sentence} for finding in findings]
        super().__init__(text, detail={"faults": listed})
        self.findings = findings


__all__ = ["Examined", "InvalidTemplate", "RenderError", "examine", "folder_of", "refuse", "step_id"]
