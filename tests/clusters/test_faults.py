"""Every trouble that the sandbox can be asked for stands on the entity's page, in words, and leaves it when mended."""

import re
import uuid
from html import unescape

import pytest

from portal.clusters import actions, panels, status
from tests.clusters.conftest import until, watchers

# image tag: the badge, and what the page says and advises
FAULTS = {
    "crash": ("Down", "keeps crashing: exit code 1, an error in the application", "Read the log of its previous run"),
    "oom": ("Down", "keeps crashing: it used more memory than its limit of 64Mi", "Raise its memory limit"),
    "bad-image": ("Down", "does not exist in its registry", "Check the name and the tag"),
    "config-error": ("Down", "its configuration is incomplete", "Create ConfigMap web-settings"),
    "not-ready": ("Down", "fails its readiness probe", "It runs but gets no traffic"),
    "slow": ("Progressing", "Starting: 0 of 1 pods are available.", ""),
    "unschedulable": ("Down", "No node has room for pod", "Ask for less"),
}


def workload(tag, image):
    labels = {"app": tag, "backstage.io/kubernetes-id": tag}
    container = {
        "name": "web",
        "image": image,
        "readinessProbe": {"httpGet": {"path": "/readyz", "port": 8080}, "periodSeconds": 1},
        "resources": {"limits": {"memory": "64Mi"}},
    }
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": tag, "namespace": "default", "labels": labels},
        "spec": {
            "replicas": 1,
            "selector": {"matchLabels": {"app": tag}},
            "template": {"metadata": {"labels": labels}, "spec": {"containers": [container]}},
        },
    }


def shown(world, uid):
    """The badge, and the fragment that the page has and the stream sends, as a person reads it."""
    with world.tenant():
        html = panels.workloads_html(world.acme, uid)
        badge = status.of_entity(world.acme.pk, uid).badge
    return badge, re.sub(r"\s+", " ", unescape(re.sub(r"<[^>]+>", " ", html)))


@pytest.mark.slow
def test_each_fault_is_told_with_a_hint_and_forgotten_when_mended(committed_world, cluster, kube):
    entities = {tag: uuid.uuid4() for tag in FAULTS}
    with committed_world.tenant():
        for tag, uid in entities.items():
            annotations = {"backstage.io/kubernetes-id": tag}
            actions.set_bindings(committed_world.acme, uid, f"component:default/{tag}", annotations)
    with watchers():
        for tag in FAULTS:
            kube.apply(workload(tag, f"registry.example/web:{tag}"))
        # the one that passes by itself is looked for first
        for tag, (badge, sentence, hint) in sorted(FAULTS.items(), key=lambda item: item[0] != "slow"):

            def is_told(tag=tag, badge=badge, sentence=sentence, hint=hint):
                worn, text = shown(committed_world, entities[tag])
                return worn == badge and sentence in text and hint in text

            until(is_told, f"{tag}: {shown(committed_world, entities[tag])}", 60)
        for tag in FAULTS:
            kube.apply(workload(tag, "registry.example/web:mended"))
        for tag, uid in entities.items():
            until(lambda uid=uid: shown(committed_world, uid)[0] == "Healthy", f"{tag} mended", 60)
