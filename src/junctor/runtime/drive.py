"""The driver: steps one run, does what it asks for, and keeps its journal durable.

A run without effects never leaves `Driver.advance`, a plain function: no task, no await. What it
has to say goes to the group commit as one `Write`.
"""

from __future__ import annotations

import asyncio
import json
import math
import time
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from typing import Any

import structlog

from junctor.engine.commands import (
    Await,
    Call,
    Command,
    Flush,
    Outcome,
    Respond,
    Result,
    Start,
    Wait,
)
from junctor.engine.journal import SEGMENT_BYTES, Journal, encode_segment
from junctor.errors import (
    Fault,
    JunctorError,
    Misconfigured,
    StaleFence,
    Uncertain,
    VendorRefused,
    VendorUnavailable,
)
from junctor.language import forms
from junctor.language.connector import Connector, Effect, Request, Response
from junctor.ports.inbox import Answered
from junctor.ports.ledger import RunRow, SegmentRow, Write
from junctor.ports.transport import Transport
from junctor.runtime.accounts import Account, Accounts, absolute, fingerprint
from junctor.runtime.committer import Committer
from junctor.runtime.effects import perform, sent_bytes
from junctor.runtime.flight import ACCEPTED, FAILED, Flight, segment_aad
from junctor.runtime.outcomes import half_done, refusal

__all__ = ["LONG_WAIT", "SLICE", "Driver", "storable"]

log = structlog.get_logger(__name__)

_LOOKS = frozenset({"GET", "HEAD", "OPTIONS"})
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
        *,
        breathe: Callable[[], Awaitable[None]] = lambda: asyncio.sleep(0),
        clock: Callable[[], float] = time.time,
        sleep: Callable[[float], Any] = asyncio.sleep,
    ) -> None:
        self._committer = committer
        self._accounts = accounts
        self._transport = transport
        self._connector = connector
        self._turn = breathe
        self._clock = clock
        self._sleep = sleep

    def advance(self, flight: Flight, value: Any = None) -> Command | Result:
        """Steps the run until it asks for something that takes time, or ends."""
        assert flight.steps is not None
        until = time.perf_counter() + SLICE
        try:
            while True:
                command = flight.steps.send(value)
                value = None
                if type(command) is Flush:
                    if flight.journal.size >= SEGMENT_BYTES or time.perf_counter() > until:
                        return command
                elif type(command) is Respond:
                    headers = tuple(
                        (storable(name), storable(value)) for name, value in command.headers
                    )
                    flight.answer = Answered(command.status, headers, command.body)
                    flight.unsent_answer = flight.unsaved = True
                elif type(command) is Start:
                    value = self._start(flight, command.call)
                else:
                    return command
        except StopIteration as stop:
            result: Result = stop.value
            return result
        except Exception as error:
            return self._broken(flight, error)

    async def drive(self, flight: Flight, command: Command | Result) -> None:
        """Goes on from a command that `advance` gave, to the end of the run or a long wait."""
        try:
            while not isinstance(command, Result):
                if isinstance(command, Wait):
                    if not await self._wait(flight, command):
                        return
                    value: Any = None
                elif isinstance(command, Flush):
                    await self._breathe(flight)
                    value = None
                elif isinstance(command, Await):
                    self._save(flight)
                    value = await flight.calls.pop(command.ticket)
                else:
                    assert isinstance(command, Call)
                    value = await self._do(flight, command)
                command = self.advance(flight, value)
            if flight.calls:
                await asyncio.gather(*flight.calls.values(), return_exceptions=True)
                flight.calls.clear()
            if not await self._committer.submit(self.finish(flight, command)):
                raise StaleFence
        except StaleFence:
            flight.state = "stale"
        except Exception as error:
            log.exception("run_not_stored", run=str(flight.run_id))
            await self.set_aside(flight, error)
        finally:
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
        flight.state = result.status
        if flight.answer is None and flight.server is not None:
            flight.answer = ACCEPTED if result.status == "finished" else FAILED
            flight.unsent_answer = True
        error = None
        if result.error is not None:
            error = json.dumps(storable(result.error.as_record()), default=str)
        write = self._write(flight)
        write.row = RunRow(
            version=flight.version,
            # Rolled back by its own handler: over, with its error, and nothing to go on with.
            state="discarded" if result.status == "failed" else result.status,
            wait_reason=None,
            due_at=None,
            trigger=flight.trigger,
            actor=flight.actor,
            started_at=flight.started_at,
            ended_at=datetime.fromtimestamp(self._clock(), UTC),
            operations=result.operations,
            bytes=result.bytes,
            segments=flight.seq,
            error=error,
            failed_module=result.failed.module if result.failed else None,
            dropped=json.dumps(result.dropped) if result.dropped else None,
        )
        write.done, write.parked = flight.stored, flight.parks
        write.blocks = flight.claim.ordered and result.status in {"incomplete", "uncertain"}
        return write

    def _write(self, flight: Flight) -> Write:
        """What the journal holds now, sealed."""
        write = Write(claim=flight.claim, run_id=flight.run_id, retention=flight.retention)
        taken = flight.journal.take()
        if taken is not None:
            aad = segment_aad(flight.claim.organization_id, flight.run_id, flight.seq)
            sealed = flight.keyring.seal(encode_segment(taken.raw), aad)
            write.segments = (SegmentRow(flight.seq, sealed, b"".join(taken.blobs)),)
            write.blobs = taken.blobs
            flight.seq += 1
        if flight.unsent_answer and flight.server is not None:
            write.answer, write.server = flight.answer, flight.server
        flight.unsent_answer = False
        return write

    def _flush(self, flight: Flight, *, due: datetime | None = None) -> asyncio.Future[bool] | None:
        """Sends what is collected to the group commit."""
        flight.unsaved = False
        if not flight.journal.size and not flight.unsent_answer and due is None:
            return None
        write = self._write(flight)
        if due is not None or not flight.visible:
            write.row = self._row(flight, due)
            write.due_at = due
            write.done = due is not None and flight.stored
            write.blocks = due is not None and flight.claim.ordered
            flight.visible = True
        return self._committer.submit(write)

    def _row(self, flight: Flight, due: datetime | None) -> RunRow:
        return RunRow(
            version=flight.version,
            state="running" if due is None else "waiting",
            wait_reason=None if due is None else "time",
            due_at=due,
            trigger=flight.trigger,
            actor=flight.actor,
            started_at=flight.started_at,
            segments=flight.seq,
        )

    def _save(self, flight: Flight) -> None:
        """Sends what should be durable to the group commit, without waiting for it."""
        if flight.unsaved:
            self._flush(flight)

    async def _settled(self, flight: Flight) -> None:
        """Makes what the journal holds durable."""
        future = self._flush(flight)
        if future is not None and not await future:
            raise StaleFence

    async def _breathe(self, flight: Flight) -> None:
        """Lets others run; writes when there is much to write, two segments ahead at most."""
        if flight.journal.size >= SEGMENT_BYTES:
            future = self._flush(flight)
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
            await self._settled(flight)
            await self._sleep(max(0.0, due - now))
            return True
        # Lanes: what is being sent is recorded before the claim may go to somebody else.
        await asyncio.gather(*flight.calls.values(), return_exceptions=True)
        future = self._flush(flight, due=datetime.fromtimestamp(due, UTC))
        assert flight.steps is not None
        flight.steps.close()
        flight.state = "waiting"
        if future is not None and not await future:
            raise StaleFence
        return False

    def _start(self, flight: Flight, call: Call) -> int:
        flight.tickets += 1
        flight.calls[flight.tickets] = asyncio.get_running_loop().create_task(
            self._do(flight, call)
        )
        return flight.tickets

    async def _do(self, flight: Flight, call: Call) -> Outcome:
        """One operation: bound, sent, recorded."""
        begun = time.perf_counter()
        counted = 0
        before: list[Any] | None = None  # an answer is a step only if another request follows
        acted = False
        module = call.module
        connector = self._connector(module.connector)
        effect: Effect = module.effect
        try:
            assert flight.prepared is not None
            zone = flight.prepared.zone
            arguments = forms.bind(module, call.arguments or {}, call.parameters, zone=zone)
            if module.effect_of is not None:
                effect = module.effect_of(arguments)
            account = await self._account(flight, call)

            async def send(request: Request, step: int) -> Response:
                nonlocal acted, before, counted
                if before is not None:
                    flight.journal.step(call.address, step - 1, before)
                    before = None
                recorded = call.steps.get(step)
                if recorded is not None:
                    response = Response(*recorded)
                else:
                    response, size = await self._send(flight, call, request, step, effect, account)
                    counted += size
                    before = [response.status, dict(response.headers), response.body, response.url]
                good = 200 <= response.status < 300
                if not good and request.raises:
                    error = refusal(connector, response, effect)
                    raise half_done(error) if acted else error
                acted |= good and effect == "once" and request.method.upper() not in _LOOKS
                return response

            bundles = await perform(module, arguments, send)
        except StaleFence:
            raise
        except Exception as error:
            known = error if isinstance(error, JunctorError) else None
            if known is None:
                log.exception("module_failed", module=module.id, run=str(flight.run_id))
                known = Fault(reason=f"{module.id} raised {type(error).__name__}: {error}")
            if acted and not isinstance(known, VendorRefused):  # only a refusal says: not done
                known = half_done(known)
            return await self._failed(flight, call, known, effect, counted)
        spent = (time.perf_counter() - begun) * 1000
        flight.journal.done(call.address, bundles, counted, round(spent, 3), call.arguments)
        flight.unsaved |= effect != "read" or flight.journal.size >= SEGMENT_BYTES
        if flight.calls:  # a lane's: the run may be awaiting another one for long
            self._save(flight)
        return Outcome(bundles=bundles, bytes=counted)

    async def _failed(
        self, flight: Flight, call: Call, error: JunctorError, effect: Effect, counted: int
    ) -> Outcome:
        if isinstance(error, Uncertain) and effect != "once":
            error = VendorUnavailable(f"No complete answer: {error.message}", status=0)
        flight.journal.failed(call.address, error)
        await self._settled(flight)
        return Outcome(error=error, bytes=counted)

    async def _account(self, flight: Flight, call: Call) -> Account | None:
        """The connection of the placed module, if its connector has any."""
        assert flight.prepared is not None
        connection = flight.prepared.connections.get(call.address.module)
        if connection is None:
            connector = self._connector(call.module.connector)
            if connector is not None and connector.connections:
                raise Misconfigured(
                    reason=f"module {call.address.module} ({call.module.id}) has no connection; "
                    "choose one for it"
                )
            return None
        return await self._accounts.get(flight.claim.organization_id, connection)

    async def _send(
        self,
        flight: Flight,
        call: Call,
        request: Request,
        step: int,
        effect: Effect,
        account: Account | None,
    ) -> tuple[Response, int]:
        """Sends one request; before one that must not be repeated, its intent is durable."""
        target = absolute(request, account.base_url) if account is not None else request
        print_ = fingerprint(target)
        if call.intent is not None and step not in call.steps and call.intent != print_:
            raise Uncertain(
                "The request differs from the one recorded before a crash, so it is not sent"
            )
        if effect in {"once", "keyed", "idempotent"}:
            summary = {"method": target.method, "url": target.url.partition("?")[0]}
            flight.journal.intent(call.address, step, print_, summary)
            if effect == "once":
                await self._settled(flight)
        self._save(flight)
        if account is not None:
            response = await self._accounts.send_as(account, target)
        else:
            response = await self._transport.send(target)
        return response, sent_bytes(request) + len(response.body)

    def _broken(self, flight: Flight, error: Exception) -> Result:
        """A run whose code failed: incomplete, with what is recorded kept."""
        log.error("run_failed", run=str(flight.run_id), exc_info=error)
        if not isinstance(error, JunctorError):
            error = Fault(reason=f"{type(error).__name__}: {error}")
        return Result(status="incomplete", error=error)


def storable(value: Any) -> Any:
    """The value as the database can keep it as JSON: without NUL, lone surrogates and infinities.

    Vendors' texts come here as they are; one that can't be stored would keep its run from ending.
    """
    if isinstance(value, str):
        return str(value).replace("\0", "\ufffd").encode("utf-8", "replace").decode()
    if isinstance(value, dict):
        return {storable(str(name)): storable(item) for name, item in value.items()}
    if isinstance(value, list | tuple):
        return [storable(item) for item in value]
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)
    return value
