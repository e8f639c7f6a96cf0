"""Whether an organisation's data stores may have more records."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any
from uuid import UUID

from junctor.adapters.postgres.hot import Line
from junctor.errors import DataError

__all__ = ["RecordRoom", "too_many"]

REMEMBERED = 5.0
"""Seconds that an answer is believed: writing a record is no query more."""


class RecordRoom:
    """Knows the limits that are reached. One per process."""

    def __init__(self, line: Line, clock: Callable[[], float] = time.monotonic) -> None:
        self._line = line
        self._clock = clock
        self._known: dict[UUID, tuple[float, int | None]] = {}

    async def check(self, organization_id: UUID, store: UUID, key: str) -> None:
        """`DataError` if a limit is reached and this would be one record more. ``key``: empty for
        one that gets its key later.
        """
        limit = await self._limit(organization_id)
        if limit is None:
            return
        if key:
            where: dict[str, Any] = {"organization": organization_id, "store": store, "key": key}
            if await self._line.fetch("record_read", where):
                return
        raise too_many(limit)

    async def _limit(self, organization_id: UUID) -> int | None:
        now = self._clock()
        at, limit = self._known.get(organization_id, (float("-inf"), None))
        if now - at > REMEMBERED:
            rows = await self._line.fetch("record_limit", {"organization": organization_id})
            limit = int(rows[0][0]) if rows else None
            self._known[organization_id] = (now, limit)
        return limit


def too_many(limit: int) -> DataError:
    """What is said when the limit is reached."""
    return DataError(
        f"The data stores may hold {limit:,} records, and they do: delete some, or ask for more "
        "room (`junctor quotas`).",
        limit=limit,
    )
