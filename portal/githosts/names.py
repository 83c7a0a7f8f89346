"""What a repository may be called, and where one of that name lies on disk."""

import re
from pathlib import Path

from portal.kit.errors import NotFound

NAME = re.compile(r"^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$")


def repository_path(root: Path, organisation_id: int, name: str) -> Path:
    """Where a repository lives. The name is checked again here, the last place before the disk."""
    if not NAME.match(name):
        raise NotFound("There is no such repository.")
    return root / str(int(organisation_id)) / f"{name}.git"
