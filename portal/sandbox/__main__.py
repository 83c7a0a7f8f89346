"""`python -m portal.sandbox`: the sandbox without Django."""

import argparse
import sys

from portal.sandbox import options
from portal.sandbox.server import run


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m portal.sandbox", description="A Kubernetes API on loopback.")
    options.add_arguments(parser)
    return run(options.read(parser.parse_args()))


if __name__ == "__main__":
    sys.exit(main())
