"""The vendored Tabler icons: one file of symbols, which every page points into and a browser fetches once."""

import functools
import re
from pathlib import Path

from django.conf import settings
from django.templatetags.static import static
from django.utils.html import format_html
from django.utils.safestring import SafeString

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
    return _inside(path)


def _inside(file: Path) -> str:
    return " ".join(OPENING.sub("", file.read_text().strip()).removesuffix("</svg>").split())


def sprite(folder: Path) -> str:
    """Every drawing of a folder as symbols by name: what static/icons.svg holds. Written by scripts/vendor.py."""
    symbols = [
        f'<symbol id="{path.stem}" viewBox="0 0 24 24">{_inside(path)}</symbol>\n'
        for path in sorted(folder.glob("*.svg"))
    ]
    return f'<svg xmlns="http://www.w3.org/2000/svg">\n{"".join(symbols)}</svg>\n'


@functools.cache
def _address() -> str:
    return static("icons.svg")


@functools.lru_cache(maxsize=1024)
def svg(name: str, classes: str = "") -> SafeString:
    """A decorative icon: hidden from screen readers, coloured by the text around it."""
    known = name if drawing(name) else FALLBACK
    filled = " icon-filled" if known.endswith("-filled") else ""
    return format_html(
        '<svg class="icon{}{}" aria-hidden="true"><use href="{}#{}"/></svg>',
        filled,
        f" {classes}" if classes else "",
        _address(),
        known,
    )
