"""Drawings of the vendored Tabler icons, read once and written into the page."""

import functools
import re

from django.conf import settings
from django.utils.html import format_html
from django.utils.safestring import SafeString, mark_safe

# Drawn for a name that is not vendored: the page still says what it says, the test suite names the template.
FALLBACK = "square-rounded"
NAME = re.compile(r"^[a-z0-9-]{1,60}$")
OPENING = re.compile(r"^<svg[^>]*>\s*(<path stroke=\"none\"[^>]*/>)?", re.S)


@functools.cache
def drawing(name: str) -> str | None:
    """The inside of the icon's <svg>, or None for a name that scripts/icons.txt does not list."""
    if not NAME.match(name):
        return None
    path = settings.BASE_DIR / "static" / "vendor" / "tabler-icons" / f"{name}.svg"
    if not path.is_file():
        return None
    inside = OPENING.sub("", path.read_text().strip()).removesuffix("</svg>")
    return " ".join(inside.split())


def svg(name: str, classes: str = "") -> SafeString:
    """A decorative icon: hidden from screen readers, coloured by the text around it."""
    paths = drawing(name) or drawing(FALLBACK) or ""
    filled = " icon-filled" if name.endswith("-filled") else ""
    # The drawing is a file of ours, never input.
    return format_html(
        '<svg class="icon{}{}" viewBox="0 0 24 24" aria-hidden="true" focusable="false">{}</svg>',
        filled,
        f" {classes}" if classes else "",
        mark_safe(paths),  # noqa: S308
    )
