"""The product imported once, from which sandbox, web, worker and live are forked: they share what they have in common.

The stem is the supervisor's own process. It holds no thread, no connection and no event loop, and neither the cluster's
private key nor the owner's address: those lie in a sealed file descriptor that only the processes read that may.
"""

from __future__ import annotations

import ctypes
import gc
import json
import os
import sys
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from resource import RUSAGE_SELF, getrusage
from typing import Any

WORKING_SET = 48_000  # KiB
PR_SET_NAME = 15  # prctl(2)
PRIVATE = ("CLUSTER_PRIVATE_KEY", "DATABASE_OWNER_URL")


def seal(values: dict[str, str]) -> int:
    """A descriptor that holds the values in memory, for `Stem` in this process or one that it starts."""
    descriptor = os.memfd_create("private")
    os.write(descriptor, json.dumps(values).encode())
    os.set_inheritable(descriptor, True)
    return descriptor


@dataclass(frozen=True)
class Stem:
    """The imported product, ready to be forked."""

    private: int  # from `seal`
    leave: Callable[[], None]  # gives up in a child what belongs to the parent alone

    def grow(self) -> Iterator[None]:
        """Imports what the processes have in common, in steps between which its caller may look after other things.

        The settings are those of the environment now.
        """
        import django

        django.setup()
        yield
        # What the first request, message or change would import is imported here, once for all processes.
        import uvicorn  # noqa: F401
        from django.urls import get_resolver

        import portal.sandbox.server  # noqa: F401
        from portal.celery import app

        yield
        from portal.clusters import kube

        kube.preload()
        yield
        app.loader.import_default_modules()
        list(get_resolver().url_patterns)

    def ripen(self) -> None:
        """Builds the web application, which looks at the collected static files, and freezes everything for forking."""
        from portal.asgi import application  # noqa: F401

        gc.collect()
        gc.freeze()

    def fork(self, name: str, main: Callable[[], Any], *grants: str, **environment: str) -> int:
        """The pid of a child that runs `main` under this name, in a session of its own.

        `grants` are the names of PRIVATE that it may know; `environment` is added to what it sees.
        """
        if threading.active_count() > 1:
            raise RuntimeError("A process with threads must not be forked.")
        sys.stdout.flush()
        sys.stderr.flush()
        pid = os.fork()
        if pid:
            return pid
        code = 1
        try:
            self._settle(name, grants, environment)
            main()
            code = 0
        except SystemExit as end:
            code = end.code if isinstance(end.code, int) else int(end.code is not None)
        except BaseException:  # noqa: BLE001 - the child's outermost loop: nothing of the parent may run in it
            import traceback

            traceback.print_exc()
        finally:
            import logging

            logging.shutdown()
            sys.stdout.flush()
            sys.stderr.flush()
            os._exit(code)

    def _settle(self, name: str, grants: tuple[str, ...], environment: dict[str, str]) -> None:
        os.setsid()
        self.leave()
        ctypes.CDLL(None).prctl(PR_SET_NAME, f"slipway-{name}".encode()[:15])
        import multiprocessing

        multiprocessing.current_process().name = name
        known = json.loads(os.pread(self.private, 1 << 20, 0))
        os.close(self.private)
        granted = {key: known[key] for key in grants if known.get(key)}
        os.environ.update({**environment, **granted})
        from django.conf import settings

        settings.CLUSTER_PRIVATE_KEY = granted.get("CLUSTER_PRIVATE_KEY", "")
        del known


def sandbox(port: str, kubeconfig: Path, state: Path) -> Callable[[], None]:
    """Serves the embedded cluster on loopback."""

    def run() -> None:
        from portal.sandbox import server

        # Whoever was away for longer than so many changes lists again; each is an object as it was then, in memory.
        wish = server.Options(port=int(port), kubeconfig=kubeconfig, state=state, history=2_000)
        sys.exit(server.run(wish))

    return run


def web(host: str, port: int) -> None:
    """Serves pages, API and streams."""
    import uvicorn

    uvicorn.run(
        "portal.asgi:application",
        host=host,
        port=port,
        timeout_graceful_shutdown=2,
        log_level="warning",
        # Nobody's word on where a request comes from, unless the proxy in front is named.
        forwarded_allow_ips=os.environ.get("FORWARDED_ALLOW_IPS", ""),
    )


def worker() -> None:
    """Runs steps, jobs and ingestions, two at a time."""
    import warnings

    from portal.celery import app

    # What a process forked from us may grow by (KiB), before it makes room for a fresh one after its task.
    app.conf.worker_max_memory_per_child = getrusage(RUSAGE_SELF).ru_maxrss + WORKING_SET
    # Celery would have Django check the whole product at each start, and `make up` has done so.
    os.environ["CELERY_SKIP_CHECKS"] = "yes"
    # Containers run as root, and only JSON is ever read.
    warnings.filterwarnings("ignore", message="You're running the worker")
    app.worker_main(
        ["--quiet", "worker", "--loglevel=warning", "--concurrency=2", "--without-gossip", "--without-mingle"]
    )


def manage(*arguments: str) -> Callable[[], None]:
    """A management command, as manage.py would run it; a CommandError is its sentence and status 1."""

    def run() -> None:
        from django.core.management import ManagementUtility

        ManagementUtility(["manage.py", *arguments]).execute()

    return run
