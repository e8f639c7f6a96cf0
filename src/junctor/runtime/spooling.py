"""Deliveries on this server's own disk while the inbox can't commit, and their way back.

A delivery is sealed with its organisation's key, appended to the spool and acknowledged; many that
wait share one fsync. Once the database is back, the spool is drained in order with the same
deliveries' ids and dedup keys, so that a crash on the way repeats nothing. What came to an app's
address lies there as it came, and is handed on to its receivers only then. What the database
refuses, and what can't be read, is set aside, told, and never thrown away.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import Any, Final, TypeVar
from uuid import UUID

import msgspec
import structlog

from junctor.adapters.postgres.hot import Line, is_lost
from junctor.adapters.postgres.spooled import PostgresSpooled
from junctor.adapters.spool import Record, Segment, SpoolFolder, SpoolFull, pack
from junctor.errors import Misconfigured
from junctor.ports.inbox import AppDelivery, NewDelivery
from junctor.ports.vault import Keyring, Vault
from junctor.runtime import telemetry
from junctor.runtime.meter import METER
from junctor.runtime.notices import Notices

__all__ = ["SPOOLED", "Spooling"]

log = structlog.get_logger(__name__)

T = TypeVar("T")

SPOOLED: Final = UUID(int=0)
"""Instead of a first delivery's id: this one lies in the spool."""
LARGEST_BATCH = 500
HEAVIEST_BATCH = 16 * 1024 * 1024
"""Bytes of deliveries in one fsync, and in one transaction when they are drained."""
MOST_WAITING = 64 * 1024 * 1024
"""Bytes that wait for an fsync; what comes then is told to come again."""

_Waiting = tuple[bytes, asyncio.Future[UUID | None]]
Spoolable = NewDelivery | AppDelivery
HandOn = Callable[[Sequence[AppDelivery]], Awaitable[None]]
"""Stores all that these are for, safe to repeat; raises if one of them can't be."""


class Spooling:
    """The spool of one server process. ``rings`` are the keys of organisations known by now.

    ``active``: deliveries are to go into the spool, because the database does not take them or
    because others lie there before them. ``hand_on``: what becomes of those to an app's address.
    """

    def __init__(
        self,
        folder: SpoolFolder,
        *,
        line: Line,
        vault: Vault,
        rings: Mapping[UUID, Keyring],
        hand_on: HandOn | None = None,
    ) -> None:
        self._folder = folder
        self.hand_on = hand_on
        self.began: list[Callable[[bool], None]] = []
        """Told that there is something to drain and that deliveries come here from now on: what
        came before and is not stored yet must come here first. ``True``: so must what is being
        stored, as the database is away."""
        self._found = False
        self._open_gate = asyncio.Event()
        self._open_gate.set()
        self._store = PostgresSpooled(line)
        self._notices = Notices(line)
        self._vault = vault
        self._rings = rings
        self._waiting: list[_Waiting] = []
        self._weight = 0
        self._unread: frozenset[str] = frozenset()
        self._wake = asyncio.Event()
        self._quiet = asyncio.Event()
        self._quiet.set()
        self._writer: asyncio.Task[None] | None = None
        # One thread: files are written and read one at a time, and never behind other work.
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="spool")
        self.active = False
        self.away = False
        """Whether the database did not answer when it was last asked."""
        self.figures: dict[str, int] = dict.fromkeys(
            ("spooled", "drained", "refused", "deliveries", "bytes", "oldest_at"), 0
        )
        """Deliveries acknowledged from the spool, brought into the inbox, and set aside since the
        start; what lies there now in this process's part: deliveries, bytes, and since when (in
        seconds since 1970; 0: nothing does)."""
        METER.spool = self.figures

    async def start(self) -> None:
        """Takes over what an earlier process left, and begins to write."""
        await self.adopt()
        self.take_up()
        self._writer = asyncio.get_running_loop().create_task(self._write(), name="spool")

    async def stop(self) -> None:
        """Writes what was received, then ends; what was not drained stays."""
        await self._quiet.wait()
        if self._writer is not None:
            self._writer.cancel()
            await asyncio.gather(self._writer, return_exceptions=True)
        await self._in_thread(self._folder.close)
        self._thread.shutdown()

    async def adopt(self) -> None:
        """Looks for segments of processes that are gone."""
        try:
            taken = await self._in_thread(self._folder.adopt)
        except OSError as error:
            log.warning("spool_not_read", error=str(error))
            return
        for name, why in self._folder.unread.items():
            if name not in self._unread:  # said once; `doctor` and `status` go on saying it
                log.warning("spool_segment_not_opened", segment=name, error=why)
        self._unread = frozenset(self._folder.unread)
        if taken:
            self._look()
            log.info("spool_found", segments=taken)
            self._found = True

    def take_up(self) -> None:
        """Begins to drain what was found, once nothing that came before is still being stored."""
        if self._found and not self.active:
            self.active = True
            self._tell_began(lost=False)
        self._found = False

    @property
    def waits(self) -> bool:
        """Whether there is something to drain."""
        return self.active or self._found

    def takes(self, delivery: Spoolable) -> bool:
        """Whether it may lie in the spool: a hook's or an app address's, of an organisation whose
        key is at hand.
        """
        own = isinstance(delivery, AppDelivery) or delivery.hook_id is not None
        return own and delivery.organization_id in self._rings

    @property
    def holding(self) -> bool:
        """Whether nothing may be put there for the moment: its end is being drained."""
        return not self._open_gate.is_set()

    @holding.setter
    def holding(self, holding: bool) -> None:
        if holding:
            self._open_gate.clear()
        else:
            self._open_gate.set()

    async def held(self) -> None:
        """Until `holding` is over."""
        await self._open_gate.wait()

    def begin(self, reason: str) -> None:
        """From now on deliveries go into the spool."""
        if not self.active:
            log.warning("spooling", reason=reason)
        known = self.active and self.away
        self.active = self.away = True
        if not known:
            self._tell_began(lost=True)

    def _tell_began(self, *, lost: bool) -> None:
        for tell in self.began:
            tell(lost)

    def end(self) -> None:
        """Everything is in the inbox: what comes now goes there."""
        log.info("spool_drained", deliveries=self.figures["drained"])
        self.active = False

    @property
    def size(self) -> int:
        """Bytes that lie in this process's part of the spool."""
        return self._folder.size

    def put(self, delivery: Spoolable, future: asyncio.Future[UUID | None]) -> None:
        """Resolves the future with `SPOOLED` once it is durable, or with why it is not."""
        if self._weight > MOST_WAITING:
            future.set_exception(SpoolFull())
            return
        record = pack(_seal(delivery, self._rings[delivery.organization_id]))
        self._waiting.append((record, future))
        self._weight += len(record)
        self._quiet.clear()
        self._wake.set()

    async def quiet(self) -> None:
        """Until nothing waits to be written."""
        await self._quiet.wait()

    # Writing.

    async def _write(self) -> None:
        while True:
            await self._wake.wait()
            await asyncio.sleep(0)  # requests that are being read right now join this fsync
            group = self._next_group()
            if not group:
                self._wake.clear()
                self._quiet.set()
                continue
            try:
                await self._in_thread(self._folder.append, [record for record, _ in group])
            except Exception as error:  # a full or broken disk: nothing was acknowledged
                full = error if isinstance(error, SpoolFull) else SpoolFull()
                log.warning("not_spooled", count=len(group), error=str(error))
                for _, future in group:
                    if not future.done():
                        future.set_exception(full)
                continue
            self.figures["spooled"] += len(group)
            self._look()
            for _, future in group:
                if not future.done():
                    future.set_result(SPOOLED)

    def _next_group(self) -> list[_Waiting]:
        group: list[_Waiting] = []
        weight = 0
        for item in self._waiting:
            if weight >= HEAVIEST_BATCH:
                break
            group.append(item)
            weight += len(item[0])
        del self._waiting[: len(group)]
        self._weight -= weight
        return group

    # Draining.

    async def probe(self) -> None:
        """Whether the database is back; raises if it is not. Before anything is held or rotated for
        draining: deliveries come in all the while.
        """
        if self.away:
            await self._store.probe()
            self.away = False

    async def drain(self) -> bool:
        """Brings the oldest segment into the inbox; ``False``: there is none. Raises what
        `hot.is_lost` knows if the database does not take it; then nothing has changed.
        """
        segment = await self._in_thread(self._folder.oldest)
        if segment is None:
            return False
        found = await self._in_thread(self._folder.read, segment)
        deliveries = []
        for record in found.records:
            opened = await self._open(record)
            if opened is not None:
                deliveries.append(opened)
        for batch in _batches(deliveries):
            await self._accept(batch)
            self.away = False
        if found.damaged:
            await self._tell_damage(segment, found.records, found.damaged)
        if found.torn:
            log.info("spool_torn", segment=segment.path.name, bytes=found.torn)
        await self._in_thread(lambda: self._folder.finish(segment, damaged=bool(found.damaged)))
        self._look()
        return True

    def _look(self) -> None:
        folder = self._folder
        oldest = folder.oldest_at
        self.figures |= {
            "deliveries": folder.records,
            "bytes": folder.size,
            "oldest_at": 0 if oldest is None else int(oldest),
        }

    async def _open(self, record: Record) -> Spoolable | None:
        """The delivery; ``None`` if it can't be opened, and is set aside."""
        ring = self._rings.get(record.organization_id)
        if ring is not None:  # the vault's way to the database may take longer to come back
            with suppress(Misconfigured):
                return _unseal(record, ring)
        try:
            return _unseal(record, await self._vault.keyring(record.organization_id))
        except Exception as error:
            if is_lost(error):
                raise
            await self._refuse(record, str(error))
            return None

    async def _accept(self, batch: Sequence[Spoolable]) -> None:
        """Stores a batch; if it can't be, its halves, so that only the culprit is set aside."""
        try:
            if isinstance(batch[0], AppDelivery):
                assert self.hand_on is not None
                await self.hand_on([each for each in batch if isinstance(each, AppDelivery)])
            else:
                await self._store.accept([each for each in batch if isinstance(each, NewDelivery)])
        except Exception as error:
            if is_lost(error):
                raise
            if len(batch) == 1:
                ring = await self._vault.keyring(batch[0].organization_id)
                await self._refuse(_seal(batch[0], ring), str(error))
                return
            middle = len(batch) // 2
            await self._accept(batch[:middle])
            await self._accept(batch[middle:])
            return
        self.figures["drained"] += len(batch)
        telemetry.stored(len(batch), 0)

    async def _refuse(self, record: Record, reason: str) -> None:
        reason = reason.partition("\n")[0]
        name = await self._in_thread(self._folder.refuse, record)
        self.figures["refused"] += 1
        log.error("spooled_refused", file=name, error=reason)
        await self._tell(record.organization_id, name, {"reason": reason})

    async def _tell_damage(
        self, segment: Segment, records: Sequence[Record], damaged: Sequence[tuple[int, int]]
    ) -> None:
        name = f"{segment.path.stem}.damaged"
        log.error("spool_damaged", file=name, ranges=damaged)
        for organization in {record.organization_id for record in records} or set(self._rings):
            await self._tell(organization, name, {"bytes": sum(end - at for at, end in damaged)})

    async def _tell(self, organization_id: UUID, name: str, params: Mapping[str, Any]) -> None:
        with suppress(Exception):  # it is in the log and on the disk in any case
            await self._notices.add("spool_damaged", organization_id, subject=name, params=params)

    async def _in_thread(self, work: Callable[..., T], *given: Any) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._thread, work, *given)


def _aad(organization_id: UUID, delivery_id: UUID) -> bytes:
    return b"spool" + organization_id.bytes + delivery_id.bytes


def _seal(delivery: Spoolable, ring: Keyring) -> Record:
    if isinstance(delivery, AppDelivery):
        rest = msgspec.msgpack.encode((delivery.token, delivery.payload))
    else:
        rest = msgspec.msgpack.encode(
            (
                delivery.scenario_id.bytes,
                delivery.order_key,
                delivery.hook_id.bytes if delivery.hook_id is not None else None,
                delivery.payload,
                delivery.key,
            )
        )
    aad = _aad(delivery.organization_id, delivery.id)
    return Record(delivery.organization_id, delivery.id, ring.seal(rest, aad))


def _unseal(record: Record, ring: Keyring) -> Spoolable:
    rest = ring.open(record.sealed, _aad(record.organization_id, record.id))
    found = msgspec.msgpack.decode(rest)
    if len(found) == 2:
        return AppDelivery(record.organization_id, record.id, *found)
    scenario, order_key, hook, payload, key = found
    return NewDelivery(
        record.organization_id,
        record.id,
        UUID(bytes=scenario),
        order_key,
        UUID(bytes=hook) if hook is not None else None,
        payload,
        key,
        None,  # whoever waited has its answer
    )


def _batches(deliveries: Sequence[Spoolable]) -> Iterator[list[Spoolable]]:
    """In order; of one kind each, and in each a dedup key once."""
    batch: list[Spoolable] = []
    keys: set[tuple[UUID | None, str]] = set()
    weight = 0
    for each in deliveries:
        key = None
        if isinstance(each, NewDelivery) and each.key is not None:
            key = (each.hook_id, each.key)
        full = len(batch) >= LARGEST_BATCH or weight >= HEAVIEST_BATCH
        if batch and (full or (key and key in keys) or type(each) is not type(batch[0])):
            yield batch
            batch, keys, weight = [], set(), 0
        batch.append(each)
        weight += len(each.payload)
        if key:
            keys.add(key)
    if batch:
        yield batch
