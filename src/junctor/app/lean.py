"""Starting with less: optional parts of libraries that this process does not need stay away."""

from __future__ import annotations

import gc
import sys
from collections.abc import Iterator
from contextlib import contextmanager

__all__ = ["absent", "collect_seldom", "settle_memory"]


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


def collect_seldom() -> None:
    """Looks for garbage every 20,000 new objects instead of every 700.

    What a start makes is modules and classes, and stays: by default it is looked through three
    hundred times before a server is ready.
    """
    gc.set_threshold(20_000, 20, 50)


def settle_memory() -> None:
    """What start-up made stays: the garbage collector need not look through it again and again.

    A full collection over an application's modules and routes takes tens of milliseconds, and was
    most of the slowest hundredth of deliveries (see bench/path.py). There is none here either: of
    a hundred thousand objects less than two thousand are garbage by now, and stay with the rest.

    What is made from here on is looked through often and little at a time: with hundreds of runs
    in flight, a second generation of twenty times 20,000 took up to 580 ms, and everybody waited.
    """
    gc.freeze()
    gc.set_threshold(5_000, 4, 1_000)
