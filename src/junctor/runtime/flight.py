"""One run in flight: what its driver knows of it, beside the engine."""

from __future__ import annotations

import asyncio
from collections.abc import Generator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID

from junctor.engine.commands import Address, Command, Outcome, Result
from junctor.engine.context import caller_of
from junctor.engine.journal import Journal
from junctor.errors import JunctorError
from junctor.language import ids
from junctor.ports.backlog import Claim
from junctor.ports.inbox import Answered
from junctor.ports.ledger import Kept, Write
from junctor.ports.vault import Keyring
from junctor.runtime.envelope import Lines
from junctor.runtime.plans import Prepared
from junctor.runtime.staging import Staged

__all__ = ["ACCEPTED", "FAILED", "Flight", "by_itself", "caller", "polled", "segment_aad"]

ACCEPTED = Answered(200, (("content-type", "text/plain; charset=utf-8"),), b"Accepted")
FAILED = Answered(
    500, (("content-type", "text/plain; charset=utf-8"),), b"The scenario failed to complete."
)


def segment_aad(organization_id: UUID, run_id: UUID, seq: int) -> bytes:
    """What a segment is sealed to: it can't be moved to another run or place."""
    return organization_id.bytes + run_id.bytes + seq.to_bytes(4, "big")


@dataclass(slots=True, eq=False)
class Flight:
    """One run in flight."""

    claim: Claim
    run_id: UUID
    prepared: Prepared | None
    """``None`` for a run that can't begin."""
    version: int
    keyring: Keyring
    journal: Journal
    retention: str
    server: str | None
    """Where the caller waits for an answer; empty if that is not known, ``None`` if none does."""
    trigger: str
    actor: str
    started_at: datetime
    origin: UUID | None = None
    """The run that this one was set aside from, or repeats."""
    header: Mapping[str, Any] = field(default_factory=dict)
    """What its journal begins with, if it came of another run."""
    lines: Lines = ()
    """Of those that wait for it."""
    stored: bool = False
    """Whether its delivery lies in the inbox, to leave it when the run ends."""
    parks: bool = False
    """Whether its delivery stays there, for a retry."""
    start: str = "now"
    """Where a trigger that has not polled before begins."""
    staged: Staged = field(default_factory=Staged)
    seq: int = 0
    steps: Generator[Command, Any, Result] | None = None
    answer: Answered | None = None
    unsent_answer: bool = False
    unsaved: bool = False
    """Something was done, or answered, that should be durable before more is awaited."""
    visible: bool = False
    """Whether its row says that it is running."""
    state: str = "running"
    error: JunctorError | None = None
    """What ended it, if it failed."""
    returns: bool = False
    """Whether something of it is due later, by itself: it, or what it set aside."""
    again: bool = False
    """Whether it is tried again by itself, having stopped."""
    forks: list[Write] = field(default_factory=list)
    """Bundles set aside, to be stored with the next write."""
    stands: UUID | None = None
    """The first run that it set aside: what must follow it in order stands behind that. Its own id,
    if it did so before a worker died with it.
    """
    left: tuple[UUID, JunctorError] | None = None
    """The first that it set aside for somebody to look at, as nobody tries it again by itself."""
    left_count: int = 0
    tried: bool = False
    """It has stopped before, and was told then."""
    awaits: bool = False
    """A wait of it may be open, for a delivery or a person."""
    turn: asyncio.Lock = field(default_factory=asyncio.Lock)
    """Modules that write what a commit applies go one at a time, lanes or not."""
    calls: dict[int, asyncio.Task[Outcome]] = field(default_factory=dict)
    tickets: int = 0
    pending: list[asyncio.Future[bool]] = field(default_factory=list)


def caller(flight: Flight, address: Address) -> UUID:
    """The run as which it calls others in an operation."""
    header = flight.header
    return ids.read("run", caller_of(header, address)) if header else flight.run_id


def by_itself(flight: Flight) -> Kept:
    """What is applied right after a module, as the scenario commits by itself."""
    plan = flight.prepared.plan if flight.prepared is not None else None
    if plan is None or not plan.auto_commit:
        return Kept()
    last = plan.head.id if plan.head is not None and plan.head.polls and plan.trigger_last else None
    return flight.staged.to_apply(
        states={module for module, _ in flight.staged.states if module != last}
    )


def polled(flight: Flight) -> Kept:
    """Where the trigger is that polls, alone."""
    head = flight.prepared.plan.head if flight.prepared is not None else None
    if head is None or not head.polls:
        return Kept()
    return flight.staged.to_apply(records=False, states={head.id})
