"""The golden paths that come with the product, read from their folders."""

from pathlib import Path

from portal.goldenpaths.files import File, Workspace, checked

FOLDER = Path(__file__).with_name("shipped")


def names() -> list[str]:
    return sorted(folder.name for folder in FOLDER.iterdir() if (folder / "template.yaml").is_file())


def read(name: str) -> Workspace:
    """The files of one shipped path."""
    root = FOLDER / name
    found = [path for path in root.rglob("*") if path.is_file() and "__pycache__" not in path.parts]
    return checked(
        {path.relative_to(root).as_posix(): File(path.read_bytes(), path.stat().st_mode & 0o777) for path in found}
    )
