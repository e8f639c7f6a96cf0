"""The driver: steps one run, does what it asks for, and keeps its journal durable.

A run without effects never leaves `Driver.advance`, a plain function: no task, no await. What it
has to say goes to the group commit as one `Write`.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from typing import Any

import structlog

from junctor.engine.commands import (
    Aside,
    Await,
    Call,
    Command,
    Flush,
    Outcome,
    Respond,
    Result,
    Settle,
    Start,
    Wait,
)
from junctor.engine.journal import SEGMENT_BYTES, Journal
from junctor.engine.nodes import Halt
from junctor.errors import (
    Fault,
    JunctorError,
    StaleFence,
)
from junctor.language.connector import Connector
from junctor.language.outputs import RETURNED
from junctor.ports.backlog import Claim
from junctor.ports.inbox import Answered
from junctor.ports.ledger import Write
from junctor.ports.transport import Transport
from junctor.runtime.accounts import Accounts
from junctor.runtime.committer import Committer
from junctor.runtime.flight import Flight, polled
from junctor.runtime.keeper import Keeper
from junctor.runtime.operate import Operator
from junctor.runtime.services import Services
from junctor.runtime.stops import Stops
from junctor.runtime.waiting import Waiting
from junctor.runtime.writes import last_write, set_aside, storable

__all__ = ["LONG_WAIT", "SLICE", "Driver"]

log = structlog.get_logger(__name__)

LONG_WAIT = 30.0
"""Seconds; a longer wait ends the claim and leaves a due time."""
SLICE = 0.001
"""Seconds a run may compute before others get their turn."""


class Driver:
    """Drives runs. One per worker process."""

    def __init__(
        self,
        committer: Committer,
        accounts: Accounts,
        transport: Transport,
        connector: Callable[[str], Connector | None],
        services: Services,
        *,
        waiting: Waiting | None = None,
        stops: Stops | None = None,
        holds: Callable[[Claim], bool] = lambda _: True,
        breathe: Callable[[], Awaitable[None]] = lambda: asyncio.sleep(0),
        clock: Callable[[], float] = time.time,
        sleep: Callable[[float], Any] = asyncio.sleep,
    ) -> None:
        self._committer = committer
        self._keeper = Keeper(committer)
        self._waiting = waiting
        self._operator = Operator(
            self._keeper, accounts, transport, connector, services, holds=holds
        )
        self._stops = stops or Stops()
        self._turn = breathe
        self._clock = clock
        self._sleep = sleep

    def advance(
        self, flight: Flight, value: Any = None, halt: Halt | None = None
    ) -> Command | Result:
        """Steps the run until it asks for something that takes time, or ends. ``halt`` ends it."""
        assert flight.steps is not None
        until = time.perf_counter() + SLICE
        try:
            while True:
                if halt is None:
                    command = flight.steps.send(value)
                else:
                    command, halt = flight.steps.throw(halt), None
                value = None
                if type(command) is Flush:
                    if flight.journal.size >= SEGMENT_BYTES or time.perf_counter() > until:
                        return command
                elif type(command) is Respond and not _meant(flight, command):
                    continue
                elif type(command) is Respond:
                    headers = tuple(
                        (storable(name), storable(value)) for name, value in command.headers
                    )
                    flight.answer = Answered(command.status, headers, command.body)
                    flight.unsent_answer = flight.unsaved = True
                elif type(command) is Start:
                    value = self._start(flight, command.call)
                elif type(command) is Aside:
                    set_aside(flight, command, self._clock())
                else:
                    return command
        except StopIteration as stop:
            result: Result = stop.value
            return result
        except Exception as error:
            return self._broken(flight, error)

    async def drive(self, flight: Flight, command: Command | Result) -> None:
        """Goes on from a command that `advance` gave, to the end of the run or a long wait."""
        stored = False
        try:
            while not isinstance(command, Result):
                halt = self._stops.halt(flight.run_id, command)
                if halt is not None:
                    command = self.advance(flight, halt=halt)
                    continue
                value: Any
                if isinstance(command, Wait) and command.awaited is not None:
                    value = await self._awaited(flight, command)
                    if value is None:
                        return
                elif isinstance(command, Wait):
                    if not await self._wait(flight, command):
                        return
                    # A stop cuts a wait short; what comes after it may never ask again.
                    halt = self._stops.halt(flight.run_id, command)
                    if halt is not None:
                        command = self.advance(flight, halt=halt)
                        continue
                    value = None
                elif isinstance(command, Flush):
                    await self._breathe(flight)
                    value = None
                elif isinstance(command, Settle):
                    value = await self._keeper.settle(flight, command)
                elif isinstance(command, Await):
                    self._keeper.save(flight)
                    value = await flight.calls.pop(command.ticket)
                else:
                    assert isinstance(command, Call)
                    value = await self._operator.do(flight, command)
                command = self.advance(flight, value)
            if flight.calls:
                await asyncio.gather(*flight.calls.values(), return_exceptions=True)
                flight.calls.clear()
            stored = await self._committer.submit(self.finish(flight, command))
            if not stored:
                raise StaleFence
        except StaleFence:
            flight.state = "stale"
        except Exception as error:
            log.exception("run_not_stored", run=str(flight.run_id))
            await self.set_aside(flight, error)
            stored = flight.state != "stale"
        finally:
            self._stops.ended(flight.run_id, stored=stored)
            for task in flight.calls.values():
                task.cancel()

    async def set_aside(self, flight: Flight, error: BaseException) -> None:
        """Ends a run whose record could not be stored, with what is stored; raises if even that
        can't be.
        """
        flight.journal = Journal()
        flight.answer, flight.unsent_answer = None, False
        flight.parks, flight.stored = flight.parks or flight.stored, False
        reason = f"the run's record could not be stored ({type(error).__name__}: {error})"
        write = self.finish(flight, Result(status="incomplete", error=Fault(reason=reason)))
        write.last_words = True
        if not await self._committer.submit(write):
            flight.state = "stale"

    def finish(self, flight: Flight, result: Result) -> Write:
        """The last write of a run that ended."""
        return last_write(flight, result, self._clock())

    async def _breathe(self, flight: Flight) -> None:
        """Lets others run; writes when there is much to write, two segments ahead at most."""
        if flight.journal.size >= SEGMENT_BYTES:
            future = self._keeper.flush(flight)
            if future is not None:
                flight.pending.append(future)
            while len(flight.pending) > 2:
                if not await flight.pending.pop(0):
                    raise StaleFence
        await self._turn()

    async def _wait(self, flight: Flight, wait: Wait) -> bool:
        """True when the wait is over; False if the run left to wait in the database."""
        now = self._clock()
        due = wait.due if wait.due is not None else now + wait.seconds
        if wait.due is None:
            flight.journal.wait(wait.address, due)
        if due - now <= LONG_WAIT:
            await self._keeper.settled(flight)
            await self._stops.rest(flight.run_id, max(0.0, due - now), self._sleep)
            return True
        # Lanes: what is being sent is recorded before the claim may go to somebody else.
        await asyncio.gather(*flight.calls.values(), return_exceptions=True)
        await self._keeper.keep(
            flight, polled(flight), wait.address.cycle
        )  # the items are this run's
        future = self._keeper.flush(flight, due=datetime.fromtimestamp(due, UTC))
        assert flight.steps is not None
        flight.steps.close()
        flight.state = "waiting"
        if future is not None and not await future:
            raise StaleFence
        return False

    async def _awaited(self, flight: Flight, wait: Wait) -> Outcome | None:
        """What came of a wait for an event or a person; ``None`` if the run left to wait for it."""
        if self._waiting is None:
            return Outcome(error=Fault(reason="nothing can be awaited here"))
        await asyncio.gather(*flight.calls.values(), return_exceptions=True)
        await self._keeper.keep(flight, polled(flight), wait.address.cycle)
        return await self._waiting.wait(flight, wait, self._keeper, self._clock())

    def _start(self, flight: Flight, call: Call) -> int:
        flight.tickets += 1
        flight.calls[flight.tickets] = asyncio.get_running_loop().create_task(
            self._operator.do(flight, call)
        )
        return flight.tickets

    def _broken(self, flight: Flight, error: Exception) -> Result:
        """A run whose code failed: incomplete, with what is recorded kept."""
        log.error("run_failed", run=str(flight.run_id), exc_info=error)
        if not isinstance(error, JunctorError):
            error = Fault(reason=f"{type(error).__name__}: {error}")
        return Result(status="incomplete", error=error)


def _meant(flight: Flight, respond: Respond) -> bool:
    """Whether an answer is for who waits: outputs are for the run that called, a response is for a
    hook's caller; whoever started the run by hand may have either.
    """
    outputs = ("content-type", RETURNED) in respond.headers
    return not flight.answer and flight.trigger != ("delivery" if outputs else "call")
