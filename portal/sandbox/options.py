"""The command line that `manage.py sandbox` and `python -m portal.sandbox` share."""

import argparse
from pathlib import Path

from portal.sandbox.server import Options


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--port", type=int, default=6550, help="port on 127.0.0.1 (0 picks a free one)")
    parser.add_argument(
        "--kubeconfig", type=Path, required=True, help="file to write the administrator's kubeconfig to"
    )
    parser.add_argument("--state", type=Path, default=None, help="file that keeps the cluster between runs")
    parser.add_argument("--nodes", type=int, default=3, help="how many nodes the cluster has")
    parser.add_argument("--speed", type=float, default=1.0, help="how much faster than life pods start and fail")
    parser.add_argument("--history", type=int, default=20_000, help="how many changes a watch can look back")


def read(values: argparse.Namespace | dict[str, object]) -> Options:
    found = values if isinstance(values, dict) else vars(values)
    names = ("port", "kubeconfig", "state", "nodes", "speed", "history")
    return Options(**{name: found[name] for name in names})  # type: ignore[arg-type]
