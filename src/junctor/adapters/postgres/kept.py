"""What is done in the transaction of a commit: what runs wrote to data stores and remember is
applied, what they wait for opened, and that they stopped is told.
"""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from typing import Any
from uuid import UUID

from junctor.adapters.postgres.arrays import (
    Bools,
    Buffers,
    Ints,
    Longs,
    Texts,
    Times,
    Uuids,
)
from junctor.ports.ledger import Kept, Write

__all__ = ["apply", "end_waits", "open_waits", "tell"]

Fetch = Callable[[str, Mapping[str, Any]], Awaitable[Sequence[tuple[Any, ...]]]]
"""Runs a named query of this transaction."""


async def apply(fetch: Fetch, writes: Sequence[Write]) -> None:
    """Applies the ``kept`` of these writes, or sets their ``conflict``.

    Locks first, then looks, then writes: of two commits that change the same record, the second
    sees the first one's revision. A write that was applied before, or whose claim is lost, is left.
    """
    await fetch("kept_lock", {"names": Texts(sorted({*_names(writes)}))})
    held = {
        row[0]
        for row in await fetch(
            "kept_held",
            {
                "organizations": Uuids(write.claim.organization_id for write in writes),
                "scenarios": Uuids(write.claim.scenario_id for write in writes),
                "order_keys": Texts(write.claim.order_key for write in writes),
                "fences": Longs(write.claim.fence for write in writes),
            },
        )
    }
    known = {
        row[0]
        for row in await fetch(
            "kept_known",
            {
                "organizations": Uuids(write.claim.organization_id for write in writes),
                "runs": Uuids(write.run_id for write in writes),
                "seqs": Ints(write.segments[0].seq for write in writes),
            },
        )
    }
    for position, write in enumerate(writes, start=1):
        if position in held and position not in known:
            assert write.kept is not None
            # One after another: what the first of a group writes, the second must see.
            write.conflict = await _against(fetch, write, write.kept)
            if not write.conflict:
                await _put(fetch, write, write.kept)


async def open_waits(fetch: Fetch, writes: Sequence[Write]) -> None:
    """Opens the waits of writes whose claims are ours."""
    rows = [(write, wait) for write in writes if not write.conflict for wait in write.opens]
    if not rows:
        return
    await fetch(
        "open_waits",
        {
            "organizations": Uuids(write.claim.organization_id for write, _ in rows),
            "ids": Uuids(wait.id for _, wait in rows),
            "runs": Uuids(write.run_id for write, _ in rows),
            "scenarios": Uuids(write.claim.scenario_id for write, _ in rows),
            "modules": Ints(wait.module for _, wait in rows),
            "kinds": Texts(wait.kind for _, wait in rows),
            "hooks": Uuids(wait.hook_id for _, wait in rows),
            "sealed": Buffers(wait.sealed for _, wait in rows),
            "hashes": Buffers(wait.token_hash for _, wait in rows),
            "sinces": Times(wait.since for _, wait in rows),
            "seconds": Ints(wait.seconds for _, wait in rows),
            "alsos": Bools(wait.also for _, wait in rows),
        },
    )


async def tell(fetch: Fetch, writes: Sequence[Write]) -> None:
    """Writes the notices of writes whose claims are ours."""
    rows = [(write, told) for write in writes if not write.conflict for told in write.tells]
    if not rows:
        return
    await fetch(
        "add_notices",
        {
            "organizations": Uuids(write.claim.organization_id for write, _ in rows),
            "ids": Uuids(told.id for _, told in rows),
            "kinds": Texts(["run_stopped"] * len(rows)),
            "scenarios": Uuids(write.claim.scenario_id for write, _ in rows),
            "runs": Uuids(told.run_id for _, told in rows),
            "subjects": Texts([""] * len(rows)),
            "params": Texts(told.params for _, told in rows),
        },
    )


async def end_waits(fetch: Fetch, writes: Sequence[Write]) -> None:
    """Ends or stills what these writes' runs wait for, where their claims are ours."""
    rows = [(write, write.row) for write in writes if write.row is not None]
    await fetch(
        "end_waits",
        {
            "organizations": Uuids(write.claim.organization_id for write, _ in rows),
            "scenarios": Uuids(write.claim.scenario_id for write, _ in rows),
            "order_keys": Texts(write.claim.order_key for write, _ in rows),
            "fences": Longs(write.claim.fence for write, _ in rows),
            "runs": Uuids(write.run_id for write, _ in rows),
            "overs": Bools(row.state in {"finished", "discarded"} for _, row in rows),
        },
    )


def _names(writes: Iterable[Write]) -> Iterable[str]:
    for write in writes:
        assert write.kept is not None
        for put in write.kept.records:
            yield f"{put.store_id} {put.key}"
        for state in write.kept.states:
            yield f"{write.claim.scenario_id} {state.module}"


async def _against(fetch: Fetch, write: Write, kept: Kept) -> str:
    """What is not as it was when the run read it."""
    organization = write.claim.organization_id
    wanted = [put for put in kept.records if put.expected is not None]
    if wanted:
        rows = await fetch("kept_records", _places(organization, wanted))
        found: dict[int, int] = dict(rows)
        for position, put in enumerate(wanted, start=1):
            if found.get(position, 0) != put.expected:
                return f"the record {put.key!r}"
    states = [put for put in kept.states if put.expected is not None]
    if states:
        rows = await fetch("kept_states", _modules(write, [put.module for put in states]))
        now: dict[int, int] = dict(rows)
        for position, state in enumerate(states, start=1):
            if now.get(position, 0) != state.expected:
                return f"what module {state.module} remembers"
    return ""


async def _put(fetch: Fetch, write: Write, kept: Kept) -> None:
    organization = write.claim.organization_id
    if kept.cleared:
        stores = Uuids(kept.cleared)
        of = Uuids([organization] * len(stores))
        await fetch("kept_clear", {"organizations": of, "stores": stores})
    removed = [put for put in kept.records if put.data is None]
    if removed:
        await fetch("kept_remove", _places(organization, removed))
    put = [each for each in kept.records if each.data is not None]
    if put:
        more = {
            "data": Texts(json.dumps(each.data) for each in put),
            "actors": Texts([f"run {write.run_id}"] * len(put)),
        }
        await fetch("kept_put", {**_places(organization, put), **more})
    if kept.states:
        values = Texts(json.dumps(each.value) for each in kept.states)
        modules = _modules(write, [each.module for each in kept.states])
        await fetch("kept_remember", {**modules, "states": values})


def _places(organization: UUID, puts: Sequence[Any]) -> dict[str, Any]:
    return {
        "organizations": Uuids([organization] * len(puts)),
        "stores": Uuids(put.store_id for put in puts),
        "keys": Texts(put.key for put in puts),
    }


def _modules(write: Write, modules: Sequence[int]) -> dict[str, Any]:
    return {
        "organizations": Uuids([write.claim.organization_id] * len(modules)),
        "scenarios": Uuids([write.claim.scenario_id] * len(modules)),
        "modules": Ints(modules),
    }
