"""Starting with less: optional parts of libraries that this process does not need stay away."""

from __future__ import annotations

import gc
import sys
from collections.abc import Iterator
from contextlib import contextmanager

__all__ = ["absent", "settle_memory"]


@contextmanager
def absent(name: str) -> Iterator[None]:
    """Inside the block the package can't be imported, as if it were not installed.

    For libraries that load an optional companion whenever they find it. What is loaded already
    stays. Not for use while other threads import.
    """
    if name in sys.modules:
        yield
        return
    sys.modules[name] = None  # type: ignore[assignment]  # Python's own way to say "not here"
    try:
        yield
    finally:
        del sys.modules[name]


def settle_memory() -> None:
    """What start-up made stays: the garbage collector need not look through it again and again.

    A full collection over an application's modules and routes takes tens of milliseconds, and was
    most of the slowest hundredth of deliveries (see bench/path.py).
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(20_000, 20, 50)
