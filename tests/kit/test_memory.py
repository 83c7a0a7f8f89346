"""Freed memory goes back to the system."""

import subprocess
import sys

HELD = """
from portal.kit.memory import give_back

def held():
    with open("/proc/self/status") as file:
        return next(int(line.split()[1]) for line in file if line.startswith("RssAnon")) / 1024

# Beyond what the allocator of Python looks after itself, and with something kept at the end of the heap.
many = [bytearray(4000) for _ in range(10_000)]
kept = bytearray(4000)
many.clear()
before = held()
give_back()
print(before - held())
"""


def test_what_was_freed_goes_back() -> None:
    """In a process of its own: how much another test has freed is its own business."""
    said = subprocess.run([sys.executable, "-c", HELD], capture_output=True, text=True, timeout=60, check=True).stdout
    assert float(said) > 30
