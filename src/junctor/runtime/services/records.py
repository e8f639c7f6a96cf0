"""Records of data stores, and what placed modules remember: the run's own writes over the database.

Reads go to the database on the worker's line, one statement each; writes only into `Staged`. A
write is based on what the same operation read of that record: if it changed before the commit, the
module is done again.
"""

from __future__ import annotations

import secrets
from collections.abc import AsyncIterator
from datetime import UTC, tzinfo
from typing import Any
from uuid import UUID

from junctor.adapters.postgres.arrays import Texts
from junctor.errors import DataError, Misconfigured
from junctor.language import ids
from junctor.language.asks.records import (
    ClearRecords,
    CountRecords,
    FindRecords,
    ReadRecord,
    ReadState,
    WriteRecord,
    WriteState,
)
from junctor.language.records import (
    Found,
    checked_key,
    fitting,
    matches,
    ordered,
    restored,
    sized,
    stored,
)
from junctor.runtime.services import Asking
from junctor.runtime.staging import Structure

__all__ = ["clear", "count", "find", "read", "read_state", "write", "write_state"]

PAGE = 200
"""Records that a search looks at in one statement."""
PAGE_BYTES = 1024 * 1024
"""The same in bytes, compressed as the database keeps them; a larger record comes alone."""
MOST_FOUND = 64 * 1024 * 1024
"""Bytes of records that one search may give: they are in memory, and in the journal, at once."""


async def read(ask: ReadRecord, asking: Asking) -> dict[str, Any] | None:
    """The record as this run sees it."""
    store = await _store(asking)
    key = checked_key(ask.key)
    own = asking.staged.record(store, key)
    if own is not None:
        return restored(own.data)  # type: ignore[no-any-return]  # a record is a collection
    rows = await asking.tools.line.fetch("record_read", {**_of(asking, store), "key": key})
    asking.staged.seen[store, key] = rows[0][1] if rows else 0
    return restored(rows[0][0]) if rows else None


async def write(ask: WriteRecord, asking: Asking) -> str:
    """Stages a record; answered with its key."""
    store = await _store(asking)
    key = checked_key(ask.key)
    if ask.data is None:
        asking.staged.put(store, key, None)
        return key
    structure = asking.staged.stores[store]
    made = stored(
        fitting(ask.data, structure.spec, structure.strict, kept=ask.kept, zone=_zone(asking))
    )
    sized(key, made)
    await asking.tools.room.check(asking.organization_id, store, key)
    if key:
        asking.staged.put(store, key, made)
        return key
    key = secrets.token_hex(8)  # taken already (1 in 2^64 per record), the module is done again
    asking.staged.insert(store, key, made)
    return key


async def find(ask: FindRecords, asking: Asking) -> list[dict[str, Any]]:
    """The records that match, with their keys.

    Looks at one page of the store at a time and keeps what matches: without an order no more than
    the limit; with one, now and then only the best so far. `DataError` where that is too much.
    """
    store = await _store(asking)
    zone = _zone(asking)
    kept: list[Found] = []
    bytes_ = 0
    async for key, raw in _all(asking, store):
        data = restored(raw)
        if not matches(ask, key, data, zone):
            continue
        kept.append(Found(key, data, sized(key, raw)))
        bytes_ += kept[-1].size
        if ask.limit is not None:
            if not ask.sort and len(kept) >= ask.limit:
                break
            if len(kept) >= 2 * ask.limit + PAGE or bytes_ > MOST_FOUND:
                kept = ordered(ask, kept)
                bytes_ = sum(each.size for each in kept)
        if bytes_ > MOST_FOUND:
            raise DataError(
                reason=f"the search finds more than {MOST_FOUND // 1024**2} MB of records; "
                "give it a limit, or conditions that fewer records meet"
            )
    return [{"key": each.key, "data": each.data} for each in ordered(ask, kept)]


async def count(ask: CountRecords, asking: Asking) -> int:
    """How many records this run sees."""
    del ask
    return await _count(asking, await _store(asking))


async def clear(ask: ClearRecords, asking: Asking) -> int:
    """Stages the end of all records; answered with how many there were."""
    del ask
    store = await _store(asking)
    found = await _count(asking, store)
    asking.staged.clear(store)
    return found


async def read_state(ask: ReadState, asking: Asking) -> Any:
    """What the placed module remembers."""
    module, scope = _place(ask, asking)
    asking.staged.begin(asking.address)
    own = asking.staged.states.get((module, scope))
    if own is not None or ask.scope != "scenario":
        return None if own is None else restored(own.value)
    rows = await asking.tools.line.fetch(
        "state_read",
        {
            "organization": asking.organization_id,
            "scenario": asking.scenario_id,
            "module": module,
        },
    )
    asking.staged.seen[module] = rows[0][1] if rows else 0
    return restored(rows[0][0]) if rows else None


async def write_state(ask: WriteState, asking: Asking) -> None:
    """Stages what the placed module is to remember."""
    asking.staged.begin(asking.address)
    asking.staged.remember(*_place(ask, asking), stored(ask.value))


def _place(ask: ReadState | WriteState, asking: Asking) -> tuple[int, str]:
    """Under which module and scope it is remembered: what is shared, under none of them."""
    if not ask.shared:
        return asking.address.module, ask.scope
    if ask.scope != "run":
        raise Misconfigured(reason="what modules share is remembered for a run only")
    return 0, f"{ask.scope}:{ask.shared}"


async def _store(asking: Asking) -> UUID:
    """The module's data store, found once per run; with it, what its records must look like."""
    asking.staged.begin(asking.address)
    store = asking.bound("stores")
    if store is None:
        raise Misconfigured(
            reason=f"module {asking.address.module} is bound to no data store; choose one for it"
        )
    if store not in asking.staged.stores:
        rows = await asking.tools.line.fetch("record_store", _of(asking, store))
        if not rows:
            raise Misconfigured(
                reason=f"module {asking.address.module} is bound to the data store "
                f"{ids.show('dst', store)}, which is gone; choose another one for it"
            )
        asking.staged.stores[store] = Structure(rows[0][1] or (), bool(rows[0][2]))
    return store


def _of(asking: Asking, store: UUID) -> dict[str, Any]:
    return {"organization": asking.organization_id, "store": store}


def _zone(asking: Asking) -> tzinfo:
    return asking.prepared.zone if asking.prepared is not None else UTC


async def _count(asking: Asking, store: UUID) -> int:
    own = asking.staged.written(store)
    mine = sum(each.data is not None for each in own)
    if store in asking.staged.cleared:
        return mine
    rows = await asking.tools.line.fetch(
        "record_count", {**_of(asking, store), "keys": Texts(each.key for each in own)}
    )
    return mine + int(rows[0][0])


async def _all(asking: Asking, store: UUID) -> AsyncIterator[tuple[str, Any]]:
    """Every record that this run sees, as stored; changed ones in their place, new ones last."""
    own = {each.key: each for each in asking.staged.written(store)}
    after: str | None = None
    while store not in asking.staged.cleared:
        rows = await asking.tools.line.fetch(
            "record_page",
            {**_of(asking, store), "after": after, "limit": PAGE, "most": PAGE_BYTES},
        )
        if not rows:
            break
        for key, data, _ in rows:
            mine = own.pop(key, None)
            if mine is None:
                yield key, data
            elif mine.data is not None:
                yield key, mine.data
        after = rows[-1][0]
    for each in own.values():
        if each.data is not None:
            yield each.key, each.data
