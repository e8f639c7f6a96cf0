"""Confidential runs keep nothing once they have ended: wiped with the last write of theirs."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from itertools import groupby
from uuid import UUID

from junctor.adapters.postgres.arrays import Uuids
from junctor.adapters.postgres.kept import Fetch
from junctor.ports.ledger import Write

__all__ = ["Confidential", "wipe"]

KNOWN = 2.0
"""Seconds for which it is taken as known which scenarios are confidential. What ends in the seconds
after one was made so is wiped by a job (`app.chores.wipe_confidential`)."""
ENDED = frozenset({"finished", "discarded"})
"""States of runs that nobody resumes."""


class Confidential:
    """Which scenarios are confidential, as last read. Costs others one query in `KNOWN` seconds."""

    def __init__(self, fetch: Fetch, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._fetch = fetch
        self._clock = clock
        self._scenarios: frozenset[tuple[UUID, UUID]] = frozenset()
        self._until = float("-inf")

    async def ending(self, writes: Sequence[Write]) -> list[Write]:
        """The last writes of their runs."""
        if self._clock() >= self._until:
            rows = await self._fetch("confidential_scenarios", {})
            self._scenarios = frozenset((row[0], row[1]) for row in rows)
            self._until = self._clock() + KNOWN
        if not self._scenarios:
            return []
        return [
            write
            for write in writes
            if write.row is not None
            and write.row.state in ENDED
            and (write.claim.organization_id, write.claim.scenario_id) in self._scenarios
        ]


async def wipe(fetch: Fetch, writes: Sequence[Write]) -> None:
    """Removes the journals and large values of runs that these writes have ended."""
    ordered = sorted(writes, key=lambda write: write.claim.organization_id)
    for organization_id, each in groupby(ordered, lambda write: write.claim.organization_id):
        runs = Uuids(write.run_id for write in each)
        await fetch("wipe", {"organization": organization_id, "runs": runs})
