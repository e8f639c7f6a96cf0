"""How many requests a simulated vendor allows: a short window and a day, both fixed windows."""

from __future__ import annotations

from dataclasses import dataclass

from junctor.simulators.clock import Clock

__all__ = ["Limits", "Meter"]

DAY = 86_400.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """``maximum`` requests in ``interval_ms`` milliseconds and ``daily`` in a day."""

    maximum: int
    interval_ms: int
    daily: int

    def __post_init__(self) -> None:
        for name in ("maximum", "interval_ms", "daily"):
            if getattr(self, name) <= 0:
                raise ValueError(f"limits.{name}: {getattr(self, name)} is not above 0")


class Meter:
    """Counts requests of one account against its limits, by the simulated clock.

    A window opens with its first request. A refused request doesn't count.
    """

    def __init__(self, limits: Limits, clock: Clock) -> None:
        self.limits = limits
        self._clock = clock
        self._window_end = self._day_end = 0.0
        self._window_used = self._day_used = 0
        self.refused = 0

    def take(self) -> bool:
        """Counts one request; ``False`` if it is over a limit."""
        self._roll()
        if self.remaining == 0 or self.daily_remaining == 0:
            self.refused += 1
            return False
        self._window_used += 1
        self._day_used += 1
        return True

    @property
    def remaining(self) -> int:
        """Requests left in the open window."""
        return max(0, self.limits.maximum - self._window_used)

    @property
    def daily_remaining(self) -> int:
        """Requests left in the open day."""
        return max(0, self.limits.daily - self._day_used)

    def reset(self) -> None:
        """Forgets what was used."""
        self._window_end = self._day_end = 0.0
        self._window_used = self._day_used = self.refused = 0

    def _roll(self) -> None:
        now = self._clock.now()
        if now >= self._window_end:
            self._window_end = now + self.limits.interval_ms / 1000
            self._window_used = 0
        if now >= self._day_end:
            self._day_end = now + DAY
            self._day_used = 0
