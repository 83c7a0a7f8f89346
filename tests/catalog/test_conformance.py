"""The unmodified @backstage/catalog-client against our server; skipped by name where it is not installed.

Install it anywhere: `npm install --prefix DIR @backstage/catalog-client@1.16.2`; CATALOG_CLIENT=DIR.
"""

import json
import os
import shutil
import subprocess
from datetime import timedelta
from pathlib import Path

import pytest
from django.utils.timezone import now

from catalog import actions
from portal.accounts.access import digest_of
from portal.accounts.models import ApiToken

HERE = Path(__file__).resolve().parent
DEMO = HERE.parents[1] / "demo" / "parcelwright" / "catalog"
SECRET = "slw_conformance"


@pytest.fixture
def client_folder():
    """Where the client is installed."""
    folder = Path(os.environ.get("CATALOG_CLIENT", HERE.parents[1] / "var" / "npm"))
    if shutil.which("node") is None:
        pytest.skip("node is not installed")
    if not (folder / "node_modules" / "@backstage" / "catalog-client").is_dir():
        pytest.skip("@backstage/catalog-client is not installed (CATALOG_CLIENT names its folder)")
    return folder


def test_the_unmodified_client_is_at_home(client_folder, committed_world, live_server_url):
    world = committed_world
    with world.tenant():
        actions.add_source(organisation=world.acme, actor=world.dev, kind="folder", target=str(DEMO))
        ApiToken.objects.create(
            organisation=world.acme, user=world.dev, name="t", prefix="slw", digest=digest_of(SECRET),
            scopes=["write"], expires_at=now() + timedelta(days=1),
        )  # fmt: skip
    argv = ["node", str(HERE / "conformance.mjs"), str(client_folder), f"{live_server_url}/api/o/acme/catalog", SECRET]
    done = subprocess.run(argv, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    said = json.loads(done.stdout)
    assert said["list"] == ["hub-control-api", "sort-plan-api"]
    assert said["fields"] == [{"kind": "Component"}]
    assert said["total"] == len(said["seen"]) == len(set(said["seen"])) == 80
    assert said["seen"] == sorted(said["seen"], reverse=True)
    assert said["back"] == said["seen"][30:60]
    assert said["predicate"] == 4
    assert set(said["text"]) >= {"quote-engine", "quote-api", "quote-cache"}
    assert said["streamed"] == 24
    assert said["refs"] == ["Component", None]
    assert (said["byRef"], said["missing"], said["noLocation"]) == ("quote-engine", None, None)
    assert said["facets"] == {"kind": [{"value": "Domain", "count": 6}]}
    assert said["ancestors"] == "component:default/quote-engine"
    assert said["invalid"] == 3
    assert (said["locations"], said["location"]) == (1, True)
    assert said["refused"][1] == "InputError"
    assert "private network" in said["refused"][2]
    assert said["stranger"] == "AuthenticationError"
