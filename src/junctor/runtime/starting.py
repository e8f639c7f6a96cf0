"""Starting and ending runs: of a delivery, one after another where they must follow, and again
after a wait.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence
from typing import Any
from uuid import UUID

import structlog

from junctor.adapters.postgres.hot import is_lost
from junctor.engine.commands import Result
from junctor.engine.journal import Journal
from junctor.errors import Fault, JunctorError
from junctor.language import ids
from junctor.ports.backlog import Backlog, Claim, DueRun, Taken
from junctor.runtime import telemetry
from junctor.runtime.committer import Committer
from junctor.runtime.drive import Driver
from junctor.runtime.flight import Flight
from junctor.runtime.flights import Flights
from junctor.runtime.notices import Notices
from junctor.runtime.plans import Prepared
from junctor.runtime.shares import Places

__all__ = ["POISON", "SLICE_RUNS", "Starter"]

log = structlog.get_logger(__name__)

SLICE_RUNS = 128
"""Deliveries of one claim in flight, if it has effects to wait for; and waits looked at."""
DUE_SECONDS = 0.5
"""Between looks at the waiting runs of one claim."""
POISON = 3
"""A delivery that stops its worker so often is parked."""


class Starter:
    """Starts runs for a worker, and says when they have ended.

    ``prepare`` gives a claim's version, or why it can't be had; ``lost`` is told of a claim that
    nobody may give back; ``wake`` is called when there may be something new to do; ``offer`` says
    which run a delivery is given to, if one waits for it.
    """

    def __init__(
        self,
        backlog: Backlog,
        flights: Flights,
        driver: Driver,
        committer: Committer,
        *,
        prepare: Callable[..., Awaitable[Prepared | JunctorError]],
        notices: Notices,
        lost: Callable[[Claim], None],
        wake: Callable[[], None],
        offer: Callable[[Claim, Prepared, Taken], Awaitable[UUID | None]] | None = None,
    ) -> None:
        self.backlog = backlog
        self.flights = flights
        self.driver = driver
        self.committer = committer
        self.prepare = prepare
        self.notices = notices
        self._lost = lost
        self._wake = wake
        self._offer = offer
        self.tasks: set[asyncio.Task[None]] = set()
        self.ended = 0
        """Runs that ended here."""

    def give_up(self, claim: Claim, error: BaseException) -> None:
        """Lets go of a claim of which we don't know what was begun, as if we had crashed."""
        log.error("claim_given_up", scenario=str(claim.scenario_id), exc_info=error)
        claim.lost = True
        self._lost(claim)

    async def begin(
        self, claim: Claim, prepared: Prepared, delivery: Taken, *, read_back: bool = False
    ) -> None:
        """Starts one delivery: in place if it is pure, as a task if it has effects.

        ``read_back``: somebody may have begun it before.
        """
        claim.busy.add(delivery.id)
        if delivery.watched is not None:
            self._spawn(self._watched(claim, prepared, delivery))
            return
        try:
            flight, command = await self._first(claim, prepared, delivery, read_back=read_back)
            write = None
            if isinstance(command, Result) and not flight.calls:
                write = self.driver.finish(flight, command)
        except Exception as error:
            self.give_up(claim, error)
            return
        if write is not None:
            future = self.committer.submit(write)
            future.add_done_callback(lambda done: self._ended(flight, done))
        else:
            self._spawn(self._drive(flight, command))

    async def retake(self, claim: Claim, prepared: Prepared, taken: Sequence[Taken]) -> int:
        """Starts deliveries of a claim whose last owner crashed; how many.

        What it may have begun is counted and read back. Most had nothing to do with the crash, and
        start at once. Those that were counted before were under way at two crashes: they follow one
        another, so that the one that stops its workers is the only one that is.
        """
        assert claim.cautious_until is not None
        begun = [delivery for delivery in taken if delivery.id <= claim.cautious_until]
        line = [each for each in begun if each.attempts or each.watched is not None]
        once = [each for each in begun if not (each.attempts or each.watched is not None)]
        claim.busy.update(each.id for each in begun)
        ours = await self.backlog.attempt([(claim, each.id) for each in once]) if once else {}
        claim.busy.difference_update(each.id for each in once if each.id not in ours)
        started = self.start_line(claim, line)
        careful = [delivery for delivery in once if delivery.id in ours]
        # Asked for all at once: while a pass reads back one by one, nobody else is taken over.
        wrote = await self.backlog.begun(claim.organization_id, list(ours)) if ours else set()
        for delivery in (*careful, *taken[len(begun) :]):
            if claim.lost:
                break
            await self.begin(claim, prepared, delivery, read_back=delivery.id in wrote)
            started += 1
        return started

    async def _watched(self, claim: Claim, prepared: Prepared, delivery: Taken) -> None:
        """One that a run may wait for."""
        try:
            if await self._given(claim, prepared, delivery):
                return
            flight, command = await self._first(claim, prepared, delivery)
        except Exception as error:
            self.give_up(claim, error)
        else:
            await self._drive(flight, command)

    async def _given(self, claim: Claim, prepared: Prepared, delivery: Taken) -> bool:
        """Whether a delivery went to a run that waits for it; then its own has nothing to do."""
        if self._offer is None or delivery.watched is None:
            return False
        run = await self._offer(claim, prepared, delivery)
        if run is None:
            return False
        flight = await self.flights.bare(claim, delivery.id, delivery.server)
        flight.stored, flight.parks = True, False
        name = f"given to {ids.show('run', run)}"
        await self.driver.drive(flight, Result(status="finished", name=name))
        self._ended(flight, None)
        return True

    async def _first(
        self, claim: Claim, prepared: Prepared, delivery: Taken, *, read_back: bool = False
    ) -> tuple[Flight, Any]:
        """A run and its first command; one that can't begin ends at once."""
        telemetry.METER.begun += 1
        try:
            flight = await self.flights.of_delivery(claim, prepared, delivery, read_back=read_back)
            return flight, self.driver.advance(flight)
        except Exception as error:
            if is_lost(error):
                raise
            if not isinstance(error, JunctorError):
                log.exception("run_not_begun", run=str(delivery.id))
            return await self._stillborn(claim, delivery, error)

    def _spawn(self, work: Any) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self.tasks.add(task)
        task.add_done_callback(self.tasks.discard)

    async def _drive(self, flight: Flight, command: Any) -> None:
        telemetry.working(flight)
        try:
            await self.driver.drive(flight, command)
        except Exception as error:
            self.give_up(flight.claim, error)
        else:
            self._ended(flight, None)

    async def _set_aside(self, flight: Flight, error: BaseException) -> None:
        try:
            await self.driver.set_aside(flight, error)
        except Exception as again:
            self.give_up(flight.claim, again)
        else:
            self._ended(flight, None)

    def _ended(self, flight: Flight, done: asyncio.Future[bool] | None) -> None:
        ours = flight.state != "stale"
        if done is not None:
            if done.cancelled():
                return
            error = done.exception()
            if error is not None:
                self._spawn(self._set_aside(flight, error))
                return
            ours = done.result()
        self.ended += 1
        telemetry.ended(flight)
        if ours and self.notices.concerns(flight):  # or whoever has it now says how it ended
            self._spawn(self.notices.ended(flight))
        claim = flight.claim
        claim.busy.discard(flight.run_id)
        if flight.state == "waiting" or flight.returns:
            claim.waits = True
        in_order = claim.ordered
        if in_order and flight.state in {"incomplete", "uncertain", "waiting"}:
            claim.blocked_by_run = flight.run_id
        elif in_order and flight.stands is not None:
            claim.blocked_by_run = flight.stands
        elif claim.blocked_by_run == flight.run_id:
            claim.more = True  # given back, it stands behind the next that stopped, if there is one
        if claim.crowded or not claim.busy:
            self._wake()

    def start_line(self, claim: Claim, taken: Sequence[Taken]) -> int:
        """Deliveries that must follow one another."""
        if taken:
            claim.busy.update(delivery.id for delivery in taken)
            claim.queued += len(taken)
            # Kept by the line: the claim may have others by then.
            self._spawn(self._line(claim, taken, claim.cautious_until))
        return len(taken)

    async def _line(self, claim: Claim, taken: Sequence[Taken], until: UUID | None) -> None:
        queued = len(taken)
        try:
            for delivery in taken:
                cautious = until is not None and delivery.id <= until
                async with claim.line:  # more may have been taken meanwhile, for another line
                    queued, claim.queued = queued - 1, claim.queued - 1
                    if claim.lost or claim.stale or claim.blocked_by_run is not None:
                        claim.more = True
                        break
                    if cautious and (await self._attempts(claim, delivery)) > POISON:
                        reason = "this delivery stopped its worker three times and was set aside"
                        await self._park(claim, delivery, Fault(reason=reason))
                        continue
                    await self._one(claim, delivery, read_back=cautious)
                if claim.cautious_until is not None and not cautious:
                    claim.cautious_until = None
        except Exception as error:
            self.give_up(claim, error)
        finally:
            claim.queued -= queued
            claim.busy.difference_update(delivery.id for delivery in taken)
            self._wake()

    async def _one(self, claim: Claim, delivery: Taken, *, read_back: bool) -> None:
        prepared = await self.prepare(claim)
        if isinstance(prepared, JunctorError):
            await self._park(claim, delivery, prepared)
            return
        begun = read_back and await self.backlog.recorded(claim.organization_id, delivery.id)
        if not begun and await self._given(claim, prepared, delivery):
            return
        flight, command = await self._first(claim, prepared, delivery, read_back=read_back)
        telemetry.working(flight)
        await self.driver.drive(flight, command)
        self._ended(flight, None)

    async def _attempts(self, claim: Claim, delivery: Taken) -> int:
        counts = await self.backlog.attempt([(claim, delivery.id)])
        return counts.get(delivery.id, 0)

    async def _park(self, claim: Claim, delivery: Taken, error: JunctorError) -> None:
        """Sets a delivery aside as an incomplete run that still has its delivery."""
        flight, result = await self._stillborn(claim, delivery, error)
        await self.driver.drive(flight, result)
        self._ended(flight, None)

    async def _stillborn(
        self, claim: Claim, delivery: Taken, error: Exception
    ) -> tuple[Flight, Result]:
        """A run that can't begin; its delivery stays, parked, for a retry."""
        if not isinstance(error, JunctorError):
            error = Fault(reason=f"{type(error).__name__}: {error}")
        flight = await self.flights.bare(claim, delivery.id, delivery.server)
        return flight, Result(status="incomplete", error=error)

    async def resume_due(self, claim: Claim, places: Places) -> int:
        """Goes on with the claim's runs whose wait is over, as far as there are places for them;
        returns how many.
        """
        now = time.monotonic()
        if now - claim.looked_at < DUE_SECONDS:
            return 0
        claim.looked_at = now
        runs = await self.backlog.due(claim, SLICE_RUNS)
        runs = runs[: places.give(claim, len(runs))]
        if runs:
            claim.busy.update(run.id for run in runs)
            claim.waits = True
            self._spawn(self._resume_line(claim, runs))
        elif claim.blocked_by_run is not None:
            row = await self.backlog.run_row(claim.organization_id, claim.blocked_by_run)
            if row is None or row[1] in {"finished", "discarded"}:
                claim.more = True
        return len(runs)

    async def _resume_line(self, claim: Claim, runs: Sequence[DueRun]) -> None:
        # After a crash those that came through no other are tried one by one, as in `retake`.
        line = [run for run in runs if claim.in_line or (claim.crashes and run.tries)]
        once = [run for run in runs if run not in line]
        queued = len(line)
        claim.queued += queued
        try:
            if claim.crashes and once:
                ours = await self.backlog.tried(claim, [run.id for run in once])
                once = [run for run in once if run.id in ours]
            resuming = (self._resume(claim, run) for run in once)
            for failed in await asyncio.gather(*resuming, return_exceptions=True):
                if isinstance(failed, BaseException):
                    raise failed
            for run in line:
                tries = 0
                async with claim.line:
                    queued, claim.queued = queued - 1, claim.queued - 1
                    if claim.crashes:
                        tries = (await self.backlog.tried(claim, [run.id])).get(run.id, 0)
                    await self._resume(claim, run, tries=tries)
        except Exception as error:
            self.give_up(claim, error)
        finally:
            claim.queued -= queued
            claim.busy.difference_update(run.id for run in runs)
            self._wake()

    async def _resume(self, claim: Claim, run: DueRun, *, tries: int = 0) -> None:
        """Goes on with a run from its journal, or from its parked delivery if it has none."""
        claim.broken.discard(run.id)  # what could not be stored is not part of its journal
        prepared = await self.prepare(claim, run.version)
        flight = await self.flights.bare(claim, run.id, None)
        flight.retention, flight.started_at, flight.version = (
            run.retention,
            run.started_at,
            run.version,
        )
        flight.trigger, flight.actor, flight.parks = run.trigger, run.actor, False
        flight.visible, flight.awaits, flight.tried = True, run.awaits, run.again
        telemetry.resumed(flight)
        command: Any
        try:
            if isinstance(prepared, JunctorError):
                raise prepared
            if tries > POISON:
                raise Fault(reason="its workers stopped three times; this run was set aside")
            delivery = await self.backlog.delivery(claim.organization_id, run.id)
            flight.prepared = prepared
            # Its caller may wait still, at a server that the delivery, gone since, knew.
            flight.server = "" if prepared.plan.respond or run.trigger == "call" else None
            recording = await self.flights.read_back(flight)
            if recording is None or not recording.header:
                if delivery is None:
                    raise Fault(reason="the run has neither a journal nor a delivery")
                flight = await self.flights.of_delivery(claim, prepared, delivery)
                flight.visible, flight.retention, flight.started_at = (
                    True,
                    run.retention,
                    run.started_at,
                )
            else:
                flight.stored = delivery is not None
                flight.journal = Journal(claim.detail)
                self.flights.load(flight, recording, edited=run.edited)
            command = self.driver.advance(flight)
        except Exception as error:
            if is_lost(error):
                raise
            log.exception("run_not_resumed", run=str(run.id))
            known = error if isinstance(error, JunctorError) else Fault(reason=repr(error))
            command = Result(status="incomplete", error=known)
        await self.driver.drive(flight, command)
        self._ended(flight, None)
