"""The door: hooks as a bare ASGI application, in front of everything routed.

A delivery is verified over its raw body, joins a batch, and is answered after the batch's commit.
While one batch is being committed the next one gathers. Nothing here decides what a delivery means.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping, MutableMapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from functools import partial
from typing import Any
from urllib.parse import parse_qsl
from uuid import UUID

import psycopg
import structlog

from junctor.adapters.postgres.database import connect
from junctor.adapters.postgres.hot import Line, PostgresInbox
from junctor.adapters.postgres.spooled import PostgresSpooled
from junctor.adapters.spool import SpoolFolder, SpoolFull
from junctor.adapters.system import system_ids
from junctor.errors import JunctorError, NotFound, NotSent, TooLarge, Unauthorized
from junctor.language.connector import Bundle, Connector, Delivery, ModuleDef
from junctor.language.verifiers import caller_of
from junctor.ports.inbox import Answered, NewDelivery
from junctor.ports.vault import Vault
from junctor.runtime import telemetry
from junctor.runtime.batches import SPOOLED, Batches
from junctor.runtime.complaints import Complaint
from junctor.runtime.door_answers import FULL, Gone, TooSlow, answer_of_first, answer_with, refusal
from junctor.runtime.doorkeeper import Doorkeeper
from junctor.runtime.envelope import pack_call, pack_manual
from junctor.runtime.fanout import APP, Fanout
from junctor.runtime.hints import hinted
from junctor.runtime.hooks import MOST_KEPT, Draining, Hook, Hooks, Moved
from junctor.runtime.inspection import inspect
from junctor.runtime.plans import Plans
from junctor.runtime.spooling import Spooling

__all__ = ["Ingest"]

log = structlog.get_logger(__name__)

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]

MOST_BYTES = 10 * 1024 * 1024
"""The longest body."""
BODY_SECONDS = 10.0
"""A body must have come in this time."""
ANSWER_SECONDS = 180.0
"""How long a caller waits for a responder before it is told Accepted."""
NET_SECONDS = 0.02
"""How often answers are looked for while anyone waits, in case a signal is lost."""
READY_SECONDS = 1.0
"""After a change to hooks, until all are prepared again for a time without database."""

_LATER = (("retry-after", "5"),)


class Ingest:
    """Receives deliveries. ``server`` is this process's name, in lower case letters and digits.

    ``public_url`` is how the world reaches us, for signatures that cover a hook's address.

    ``trusted_proxies`` are addresses and networks whose ``X-Forwarded-For`` is believed.
    """

    def __init__(
        self,
        url: str,
        *,
        server: str,
        find: Callable[[str], ModuleDef | None],
        vault: Vault,
        connector: Callable[[str], Connector | None] = lambda _name: None,
        public_url: str = "",
        trusted_proxies: Sequence[str] = (),
        most_bytes: int = MOST_BYTES,
        patience: float = 5.0,
        answer_seconds: float = ANSWER_SECONDS,
        body_seconds: float = BODY_SECONDS,
        keeper: Doorkeeper | None = None,
        spool: SpoolFolder | None = None,
    ) -> None:
        self._url = url
        self._server = server
        self._most = most_bytes
        self._trusted = tuple(trusted_proxies)
        self._public_url = public_url.rstrip("/")
        self._answer_seconds = answer_seconds
        self._body_seconds = body_seconds
        self._keeper = keeper
        self._reads = Line(url, patience=patience)
        self._line = Line(url, patience=patience)
        self._answers = PostgresInbox(self._reads)
        self._hooks = Hooks(
            self._reads, Plans(self._reads, find), find, vault, ready=spool is not None
        )
        self.spool: Spooling | None = None
        if spool is not None:
            self.spool = Spooling(spool, line=self._line, vault=vault, rings=self._hooks.rings)
        self._batches = Batches(self._line, self.spool, keeper=keeper)
        self._fanout = Fanout(
            url,
            hooks=self._hooks,
            connector=connector,
            patience=patience,
            keeper=keeper,
            spool=self.spool,
        )
        if self.spool is not None:
            self.spool.hand_on = self._fanout.hand_on
        self._changed = asyncio.Event()
        self._tasks: list[asyncio.Task[None]] = []
        self._waiters: dict[UUID, tuple[UUID, list[asyncio.Future[Answered]]]] = {}
        """Who waits for a delivery's answer: its caller, and those who sent it again."""
        self._told = asyncio.Event()
        self._ids = system_ids()
        self._reading: dict[asyncio.Task[Any], float] = {}
        """Until when each body must be whole; 0: it is too late."""

    @property
    def callers(self) -> int:
        """Callers that wait for an answer."""
        return sum(len(waiting) for _, waiting in self._waiters.values())

    async def start(self) -> None:
        """Begins to accept."""
        await self._fanout.start()
        loop = asyncio.get_running_loop()
        self._tasks = []
        if self.spool is not None:
            await self.spool.start()
            self._tasks.append(loop.create_task(self._keep_ready(), name="ready"))
        self._batches.start()
        self._tasks += [
            loop.create_task(self._listen(), name="listen"),
            loop.create_task(self._deliver_answers(), name="answers"),
            loop.create_task(self._watch_bodies(), name="bodies"),
        ]

    async def stop(self) -> None:
        """Stores what was received, then ends."""
        await self._fanout.stop()
        await self._batches.stop()
        if self.spool is not None:
            await self.spool.stop()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._fanout.close()
        for line in (self._reads, self._line):
            await line.close()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serves ``/hook/<token>``, any method, and ``/hook/app-<token>`` of apps."""
        begun, why = time.perf_counter(), "fault"
        try:
            answer, why = await self._serve(scope, receive), ""
        except JunctorError as error:
            answer, why = refusal(error), error.code
        except (psycopg.Error, ConnectionError) as error:
            log.warning("not_stored", error=str(error))
            answer = Answered(503, _LATER, b"Not stored. Please send it again.")
        except Exception:
            # Whatever a caller sent: the door stays open, and nothing was acknowledged.
            log.exception("not_served")
            answer = Answered(500, (), b"This delivery could not be taken.")
        telemetry.delivered(scope, begun, answer.status, why)
        await answer_with(send, answer)

    async def hook(self, token: str) -> Hook:
        """The hook of an address; `NotFound` if there is none, or none in use."""
        return await self._hooks.get(token, away=self._away)

    async def deliver(self, hook: Hook, delivery: Delivery) -> Answered:
        """Verifies and stores what came some other way than HTTP: durable when it returns."""
        await self._verify(hook, delivery)
        return await self._take(hook, delivery)

    async def submit(
        self,
        organization_id: UUID,
        scenario_id: UUID,
        bundles: Sequence[Bundle] | None,
        *,
        actor: str,
        version: int = 0,
        options: Mapping[str, Any] | None = None,
    ) -> UUID:
        """Starts a run by hand, durably; returns the run's id. Without ``bundles`` the trigger is
        to give them. ``options``: see `envelope.Manual`.
        """
        run = self._ids.new()
        payload = pack_manual(bundles, version=version, actor=actor, options=options)
        await self._accept(
            NewDelivery(organization_id, run, scenario_id, "~manual", None, payload, None, None)
        )
        return run

    async def _serve(self, scope: Scope, receive: Receive) -> Answered:
        token = scope["path"][6:]
        if token.startswith(APP):
            token = token[len(APP) :]
            settings = await self._fanout.settings(token)
            return await self._fanout.take(token, await self._read(scope, receive, settings))
        hook = await self._hooks.get(token, away=self._away)
        if scope["method"] == "OPTIONS":
            return Answered(204, (("access-control-allow-origin", "*"),), b"")
        settings = hook.stored if not hook.inspects else hook.settings
        delivery = await self._read(scope, receive, settings)
        await self._verify(hook, delivery)
        if hook.inspects:
            refused = await inspect(hook, delivery, None if self._away else self._reads)
            if refused is not None:
                return refused
            delivery = replace(delivery, settings=hook.stored)
        try:
            return await self._take(hook, delivery)
        except NotFound as error:  # what is known here is not true any more
            self._hooks.drop(token)
            await self._hooks.get(token, away=self._away)
            raise Moved from error

    async def _read(self, scope: Scope, receive: Receive, settings: Mapping[str, Any]) -> Delivery:
        """The call, once its body is whole."""
        headers = {
            name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]
        }
        if int(headers.get("content-length", 0)) > self._most:
            raise TooLarge(what="The body", limit=self._most)
        body = await self._body_in_time(receive)
        forwarded = [value for name, value in scope["headers"] if name == b"x-forwarded-for"]
        if len(forwarded) > 1:  # lines of one name are one list (RFC 9110, section 5.3)
            headers["x-forwarded-for"] = b", ".join(forwarded).decode("latin-1")
        client = scope.get("client")
        query = scope["query_string"]
        return Delivery(
            id="",
            method=scope["method"],
            query=tuple(parse_qsl(query.decode("latin-1"), keep_blank_values=True))
            if query
            else (),
            headers=headers,
            body=body,
            received_at=datetime.now(UTC),
            remote=caller_of(
                client[0] if client else "", headers.get("x-forwarded-for", ""), self._trusted
            ),
            settings=settings,
            url=self._address(scope),
        )

    def _address(self, scope: Scope) -> str:
        """The address that was called, as the world knows it."""
        path: bytes = scope.get("raw_path") or scope["path"].encode()
        query: bytes = scope["query_string"]
        return self._public_url + (path + b"?" + query if query else path).decode("latin-1")

    async def _verify(self, hook: Hook, delivery: Delivery) -> None:
        try:
            hook.definition.verify(delivery, hook.secrets)
        except Unauthorized:
            if not self._away:
                await self._hooks.refused(hook)
            raise

    async def _take(self, hook: Hook, delivery: Delivery) -> Answered:
        if hook.draining:
            raise Draining
        key = hook.dedup_key(delivery)
        telemetry.taking(run := self._ids.new(), hook.scenario_id)
        answered: asyncio.Future[Answered] | None = None
        if hook.responds:
            answered = asyncio.get_running_loop().create_future()
            self._await(hook.organization_id, run, answered)
        first: UUID | None = None
        try:
            new = NewDelivery(
                hook.organization_id,
                run,
                hook.scenario_id,
                hook.order_key(delivery),
                hook.id,
                pack_call(delivery),
                key,
                self._server if answered is not None else None,
            )
            if hook.definition.away is None:
                first = await self._accept(new)
            else:
                try:
                    first = await asyncio.wait_for(self._accept(new), hook.definition.away_after)
                except (psycopg.Error, NotSent, TimeoutError, SpoolFull, *FULL) as error:
                    log.warning("not_stored", hook=str(hook.id), error=str(error))
                    told = hook.away(delivery)
                    assert told is not None
                    return told
            if answered is None or first == SPOOLED:
                return hook.told(delivery)
            if first is not None:
                self._await(hook.organization_id, first, answered)
            self._told.set()
            if first is not None:
                look = partial(self._answers.unanswered, hook.organization_id, first)
                return await answer_of_first(answered, look, self._answer_seconds) or hook.told(
                    delivery
                )
            try:
                return await asyncio.wait_for(answered, self._answer_seconds)
            except TimeoutError:
                return hook.told(delivery)
        finally:
            if answered is not None:
                self._forget(run, answered)
                if first is not None and first != SPOOLED:
                    self._forget(first, answered)

    @property
    def _away(self) -> bool:
        """Whether the database does not answer, and the spool takes deliveries meanwhile."""
        return self.spool is not None and self.spool.away

    def _await(self, organization: UUID, run: UUID, answered: asyncio.Future[Answered]) -> None:
        self._waiters.setdefault(run, (organization, []))[1].append(answered)

    def _forget(self, run: UUID, answered: asyncio.Future[Answered]) -> None:
        waiting = self._waiters.get(run)
        if waiting is not None and answered in waiting[1]:
            waiting[1].remove(answered)
            if not waiting[1]:
                del self._waiters[run]

    async def _body_in_time(self, receive: Receive) -> bytes:
        """The body; `TooSlow` if it isn't whole in time, or its first byte doesn't come at all.

        One task watches all bodies: a timer for each was 5 % of a delivery's time (py-spy).
        """
        task = asyncio.current_task()
        assert task is not None
        self._reading[task] = time.monotonic() + self._body_seconds
        try:
            return await self._body(receive)
        except asyncio.CancelledError:
            if self._reading.get(task, 0.0) > 0.0:
                raise
            task.uncancel()
            raise TooSlow from None
        finally:
            del self._reading[task]

    async def _watch_bodies(self) -> None:
        """Ends the reading of bodies that are overdue."""
        while True:
            await asyncio.sleep(min(1.0, self._body_seconds / 10))
            now = time.monotonic()
            for task, until in list(self._reading.items()):
                if 0.0 < until < now:
                    self._reading[task] = 0.0
                    task.cancel()

    async def _body(self, receive: Receive) -> bytes:
        parts = []
        size = 0
        while True:
            message = await receive()
            if message["type"] == "http.disconnect":
                raise Gone
            parts.append(message.get("body", b""))
            size += len(parts[-1])
            if size > self._most:
                raise TooLarge(what="The body", limit=self._most)
            if not message.get("more_body"):
                return b"".join(parts)

    async def _accept(self, delivery: NewDelivery) -> UUID | None:
        """Durable when it returns; the id of the first delivery if this one is a duplicate,
        `SPOOLED` if it lies in the spool.
        """
        if self._keeper is not None:
            self._keeper.check(delivery.organization_id)
        return await self._batches.accept(delivery)

    # Answers.

    async def _listen(self) -> None:
        """Hears of answers and of changed hooks."""
        deaf = Complaint(log.warning, "not_listening")
        while True:
            try:
                connection = await connect(self._url, "engine")
                async with connection:
                    await connection.execute(f"listen junctor_answer_{self._server}")
                    await connection.execute("listen junctor_hooks")
                    self._forget_hooks()
                    async for notice in connection.notifies():
                        if notice.channel == "junctor_hooks":
                            self._forget_hooks()
                        else:
                            self._told.set()
            except Exception as error:  # whatever it is: hear again
                deaf(str(error))
                await asyncio.sleep(0.2)

    def _forget_hooks(self) -> None:
        self._hooks.forget()
        self._fanout.apps.forget()
        self._changed.set()

    async def _keep_ready(self) -> None:
        """Keeps hooks prepared for a time without database: all of them, also those not used yet.
        Other organisations' keys come with them.
        """
        rows = PostgresSpooled(self._reads)
        while True:
            await self._changed.wait()
            self._changed.clear()
            try:
                await self._hooks.make_ready(await rows.tokens(MOST_KEPT))
                await self._fanout.apps.make_ready(await rows.app_tokens(MOST_KEPT))
            except (psycopg.Error, ConnectionError, JunctorError) as error:
                log.info("hooks_not_ready", error=str(error))
            await asyncio.sleep(READY_SECONDS)

    async def _deliver_answers(self) -> None:
        """Collects answers for those who wait: when told, and every 20 ms while anyone does."""
        while True:
            await self._told.wait()
            self._told.clear()
            while self._waiters:
                wanted = [(organization, run) for run, (organization, _) in self._waiters.items()]
                try:
                    found = await self._answers.answers(wanted)
                except Exception as error:  # whatever it is: this loop serves every caller
                    log.warning("answers_not_read", error=str(error))
                    found = {}
                for run, answer in found.items():
                    _, waiting = self._waiters.pop(run, (None, []))
                    for future in waiting:
                        if not future.done():
                            future.set_result(answer)
                await hinted(self._told, NET_SECONDS)
                self._told.clear()
