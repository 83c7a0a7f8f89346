"""The one place where what somebody wrote becomes what a page shows: what turns or hides text is made visible.

Titles, names and descriptions come from files, clusters, git hosts and people. With a right-to-left override or a
zero-width space one of them can be drawn as another. They are kept and given to programs as they are; a template never
draws them raw. Django renders every `{{ value }}` through one function, and has no other place to say so once.

What a form carries back is not drawn: the value of a control (`value="{{ x }}"`, `<textarea>{{ x }}</textarea>`) is the
text as it is, or saving an unchanged form would save numbers. Which variables these are is seen as a template is read.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any

from django.template import base, defaulttags
from django.template.context import Context
from django.utils.safestring import SafeData

from portal.kit.paths import visible_text

_plainly = base.render_value_in_context
_add_plainly = base.Parser.extend_nodelist
_VALUE = re.compile(r"""\svalue=["']?$""")
_AREA_ENDS = re.compile(r"\s*</textarea", re.IGNORECASE)


class CarriedNode(base.VariableNode):
    """A variable that is what a control holds: escaped, and else as it is."""

    def render(self, context: Context) -> str:
        """The text that a browser sends back when nobody changes it."""
        return _plainly(self.filter_expression.resolve(context), context)


def add(parser: Any, nodelist: Any, node: Any, token: Any) -> None:
    """Takes a node into a template that is being read; one that is a control's value becomes a CarriedNode."""
    before = nodelist[-1] if nodelist else None
    _add_plainly(parser, nodelist, node, token)
    if type(node) is base.VariableNode:
        in_value = isinstance(before, base.TextNode) and _VALUE.search(before.s)
        if in_value or _ends_an_area(reversed(parser.tokens)):
            node.__class__ = CarriedNode


def _ends_an_area(coming: Iterable[Any]) -> bool:
    """Whether nothing but ends of blocks stands between here and the end of a text area."""
    for token in coming:
        if token.token_type == base.TokenType.TEXT:
            return bool(_AREA_ENDS.match(token.contents))
        if token.token_type != base.TokenType.BLOCK or not token.contents.startswith("end"):
            return False
    return False


def show(value: Any, context: Context) -> str:
    """What Django makes of a value, drawn as it is written. What is HTML already was made visible where it was made."""
    if isinstance(value, str) and not isinstance(value, SafeData) and not value.isascii():
        value = visible_text(value)
    return _plainly(value, context)


def install() -> None:
    """For this process; does nothing the second time."""
    for module in (base, defaulttags):
        vars(module)["render_value_in_context"] = show
    base.Parser.extend_nodelist = add  # type: ignore[method-assign, assignment]
