"""Memory that nobody uses any more goes back to the system."""

from __future__ import annotations

import ctypes


def give_back() -> None:
    """Gives back what the C library keeps of memory that was freed; it does so by itself only at the end of its heap.

    For after a large piece of work, and where there is nothing to do: it takes a millisecond for each few megabytes.
    With another C library than glibc, nothing.
    """
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
    if trim is not None:
        trim(0)
