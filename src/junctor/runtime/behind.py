"""What stands behind a run that waits or has stopped, and that nobody may take: looked at once.

Each line is read on from where it was read last, and not at all unless something has come to it
since: 100,000 deliveries behind a run cost what is new among them. Ids are made at the door, a
moment before they are stored, so the last moments are read again; and what was stored much later
(it had been spooled) lies before that place, and is looked for at greater intervals.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from junctor.adapters.postgres.waits import PostgresWaits, Stuck, StuckLine

__all__ = ["Behind"]

MOST_LINES = 1000
"""Lines of one look; the next goes on with the others."""
MOST_STUCK = 200
"""Deliveries of one look."""
LATE = timedelta(seconds=30)
"""Between looks at what was stored long after its id was made."""
_VISIBLE = timedelta(minutes=1)
"""So long it may take from a statement until others see what it stored."""
_MOST_PLACES = 20_000
_MOST_LATE = 2_000


@dataclass(slots=True)
class _Place:
    """Where a line was read to."""

    run: UUID
    """Behind which it stood."""
    front: UUID
    late_at: datetime
    n: int = -1
    """Signals when it was read to its end; -1: it was not."""
    late_n: int = -1
    turn: int = 0


class Behind:
    """Finds what to look at. One per worker process."""

    def __init__(self, waits: PostgresWaits) -> None:
        self._waits = waits
        self._places: dict[tuple[UUID, UUID, str, UUID], _Place] = {}
        self._fresh: set[UUID] = set()
        """Looked at, and read again as they are of the last moments."""
        self._late: dict[UUID, None] = {}
        self._after: StuckLine | None = None
        self._turn = 0

    async def look(self, offer: Callable[[Stuck], Awaitable[bool]]) -> int:
        """Offers what is new, in each line's order; how many were taken.

        What could not be offered, as that raised, is offered again at the next look.
        """
        lines = await self._waits.stuck_lines(self._after, MOST_LINES)
        self._after = lines[-1] if len(lines) == MOST_LINES else None
        placed = [(line, self._place(line)) for line in lines]
        return await self._ahead(placed, offer) + await self._behind(placed, offer)

    def _place(self, line: StuckLine) -> _Place:
        key = (line.organization_id, line.scenario_id, line.order_key, line.hook_id)
        place = self._places.pop(key, None)
        if place is None:
            place = _Place(line.run_id, line.floor, line.now)
        elif place.run != line.run_id:  # the line was taken from, and may be counted anew
            place.run, place.n, place.late_n = line.run_id, -1, -1
        self._places[key] = place
        while len(self._places) > _MOST_PLACES:
            del self._places[next(iter(self._places))]
        # A wait that opens later looks back by itself.
        place.front = max(place.front, line.floor)
        return place

    async def _ahead(
        self,
        placed: Sequence[tuple[StuckLine, _Place]],
        offer: Callable[[Stuck], Awaitable[bool]],
    ) -> int:
        new = [(line, place) for line, place in placed if place.n != line.n]
        if not new:
            return 0
        new.sort(key=lambda each: each[1].turn)  # those that had their turn come last
        fronts = [(line, place.front) for line, place in new]
        rows = await self._waits.stuck(fronts, list(self._fresh), MOST_STUCK)
        self._turn += 1
        taken = 0
        for row in rows:
            line, place = new[row.at - 1]
            taken += row.payload is not None and await offer(row)
            place.front, place.turn = max(place.front, min(row.id, line.settled)), self._turn
            if row.id > line.settled:
                self._fresh.add(row.id)
        if len(rows) < MOST_STUCK:
            for line, place in new:
                place.n = line.n
        settled = new[0][0].settled
        self._fresh = {each for each in self._fresh if each > settled}
        return taken

    async def _behind(
        self,
        placed: Sequence[tuple[StuckLine, _Place]],
        offer: Callable[[Stuck], Awaitable[bool]],
    ) -> int:
        due = [
            (line, place)
            for line, place in placed
            if place.late_n != line.n and line.now - place.late_at >= LATE
        ]
        if not due:
            return 0
        since = min(place.late_at for _, place in due) - _VISIBLE
        fronts = [(line, place.front) for line, place in due]
        rows = await self._waits.stuck_late(fronts, since, list(self._late), MOST_STUCK)
        taken = 0
        for row in rows:
            taken += row.payload is not None and await offer(row)
            self._late[row.id] = None
            while len(self._late) > _MOST_LATE:
                del self._late[next(iter(self._late))]
        if len(rows) < MOST_STUCK:
            for line, place in due:
                place.late_n, place.late_at = line.n, line.now
        return taken
