"""The machine's clock and randomness, for the pure layers that take them as arguments."""

from __future__ import annotations

import os
import time

from junctor.language.ids import Ids

__all__ = ["now_ms", "system_ids"]


def now_ms() -> int:
    """Milliseconds since 1970."""
    return time.time_ns() // 1_000_000


def system_ids() -> Ids:
    """A generator of ids on the machine's clock and randomness; one per thread."""
    return Ids(now_ms, os.urandom)
