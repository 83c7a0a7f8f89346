"""Fetches the pinned front-end files with npm and writes them under static/vendor/ and tests/e2e/vendor/.

Run it after changing a version below: `.venv/bin/python scripts/vendor.py`. It needs npm and its configured registry;
the product itself needs neither, since what is written here is committed.
"""

import re
import shutil
import subprocess
import sys
import tarfile
import tempfile
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from portal.kit.icons import sprite  # noqa: E402

STATIC = ROOT / "static" / "vendor"
FOR_TESTS = ROOT / "tests" / "e2e" / "vendor"
ICON_NAMES = Path(__file__).with_name("icons.txt")
# The maps are not shipped, and hashed static storage refuses a reference to a missing file.
SOURCE_MAP = re.compile(rb"\s*(/\*|//)# sourceMappingURL=[^\n*]*(\*/)?\s*$")


@dataclass(frozen=True)
class Package:
    """One npm package at one version, and which of its files go where (source path -> file name)."""

    name: str
    version: str
    licence: str
    folder: str
    files: dict[str, str]
    into: Path = STATIC


def icon_files() -> dict[str, str]:
    """The icons listed in icons.txt: path inside the package -> file name."""
    names = [line.strip() for line in ICON_NAMES.read_text().splitlines() if line.strip() and not line.startswith("#")]
    files = {}
    for name in names:
        drawing = f"filled/{name.removesuffix('-filled')}" if name.endswith("-filled") else f"outline/{name}"
        files[f"icons/{drawing}.svg"] = f"{name}.svg"
    return files


PACKAGES = [
    Package("@tabler/core", "1.6.1", "MIT", "tabler", {"dist/css/tabler.min.css": "tabler.min.css"}),
    Package("@tabler/icons", "3.51.0", "MIT", "tabler-icons", icon_files() | {"LICENSE": "LICENSE"}),
    Package("idiomorph", "0.8.0", "0BSD", "idiomorph", {"dist/idiomorph-ext.min.js": "idiomorph-ext.min.js"}),
    Package(
        "@fontsource-variable/geist",
        "5.3.0",
        "OFL-1.1",
        "geist",
        {
            "files/geist-latin-wght-normal.woff2": "geist-latin.woff2",
            "files/geist-latin-ext-wght-normal.woff2": "geist-latin-ext.woff2",
            "LICENSE": "LICENSE",
        },
    ),
    Package(
        "@fontsource-variable/jetbrains-mono",
        "5.3.0",
        "OFL-1.1",
        "jetbrains-mono",
        {"files/jetbrains-mono-latin-wght-normal.woff2": "jetbrains-mono-latin.woff2", "LICENSE": "LICENSE"},
    ),
    Package("axe-core", "4.14.1", "MPL-2.0", "axe-core", {"axe.min.js": "axe.min.js"}, into=FOR_TESTS),
]


def fetch(package: Package, into: Path) -> Path:
    """Downloads and unpacks the package under `into`; returns the folder that holds its files."""
    answer = subprocess.run(
        ["npm", "pack", "--silent", "--pack-destination", str(into), f"{package.name}@{package.version}"],
        check=True,
        capture_output=True,
        text=True,
    )
    archive = into / answer.stdout.strip().splitlines()[-1]
    unpacked = into / package.folder
    with tarfile.open(archive) as tar:
        tar.extractall(unpacked, filter="data")
    return unpacked / "package"


def write(package: Package, source: Path) -> None:
    """Replaces the package's folder with the files it asks for."""
    folder = package.into / package.folder
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    for inside, name in package.files.items():
        content = (source / inside).read_bytes()
        if name.endswith((".css", ".js")):
            content = SOURCE_MAP.sub(b"\n", content)
        (folder / name).write_bytes(content)


def note_versions(into: Path) -> None:
    """Writes VERSIONS.txt: what lies here, from where, under which licence."""
    lines = [f"{p.folder}: {p.name} {p.version} ({p.licence})" for p in PACKAGES if p.into == into]
    (into / "VERSIONS.txt").write_text("\n".join(["# written by scripts/vendor.py", *sorted(lines)]) + "\n")


def main() -> int:
    """Fetches everything; a missing file in a package is an error, nothing is skipped."""
    with tempfile.TemporaryDirectory() as scratch:
        for package in PACKAGES:
            write(package, fetch(package, Path(scratch)))
            sys.stdout.write(f"{package.name} {package.version}\n")
    for into in (STATIC, FOR_TESTS):
        note_versions(into)
    (STATIC.parent / "icons.svg").write_text(sprite(STATIC / "tabler-icons"))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
