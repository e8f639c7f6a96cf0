"""Who works on what: slices of scenarios' backlogs, owned for a while and fenced."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal, NamedTuple, Protocol
from uuid import UUID

__all__ = ["Backlog", "Claim", "DueRun", "Taken"]


@dataclass(slots=True, eq=False)
class Claim:
    """Ownership of one scenario's (or one order key's) backlog. ``fence`` proves it."""

    organization_id: UUID
    scenario_id: UUID
    order_key: str
    fence: int
    published: int | None
    draft: int
    detail: Literal["full", "first", "errors"]
    retention: str
    due: bool = False
    """Waiting runs may have come due."""
    blocked_by_run: UUID | None = None
    until: float = float("inf")
    """When the lease it was made with runs out, if nobody renews it (seconds of `uptime`)."""
    errors: int = 0
    """Failures in a row of its scenario."""
    crashes: int = 0
    """Owners in a row that have crashed with it."""
    cautious_until: UUID | None = None
    """The last owner crashed: deliveries up to this one may have been begun."""
    n: int = -1
    """Signals seen at our last look."""
    more: bool = True
    """That look was cut off by its limit."""
    waits: bool = False
    busy: set[UUID] = field(default_factory=set)
    """Runs in flight."""
    queued: int = 0
    """How many of those stand in a line behind others, not begun: they hold no place."""
    crowded: bool = False
    """It was given less than it may have, as places are short: each end of a run counts."""
    in_order: bool = False
    """Its scenario is sequential."""
    pure: bool = False
    """None of its modules has effects."""
    alone: bool = False
    """One of its runs at a time, though none waits for those that stopped: its trigger polls."""
    lost: bool = False
    """Given up, not given back: its lease runs out, and the next owner reads the journals."""
    broken: set[UUID] = field(default_factory=set)
    """Runs of which a write could not be stored; nothing after it may be."""
    stale: bool = False
    """A write was refused: somebody else owns it now."""
    looked_at: float = 0.0
    """When its waiting runs were last looked at (monotonic seconds)."""
    line: asyncio.Lock = field(default_factory=asyncio.Lock)
    """Held by the one of its runs that goes on alone, where they follow one another."""
    paced_until: float = 0.0
    """As many of its runs as may start in a minute have; until then (monotonic) it is kept."""

    @property
    def ordered(self) -> bool:
        """Whether its runs must follow one another."""
        return self.in_order or self.order_key.startswith("k:")

    @property
    def paced(self) -> bool:
        """Whether none of its deliveries may start yet."""
        return self.paced_until > time.monotonic()

    @property
    def looking_through(self) -> bool:
        """Whether deliveries are left that the last owner may have begun: given back, they would be
        taken for new ones.
        """
        left = self.cautious_until is not None and self.more
        return left and not self.stale and self.blocked_by_run is None

    @property
    def in_line(self) -> bool:
        """Whether no two of its runs may be in flight."""
        return self.alone or self.ordered


class Taken(NamedTuple):
    """One delivery to run."""

    id: UUID
    payload: bytes
    server: str | None
    received_at: datetime
    watched: UUID | None = None
    """Its hook, if runs wait for what comes there."""
    attempts: int = 0
    """How often it was begun after a crash; see `Backlog.attempt`."""


class DueRun(NamedTuple):
    """A run that goes on: its wait is over, it is to be tried again, or a person asked for it."""

    id: UUID
    version: int
    retention: str
    trigger: str
    actor: str
    started_at: datetime
    segments: int
    edited: bool = False
    """Somebody has changed bundles of it since."""
    tries: int = 0
    """How often it was gone on with after a crash, and came to nothing; see `Backlog.tried`."""
    awaits: bool = False
    """It has opened a wait for a delivery or a person, and not closed it."""
    again: bool = False
    """It has stopped before, and is tried again."""


class Backlog(Protocol):
    """Ownership and the work it gives."""

    async def claim(self, limit: int, each: int, full: Sequence[UUID] = ()) -> list[Claim]:
        """Up to ``limit`` claims, at most ``each`` from one organisation; none of organisations and
        scenarios that are ``full``.
        """
        ...

    async def take(
        self, claims: Sequence[tuple[Claim, int]], busy: Sequence[UUID]
    ) -> list[tuple[Claim, list[Taken]]]:
        """The next deliveries of each claim, up to its limit; sets the claims' ``n`` and ``more``.

        A claim that isn't ours any more is marked ``stale``.
        """
        ...

    async def due(self, claim: Claim, limit: int) -> list[DueRun]:
        """Waiting and incomplete runs of the claim whose time has come."""
        ...

    async def attempt(
        self, deliveries: Sequence[tuple[Claim, UUID]], *, by: int = 1
    ) -> dict[UUID, int]:
        """Counts one more try of each, or one less (``by`` -1: its worker is told to stop in the
        midst of it, and whoever goes on with it will count that); returns the counts.
        """
        ...

    async def tried(self, claim: Claim, runs: Sequence[UUID], *, by: int = 1) -> dict[UUID, int]:
        """The same for runs that are gone on with; counted until the run's state is written."""
        ...

    async def delivery(self, organization_id: UUID, id: UUID) -> Taken | None:  # noqa: A002 - the field's name
        """A stored delivery."""
        ...

    async def recorded(
        self, organization_id: UUID, run: UUID
    ) -> list[tuple[int, bytes, list[bytes]]]:
        """What a run has written: (seq, sealed segment, blob ids), in order."""
        ...

    async def begun(self, organization_id: UUID, runs: Sequence[UUID]) -> set[UUID]:
        """Those of these runs that have written something."""
        ...

    async def run_row(self, organization_id: UUID, run: UUID) -> tuple[DueRun, str] | None:
        """A run's row and its state, if it has one."""
        ...

    async def release(self, claims: Sequence[Claim]) -> None:
        """Gives claims back; what was signalled meanwhile stays claimable."""
        ...
