"""Warnings about what goes on failing: one now and then instead of hundreds that say the same.

A database that is away is tried again several times a second by several parts of every process;
that must not fill the log, its disk and its streams.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any, Final

__all__ = ["EVERY", "Complaint"]

EVERY: Final = 10.0
"""Seconds between two lines about the same."""


class Complaint:
    """One thing that may fail again and again; not for use by several threads at once.

    ``warn`` is a logger's method, such as ``log.warning``.
    """

    def __init__(
        self,
        warn: Callable[..., Any],
        event: str,
        *,
        every: float = EVERY,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._warn = warn
        self._event = event
        self._every = every
        self._clock = clock
        self._told: tuple[str, float] | None = None
        self._untold = 0

    def __call__(self, error: str, **more: Any) -> None:
        """It failed: told at once if the reason is another one than last time, else every
        `EVERY` seconds, with how often it failed untold meanwhile (``times``).
        """
        now = self._clock()
        self._untold += 1
        if self._told is not None:
            reason, at = self._told
            if reason == error and now - at < self._every:
                return
        times = {"times": self._untold} if self._untold > 1 else {}
        self._warn(self._event, error=error, **times, **more)
        self._told, self._untold = (error, now), 0
