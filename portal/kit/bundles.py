"""Static files that every page needs, put together so that a first visit asks for few: one file in place of several.

The parts stay files of their own; a bundle is made anew whenever static files are looked for and a part has changed.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from django.conf import settings
from django.contrib.staticfiles.finders import AppDirectoriesFinder, BaseFinder, FileSystemFinder
from django.core.files.storage import FileSystemStorage

BUNDLES: Mapping[str, Sequence[str]] = {
    # All lie at the top of static/, as the bundle does: addresses within them stay right.
    "slipway.css": ("app.css", "parts.css"),
    "vendor.js": ("django_htmx/htmx-2.min.js", "vendor/idiomorph/idiomorph-ext.min.js"),
    "shell.js": ("palette.js", "live.js"),
}


class BundleFinder(BaseFinder):
    """Finds the bundles, for whoever collects static files or serves them as they lie."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        self.folder = Path(settings.VAR_DIR) / "bundles"
        self.storage = FileSystemStorage(location=self.folder)

    def check(self, **kwargs: Any) -> list[Any]:
        return []

    def find(self, path: str, find_all: bool = False, **kwargs: Any) -> Any:
        """The bundle's own path; nothing for what is none."""
        if path not in BUNDLES:
            return []
        found = str(self._made(path))
        return [found] if find_all or kwargs.get("all") else found

    def list(self, ignore_patterns: Any) -> Iterator[tuple[str, FileSystemStorage]]:
        for name in BUNDLES:
            self._made(name)
            yield name, self.storage

    def _made(self, name: str) -> Path:
        text = "\n".join(_part(part).read_text() for part in BUNDLES[name])
        file = self.folder / name
        if not file.is_file() or file.read_text() != text:
            self.folder.mkdir(parents=True, exist_ok=True)
            fresh = file.with_name(f".{name}.new")
            fresh.write_text(text)
            fresh.replace(file)
        return file


def _part(path: str) -> Path:
    found = FileSystemFinder().find(path) or AppDirectoriesFinder().find(path)
    if not found:
        raise FileNotFoundError(f"static/{path} is a part of a bundle, and is not there")
    return Path(str(found))
