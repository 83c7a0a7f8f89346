"""How soon the product is whole again after kill -9, for each of its processes and each pair of them.

    .venv/bin/python -m tests.benchmarks.kills [--pairs]

Starts a product of its own in a temporary folder and prints one line per kill: the seconds until what was killed runs
again and web answers, and whatever fell besides (nothing should). Beside it, as the yardstick, the seconds that a
whole second start takes on this machine.
"""

from __future__ import annotations

import argparse
import itertools
import statistics
import tempfile
import time
from pathlib import Path

from tests.e2e.product import Product
from tests.e2e.test_make_up import kill_and_wait


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pairs", action="store_true", help="also every pair")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(dir="/tmp") as folder:
        product = Product(Path(folder))
        product.start()
        product.stop()
        second = product.start()
        names = sorted(product.kept())
        cases = [(name,) for name in names]
        if options.pairs:
            cases += list(itertools.combinations(names, 2))
        taken = []
        try:
            for case in cases:
                seconds = kill_and_wait(product, *case)
                taken.append(seconds)
                print(f"{' + '.join(case):<24} {seconds:6.2f} s", flush=True)
                time.sleep(1)
        finally:
            product.end()
    print(f"second start of everything {second:.2f} s; kills: median {statistics.median(taken):.2f} s, "
          f"longest {max(taken):.2f} s = {max(taken) / second:.1f} × the start")  # fmt: skip


if __name__ == "__main__":
    main()
