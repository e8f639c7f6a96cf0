"""App hooks: one address of an app, whose deliveries are handed on to all scenarios that want them.

Who wants what is kept ready, as hooks are. It is never trusted blindly: the transaction that stores
a delivery's copies compares the list's generation, so that a scenario which was started before the
delivery came gets it, whatever this process had heard by then. A delivery that nobody wants is
acknowledged and counted.
"""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any
from uuid import UUID

import structlog

from junctor.adapters.postgres.fanout import AppRow, Marked, PostgresFanout, Spread
from junctor.adapters.postgres.hot import Line, is_lost
from junctor.adapters.system import system_ids
from junctor.errors import JunctorError, NotFound, Unauthorized
from junctor.language.connector import AppHook, Connector, Delivery
from junctor.language.deliveries import ACCEPTED
from junctor.ports.inbox import Answered, NewDelivery
from junctor.runtime import telemetry
from junctor.runtime.doorkeeper import Doorkeeper
from junctor.runtime.envelope import pack_call
from junctor.runtime.hooks import KEEP_SECONDS, Hook, Hooks

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


@dataclass(slots=True)
class _App:
    """An app's address, ready to receive."""

    row: AppRow
    definition: AppHook
    label: str
    until: float
    by_account: dict[str, list[Hook]] = field(default_factory=dict)


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
    ) -> None:
        self._keeper = keeper
        self._line = Line(url, patience=patience)
        self._reads = Line(url, patience=patience)
        self._store = PostgresFanout(self._line)
        self._rows = PostgresFanout(self._reads)
        self._hooks = hooks
        self._connector = connector
        self._ids = system_ids()
        self._apps: dict[str, _App] = {}
        self._forgotten = 0
        self._queue: list[_Item] = []
        self._weight = 0
        self._wake = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Begins to store."""
        self._task = asyncio.get_running_loop().create_task(self._work(), name="fanout")

    async def stop(self) -> None:
        """Stores what was received, then ends."""
        if self._queue:
            await asyncio.wait([future for _, future in self._queue])
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
        await self._line.close()
        await self._reads.close()

    def forget(self) -> None:
        """Something about hooks changed."""
        self._apps.clear()
        self._forgotten += 1

    async def settings(self, token: str) -> Mapping[str, Any]:
        """The settings of an app's address; `NotFound` if there is none, or none in use."""
        return (await self._get(token)).row.settings

    async def take(self, token: str, delivery: Delivery) -> Answered:
        """Verifies a delivery and stores all its copies: durable when it returns.

        `Unauthorized` if it is not genuine, names another app, or none.
        """
        for _ in range(ROUNDS):
            app = await self._get(token)
            received = replace(delivery, settings=app.row.settings)
            try:
                self._check(app, received)
            except Unauthorized as error:
                if await self._refused(token, app, error.message):
                    continue
                raise
            spread = await self._spread(app, received)
            await self._accept(spread)
            if not spread.stale:
                return _TOLD
            self._drop(token, app)
        raise _Changing

    # Who gets what.

    def _check(self, app: _App, delivery: Delivery) -> None:
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

    async def _refused(self, token: str, app: _App, reason: str) -> bool:
        """Counts it; whether the address has been changed since, so that it must be judged anew."""
        generation = await self._rows.refuse(app.row, reason[:300])
        if generation == app.row.generation:
            return False
        self._drop(token, app)
        return True

    async def _spread(self, app: _App, delivery: Delivery) -> Spread:
        concerned = app.definition.concerns(delivery)
        found: dict[UUID, Hook] = {}
        for account in sorted(concerned):
            for hook in app.by_account.get(account, ()):
                if _wants(hook, delivery):
                    found[hook.id] = hook
        copies = tuple(self._copy(hook, delivery) for hook in found.values())
        return Spread(
            app.row.organization_id,
            app.row.id,
            app.row.generation,
            copies,
            await self._marked(app, delivery),
        )

    def _copy(self, hook: Hook, delivery: Delivery) -> NewDelivery:
        own = replace(delivery, settings=hook.stored)
        return NewDelivery(
            hook.organization_id,
            self._ids.new(),
            hook.scenario_id,
            hook.order_key(own),
            hook.id,
            pack_call(own),
            hook.dedup_key(own),
            None,
        )

    async def _marked(self, app: _App, delivery: Delivery) -> Marked | None:
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

    async def _get(self, token: str) -> _App:
        kept = self._apps.get(token)
        if kept is not None and kept.until > time.monotonic():
            return kept
        before = self._forgotten
        try:
            app = await self._load(token)
        except Exception as error:
            if kept is None or not is_lost(error):
                raise
            return kept  # nothing can be stored with it before the database is back
        if before == self._forgotten:
            self._apps[token] = app
        return app

    async def _load(self, token: str) -> _App:
        row = await self._rows.app_hook(token) if token.isalnum() else None
        connector = self._connector(row.connector) if row is not None else None
        if row is None or not row.enabled or connector is None or connector.app_hook is None:
            raise NotFound(what="An app's hook at this address")
        definition = connector.app_hook
        until = time.monotonic() + KEEP_SECONDS * random.uniform(1, 2)
        app = _App(row, definition, connector.label, until)
        for each in await self._rows.subscribers(row):
            if each.connection_kind != definition.kind:
                continue
            if definition.app(each.connection_settings) != row.app:
                continue
            accounts = definition.accounts(each.connection_settings, each.account_id or "")
            if not accounts:
                continue
            trigger = f"{each.connector}:{each.kind}"
            try:
                hook = await self._hooks.prepare(
                    each.organization_id, each.id, each.scenario_id, trigger,
                    each.settings, each.sealed, each.published,
                )  # fmt: skip
            except JunctorError as error:
                log.warning("no_subscriber", hook=str(each.id), error=error.message)
                continue
            # Only where it works: what concerns the agency alone is no event of its sub-account.
            app.by_account.setdefault(accounts[0], []).append(hook)
        return app

    def _drop(self, token: str, app: _App) -> None:
        if self._apps.get(token) is app:
            del self._apps[token]

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
            try:
                await self._store_batch(batch)
            except asyncio.CancelledError:
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
            if self._keeper is not None:
                self._keeper.failed(error)
            if not is_lost(error) and len(batch) > 1:
                middle = len(batch) // 2
                await self._store_batch(batch[:middle])
                await self._store_batch(batch[middle:])
                return
            for _, future in batch:
                if not future.done():
                    future.set_exception(error)
            return
        telemetry.stored(len(batch), 0)
        for _, future in batch:
            if not future.done():
                future.set_result(None)

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
            own = {(each.hook_id, each.key) for each in spread.copies if each.key is not None}
            if own & keys:
                later.append(item)
                continue
            keys |= own
            batch.append(item)
            copies += len(spread.copies)
            self._weight -= _weight(spread)
        self._queue = later + self._queue[looked:]
        return batch


def _wants(hook: Hook, delivery: Delivery) -> bool:
    """Whether its trigger makes bundles of it. One that it breaks is stored, so that the run says
    what is wrong.
    """
    try:
        return any(True for _ in hook.module.function(replace(delivery, settings=hook.settings)))
    except Exception as error:
        log.info("not_looked_into", hook=str(hook.id), error=type(error).__name__)
        return True


def _weight(spread: Spread) -> int:
    return sum(len(each.payload) for each in spread.copies)


class _Changing(JunctorError):
    """Too much changes or waits to be stored. Please send it again."""

    code = "busy"
    status = 503
