"""Generated questions to our API and to the catalog client's own in-memory catalog: the answers are the same.

300 questions here; `DIFFERENTIAL=5000` before pytest asks more, `SEED=7` asks others.
Where the two may differ stands in docs/catalog.md.
"""

import json
import os
import subprocess
from datetime import timedelta
from pathlib import Path

import pytest
from django.utils.timezone import now

from catalog import actions
from portal.accounts.access import digest_of
from portal.accounts.models import ApiToken
from tests.catalog.test_conformance import DEMO, client_folder
from tests.conftest import by

__all__ = ["client_folder"]
HERE = Path(__file__).resolve().parent
SECRET = "slw_differential"
QUESTIONS = int(os.environ.get("DIFFERENTIAL", "300"))
SEED = os.environ.get("SEED", "20261126")

# What the demo lacks: absent and empty values, numbers, lists, keys with dots, capitals, namespaces, long texts.
ODD = """\
apiVersion: backstage.io/v1alpha1
kind: Component
metadata:
  name: PayGate.v2
  namespace: shop
  title: Pay Gate
  description: {long}
  labels: {{tier: "1", empty: "", example.com/zone: North}}
  annotations: {{grafana/dashboard: "a,b", example.com/path: "x=y", example.com/percent: "100%_done"}}
  tags: [java, c++, b-2]
spec: {{type: Service, lifecycle: PRODUCTION, owner: payments, weight: 3, share: 0.5, public: true, rota: [ann, Bob]}}
---
apiVersion: backstage.io/v1alpha1
kind: Component
metadata: {{name: bare, annotations: {{example.com/path: ""}}}}
spec: {{type: website, lifecycle: experimental, owner: "user:shop/ann", weight: 10, ports: [80, 443], nothing: null}}
---
apiVersion: backstage.io/v1alpha1
kind: Component
metadata: {{name: nested}}
spec:
  type: service
  lifecycle: production
  owner: payments
  dependsOn: ["component:shop/paygate.v2", "resource:default/no-such"]
  deep: {{list: [{{name: a, size: 1}}, {{name: b, size: 2}}], Mixed: {{Case: Yes}}}}
---
apiVersion: backstage.io/v1alpha1
kind: Resource
metadata: {{name: zeta, title: "Ångström %"}}
spec: {{type: database, owner: platform, weight: 2}}
""".format(long="long words " * 30)


@pytest.fixture
def odd_folder(tmp_path):
    """A folder with the odd entities."""
    (tmp_path / "catalog-info.yaml").write_text(ODD)
    return tmp_path


def test_both_answer_alike(client_folder, committed_world, live_server_url, celery_worker, odd_folder, settings):
    world = committed_world
    settings.SOURCE_FOLDERS = [*settings.SOURCE_FOLDERS, str(odd_folder)]
    with world.tenant():
        for folder in (DEMO, odd_folder):
            actions.add_source(organisation=world.acme, actor=by(world.dev), kind="folder", target=str(folder))
        ApiToken.objects.create(
            organisation=world.acme, user=world.dev, name="t", prefix="slw", digest=digest_of(SECRET),
            scopes=["read"], expires_at=now() + timedelta(days=1),
        )  # fmt: skip
    base = f"{live_server_url}/api/o/acme/catalog"
    argv = ["node", str(HERE / "differential.mjs"), str(client_folder), base, SECRET, SEED, str(QUESTIONS)]
    done = subprocess.run(argv, capture_output=True, text=True, timeout=60 + QUESTIONS, check=False)
    assert done.returncode == 0, done.stderr
    said = json.loads(done.stdout)
    assert sum(said["asked"].values()) == QUESTIONS
    assert said["entities"] > 100
    assert not said["differences"], "\n".join(json.dumps(each)[:2000] for each in said["differences"])
