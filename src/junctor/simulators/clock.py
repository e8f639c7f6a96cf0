"""The simulators' time: windows and retries run by it, and it can run faster than the world's.

Two rules keep a fast clock useful. What a simulator does by itself (rate windows, days, waits
before a hook is sent again) follows this clock. What a client is told or has to sit through
(seconds of a fault, headers that name an interval, dates in bodies, signed timestamps) is in the
client's own time, so that a client on an ordinary clock behaves correctly against a simulator that
runs a hundred times faster.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime

__all__ = ["Clock"]


class Clock:
    """Simulated seconds. ``factor`` 100: a simulated hour passes in 36 real seconds.

    ``source`` gives real seconds that never go back, ``wall`` the Unix time in seconds, ``sleep``
    waits for real seconds; tests pass their own.
    """

    def __init__(
        self,
        factor: float = 1.0,
        *,
        source: Callable[[], float] = time.monotonic,
        wall: Callable[[], float] = time.time,
        sleep: Callable[[float], Awaitable[object]] = asyncio.sleep,
    ) -> None:
        if factor <= 0:
            raise ValueError(f"clock factor: {factor} is not above 0")
        self._source = source
        self._wall = wall
        self._sleep = sleep
        self._factor = factor
        self._real_base = source()
        self._base = 0.0

    @property
    def factor(self) -> float:
        """Simulated seconds per real second."""
        return self._factor

    @factor.setter
    def factor(self, factor: float) -> None:
        if factor <= 0:
            raise ValueError(f"clock factor: {factor} is not above 0")
        # Rebase, so that a change of speed never moves the present.
        self._base = self.now()
        self._real_base = self._source()
        self._factor = factor

    def now(self) -> float:
        """Simulated seconds since the clock was made."""
        return self._base + (self._source() - self._real_base) * self._factor

    def real(self) -> float:
        """Real seconds that never go back, for rhythms that a client sees."""
        return self._source()

    def date(self) -> datetime:
        """The real date, in UTC, for bodies and signed timestamps."""
        return datetime.fromtimestamp(self._wall(), UTC)

    async def sleep(self, seconds: float) -> None:
        """Waits for simulated seconds."""
        await self._sleep(seconds / self._factor)

    async def sleep_real(self, seconds: float) -> None:
        """Waits for the client's seconds, whatever the factor."""
        await self._sleep(seconds)
