"""The language of golden paths: Backstage's `${{ }}` templating on Jinja's sandbox, strict about what is not defined.

Runs inside the bounded child process (`renderer.py`) and imports nothing but Jinja. Where the two engines differ the
rule is in `docs/golden-paths.md`; the tests hold the table that was measured against the original engine.
"""

import json
import re
from collections.abc import Callable, Iterable
from typing import Any, NoReturn

from jinja2 import StrictUndefined, nodes
from jinja2.ext import Extension
from jinja2.lexer import Token, TokenStream
from jinja2.parser import Parser
from jinja2.runtime import LoopContext, Macro, Undefined
from jinja2.sandbox import ImmutableSandboxedEnvironment, safe_range
from jinja2.utils import Cycler, Joiner, missing
from jinja2.visitor import NodeTransformer

from portal.goldenpaths.language import filters, methods
from portal.goldenpaths.language.values import DialectError, text_of

__all__ = ["Dialect", "DialectError", "Scope"]

_OWN_OBJECTS = (LoopContext, Macro, Cycler, Joiner)
_REGEX = re.compile(r"(?<![\w.)\]])r/((?:\\.|[^/\\\n])+)/([gimy]*)")
_VERBATIM = re.compile(r"(\{%[-+]?\s*)(end)?verbatim(\s*[-+]?%\})")
_QUOTED = re.compile(r"'(?:\\.|[^'\\])*'|\"(?:\\.|[^\"\\])*\"", re.DOTALL)


class Scope(dict[str, Any]):
    """A mapping that knows what it is called, so that a missing name can be reported with its full path."""

    def __init__(self, label: str, values: dict[str, Any]) -> None:
        super().__init__(values)
        self.label = label


class Unknown(StrictUndefined):
    """A name that means nothing here: an error wherever it is used, in words."""

    __slots__ = ()

    @property
    def _undefined_message(self) -> str:
        owner = self._undefined_obj
        if owner is missing:
            return f"“{self._undefined_name}” is not a name that is known here."
        if isinstance(owner, Scope):
            return f"There is no “{self._undefined_name}” in {owner.label}."
        return f"{_kind(owner).capitalize()} has no “{self._undefined_name}”."

    def _fail_with_undefined_error(self, *args: Any, **kwargs: Any) -> NoReturn:
        raise DialectError(self._undefined_message)

    __str__ = __len__ = __iter__ = __bool__ = __eq__ = __ne__ = __hash__ = __contains__ = _fail_with_undefined_error
    __add__ = __radd__ = __sub__ = __rsub__ = __mul__ = __rmul__ = __truediv__ = __rtruediv__ = (
        _fail_with_undefined_error
    )
    __floordiv__ = __rfloordiv__ = __mod__ = __rmod__ = __pos__ = __neg__ = __call__ = __getitem__ = (
        _fail_with_undefined_error
    )
    __lt__ = __le__ = __gt__ = __ge__ = __int__ = __float__ = __complex__ = __pow__ = __rpow__ = (
        _fail_with_undefined_error
    )


class JsOperators(Extension):
    """`===` and `!==` mean `==` and `!=`; `null` means `none`; regular expressions are written r/…/flags."""

    def preprocess(self, source: str, name: str | None, filename: str | None = None) -> str:
        source = _VERBATIM.sub(lambda m: f"{m[1]}{m[2] or ''}raw{m[3]}", source)
        if "r/" not in source:
            return source
        return re.sub(r"\$\{\{.*?\}\}|\{%.*?%\}", lambda m: _with_regexes(m[0]), source, flags=re.DOTALL)

    def filter_stream(self, stream: TokenStream) -> Iterable[Token]:
        previous = ""
        for token in stream:
            if token.type == "assign" and previous in ("eq", "ne"):
                previous = token.type
                continue
            if token.type == "name" and token.value == "null" and previous != "dot":
                token = Token(token.lineno, "name", "none")
            previous = token.type
            yield token


def _with_regexes(segment: str) -> str:
    """Replace r/…/g by a call, outside quoted text only."""
    parts: list[str] = []
    end = 0
    for quoted in _QUOTED.finditer(segment):
        parts += [_REGEX.sub(_regex_call, segment[end : quoted.start()]), quoted[0]]
        end = quoted.end()
    return "".join([*parts, _REGEX.sub(_regex_call, segment[end:])])


def _regex_call(match: re.Match[str]) -> str:
    return f"__regex({json.dumps(match[1])}, {json.dumps(match[2])})"


class SwitchTag(Extension):
    """{% switch x %}{% case 1 %}…{% default %}…{% endswitch %}; an empty case falls through to the next."""

    tags = {"switch"}

    def parse(self, parser: Parser) -> nodes.Node:
        lineno = next(parser.stream).lineno
        subject = parser.parse_expression()
        parser.parse_statements(("name:case", "name:default", "name:endswitch"))
        tests: list[nodes.Expr] = []
        cases: list[nodes.If] = []
        otherwise: list[nodes.Node] = []
        while not parser.stream.current.test("name:endswitch"):
            is_case = next(parser.stream).value == "case"
            if is_case:
                tests.append(nodes.Compare(subject, [nodes.Operand("eq", parser.parse_expression())], lineno=lineno))
            body = parser.parse_statements(("name:case", "name:default", "name:endswitch"))
            if not is_case:
                otherwise = body
            elif body and tests:
                test = tests[0]
                for other in tests[1:]:
                    test = nodes.Or(test, other, lineno=lineno)
                cases.append(nodes.If(test, body, [], [], lineno=lineno))
                tests = []
        next(parser.stream)
        if not cases:
            return nodes.Scope(otherwise, lineno=lineno)
        first, *rest = cases
        return nodes.If(first.test, first.body, rest, otherwise, lineno=lineno)


class _Rewrite(NodeTransformer):
    """Give Jinja's syntax tree the meaning that the original engine gives the same text."""

    def visit_For(self, node: nodes.For) -> nodes.Node:
        self.generic_visit(node)
        if isinstance(node.target, nodes.Tuple) and len(node.target.items) == 2:
            node.iter = nodes.Filter(node.iter, "__pairs", [], [], None, None, lineno=node.lineno)
        else:
            node.iter = nodes.Filter(node.iter, "__items", [], [], None, None, lineno=node.lineno)
        return node

    def visit_Concat(self, node: nodes.Concat) -> nodes.Node:
        self.generic_visit(node)
        items = nodes.List(node.nodes, lineno=node.lineno)
        return nodes.Filter(items, "__concat", [], [], None, None, lineno=node.lineno)

    def visit_CondExpr(self, node: nodes.CondExpr) -> nodes.Node:
        self.generic_visit(node)
        if node.expr2 is None:
            node.expr2 = nodes.Const("", lineno=node.lineno)
        return node

    def visit_Dict(self, node: nodes.Dict) -> nodes.Node:
        self.generic_visit(node)
        for pair in node.items:
            if isinstance(pair.key, nodes.Name):  # {a: 1} names its key, as in JavaScript
                pair.key = nodes.Const(pair.key.name, lineno=pair.lineno)
        return node


class Dialect(ImmutableSandboxedEnvironment):
    """The environment: no attribute of a Python object is reachable, only keys, items and a table of methods."""

    intercepted_binops = frozenset({"+", "-", "*", "/", "//", "%", "**"})

    def __init__(
        self,
        *,
        trim_blocks: bool = False,
        lstrip_blocks: bool = False,
        cookiecutter: bool = False,
        newline: str = "\n",
        names: dict[str, Callable[..., Any]] | None = None,
    ) -> None:
        super().__init__(
            variable_start_string="{{" if cookiecutter else "${{",
            trim_blocks=trim_blocks,
            lstrip_blocks=lstrip_blocks,
            newline_sequence=newline,
            keep_trailing_newline=True,
            undefined=Unknown,
            finalize=text_of,
            extensions=[JsOperators, SwitchTag],
            autoescape=False,
            cache_size=0,
            loader=None,
        )
        self.filters = filters.table(self.filters, cookiecutter=cookiecutter)
        self.globals = {"range": safe_range, "cycler": Cycler, "joiner": Joiner, "__regex": filters.regex}
        self.globals.update(names or {})

    def _parse(self, source: str, name: str | None, filename: str | None) -> nodes.Template:
        tree = super()._parse(source, name, filename)
        rewritten: nodes.Template = _Rewrite().visit(tree)
        return rewritten

    def getattr(self, obj: Any, attribute: str) -> Any:
        if isinstance(obj, dict) and attribute in obj:
            return obj[attribute]
        if obj is None:
            return None  # an unanswered question has unanswered parts
        if isinstance(obj, _OWN_OBJECTS):
            return super().getattr(obj, attribute)
        if isinstance(obj, Undefined):
            return obj._fail_with_undefined_error()
        method = methods.member(obj, attribute)
        return self.undefined(obj=obj, name=attribute) if method is None else method

    def getitem(self, obj: Any, argument: Any) -> Any:
        if isinstance(argument, str):
            return self.getattr(obj, argument)
        if isinstance(obj, (list, tuple, str)) and isinstance(argument, int):
            return obj[argument] if -len(obj) <= argument < len(obj) else self.undefined(obj=obj, name=str(argument))
        if isinstance(obj, dict) and str(argument) in obj:
            return obj[str(argument)]
        return None if obj is None else self.undefined(obj=obj, name=str(argument))

    def call_binop(self, context: Any, operator: str, left: Any, right: Any) -> Any:
        if operator == "+" and (isinstance(left, str) or isinstance(right, str)):
            return text_of(left) + text_of(right)
        for side in (left, right):
            if isinstance(side, Undefined):
                side._fail_with_undefined_error()
            if not isinstance(side, (int, float)):
                raise DialectError(f"“{operator}” works on numbers; one side is {_article(side)}.")
        if operator == "**" and (abs(left) > 10_000 or abs(right) > 64):
            raise DialectError("A power is limited to bases up to 10,000 and exponents up to 64.")
        if operator in ("/", "//", "%") and right == 0:
            raise DialectError("Division by zero.")
        return super().call_binop(context, operator, left, right)


def _kind(value: Any) -> str:
    kinds: list[tuple[type, str]] = [(str, "the text"), (list, "the list"), (dict, "the object")]
    return next((word for kind, word in kinds if isinstance(value, kind)), "the value")


def _article(value: Any) -> str:
    return "empty" if value is None else _kind(value).replace("the text", "text").replace("the ", "a ")
