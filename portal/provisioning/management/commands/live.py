"""manage.py live: watches every cluster, wakes runs, sweeps what is due. Any number of these may run side by side."""

import asyncio
import signal
from typing import Any

from django.core.management.base import BaseCommand

from catalog.tasks import sweep_sources
from portal.clusters.watching.hub import run_clusters
from portal.jobs.sweeping import forget_jobs, sweep_jobs
from portal.provisioning.sweeping import sweep_runs
from portal.provisioning.watchman import keep_watch


class Command(BaseCommand):
    help = "Watch the clusters and sweep what is due, until SIGTERM."

    def handle(self, *args: Any, **options: Any) -> None:
        asyncio.run(self._main())

    async def _main(self) -> None:
        stop = asyncio.Event()
        for number in (signal.SIGTERM, signal.SIGINT):
            asyncio.get_running_loop().add_signal_handler(number, stop.set)
        self.stdout.write("live process ready")
        self.stdout.flush()
        await keep_watch(stop, run_clusters, (sweep_runs, sweep_jobs, sweep_sources, forget_jobs))
        self.stdout.write("live process stopped")
