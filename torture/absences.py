"""Who is asleep or cut off, and when: somebody who may still do what others have given up."""

from __future__ import annotations

import time
from collections.abc import Callable

__all__ = ["Absences"]

MARGIN = 6.0
"""Seconds after it woke in which a sleeper may still send what it was about to send."""


class Absences:
    """Of workers: stopped by a signal, or with a network that swallows what they say.

    One that noted its intent, fell asleep before it sent, and lost its claim meanwhile, may send
    when it wakes. So of a run that became uncertain while somebody was away it can't be said that
    the thing was not done, before all who were away then are back for a while, or dead.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._since: dict[str, float] = {}
        self._over: list[tuple[float, float]] = []

    @property
    def now(self) -> set[str]:
        """The names of those who are away."""
        return set(self._since)

    def begin(self, name: str) -> None:
        """It is away from now on."""
        self._since.setdefault(name, self._clock())

    def end(self, name: str) -> None:
        """It is back, or dead."""
        since = self._since.pop(name, None)
        if since is not None:
            now = self._clock()
            self._over.append((since, now))
            self._over = [each for each in self._over if now - each[1] <= MARGIN]

    def settled(self, moment: float) -> bool:
        """Whether nobody can still do what was in doubt at that moment (of the monotonic clock).

        Somebody who fell asleep long after it had been given the time to send before.
        """
        latest = moment + MARGIN
        if any(since < latest for since in self._since.values()):
            return False
        now = self._clock()
        return not any(since < latest and now - until < MARGIN for since, until in self._over)
