"""How long one small rendering takes, beside the start of a Python process for it, in one run.

.venv/bin/python -m tests.benchmarks.rendering
"""

from __future__ import annotations

import statistics
import subprocess
import sys
import time
from collections.abc import Callable

from portal.goldenpaths.language.rendering import RenderJob, render_tree

ROUNDS = 30
FRESH = "import portal.goldenpaths.language.batches as batches; batches.warm()"


def timed(act: Callable[[], object]) -> float:
    """The median of ROUNDS, in milliseconds."""
    act()
    times = []
    for _ in range(ROUNDS):
        began = time.perf_counter()
        act()
        times.append((time.perf_counter() - began) * 1000)
    return statistics.median(times)


def main() -> None:
    fresh = timed(lambda: subprocess.run([sys.executable, "-c", FRESH], check=True))
    forked = timed(lambda: render_tree([RenderJob("x ${{ a }}")], {"a": 1}))
    print(f"a fresh Python  {fresh:7.1f} ms")
    print(f"a forked child  {forked:7.1f} ms   {fresh / forked:.1f} times as fast")


if __name__ == "__main__":
    main()
