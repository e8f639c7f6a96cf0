"""What the contract of inbox, backlog and ledger needs around them: a `Stand`, and work for it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime, timedelta
from typing import Any, Protocol
from uuid import UUID

from junctor.ports.backlog import Backlog, Claim, Taken
from junctor.ports.inbox import Inbox, NewDelivery
from junctor.ports.ledger import Ledger, RunRow, Write

__all__ = ["LEASE", "MANY", "Check", "Given", "Stand", "ids_of"]

LEASE = 10.0
"""Seconds; what a stand's backlogs are made with."""
MANY = 64
"""More than any check has."""


class Stand(Protocol):
    """The ports over one empty store, and the world around them."""

    inbox: Inbox
    ledger: Ledger

    def backlog(self, owner: str) -> Backlog:
        """The backlog as the worker of that name sees it."""
        ...

    def plant(self, organization_id: UUID, scenario_id: UUID, *, active: bool = True) -> None:
        """A published scenario (version 1); again: switched on or off."""
        ...

    def forget(self, organization_id: UUID, scenario_id: UUID) -> None:
        """The scenario is deleted."""
        ...

    def plant_store(self, organization_id: UUID, store_id: UUID) -> None:
        """An empty data store."""
        ...

    def records(self, organization_id: UUID, store_id: UUID) -> dict[str, Any]:
        """What the data store holds, by key."""
        ...

    def revision(self, organization_id: UUID, store_id: UUID, key: str) -> int:
        """Of one record."""
        ...

    def remembered(self, organization_id: UUID, scenario_id: UUID) -> dict[int, Any]:
        """What modules remember, by their ids."""
        ...

    def now(self) -> datetime:
        """The store's time."""
        ...

    def elapse(self, seconds: float) -> None:
        """So much time passes: leases end, waits come due."""
        ...

    def renew(self, owner: str, claims: Sequence[Claim]) -> None:
        """The owner's heartbeat beats for these claims."""
        ...

    def resume(self, organization_id: UUID, run_id: UUID) -> None:
        """A person asks for a stopped run."""
        ...

    def discard(self, organization_id: UUID, run_id: UUID) -> None:
        """A person gives a stopped run up."""
        ...


Check = Callable[[Stand], Awaitable[None]]


class Given:
    """One organisation's scenario, and deliveries for it in the order of their ids."""

    def __init__(self, stand: Stand, organization: int = 1, *, active: bool = True) -> None:
        self.stand = stand
        self.organization = UUID(int=organization)
        self.scenario = UUID(int=100 + organization)
        self.hook = UUID(int=200 + organization)
        self.made = 0
        self.a, self.b = stand.backlog("a"), stand.backlog("b")
        stand.plant(self.organization, self.scenario, active=active)

    def new(
        self, order_key: str = "", key: str | None = None, payload: bytes = b"x"
    ) -> NewDelivery:
        self.made += 1
        return NewDelivery(
            self.organization,
            UUID(int=(1 << 120) + (self.organization.int << 32) + self.made),
            self.scenario,
            order_key,
            self.hook,
            payload,
            key,
            "server",
        )

    async def accepted(self, count: int = 1, order_key: str = "") -> list[UUID]:
        given = [self.new(order_key) for _ in range(count)]
        assert await self.stand.inbox.accept(given) == {}
        return [each.id for each in given]

    async def claimed(self) -> Claim:
        """The only claim there is, by worker a."""
        (claim,) = await self.a.claim(MANY, MANY)
        return claim

    async def taken(self, claim: Claim, limit: int = MANY, busy: Sequence[UUID] = ()) -> list[UUID]:
        return ids_of(await self.a.take([(claim, limit)], busy))

    async def crashed(self) -> tuple[Claim, Claim]:
        """A claim whose lease ran out, and the next owner's."""
        old = await self.claimed()
        self.stand.elapse(LEASE + 1)
        (heir,) = await self.b.claim(MANY, MANY)
        return old, heir

    def row(self, state: str, due: float | None = None, **given: Any) -> RunRow:
        due_at = None if due is None else self.stand.now() + timedelta(seconds=due)
        reason = "time" if state == "waiting" else None
        ended = None if state in {"running", "waiting"} else self.stand.now()
        return RunRow(
            1, state, reason, due_at, "delivery", "hook", self.stand.now(), ended, **given
        )

    def write(self, claim: Claim, run: UUID, state: str, due: float | None = None) -> Write:
        """How a run's write ends it, or leaves it to wait ``due`` seconds."""
        row = self.row(state, due)
        done = state != "running"
        return Write(claim, run, claim.retention, row=row, done=done, due_at=row.due_at)

    async def ends(self, claim: Claim, run: UUID, state: str, due: float | None = None) -> None:
        write = self.write(claim, run, state, due)
        write.blocks = claim.ordered and state != "finished"
        assert await self.stand.ledger.commit([write]) == [True]

    async def state(self, run: UUID) -> str | None:
        row = await self.a.run_row(self.organization, run)
        return row[1] if row is not None else None


def ids_of(taken: list[tuple[Claim, list[Taken]]]) -> list[UUID]:
    """The deliveries of a take."""
    return [delivery.id for _, deliveries in taken for delivery in deliveries]
