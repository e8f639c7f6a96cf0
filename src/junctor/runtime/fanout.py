"""App hooks: one address of an app, whose deliveries are handed on to all scenarios that want them.

Who wants what is kept ready, as hooks are. It is never trusted blindly: the transaction that stores
a delivery's copies compares the list's generation, so that a scenario which was started before the
delivery came gets it, whatever this process had heard by then. A delivery that nobody wants is
acknowledged and counted.

While the database does not take them, deliveries go into the spool as they came, and are handed on
when that is drained. A copy's id follows from its delivery's and its hook's, so that whatever is
stored twice on the way is one.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import psycopg
import structlog

from junctor.adapters.postgres.fanout import Marked, PostgresFanout, Spread
from junctor.adapters.postgres.hot import Line, is_lost
from junctor.adapters.system import system_ids
from junctor.errors import JunctorError, Unauthorized
from junctor.language import ids
from junctor.language.connector import Connector, Delivery
from junctor.language.deliveries import ACCEPTED
from junctor.ports.inbox import Answered, AppDelivery, NewDelivery
from junctor.runtime import telemetry
from junctor.runtime.apps import App, Apps
from junctor.runtime.batches import HUNG
from junctor.runtime.doorkeeper import Doorkeeper
from junctor.runtime.envelope import Manual, pack_call, unpack
from junctor.runtime.hooks import Hook, Hooks
from junctor.runtime.spooling import Spooling

__all__ = ["APP", "Fanout"]

log = structlog.get_logger(__name__)

APP = "app-"
"""What the token of an app's address begins with; a hook's is letters and digits alone."""
ROUNDS = 20
"""How often a delivery is tried again because the list was changed at that very moment."""
LARGEST_BATCH = 500
"""Copies in one transaction, if not one delivery alone has more."""
MOST_QUEUED = 64 * 1024 * 1024
"""Bytes that wait to be stored; what comes then is told to come again."""

_TOLD = Answered(ACCEPTED.status, ACCEPTED.headers, ACCEPTED.body)

_Item = tuple[Spread, asyncio.Future[None]]


class Fanout:
    """The door of app hooks, behind `ingest.Ingest`."""

    def __init__(
        self,
        url: str,
        *,
        hooks: Hooks,
        connector: Callable[[str], Connector | None],
        patience: float,
        keeper: Doorkeeper | None = None,
        spool: Spooling | None = None,
    ) -> None:
        self._keeper = keeper
        self._spool = spool
        self._line = Line(url, patience=patience)
        self._reads = Line(url, patience=patience)
        self._store = PostgresFanout(self._line)
        self._rows = PostgresFanout(self._reads)
        self._ids = system_ids()
        self.apps = Apps(self._rows, hooks, connector, ready=spool is not None)
        """Who gets what."""
        self._queue: list[_Item] = []
        self._storing: list[_Item] = []
        """The batch that is being stored."""
        self._weight = 0
        self._wake = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Begins to store."""
        self._task = asyncio.get_running_loop().create_task(self._work(), name="fanout")
        if self._spool is not None:
            self._spool.began.append(self._began)

    async def stop(self) -> None:
        """Stores what was received, then ends; before the spool does."""
        if self._queue:
            await asyncio.wait([future for _, future in self._queue])
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    async def close(self) -> None:
        """Nothing is drained any more."""
        await self._line.close()
        await self._reads.close()

    async def settings(self, token: str) -> Mapping[str, Any]:
        """The settings of an app's address; `NotFound` if there is none, or none in use."""
        return (await self.apps.get(token, away=self._away)).row.settings

    async def take(self, token: str, delivery: Delivery) -> Answered:
        """Verifies a delivery and stores all its copies, or itself in the spool: durable when it
        returns.

        `Unauthorized` if it is not genuine, names another app, or none.
        """
        raw: AppDelivery | None = None
        for _ in range(ROUNDS):
            app = await self.apps.get(token, away=self._away)
            received = replace(delivery, settings=app.row.settings)
            try:
                self._check(app, received)
            except Unauthorized as error:
                if not self._away and await self._refused(token, app, error.message):
                    continue
                raise
            if raw is None:
                organization = app.row.organization_id
                raw = AppDelivery(organization, self._ids.new(), token, pack_call(received))
            if await self._spooled(raw):
                return _TOLD
            try:
                spread = await self._spread(app, received, raw.id)
                await self._accept(spread)
            except _Spooling:
                continue
            except Exception as error:
                if self._spool is None or not is_lost(error) or not self._spool.takes(raw):
                    raise
                self._spool.begin(_reason(error))
                continue
            if not spread.stale:
                return _TOLD
            self.apps.drop(token, app)
        raise _Changing

    # Who gets what.

    def _check(self, app: App, delivery: Delivery) -> None:
        app.definition.verify(delivery, app.row.settings)
        named = app.definition.named(delivery)
        if not named and app.row.settings.get(app.definition.unnamed) is True:
            return
        if named != app.row.app:
            what = f"is for the app {named!r}" if named else "does not say for which app it is"
            raise Unauthorized(
                f"The delivery is refused: it {what[:80]}, and this is the address of "
                f"{app.row.app!r}."
            )

    async def _refused(self, token: str, app: App, reason: str) -> bool:
        """Counts it; whether the address has been changed since, so that it must be judged anew."""
        generation = await self._rows.refuse(app.row, reason[:300])
        if generation == app.row.generation:
            return False
        self.apps.drop(token, app)
        return True

    async def _spread(self, app: App, delivery: Delivery, id: UUID) -> Spread:  # noqa: A002 - the delivery's
        concerned = app.definition.concerns(delivery)
        found: dict[UUID, Hook] = {}
        for account in sorted(concerned):
            for hook in app.by_account.get(account, ()):
                if _wants(hook, delivery):
                    found[hook.id] = hook
        copies = tuple(_copy(hook, delivery, id) for hook in found.values())
        return Spread(
            app.row.organization_id,
            app.row.id,
            app.row.generation,
            copies,
            await self._marked(app, delivery),
        )

    async def _marked(self, app: App, delivery: Delivery) -> Marked | None:
        said = app.definition.installed(delivery)
        if said is None:
            return None
        rows = await self._rows.accounts(app.row, app.definition.kind)
        concerned = tuple(
            connection
            for connection, settings, account in rows
            if app.definition.app(settings) == app.row.app
            and said.accounts & {*app.definition.accounts(settings, account or "")}
        )
        when = f"{said.at:%Y-%m-%d %H:%M} UTC"
        reason = (
            f"{app.label} says that the app was installed again on {when}"
            if said.installed
            else f"{app.label} says that the app was removed on {when}"
        )
        return Marked(concerned, f"{reason}; authorise it anew", said.at, said.installed)

    # The spool.

    @property
    def _away(self) -> bool:
        """Whether the database does not answer, and the spool takes deliveries meanwhile."""
        return self._spool is not None and self._spool.away

    async def _spooled(self, raw: AppDelivery) -> bool:
        """Puts it into the spool if that is in use, durably; whether it was."""
        spool = self._spool
        if spool is None or not spool.takes(raw):
            return False
        while spool.active:
            if spool.holding:
                await spool.held()
                continue
            if self._keeper is not None:
                self._keeper.check(raw.organization_id)
            future: asyncio.Future[UUID | None] = asyncio.get_running_loop().create_future()
            spool.put(raw, future)
            await future
            return True
        return False

    async def hand_on(self, deliveries: Sequence[AppDelivery]) -> None:
        """Stores what lay in the spool, all copies of all of them, by the lists of now. Safe to
        repeat; raises if one of them can't be, e.g. `NotFound` if its address is gone.
        """
        batch: list[tuple[AppDelivery, App, Spread]] = []
        keys: set[tuple[UUID | None, str]] = set()
        copies = 0
        for raw in deliveries:
            app, spread = await self._reread(raw)
            own = _keys(spread)
            if batch and (own & keys or copies + len(spread.copies) > LARGEST_BATCH):
                await self._store_again(batch)
                batch, keys, copies = [], set(), 0
            batch.append((raw, app, spread))
            keys |= own
            copies += len(spread.copies)
        await self._store_again(batch)

    async def _reread(self, raw: AppDelivery) -> tuple[App, Spread]:
        """It was verified when it came."""
        app = await self.apps.get(raw.token)
        at = datetime.fromtimestamp(ids.milliseconds(raw.id) / 1000, UTC)
        delivery = unpack(raw.id, raw.payload, at)
        assert not isinstance(delivery, Manual)
        received = replace(delivery, id="", settings=app.row.settings)
        return app, await self._spread(app, received, raw.id)

    async def _store_again(self, batch: list[tuple[AppDelivery, App, Spread]]) -> None:
        while batch:
            await self._store.accept([spread for _, _, spread in batch], again=True)
            stale = [(raw, app) for raw, app, spread in batch if spread.stale]
            batch = []
            for raw, app in stale:
                self.apps.drop(raw.token, app)
                batch.append((raw, *await self._reread(raw)))

    # Storing.

    async def _accept(self, spread: Spread) -> None:
        if self._keeper is not None:
            # One that can't be kept for one of its receivers is kept for none: it comes again.
            for organization_id in {each.organization_id for each in spread.copies}:
                self._keeper.check(organization_id)
        if self._weight > MOST_QUEUED:
            raise _Changing
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._queue.append((spread, future))
        self._weight += _weight(spread)
        self._wake.set()
        await future

    async def _work(self) -> None:
        while True:
            await self._wake.wait()
            # One turn of the loop: what is being read right now joins this batch.
            await asyncio.sleep(0)
            batch = self._next_batch()
            if not batch:
                self._wake.clear()
                continue
            self._storing = batch
            task = asyncio.ensure_future(self._store_batch(batch))
            try:
                if self._spool is not None:
                    await asyncio.wait({task}, timeout=HUNG)
                    if not task.done():
                        # It may be stored yet: then it is in both, and handed on to no effect.
                        self._give_up(batch, TimeoutError("the database does not answer"))
                await task
                self._storing = []
            except asyncio.CancelledError:
                task.cancel()
                await asyncio.wait({task}, timeout=1.0)
                for _, future in batch:
                    future.cancel()
                raise

    async def _store_batch(self, batch: list[_Item]) -> None:
        """Stores a batch; if it can't be, its halves, so that only the culprit is refused. One
        delivery with all its copies is never divided.
        """
        try:
            await self._store.accept([spread for spread, _ in batch])
        except Exception as error:
            if self._keeper is not None and self._spool is None:
                self._keeper.failed(error)
            if not is_lost(error) and len(batch) > 1:
                middle = len(batch) // 2
                await self._store_batch(batch[:middle])
                await self._store_batch(batch[middle:])
                return
            if self._spool is not None and is_lost(error):
                self._give_up(batch, error)
            for _, future in batch:
                if not future.done():
                    future.set_exception(error)
            return
        telemetry.stored(len(batch), 0)
        for _, future in batch:
            if not future.done():
                future.set_result(None)

    def _give_up(self, batch: list[_Item], error: Exception) -> None:
        """The database is away: these, and what waits behind them, go into the spool, in order."""
        assert self._spool is not None
        self._spool.begin(_reason(error))
        self._end(batch, psycopg.OperationalError(_reason(error)))

    def _began(self, lost: bool) -> None:
        """Deliveries go into the spool from now on, those that came before first."""
        if lost:
            self._end(self._storing, psycopg.OperationalError("the database is away"))
        else:
            self._end([], _Spooling())

    def _end(self, batch: list[_Item], error: Exception) -> None:
        for _, future in (*batch, *self._queue):
            if not future.done():
                future.set_exception(error)
        self._queue.clear()
        self._weight = 0

    def _next_batch(self) -> list[_Item]:
        """Deliveries whose copies share no dedup key; a repeated one waits for the next."""
        batch: list[_Item] = []
        later: list[_Item] = []
        keys: set[tuple[UUID | None, str]] = set()
        looked = copies = 0
        for item in self._queue:
            spread = item[0]
            full = looked >= LARGEST_BATCH or copies + len(spread.copies) > LARGEST_BATCH
            if batch and full:
                break
            looked += 1
            own = _keys(spread)
            if own & keys:
                later.append(item)
                continue
            keys |= own
            batch.append(item)
            copies += len(spread.copies)
            self._weight -= _weight(spread)
        self._queue = later + self._queue[looked:]
        return batch


def _copy(hook: Hook, delivery: Delivery, id: UUID) -> NewDelivery:  # noqa: A002 - the delivery's
    own = replace(delivery, settings=hook.stored)
    return NewDelivery(
        hook.organization_id,
        ids.derived(id, hook.id.bytes),
        hook.scenario_id,
        hook.order_key(own),
        hook.id,
        pack_call(own),
        hook.dedup_key(own),
        None,
    )


def _wants(hook: Hook, delivery: Delivery) -> bool:
    """Whether its trigger makes bundles of it. One that it breaks is stored, so that the run says
    what is wrong.
    """
    try:
        return any(True for _ in hook.module.function(replace(delivery, settings=hook.settings)))
    except Exception as error:
        log.info("not_looked_into", hook=str(hook.id), error=type(error).__name__)
        return True


def _keys(spread: Spread) -> set[tuple[UUID | None, str]]:
    return {(each.hook_id, each.key) for each in spread.copies if each.key is not None}


def _weight(spread: Spread) -> int:
    return sum(len(each.payload) for each in spread.copies)


def _reason(error: Exception) -> str:
    return str(error).strip().partition("\n")[0]


class _Spooling(Exception):
    """Deliveries go into the spool by now, and this one was not stored yet."""


class _Changing(JunctorError):
    """Too much changes or waits to be stored. Please send it again."""

    code = "busy"
    status = 503
