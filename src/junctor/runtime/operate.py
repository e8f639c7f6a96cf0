"""Doing one operation that touches the world: bound to its form, sent, recorded."""

from __future__ import annotations

import time
from collections.abc import Callable, Coroutine, Mapping
from contextlib import nullcontext
from dataclasses import replace
from functools import partial
from typing import Any

import structlog

from junctor.engine.commands import Call, Outcome
from junctor.engine.journal import SEGMENT_BYTES, Journal
from junctor.errors import (
    DataError,
    Fault,
    Inconsistent,
    JunctorError,
    NotSent,
    Retry,
    StaleFence,
    Uncertain,
    VendorRefused,
    VendorUnavailable,
)
from junctor.language import forms
from junctor.language.asks.records import ReadState, WriteState
from junctor.language.connector import (
    Ask,
    Connector,
    Effect,
    ModuleDef,
    Request,
    Response,
)
from junctor.language.polling import fresh, listed_since
from junctor.ports.backlog import Claim
from junctor.ports.ledger import Kept
from junctor.ports.transport import Transport
from junctor.runtime import telemetry
from junctor.runtime.accounts import Account, Accounts, absolute, fingerprint
from junctor.runtime.effects import Send, completed, listed, perform, sent_bytes
from junctor.runtime.files import RunFiles
from junctor.runtime.flight import Flight, by_itself, caller
from junctor.runtime.handles import with_handle
from junctor.runtime.keeper import Keeper
from junctor.runtime.outcomes import half_done, named, refusal, retry_after
from junctor.runtime.services import Asking, Services, asked
from junctor.runtime.staging import Staged

__all__ = ["MOST_TRIES", "Operator"]

log = structlog.get_logger(__name__)

_LOOKS = frozenset({"GET", "HEAD", "OPTIONS"})
MOST_TRIES = 100
"""How often a module is done again because other runs changed what it was writing."""


class Operator:
    """Does operations. One per worker process."""

    def __init__(
        self,
        keeper: Keeper,
        accounts: Accounts,
        transport: Transport,
        connector: Callable[[str], Connector | None],
        services: Services,
        *,
        holds: Callable[[Claim], bool],
    ) -> None:
        self._keeper = keeper
        self._holds = holds
        self._accounts = accounts
        self._transport = transport
        self._connector = connector
        self._services = services

    def do(self, flight: Flight, call: Call) -> Coroutine[Any, Any, Outcome]:
        """One operation: bound, sent, recorded."""
        tracing = telemetry.LISTENING.tracing
        done = self._do(flight, call)
        return done if tracing is None else tracing.through(flight, call, done)

    async def _do(self, flight: Flight, call: Call) -> Outcome:
        begun = time.perf_counter()
        counted = 0
        before: list[Any] | None = None  # an answer is a step only if another request follows
        acted = False
        later: float | None = None  # when the vendor wants to hear from us again
        module = call.module
        connector = self._connector(module.connector)
        effect: Effect = module.effect
        try:
            assert flight.prepared is not None
            zone = flight.prepared.zone
            arguments = forms.bind(module, call.arguments or {}, call.parameters, zone=zone)
            arguments = with_handle(module, arguments, flight.run_id, call.address)
            if module.effect_of is not None:
                effect = module.effect_of(arguments)
            account = await self._account(flight, call)
            writes = _writes(call)

            def asking() -> Asking:  # most modules never ask
                return self._asking(flight, call, account, writes)

            async def send(request: Request | Ask, step: int) -> Any:
                nonlocal acted, before, counted, later
                if before is not None:
                    flight.journal.step(call.address, step - 1, before[0])
                    before = None
                recorded = call.steps.get(step)
                if isinstance(request, Ask):
                    if step in call.steps:
                        return recorded
                    answer = await self._ask(flight, call, request, step, effect, asking())
                    acted |= effect == "once" and not isinstance(request, ReadState | WriteState)
                    # What is staged would be missing if its answer were taken from the record.
                    before = None if module.transactional else [answer]
                    return answer
                if recorded is not None:
                    response = Response.of_record(recorded)
                else:
                    response, size = await self._send(flight, call, request, step, effect, account)
                    counted += size
                    before = [response.as_record()]
                good = 200 <= response.status < 300
                later = None if good else retry_after(response)
                if not good and request.raises:
                    error = refusal(connector, response, effect)
                    raise half_done(error) if acted else error
                acted |= good and effect == "once" and request.method.upper() not in _LOOKS
                return response

            # In lanes, others stage writes while this is under way: what only reads leaves them be.
            async with flight.turn if writes else nullcontext():
                mark = flight.staged.mark() if writes else None
                try:
                    for _ in range(MOST_TRIES):
                        if module.poll is None:
                            bundles = await perform(module, arguments, send)
                        else:
                            bundles = await self._new(flight, module, arguments, send, asking())
                        spent = round((time.perf_counter() - begun) * 1000, 3)
                        if await self._recorded(flight, call, mark, bundles, counted, spent):
                            break
                    else:
                        what = f"what module {call.address.module} writes, again and again"
                        raise Inconsistent(what=what)
                except BaseException:  # what fails has written nothing, whatever handles it
                    if mark is not None:
                        flight.staged.restore(mark)
                    raise
                finally:
                    if mark is not None:
                        flight.staged.release()
        except StaleFence:
            raise
        except Exception as error:
            known = error if isinstance(error, JunctorError) else None
            if known is None:
                log.exception("module_failed", module=module.id, run=str(flight.run_id))
                known = Fault(reason=f"{module.id} raised {type(error).__name__}: {error}")
            if isinstance(known, Retry) and known.retry_after is None:
                known.retry_after = later  # a module that looks itself reads no dates
            if acted and not isinstance(known, VendorRefused):  # only a refusal says: not done
                known = half_done(known)
            return await self._failed(flight, call, known, effect, counted)
        telemetry.METER.effect(module.connector, "done")
        flight.unsaved |= effect != "read" or flight.journal.size >= SEGMENT_BYTES
        if flight.calls:  # a lane's: the run may be awaiting another one for long
            self._keeper.save(flight)
        return Outcome(bundles=bundles, bytes=counted)

    def _asking(self, flight: Flight, call: Call, account: Account | None, writes: bool) -> Asking:
        return Asking(
            tools=self._services.tools,
            organization_id=flight.claim.organization_id,
            scenario_id=flight.claim.scenario_id,
            run_id=flight.run_id,
            caller=caller(flight, call.address),
            line=flight.claim.order_key if flight.claim.in_line else None,
            lines=flight.lines,
            actor=flight.actor,
            address=call.address,
            parameters=call.parameters,
            account=account,
            prepared=flight.prepared,
            staged=flight.staged if writes else flight.staged.view(),
        )

    async def _ask(
        self, flight: Flight, call: Call, ask: Ask, step: int, effect: Effect, asking: Asking
    ) -> Any:
        """Asks for something of ours; before what must not be repeated, its intent is durable."""
        if not (call.module.transactional or isinstance(ask, ReadState | WriteState)):
            await self._intend(flight, call, step, effect, asked(ask), {"asks": type(ask).__name__})
            self._still_ours(flight, effect)
        return await self._services.do(ask, asking)

    async def _new(
        self,
        flight: Flight,
        module: ModuleDef,
        arguments: Mapping[str, Any],
        send: Send,
        asking: Asking,
    ) -> list[dict[str, Any]]:
        """What a trigger has not given before; where it is now is staged."""
        poll = module.poll
        assert poll is not None
        state = await self._services.do(ReadState(), asking)
        since = listed_since(state, poll, start=flight.start)
        items = await listed(module, arguments, send, since=since)
        limit = arguments.get(poll.limit_field)
        bundles, after = fresh(
            items, state, poll, limit=None if limit is None else int(limit), start=flight.start
        )
        if after != state:
            await self._services.do(WriteState(after), asking)
        return await completed(poll, bundles, arguments, lambda ask: self._services.do(ask, asking))

    async def _recorded(
        self,
        flight: Flight,
        call: Call,
        mark: int | None,
        bundles: list[dict[str, Any]],
        size: int,
        milliseconds: float,
    ) -> bool:
        """Records an operation with what it wrote, and applies that unless the commit comes later.

        False if somebody changed what it was based on: then it never was.
        """
        written = flight.staged.since(mark) if mark is not None else Staged()
        kept = Kept() if written.is_empty else by_itself(flight)
        journal = Journal() if any(kept) else flight.journal
        if not written.is_empty:
            journal.staged(call.address, written.as_record())
        journal.done(call.address, bundles, size, milliseconds, call.arguments)
        if await self._keeper.keep(flight, kept, call.address.cycle, journal) and mark is not None:
            flight.staged.restore(mark)
            return False
        return True

    async def _failed(
        self, flight: Flight, call: Call, error: JunctorError, effect: Effect, counted: int
    ) -> Outcome:
        if isinstance(error, Uncertain) and effect != "once" and "limit" in error.params:
            error = DataError(  # asked again, it would be as long
                reason=f"the answer of {error.params.get('host')} is longer than the "
                f"{error.params['limit']} bytes that a module takes; ask for less at a time, or "
                "for a smaller file"
            )
        elif isinstance(error, Uncertain) and effect != "once":
            error = VendorUnavailable(f"No complete answer: {error.message}", status=0)
        telemetry.METER.effect(call.module.connector, telemetry.outcome_of(error))
        named(error, self._connector(call.module.connector), call.module)
        flight.journal.failed(call.address, error, call.arguments)
        await self._keeper.settled(flight)
        return Outcome(error=error, bytes=counted)

    async def _account(self, flight: Flight, call: Call) -> Account | None:
        """What the placed module's requests are signed with, if anything."""
        assert flight.prepared is not None
        return await self._accounts.of_module(
            flight.claim.organization_id,
            call.module,
            call.address.module,
            call.parameters,
            call.arguments or {},
            flight.prepared.bindings.get("connections", {}),
        )

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
        if call.timeout is not None:
            target = replace(target, timeout=call.timeout)
        blobs = self._services.tools.blobs
        files = None
        if blobs is not None:
            files = RunFiles(blobs, flight.claim.organization_id, flight.run_id)
        summary = {"method": target.method, "url": target.url.partition("?")[0]}
        await self._intend(flight, call, step, effect, fingerprint(target), summary)
        permit = partial(self._still_ours, flight, effect)
        with telemetry.traced(call.module.connector, flight, target) as sent:
            if account is not None:
                response = await self._accounts.send_as(
                    account, sent.request, run_id=flight.run_id, files=files, permit=permit
                )
            else:
                permit()
                response = await self._transport.send(sent.request, files)
            sent.answered(response)
        return response, sent_bytes(request) + response.size

    def _still_ours(self, flight: Flight, effect: Effect) -> None:
        """Raises `NotSent` if the lease has run out since the intent was recorded: this process
        stood still, or could not renew it.

        Whether another owns the run by now, the commit of that failure tells. If nobody does, the
        run must go on from it: only let go of, it would be forgotten, or begun anew.
        """
        if effect != "read" and not self._holds(flight.claim):
            log.warning("lease_over_before_sending", run=str(flight.run_id))
            raise NotSent(
                "This worker, or its database, stood still just before it was sent. "
                "Nothing was sent."
            )

    async def _intend(
        self,
        flight: Flight,
        call: Call,
        step: int,
        effect: Effect,
        fingerprint: bytes,
        summary: dict[str, Any],
    ) -> None:
        """Records what is about to be done; durably, if it must not be done twice."""
        if call.intent is not None and step not in call.steps and call.intent != fingerprint:
            raise Uncertain(
                "The request differs from the one recorded before a crash, so it is not sent"
            )
        if effect in {"once", "keyed", "idempotent"}:
            if effect == "once":  # so that it can be looked for, should its outcome be lost
                summary = {**summary, "at": time.time()}
            if effect == "once" and call.module.probe is not None:
                summary["arguments"] = call.arguments
            flight.journal.intent(call.address, step, fingerprint, summary)
            if effect == "once":
                await self._keeper.settled(flight)
        self._keeper.save(flight)


def _writes(call: Call) -> bool:
    """Whether an operation may stage something: a record, or what its module remembers."""
    module = call.module
    if module.transactional or module.poll is not None:
        return True
    given = call.arguments if isinstance(call.arguments, Mapping) else {}
    return module.remembers is not None and module.remembers(given)
