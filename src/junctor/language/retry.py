"""How often, and how patiently, a refused effect is tried again."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from junctor.errors import JunctorError, Misconfigured, Retry

__all__ = ["AGAIN", "RetryPolicy", "again_after"]

AGAIN = (60.0, 600.0, 600.0, 1800.0, 1800.0, 1800.0, 10800.0, 10800.0)
"""Seconds after each end at which an incomplete run is tried again by itself, if its error says
that the same may work later (facts: Make's schedule for rate limits and connection errors).
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class RetryPolicy:
    """Doubling delays, in seconds. Only `Retry` errors are tried again: nothing happened yet."""

    attempts: int = 5
    """Attempts in all, the first included; a run that a person resumes has as many again."""
    first: float = 1.0
    longest: float = 300.0

    def delay(self, failures: int, error: JunctorError) -> float | None:
        """Seconds to wait after so many failures; ``None``: do not try again.

        The other side's ``retry_after`` wins if it is longer.
        """
        if not isinstance(error, Retry) or failures >= self.attempts:
            return None
        doubled = self.first * 2.0 ** min(failures - 1, 60)
        return max(min(doubled, self.longest), error.retry_after or 0.0)

    @classmethod
    def of(cls, flags: Mapping[str, Any], path: str) -> RetryPolicy:
        """The policy of a placed module: ``flags.retry`` with attempts, first, longest (ours)."""
        given = flags.get("retry")
        if given is None:
            return cls()
        kinds = {"attempts": int, "first": float, "longest": float}
        try:
            return cls(**{name: kind(given[name]) for name, kind in kinds.items() if name in given})
        except (TypeError, ValueError) as error:
            raise Misconfigured(
                reason=f"{path}.flags.retry is {given!r}; give attempts, first and longest"
            ) from error


def again_after(
    given: Mapping[str, Any] | None, ends: int, error: JunctorError | None
) -> float | None:
    """Seconds to the next try of an incomplete run that has ended ``ends`` times before; ``None``:
    a person decides. ``given``: the count and interval of its *Break*.
    """
    if given is not None:
        return float(given["interval"]) if ends < given["count"] else None
    if not isinstance(error, Retry) or ends >= len(AGAIN):
        return None
    return max(AGAIN[ends], error.retry_after or 0.0)
