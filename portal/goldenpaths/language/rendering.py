"""Rendering of templates in a bounded child process each: text in, text or data out, mistakes with a line."""

import json
import signal
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from portal.goldenpaths.language.children import CHILDREN
from portal.goldenpaths.language.renderer import NO_MEMORY, TOO_MUCH_OUTPUT
from portal.kit.errors import Invalid, TooLarge

MAX_REQUEST_BYTES = 32 * 1024 * 1024
MAX_ANSWER_BYTES = 48 * 1024 * 1024
MARKS = ("${{", "{%", "{#")


class RenderError(Invalid):
    """A template cannot be rendered: what is wrong, in which file (or step), on which line."""

    code = "render-error"

    def __init__(self, sentence: str, path: str = "", line: int = 0) -> None:
        where = f"{path}, line {line}: " if path and line else f"{path}: " if path else ""
        super().__init__(f"{where}{sentence}", detail={"path": path, "line": line})
        self.sentence = sentence
        self.path = path
        self.line = line


@dataclass(frozen=True, slots=True)
class Options:
    """How text is read: Jinja's block trimming, cookiecutter's delimiters, and what `failure()` answers."""

    trim_blocks: bool = False
    lstrip_blocks: bool = False
    cookiecutter: bool = False
    failed: bool = False


@dataclass(frozen=True, slots=True)
class RenderJob:
    """One text to render. `native`: a text that is exactly one interpolation keeps its value's own type.

    `path` and `line` say where the text stands, for errors.
    """

    text: str
    path: str = ""
    line: int = 1
    native: bool = False


@dataclass(frozen=True, slots=True)
class Read:
    """A chain of names that a text reads, such as ("parameters", "name"); guarded by `default` or `defined`."""

    path: tuple[str, ...]
    line: int
    is_guarded: bool


@dataclass(frozen=True, slots=True)
class Checked:
    """What is wrong with one text without running it, and the names it reads."""

    problems: tuple[tuple[str, int], ...]
    names: frozenset[str] = frozenset()
    reads: tuple[Read, ...] = ()


def is_template(text: str, options: Options = Options()) -> bool:
    """Whether a text holds anything to render at all."""
    return ("{{" in text and options.cookiecutter) or any(mark in text for mark in MARKS)


def render_tree(jobs: Sequence[RenderJob], context: Mapping[str, Any], options: Options = Options()) -> list[Any]:
    """The rendered texts, in order. Raises RenderError for the first that fails."""
    results: list[Any] = [job.text for job in jobs]
    live = [index for index, job in enumerate(jobs) if is_template(job.text, options)]
    if not live:
        return results
    request = {
        "kind": "render",
        "context": dict(context),
        "options": _options(options),
        "jobs": [{"text": jobs[index].text, "native": jobs[index].native} for index in live],
    }
    places = [jobs[index] for index in live]
    for index, answer in zip(live, _ask(request, places), strict=True):
        if "error" in answer:
            job = jobs[index]
            raise RenderError(answer["error"], job.path, job.line + answer["line"] - 1)
        results[index] = answer["value"]
    return results


def render_text(text: str, context: Mapping[str, Any]) -> str:
    """One text, rendered. Raises RenderError."""
    return str(render_tree([RenderJob(text)], context)[0])


def render_value(value: Any, context: Mapping[str, Any], *, path: str = "", options: Options = Options()) -> Any:
    """The value with every text in it rendered; the structure, and all that is not text, stays as it is."""
    texts: list[RenderJob] = []
    _collect(value, texts, path)
    rendered = iter(render_tree(texts, context, options))
    return _rebuild(value, rendered)


def check_texts(jobs: Sequence[RenderJob], options: Options = Options()) -> list[Checked]:
    """Syntax, filters, tests and names of each text, without running any of it."""
    answers = [Checked(())] * len(jobs)
    live = [index for index, job in enumerate(jobs) if is_template(job.text, options)]
    if not live:
        return answers
    request = {"kind": "check", "options": _options(options), "jobs": [{"text": jobs[index].text} for index in live]}
    for index, answer in zip(live, _ask(request, [jobs[index] for index in live]), strict=True):
        answers[index] = _checked(answer, jobs[index].line - 1)
    return answers


def matches(pairs: Iterable[tuple[str, str]]) -> list[bool | None]:
    """Whether each (pattern, text) matches anywhere; None for a pattern that is not a regular expression.

    In the child, because a pattern may backtrack for ever.
    """
    jobs = [{"pattern": pattern, "text": text} for pattern, text in pairs]
    if not jobs:
        return []
    return [
        answer.get("value")
        for answer in _ask({"kind": "match", "jobs": jobs}, [RenderJob(job["text"]) for job in jobs])
    ]


def _options(options: Options) -> dict[str, bool]:
    return {
        "trim_blocks": options.trim_blocks,
        "lstrip_blocks": options.lstrip_blocks,
        "cookiecutter": options.cookiecutter,
        "failed": options.failed,
    }


def _checked(answer: Mapping[str, Any], offset: int) -> Checked:
    if "error" in answer:
        return Checked(((answer["error"], answer["line"] + offset),))
    value = answer["value"]
    return Checked(
        tuple((problem["error"], problem["line"] + offset) for problem in value["problems"]),
        frozenset(value["names"]),
        tuple(Read(tuple(read["path"]), read["line"] + offset, read["guarded"]) for read in value["reads"]),
    )


def _collect(value: Any, texts: list[RenderJob], path: str) -> None:
    if isinstance(value, str):
        texts.append(RenderJob(value, path, native=True))
    elif isinstance(value, Mapping):
        for key, item in value.items():
            texts.append(RenderJob(str(key), path))
            _collect(item, texts, f"{path}.{key}" if path else str(key))
    elif isinstance(value, (list, tuple)):
        for index, item in enumerate(value):
            _collect(item, texts, f"{path}[{index}]")


def _rebuild(value: Any, rendered: Any) -> Any:
    if isinstance(value, str):
        return next(rendered)
    if isinstance(value, Mapping):
        return {next(rendered): _rebuild(item, rendered) for item in value.values()}
    if isinstance(value, (list, tuple)):
        return [_rebuild(item, rendered) for item in value]
    return value


def _ask(request: Mapping[str, Any], jobs: Sequence[RenderJob]) -> list[dict[str, Any]]:
    """Have a child of its own answer the request; every way it can die is a sentence."""
    payload = json.dumps(request, default=str).encode()
    if len(payload) > MAX_REQUEST_BYTES:
        raise TooLarge(f"The templates and answers are larger than {MAX_REQUEST_BYTES // 1024 // 1024} MiB together.")
    ended = CHILDREN.ask(payload, MAX_ANSWER_BYTES)
    if ended.code != 0:
        raise RenderError(_death(ended.code), _common_path(jobs))
    results: list[dict[str, Any]] = json.loads(ended.answer)["results"]
    return results


_DEATHS = {
    -signal.SIGALRM: "Rendering took too long and was stopped.",
    -signal.SIGXCPU: "Rendering took too long and was stopped.",
    TOO_MUCH_OUTPUT: "Rendering wrote more output than a template may, and was stopped.",
    NO_MEMORY: "Rendering needed more memory than a template may use, and was stopped.",
}


def _death(code: int | None) -> str:
    """How a child ended, as what it is: only the template's own excesses are blamed on the template."""
    if code in _DEATHS:
        return _DEATHS[code]
    if code is None:
        return "Rendering was interrupted twice from outside. Try again."
    if code < 0:
        return (
            f"Rendering was killed from outside ({signal.Signals(-code).name}), perhaps for want of memory. Try again."
        )
    return "Rendering ended by a fault of the portal's own, not of the template."


def _common_path(jobs: Sequence[RenderJob]) -> str:
    paths = {job.path for job in jobs}
    return paths.pop() if len(paths) == 1 else ""
