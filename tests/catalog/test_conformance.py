"""The unmodified @backstage/catalog-client against our server; skipped by name where node is not at hand.

`make test` installs it into var/npm (scripts/catalog_client.sh); CATALOG_CLIENT names another folder that has it.
"""

import json
import os
import shutil
import subprocess
import threading
from datetime import timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from django.utils.timezone import now

from catalog import actions
from portal.accounts.access import digest_of
from portal.accounts.models import ApiToken
from tests.conftest import by

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
        pytest.skip("@backstage/catalog-client is not installed (scripts/catalog_client.sh installs it)")
    return folder


TEXT = """\
apiVersion: backstage.io/v1alpha1
kind: Component
metadata: {{name: {name}}}
spec: {{type: service, lifecycle: production, owner: payments}}
"""


@pytest.fixture
def site():
    """A web server with a descriptor at each name."""

    class Site(BaseHTTPRequestHandler):
        def do_GET(self):
            self.send_response(200)
            self.end_headers()
            self.wfile.write(TEXT.format(name=self.path.strip("/").removesuffix(".yaml")).encode())

        def log_message(self, *args):
            """Tests are quiet."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Site)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.mark.parametrize("root", ["/api/o/acme/catalog", "/api/catalog"])
def test_the_unmodified_client_is_at_home(client_folder, committed_world, live_server_url, celery_worker, site, root):
    world = committed_world
    with world.tenant():
        actions.add_source(organisation=world.acme, actor=by(world.dev), kind="folder", target=str(DEMO))
        actions.write_entity(organisation=world.acme, actor=by(world.dev), text=TEXT.format(name="written-here"))
        ApiToken.objects.create(
            organisation=world.acme, user=world.dev, name="t", prefix="slw", digest=digest_of(SECRET),
            scopes=["write"], expires_at=now() + timedelta(days=1),
        )  # fmt: skip
    base = f"{live_server_url}{root}"
    argv = ["node", str(HERE / "conformance.mjs"), str(client_folder), base, SECRET, site]
    done = subprocess.run(argv, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    said = json.loads(done.stdout)
    assert said["list"] == ["hub-control-api", "sort-plan-api"]
    assert said["fields"] == [{"kind": "Component"}]
    assert said["total"] == len(said["seen"]) == len(set(said["seen"])) == 81
    assert said["seen"] == sorted(said["seen"], reverse=True)
    assert said["back"] == said["seen"][30:60]
    assert said["predicate"] == len(said["byPredicate"]) == len(set(said["byPredicate"])) == 4
    assert (said["counted"]["items"], said["counted"]["totalItems"] > 10, said["uncounted"]) == ([], True, 0)
    assert said["ordered"] == sorted(said["ordered"], reverse=True)
    assert len(said["ordered"]) == 2
    assert set(said["text"]) >= {"quote-engine", "quote-api", "quote-cache"}
    assert said["streamed"] == 24
    assert said["refs"] == ["Component", None]
    assert (said["byRef"], said["missing"], said["noLocation"]) == ("quote-engine", None, None)
    assert said["facets"] == {"kind": [{"value": "Domain", "count": 6}]}
    assert [each["value"] for each in said["facetsByPredicate"]["kind"]] == ["Domain", "System"]
    assert said["filteredRefs"] == [None, "API"]
    assert said["ancestors"] == "component:default/quote-engine"
    assert (said["invalid"], said["valid"]) == (3, True)
    assert said["analyzed"] == [[False, "one"]]
    assert said["dry"] == [False, ["one"]]
    assert said["added"] == [True, ["one"]]
    assert (said["byRefLocation"], said["queried"], said["streamedLocations"]) == (True, 1, 1)
    assert said["moved"] == [True, True]
    assert said["afterMove"] == [None, "two"]
    assert (said["conflict"], said["removed"], said["removedEntity"]) == ("ConflictError", None, None)
    assert (said["locations"], said["location"]) == (1, True)
    assert said["refused"][1] == "InputError"
    assert "private network" in said["refused"][2]
    assert said["stranger"] == "AuthenticationError"
