"""What the rendering child does with one text: render it, or say what is wrong with it and which names it uses."""

import re
from collections.abc import Iterator
from functools import lru_cache
from types import TracebackType
from typing import Any

from jinja2 import TemplateError, TemplateSyntaxError, meta, nodes
from jinja2.environment import Template

from portal.goldenpaths.language.dialect import Dialect, DialectError, Scope
from portal.goldenpaths.language.values import plain

# A mistake in a template ends as one of these when it runs; anything else is our bug and ends the process.
MISTAKES = (TemplateError, DialectError, TypeError, ValueError, KeyError, IndexError, AttributeError, ArithmeticError)


def perform(request: dict[str, Any], job: dict[str, Any]) -> dict[str, Any]:
    """One job's answer: {"value": …}, or {"error": sentence, "line": n}."""
    try:
        if request["kind"] == "check":
            return {"value": _check(request, job["text"])}
        return {"value": _render(request, job)}
    except TemplateSyntaxError as error:
        return {"error": _syntax(error), "line": error.lineno}
    except MISTAKES as error:
        return {"error": _sentence(error), "line": _line(error.__traceback__)}


def warm() -> None:
    """Use each part once, failures included, so that nothing is left to import when files can no longer be opened."""
    request = {"kind": "render", "options": {}, "context": {"a": {"b": [1.5, "é", None]}}}
    for text in (
        "${{ 'x' | dump }}{% for k, v in a %}${{ k ~ loop.index }}{% endfor %}",
        "${{ a.c }}|",
        "${{ a | no }}",
        "{%",
    ):
        perform(request, {"text": text, "native": True})
        perform(request | {"kind": "check"}, {"text": text})


@lru_cache(maxsize=8)
def _dialect(trim_blocks: bool, lstrip_blocks: bool, cookiecutter: bool, newline: str, failed: bool) -> Dialect:
    names = {"always": lambda: True, "failure": lambda: failed}
    return Dialect(
        trim_blocks=trim_blocks, lstrip_blocks=lstrip_blocks, cookiecutter=cookiecutter, newline=newline, names=names
    )


def _for(request: dict[str, Any], text: str) -> Dialect:
    options = request["options"]
    newline = "\r\n" if "\r\n" in text and text.count("\r\n") == text.count("\n") else "\n"
    return _dialect(
        options.get("trim_blocks", False),
        options.get("lstrip_blocks", False),
        options.get("cookiecutter", False),
        newline,
        options.get("failed", False),
    )


def _render(request: dict[str, Any], job: dict[str, Any]) -> Any:
    dialect = _for(request, job["text"])
    tree = dialect._parse(job["text"], None, "<template>")
    context = {name: _scoped(name, value) for name, value in request["context"].items()}
    sole = _sole_expression(tree) if job.get("native") else None
    if sole is None:
        return Template.from_code(dialect, _compiled(dialect, tree), dialect.make_globals(None)).render(context)
    assign = nodes.Assign(nodes.Name("__result", "store"), sole, lineno=sole.lineno)
    body = nodes.Template([assign], lineno=1)
    module = Template.from_code(dialect, _compiled(dialect, body), dialect.make_globals(None))
    variables = module.new_context(context)
    for _ in module.root_render_func(variables):
        pass
    return plain(variables.vars["__result"])


def _compiled(dialect: Dialect, tree: nodes.Template) -> Any:
    tree.set_environment(dialect)
    return dialect.compile(tree, None, "<template>")


def _scoped(name: str, value: Any) -> Any:
    return Scope(name, value) if isinstance(value, dict) else value


def _sole_expression(tree: nodes.Template) -> nodes.Expr | None:
    """The expression of a text that is exactly one interpolation: it keeps its own type."""
    if len(tree.body) != 1 or not isinstance(tree.body[0], nodes.Output):
        return None
    parts = tree.body[0].nodes
    if len(parts) != 1 or isinstance(parts[0], nodes.TemplateData):
        return None
    return parts[0]


_FORBIDDEN = (nodes.Include, nodes.Import, nodes.FromImport, nodes.Extends)


def _check(request: dict[str, Any], text: str) -> dict[str, Any]:
    """Problems of one text that show without running it, and the names that it reads."""
    dialect = _for(request, text)
    tree = dialect._parse(text, None, "<template>")
    problems = [
        {"error": f"“{type(node).__name__.lower()}” is not available in golden paths.", "line": node.lineno}
        for node in tree.find_all(_FORBIDDEN)
    ]
    problems += [
        {"error": f"There is no filter called “{node.name}”.", "line": node.lineno}
        for node in tree.find_all(nodes.Filter)
        if node.name not in dialect.filters
    ]
    problems += [
        {"error": f"There is no test called “{node.name}”.", "line": node.lineno}
        for node in tree.find_all(nodes.Test)
        if node.name not in dialect.tests
    ]
    if not problems:
        dialect.compile(tree, None, "<template>")
    names = meta.find_undeclared_variables(tree) - set(dialect.globals)
    return {"problems": problems, "names": sorted(names), "reads": list(_reads(tree))}


def _reads(tree: nodes.Template) -> Iterator[dict[str, Any]]:
    """Each chain of names such as `steps.publish.output.remoteUrl`, longest form, with whether it is guarded."""
    guarded: set[int] = set()
    for guard in tree.find_all((nodes.Filter, nodes.Test)):
        if guard.name in ("default", "d", "defined", "undefined") and guard.node is not None:
            guarded.add(id(guard.node))
    links: tuple[type[Any], ...] = (nodes.Getattr, nodes.Getitem)
    inner = {id(node.node) for node in tree.find_all(links)}
    for node in tree.find_all((nodes.Getattr, nodes.Getitem, nodes.Name)):
        chain = _chain(node)
        if chain and id(node) not in inner:
            yield {"path": chain, "line": node.lineno, "guarded": id(node) in guarded}


def _chain(node: nodes.Node) -> list[str]:
    if isinstance(node, nodes.Name):
        return [node.name] if node.ctx == "load" else []
    if isinstance(node, nodes.Getattr):
        return [*before, node.attr] if (before := _chain(node.node)) else []
    if isinstance(node, nodes.Getitem):
        before = _chain(node.node)
        if before and isinstance(node.arg, nodes.Const) and isinstance(node.arg.value, str):
            return [*before, node.arg.value]
        return []
    return []


def _syntax(error: TemplateSyntaxError) -> str:
    message = (error.message or "syntax error").rstrip(".")
    if missing := re.match(r"No (filter|test) named '(.+?)'", message):
        return f"There is no {missing[1]} called “{missing[2]}”."
    return f"The template does not parse: {message}."


def _sentence(error: Exception) -> str:
    if isinstance(error, DialectError):
        return str(error)
    return f"The expression cannot be worked out: {str(error).rstrip('.')}."


def _line(traceback: TracebackType | None) -> int:
    """The template line of an error: Jinja rewrites the frames of compiled templates to their source's lines."""
    line = 1
    while traceback is not None:
        if traceback.tb_frame.f_code.co_filename == "<template>":
            line = traceback.tb_lineno
        traceback = traceback.tb_next
    return line
