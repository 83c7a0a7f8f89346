"""How long a change in a cluster takes to the eye: pod changed, line in `kubectl get -w`, DOM in Chromium, in one run.

    .venv/bin/python -m tests.benchmarks.live_latency                      # against a sandbox of its own
    .venv/bin/python -m tests.benchmarks.live_latency --kubeconfig FILE    # against any cluster with pods to spare
    .venv/bin/python -m tests.benchmarks.live_latency --neighbour 50       # once alone, once beside a busy cluster

It starts PostgreSQL, Valkey, web and live as the tests do, opens an entity's page, changes `status.reason` of one pod
again and again, which both kubectl's STATUS column and the page show, and prints medians and 95th percentiles.
"""

from __future__ import annotations

import argparse
import os
import random
import statistics
import subprocess
import sys
import threading
import time
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "tests.settings")

import django

django.setup()

from django.test import Client  # noqa: E402
from playwright.sync_api import Page, sync_playwright  # noqa: E402

from catalog.actions import write_entity  # noqa: E402
from portal.clusters import actions, kubeconfig, status  # noqa: E402
from portal.clusters.kube import Client as KubeClient  # noqa: E402
from portal.clusters.models import Cluster  # noqa: E402
from tests.benchmarks.crowds import Churn, fill, start_sandbox  # noqa: E402
from tests.conftest import CHROMIUM, Process, World, by, free_port, make_world  # noqa: E402

NAMESPACE = "live-latency"
ENTITY = """
apiVersion: backstage.io/v1alpha1
kind: Component
metadata: {name: latency, annotations: {backstage.io/kubernetes-id: latency}}
spec: {type: service, lifecycle: production, owner: group:default/payments}
"""
WATCHER = """
(name) => {
  window.seen = {};
  const look = () => {
    const row = document.querySelector(`[data-pod="${name}"]`);
    const word = row && row.dataset.phase;
    if (word && !(word in window.seen)) {
      window.seen[word] = performance.timeOrigin + performance.now();
    }
  };
  new MutationObserver(look).observe(document.body, {subtree: true, childList: true, attributes: true});
  look();
}
"""


class Watching:
    """`kubectl get -w` in a thread, with the moment at which each word first stood in a line."""

    def __init__(self, config: Path, pod: str) -> None:
        argv = ["kubectl", "--kubeconfig", str(config), "-n", NAMESPACE, "get", "pod", pod, "-w", "--no-headers"]
        self.popen = subprocess.Popen(argv, stdout=subprocess.PIPE, text=True, bufsize=1)
        self.seen: dict[str, float] = {}
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self) -> None:
        assert self.popen.stdout is not None
        for line in self.popen.stdout:
            words = line.split()
            if len(words) > 2:
                self.seen.setdefault(words[2], time.time())

    def stop(self) -> None:
        self.popen.terminate()
        self.popen.wait(5)


def deployment(image: str) -> dict[str, Any]:
    labels = {"app": "latency", "backstage.io/kubernetes-id": "latency"}
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": "latency", "namespace": NAMESPACE, "labels": labels},
        "spec": {
            "replicas": 1,
            "selector": {"matchLabels": {"app": "latency"}},
            "template": {"metadata": {"labels": labels}, "spec": {"containers": [{"name": "app", "image": image}]}},
        },
    }


def until(check: Any, what: str, seconds: float = 60) -> Any:
    end = time.monotonic() + seconds
    while not (found := check()):
        if time.monotonic() > end:
            sys.exit(f"not within {seconds:.0f} s: {what}")
        time.sleep(0.05)
    return found


def running_pod(kube: KubeClient) -> str:
    def look() -> str:
        for pod in kube.list("v1", "Pod", NAMESPACE, "app=latency"):
            if pod.get("status", {}).get("phase") == "Running":
                return str(pod["metadata"]["name"])
        return ""

    return str(until(look, "a running pod"))


def change(kube: KubeClient, pod: str, word: str) -> float:
    """Sets the pod's reason; answers when the request was sent."""
    path = f"/api/v1/namespaces/{NAMESPACE}/pods/{pod}/status"
    sent = time.time()
    kube.call("PATCH", path, None, {"status": {"reason": word}}, "application/merge-patch+json")
    return sent


def start_web(started: list[Process]) -> str:
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    argv = [sys.executable, "-m", "uvicorn", "portal.asgi:application", "--port", str(port), "--log-level", "warning"]
    started.append(Process("bench-web", argv, PUBLIC_URL=url))

    def answers() -> bool:
        try:
            with urllib.request.urlopen(f"{url}/healthz", timeout=2):
                return True
        except OSError:
            return False

    until(answers, "the web process")
    return url


def open_page(browser: Any, url: str, world: World) -> Page:
    """The entity's page, as a viewer sees it."""
    client = Client()
    client.force_login(world.vic, backend="allauth.account.auth_backends.AuthenticationBackend")
    context = browser.new_context(base_url=url)
    cookie = client.cookies["slipway_session"].value
    context.add_cookies([{"name": "slipway_session", "value": cookie, "url": url}])
    page = context.new_page()
    page.goto("/o/acme/catalog/component/default/latency/")
    return page


def measure(
    page: Page, kube: KubeClient, watching: Watching, pod: str, changes: int, prefix: str
) -> list[tuple[float, float]]:
    """For each change: milliseconds to kubectl's line and to the DOM."""
    page.evaluate(WATCHER, pod)
    sent: dict[str, float] = {}
    for number in range(changes):
        word = f"{prefix}{number}"
        sent[word] = change(kube, pod, word)
        page.wait_for_timeout(350 + random.random() * 100)
    last = f"{prefix}{changes - 1}"
    until(lambda: last in watching.seen and page.evaluate("(word) => word in window.seen", last), "the last change")
    shown: dict[str, float] = page.evaluate("window.seen")
    return [
        (1000 * (watching.seen[word] - at), shown[word] - 1000 * at)
        for word, at in sent.items()
        if word in watching.seen and word in shown
    ]


def report(name: str, version: str, changes: int, found: list[tuple[float, float]]) -> None:
    raw, dom = [item[0] for item in found], [item[1] for item in found]

    def line(label: str, values: list[float]) -> str:
        ordered = sorted(values)
        return f"{label:<34}{statistics.median(values):>9.1f}{ordered[int(len(ordered) * 0.95) - 1]:>9.1f}"

    print(f"\n{name} ({version}), {len(found)} of {changes} changes seen by both\n")
    print(f"{'milliseconds after the request':<34}{'median':>9}{'p95':>9}")
    print(line("line of kubectl get -w", raw))
    print(line("DOM changed in Chromium", dom))
    print(f"{'ratio of medians':<34}{statistics.median(dom) / statistics.median(raw):>9.2f}")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kubeconfig", type=Path, help="a cluster of yours; without it a sandbox is started")
    parser.add_argument("--changes", type=int, default=60)
    parser.add_argument("--image", default="registry.k8s.io/pause:3.9")
    parser.add_argument("--neighbour", type=int, default=0, help="changes a second in a second cluster")
    parser.add_argument("--neighbour-pods", type=int, default=2000)
    options = parser.parse_args()
    started: list[Process] = []
    try:
        config = options.kubeconfig
        if config is None:
            config = start_sandbox(started, "bench-sandbox")
        return run(config, options, started)
    finally:
        for process in reversed(started):
            process.stop()


def run(config: Path, options: argparse.Namespace, started: list[Process]) -> int:
    world = make_world()
    with world.tenant():
        cluster = actions.register_cluster(
            organisation=world.acme, actor=by(world.ada), name="Measured", kubeconfig=config.read_text()
        )
        entity = write_entity(organisation=world.acme, actor=by(world.ada), text=ENTITY)
    url = start_web(started)
    started.append(Process("bench-live", [sys.executable, "manage.py", "live"]))
    started[-1].wait_for("live process ready")
    kube = KubeClient("measured", kubeconfig.parse(config.read_text()))
    kube.apply({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": NAMESPACE}})
    kube.apply(deployment(options.image))
    pod = running_pod(kube)

    def is_seen() -> bool:
        with world.tenant():
            return bool(status.of_entity(world.acme.pk, entity.uid).workloads)

    until(is_seen, "the workload in Slipway")
    watching = Watching(config, pod)
    try:
        with sync_playwright() as playwright:
            browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--headless", "--no-sandbox"])
            page = open_page(browser, url, world)
            page.wait_for_selector(f'[data-pod="{pod}"]', timeout=20_000)
            found = measure(page, kube, watching, pod, options.changes, "Alone")
            beside = _beside(
                options, started, world, lambda: measure(page, kube, watching, pod, options.changes, "Beside")
            )
            browser.close()
    finally:
        watching.stop()
        kube.delete("v1", "Namespace", None, NAMESPACE)
    name = "sandbox" if options.kubeconfig is None else "your cluster"
    report(name, cluster.version, options.changes, found)
    if beside:
        report(f"{name}, beside {options.neighbour} changes a second", cluster.version, options.changes, beside)
        slower = statistics.median(item[1] for item in beside) / statistics.median(item[1] for item in found)
        print(f"{'DOM beside : DOM alone, medians':<34}{slower:>9.2f}")
    return 0


def _beside(options: argparse.Namespace, started: list[Process], world: World, work: Callable[[], Any]) -> Any:
    """The same beside a cluster in which much happens; None when that was not asked for."""
    if not options.neighbour:
        return None
    config = start_sandbox(started, "bench-neighbour", nodes=options.neighbour_pods // 80 + 1, speed=50)
    busy = fill(config, options.neighbour_pods)
    with world.tenant():
        actions.register_cluster(
            organisation=world.acme, actor=by(world.ada), name="Neighbour", kubeconfig=config.read_text()
        )

    def is_watched() -> bool:
        with world.tenant():
            rows = status.of_clusters(list(Cluster.objects.for_tenant(world.acme)))
        return sum(bool(row and row.is_fresh) for row in rows.values()) == 2

    until(is_watched, "the neighbour is watched")
    churn = Churn(busy, options.neighbour)
    try:
        return work()
    finally:
        print(f"the neighbour changed {churn.stop():.0f} times a second")


if __name__ == "__main__":
    os.environ["DJANGO_ALLOW_ASYNC_UNSAFE"] = "true"
    sys.exit(main())
