"""The one place where what somebody wrote becomes what a page shows: what turns or hides text is made visible.

Titles, names and descriptions come from files, clusters, git hosts and people. With a right-to-left override or a
zero-width space one of them can be drawn as another. They are kept and given to programs as they are; a template never
draws them raw. Django renders every `{{ value }}` through one function, and has no other place to say so once.
"""

from __future__ import annotations

from typing import Any

from django.template import base, defaulttags
from django.template.context import Context
from django.utils.safestring import SafeData

from portal.kit.paths import visible_text

_plainly = base.render_value_in_context


def show(value: Any, context: Context) -> str:
    """What Django makes of a value, drawn as it is written. What is HTML already was made visible where it was made."""
    if isinstance(value, str) and not isinstance(value, SafeData) and not value.isascii():
        value = visible_text(value)
    return _plainly(value, context)


def install() -> None:
    """For this process; does nothing the second time."""
    for module in (base, defaulttags):
        vars(module)["render_value_in_context"] = show
