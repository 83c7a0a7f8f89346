"""What watching costs: the processor time and memory of one live process that watches quiet clusters.

    .venv/bin/python -m tests.benchmarks.live_cost --clusters 20 --pods 1000 --seconds 60

One sandbox is filled and connected so many times over: to the live process each connection is a cluster of its own,
with sixteen streams, a memory and a heartbeat. What it makes PostgreSQL and Valkey spend stands beside it.
"""

from __future__ import annotations

import argparse
import os
import sys
import time
from pathlib import Path

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "tests.settings")

import django

django.setup()

from portal.clusters import actions, status  # noqa: E402
from portal.clusters.models import Cluster  # noqa: E402
from portal.kit.valkey import valkey  # noqa: E402
from tests.benchmarks.crowds import Churn, fill, start_sandbox  # noqa: E402
from tests.conftest import Process, World, by, make_world  # noqa: E402

TICKS = os.sysconf("SC_CLK_TCK")


def cpu_seconds(pid: int) -> float:
    """Processor time that a process has used so far."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / TICKS


def tree_seconds(pid: int) -> float:
    """Processor time of a process and its children, of those too that have ended."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return sum(map(int, fields[11:15])) / TICKS + sum(cpu_seconds(int(child)) for child in children)


def engines() -> dict[str, int]:
    """The processes that the live process asks: their pids by name."""
    postgres = int(Path(os.environ["SLIPWAY_VAR"], "pg", "postmaster.pid").read_text().split()[0])
    return {"PostgreSQL": postgres, "Valkey": int(valkey().info("server")["process_id"])}


def pss_megabytes(pid: int) -> float:
    """Memory of a process, its share of what it shares included."""
    for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
        if line.startswith("Pss:"):
            return int(line.split()[1]) / 1024
    return 0.0


def in_sync(world: World, pods: int) -> int:
    """How many clusters are watched and completely known."""
    with world.tenant():
        rows = status.of_clusters(list(Cluster.objects.for_tenant(world.acme)))
    return sum(bool(row and row.is_fresh and row.pods >= pods) for row in rows.values())


def measure(pids: dict[str, int], seconds: float) -> dict[str, float]:
    """Share of a core that each process, its children included, uses while nobody asks anything of it."""
    before, begun = {name: tree_seconds(pid) for name, pid in pids.items()}, time.monotonic()
    time.sleep(seconds)
    past = time.monotonic() - begun
    return {name: (tree_seconds(pid) - before[name]) / past for name, pid in pids.items()}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--clusters", type=int, default=20)
    parser.add_argument("--pods", type=int, default=1000)
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--events", type=int, default=0, help="changes a second in one of them, after the quiet part")
    options = parser.parse_args()
    started: list[Process] = []
    try:
        return run(options, started)
    finally:
        for process in reversed(started):
            process.stop()


def run(options: argparse.Namespace, started: list[Process]) -> int:
    config = start_sandbox(started, "bench-crowd", nodes=options.pods // 80 + 1, speed=50)
    kube = fill(config, options.pods)
    world = make_world()
    with world.tenant():
        for number in range(options.clusters):
            actions.register_cluster(
                organisation=world.acme, actor=by(world.ada), name=f"Quiet {number}", kubeconfig=config.read_text()
            )
    live = Process("bench-live", [sys.executable, "manage.py", "live"])
    started.append(live)
    live.wait_for("live process ready")
    print(f"live is process {live.popen.pid}", flush=True)
    begun = time.monotonic()
    while in_sync(world, options.pods) < options.clusters:
        if time.monotonic() - begun > 120:
            sys.exit(f"only {in_sync(world, options.pods)} of {options.clusters} clusters are in sync")
        time.sleep(0.5)
    synced = cpu_seconds(live.popen.pid)
    time.sleep(5)
    pids = {"live": live.popen.pid, **engines()}
    quiet = measure(pids, options.seconds)
    print(f"\n{options.clusters} clusters of {options.pods} pods, {options.seconds:.0f} s\n")
    print(f"{'until all were in sync, s of processor time':<46}{synced:>8.2f}")
    for name, share in quiet.items():
        print(f"{f'quiet, {name}, % of a core':<46}{100 * share:>8.2f}")
    print(f"{'memory of live, MB (PSS)':<46}{pss_megabytes(live.popen.pid):>8.0f}")
    if options.events:
        churn = Churn(kube, options.events)
        busy = measure(pids, options.seconds)["live"]
        rate = churn.stop() * options.clusters  # each connection hears every change
        print(f"{f'at {rate:.0f} changes a second, % of a core':<46}{100 * busy:>8.2f}")
        print(f"{'a change, ms of processor time':<46}{1000 * (busy - quiet['live']) / rate:>8.3f}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
