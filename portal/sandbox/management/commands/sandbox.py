"""`manage.py sandbox`: a Kubernetes API on loopback for machines without a cluster."""

import sys
from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand

from portal.sandbox import options
from portal.sandbox.server import run


class Command(BaseCommand):
    help = "Serve an in-memory Kubernetes API on 127.0.0.1 and write a kubeconfig for it."
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: ArgumentParser) -> None:
        options.add_arguments(parser)

    def handle(self, *args: Any, **values: Any) -> None:
        code = run(options.read(values))
        if code:
            sys.exit(code)
