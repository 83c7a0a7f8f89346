"""What earlier pushes put outside branches and tags goes: replacements of objects, notes, anything unseen.

Nothing reads them any more; gone they also no longer keep objects alive, nor count as somebody's commits.
"""

import os
import subprocess
from pathlib import Path
from typing import Any

from django.conf import settings
from django.db import migrations

KEPT = ("refs/heads/", "refs/tags/", "refs/slipway/")
ENVIRONMENT = {
    "PATH": os.environ.get("PATH", "/usr/bin:/bin"),
    "HOME": "/nonexistent",
    "GIT_CONFIG_NOSYSTEM": "1",
    "GIT_CONFIG_GLOBAL": os.devnull,
    "GIT_NO_REPLACE_OBJECTS": "1",
}


def git(path: Path, *args: str) -> subprocess.CompletedProcess[bytes]:
    command = ["git", "-c", "safe.directory=*", "-c", "core.hooksPath=/dev/null", *args]
    return subprocess.run(command, cwd=path, env=ENVIRONMENT, capture_output=True, check=False)


def drop(apps: Any, schema_editor: Any) -> None:
    """Every repository on this disk; one that git cannot read stays as it is, and its page says so."""
    for path in sorted(Path(settings.GIT_ROOT).glob("*/*.git")):
        for name in git(path, "for-each-ref", "--format=%(refname)").stdout.splitlines():
            if not name.decode("utf-8", "surrogateescape").startswith(KEPT):
                git(path, "update-ref", "--no-deref", "-d", os.fsdecode(name))


class Migration(migrations.Migration):
    dependencies = [("githosts", "0006_for_search")]

    operations = [migrations.RunPython(drop, migrations.RunPython.noop, elidable=True)]
