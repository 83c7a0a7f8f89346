"""A repository of acme's, and tokens to reach it with."""

from __future__ import annotations

import os
import secrets
import shutil
import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings
from django.utils import timezone

from portal.accounts.access import digest_of
from portal.accounts.actor import Actor
from portal.accounts.models import ApiToken
from portal.accounts.tenancy import tenant
from portal.githosts.hosts import HOSTS
from portal.githosts.protocol import Author, Repo

WHEN = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
ADA = Author("Ada", "ada@acme.example")


@dataclass(frozen=True)
class Plain:
    content: bytes
    mode: int = 0o644


FILES = {
    "README.md": Plain(b"# Checkout\n\nTakes the *money*.\n"),
    "bin/run": Plain(b"#!/bin/sh\necho run\n", 0o755),
    "src/app/main.py": Plain(b"def main():\n    return 1 < 2\n"),
    "logo.png": Plain(b"\x89PNG\r\n\x1a\n\x00\x00"),
    "empty.txt": Plain(b""),
    "page.html": Plain(b"<script>alert(1)</script>\n"),
}


@pytest.fixture(autouse=True)
def no_repositories_of_earlier_runs() -> None:
    """Every run numbers organisations anew; folders of the last one would look like leftovers of this one."""
    shutil.rmtree(settings.GIT_ROOT, ignore_errors=True)


def make_repository(organisation: Any, name: str = "checkout", files=FILES, **changes: Any) -> Repo:
    host = HOSTS["slipway"]
    wanted = {
        "description": "Takes the money",
        "owner_ref": "group:default/payments",
        "marker": "run:1",
        "actor": Actor.slipway(),
    }
    repo = host.create_repository(organisation, name=name, **{**wanted, **changes})
    if files:
        host.push_tree(repo, files, message="First", author=ADA, when=WHEN)
    return repo


@pytest.fixture
def token_for() -> Callable[..., str]:
    """token_for(user, organisation, scopes, …) -> the secret."""

    def make(user: Any, organisation: Any, *scopes: str, **changes: Any) -> str:
        secret = f"slw_{secrets.token_urlsafe(32)}"
        fields = {"expires_at": timezone.now() + timedelta(days=1), **changes}
        with tenant(organisation):
            ApiToken.objects.create(
                organisation=organisation,
                user=user,
                name="test",
                prefix=secret[:12],
                digest=digest_of(secret),
                scopes=list(scopes),
                **fields,
            )
        return secret

    return make


def git(*args: str, cwd: Path, **more: str) -> subprocess.CompletedProcess[str]:
    """Git as a person runs it, without anything of this machine's configuration."""
    env = {**os.environ, "GIT_TERMINAL_PROMPT": "0", "GIT_CONFIG_GLOBAL": "/dev/null", "HOME": str(cwd), **more}
    who = ["-c", "user.name=Dev", "-c", "user.email=dev@acme.example", "-c", "init.defaultBranch=main"]
    return subprocess.run(["git", *who, *args], cwd=cwd, env=env, capture_output=True, text=True, timeout=120)


@pytest.fixture
def address(live_server_url: str, committed_world) -> Callable[..., str]:
    """address(secret) -> the clone URL of acme's repository with a credential in it."""
    make_repository(committed_world.acme)

    def make(secret: str = "", org: str = "acme", name: str = "checkout") -> str:
        user = f"anyone:{secret}@" if secret else ""
        return live_server_url.replace("http://", f"http://{user}") + f"/o/{org}/git/{name}.git"

    return make
