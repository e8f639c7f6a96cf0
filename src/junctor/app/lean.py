"""Starting with less: optional parts of libraries that this process does not need stay away."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager

__all__ = ["absent"]


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
