"""Crisp's dates: ISO 8601 in queries, milliseconds since 1970 in bodies and answers."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

__all__ = ["date_of", "iso", "milliseconds"]


def iso(date: datetime | None) -> str | None:
    """A date as Crisp's filters take it: ISO 8601, UTC, milliseconds."""
    if date is None:
        return None
    return date.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def milliseconds(date: datetime) -> int:
    """A date as Crisp's bodies take it: milliseconds since 1970."""
    return round(date.timestamp() * 1000)


def date_of(stamp: Any) -> datetime | None:
    """The instant of a number in an answer; ``None`` if it is none."""
    if isinstance(stamp, bool) or not isinstance(stamp, int | float) or not 0 <= stamp < 2**53:
        return None
    return datetime.fromtimestamp(stamp / 1000, UTC)
