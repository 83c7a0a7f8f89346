"""manage.py live: does every duty that the rooms have registered. Any number of these may run side by side."""

import asyncio
import os
import signal
import socket
import sys
from typing import Any
from uuid import uuid4

from django.core.management.base import BaseCommand, CommandParser
from django.utils import timezone

from portal.kit.duties import DUTIES
from portal.live.doing import do_all
from portal.live.leases import DutyLine, lines


class Command(BaseCommand):
    help = "Watch the clusters and do what is due, until SIGTERM. --health tells how each duty goes instead."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "--health", action="store_true", help="print a line for each duty; exit 1 when one is unwell"
        )

    def handle(self, *args: Any, **options: Any) -> None:
        if options["health"]:
            sys.exit(self._health())
        asyncio.run(self._main())

    async def _main(self) -> None:
        stop = asyncio.Event()
        for number in (signal.SIGTERM, signal.SIGINT):
            asyncio.get_running_loop().add_signal_handler(number, stop.set)
        owner = f"{socket.gethostname()}:{os.getpid()}:{uuid4().hex[:8]}"[:80]
        self.stdout.write("live process ready")
        self.stdout.flush()
        await do_all(list(DUTIES.values()), owner, stop)
        self.stdout.write("live process stopped")

    def _health(self) -> int:
        found = lines()
        known = {line.name for line in found}
        for line in found:
            self.stdout.write(_words(line))
        for name in DUTIES.keys() - known:
            self.stdout.write(f"{name:<12} nobody has begun it")
        # one well row is enough for a duty that every process does
        well = {line.name for line in found if line.is_well}
        return 0 if DUTIES.keys() <= well else 1


def _words(line: DutyLine) -> str:
    if not line.is_held:
        return f"{line.name:<12} nobody does it"
    seconds = int((timezone.now() - line.done_at).total_seconds()) if line.done_at else None
    done = f", {seconds} s ago" if seconds is not None else ""
    return f"{line.name:<12} {line.state}{done}, by {line.owner} {line.text}".rstrip()
