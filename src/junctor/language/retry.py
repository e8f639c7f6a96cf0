"""How often, and how patiently, a refused effect is tried again."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import blake2b
from typing import Any

from junctor.errors import JunctorError, Misconfigured, Retry, Stopped, Uncertain

__all__ = [
    "AGAIN", "LONGEST_DELAY", "LONGEST_TIMEOUT", "RetryPolicy", "again_after", "timeout_of",
]  # fmt: skip

AGAIN = (60.0, 600.0, 600.0, 1800.0, 1800.0, 1800.0, 10800.0, 10800.0)
"""Seconds after each end at which an incomplete run is tried again by itself, if its error says
that the same may work later (facts: Make's schedule for rate limits and connection errors).
"""

LONGEST_DELAY = 30 * 86_400.0
"""Seconds: nothing is tried again later than this, whatever a vendor asks for. That may be
nonsense, up to dates that no clock has.
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class RetryPolicy:
    """Doubling delays, in seconds. Unless ``errors`` says otherwise, only `Retry` errors are tried
    again: nothing happened yet. What may have happened (`Uncertain`) never is.
    """

    attempts: int = 5
    """Attempts in all, the first included; a run that a person resumes has as many again."""
    first: float = 1.0
    longest: float = 300.0
    jitter: float = 0.2
    """By how much of it a delay may be shorter or longer, so that many do not come at once."""
    errors: tuple[str, ...] = ()
    """Types (as ``error.type`` reads) or codes that are tried again; none given: `Retry` errors."""

    def delay(self, failures: int, error: JunctorError, *, salt: str = "") -> float | None:
        """Seconds to wait after so many failures; ``None``: do not try again.

        The other side's ``retry_after`` wins if it is longer, up to `LONGEST_DELAY`. ``salt``
        decides how much longer or shorter, always the same for the same salt; without one it is
        exact.
        """
        if failures >= self.attempts or not self.tries(error):
            return None
        seconds = min(self.first * 2.0 ** min(failures - 1, 60), self.longest)
        if salt:
            chance = int.from_bytes(blake2b(salt.encode(), digest_size=4).digest(), "big") / 2**32
            seconds *= 1 + self.jitter * (2 * chance - 1)
        asked = error.retry_after if isinstance(error, Retry) else None
        return max(seconds, min(asked or 0.0, LONGEST_DELAY))

    def tries(self, error: JunctorError) -> bool:
        """Whether this is an error that is tried again."""
        if isinstance(error, Uncertain):
            return False
        if not self.errors:
            return isinstance(error, Retry)
        return error.make_type in self.errors or error.code in self.errors

    @classmethod
    def of(cls, flags: Mapping[str, Any], path: str) -> RetryPolicy:
        """The policy of a placed module: ``flags.retry`` with attempts, first, longest, jitter and
        errors (ours). Raises `Misconfigured` with its path.
        """
        given = flags.get("retry")
        if given is None:
            return cls()
        kinds: dict[str, Any] = {"attempts": int, "errors": _texts}
        kinds |= dict.fromkeys(("first", "longest", "jitter"), float)
        try:
            if not isinstance(given, Mapping) or not given.keys() <= kinds.keys():
                raise TypeError
            made = cls(**{name: kind(given[name]) for name, kind in kinds.items() if name in given})
            if made.attempts < 1 or not 0 <= made.jitter <= 1:
                raise ValueError
            if not all(0 <= each <= LONGEST_DELAY for each in (made.first, made.longest)):
                raise ValueError
        except (TypeError, ValueError, OverflowError) as error:
            raise Misconfigured(
                reason=f"{path}.flags.retry is {given!r}; give attempts (1 or more), first and "
                f"longest (seconds, {LONGEST_DELAY:,.0f} at most), jitter (0 to 1) and errors (a "
                "list of types), and nothing else"
            ) from error
        return made


def _texts(value: Any) -> tuple[str, ...]:
    """A list of texts. One text alone is none: its letters are not what it means."""
    if not isinstance(value, list | tuple) or not all(isinstance(each, str) for each in value):
        raise TypeError
    return tuple(value)


LONGEST_TIMEOUT = 900.0


def timeout_of(flags: Mapping[str, Any], path: str) -> float | None:
    """Seconds that a placed module's request may take: ``flags.timeout`` (ours), up to 900.

    Raises `Misconfigured` with its path.
    """
    given = flags.get("timeout")
    if given is None:
        return None
    try:
        seconds = float(given)
    except (TypeError, ValueError):
        seconds = -1.0
    if not 0 < seconds <= LONGEST_TIMEOUT:
        raise Misconfigured(
            reason=f"{path}.flags.timeout is {given!r}; give seconds, more than 0 and up to "
            f"{LONGEST_TIMEOUT:g}"
        )
    return seconds


def again_after(
    given: Mapping[str, Any] | None, ends: int, error: JunctorError | None
) -> float | None:
    """Seconds to the next try of an incomplete run that has ended ``ends`` times before; ``None``:
    a person decides, as one does who stopped it. ``given``: the count and interval of its *Break*.
    """
    if isinstance(error, Stopped):
        return None
    if given is not None:
        return float(given["interval"]) if ends < given["count"] else None
    if not isinstance(error, Retry) or ends >= len(AGAIN):
        return None
    return max(AGAIN[ends], min(error.retry_after or 0.0, LONGEST_DELAY))
