"""Runs: started by hand, waited for, read, resumed, given up."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from junctor.adapters.postgres.catalog.base import pack, unpack
from junctor.adapters.postgres.database import tenant, unlocked
from junctor.adapters.postgres.queries import load as queries
from junctor.app.core import Core
from junctor.app.history import Operations, place_of
from junctor.errors import Conflict, JunctorError, Misconfigured, NotFound
from junctor.language import ids
from junctor.language.blueprint import load
from junctor.ports.catalog import Page, Run
from junctor.runtime.flight import segment_aad

__all__ = [
    "ENDED",
    "Piece",
    "as_bundles",
    "first_operations",
    "journal_of",
    "operations",
    "resolve",
    "wait_for_run",
]

Piece = tuple[bytes, Mapping[bytes, bytes]]
"""An opened segment and its blobs, by hash."""
ENDED = frozenset({"finished", "incomplete", "uncertain", "discarded"})
_SOON = timedelta(seconds=1)
_PAGE = 200
_BATCH = 50
"""Segments read at once."""


def as_bundles(value: Any) -> list[dict[str, Any]] | None:
    """Trigger bundles from what a person gave: one bundle, or a list of them; ``None``: nothing,
    so the trigger is to give them.
    """
    if value is None:
        return None
    if isinstance(value, Mapping):
        return [dict(value)]
    if isinstance(value, Sequence) and not isinstance(value, (str, bytes)):
        for position, bundle in enumerate(value):
            if not isinstance(bundle, Mapping):
                raise Misconfigured(f"Bundle {position + 1} is no object.", path=f"[{position}]")
        return [dict(bundle) for bundle in value] or [{}]
    raise Misconfigured("The input must be one bundle (an object) or a list of bundles.")


async def wait_for_run(
    core: Core, organization_id: UUID, run_id: UUID, *, within: float
) -> Run | None:
    """The run once it has ended or waits for something; ``None`` if it has not by then.

    One that is due, as a repeat is that no worker has taken yet, waits for nothing.
    """
    deadline = time.monotonic() + within
    pause = 0.01
    while True:
        try:
            run = await core.catalog.run(organization_id, run_id)
        except NotFound:
            run = None
        if run is not None and (run.state in ENDED or _stays(run)):
            return run
        if time.monotonic() > deadline:
            return None
        await asyncio.sleep(pause)
        pause = min(pause * 1.5, 0.25)


def _stays(run: Run) -> bool:
    due = run.due_at
    return run.state == "waiting" and (due is None or due > datetime.now(UTC) + _SOON)


async def operations(
    core: Core, run: Run, *, cursor: str | None = None, limit: int = 200
) -> Page[dict[str, Any]]:
    """A page of a run's operations with their bundles, secrets masked, from its journal.

    No more than the page is ever in memory, however long the run is.
    """
    since = unpack(cursor, place_of) or (0, 0, frozenset())
    found = Operations(await _names(core, run), limit=limit, since=since)
    async for seq, data, blobs in _opened(core, run, after=since[0] - 1):
        if not found.read(seq, data, blobs):
            break
    return Page(found.shown, None if found.next is None else pack(found.next))


async def first_operations(
    core: Core, run: Run, most: int | None
) -> tuple[list[dict[str, Any]], bool]:
    """The first operations of a run (``None``: all), and whether there are more."""
    made: list[dict[str, Any]] = []
    cursor: str | None = None
    while most is None or len(made) < most:
        limit = _PAGE if most is None else min(_PAGE, most - len(made))
        page = await operations(core, run, cursor=cursor, limit=limit)
        made += page.items
        cursor = page.cursor
        if cursor is None:
            return made, False
    return made, True


async def journal_of(core: Core, run: Run) -> tuple[list[Piece], int]:
    """A run's segments, opened, in order; and the number that the next one gets."""
    pieces: list[Piece] = []
    following = 0
    async for seq, data, blobs in _opened(core, run):
        pieces.append((data, blobs))
        following = seq + 1
    return pieces, following


async def _opened(
    core: Core, run: Run, *, after: int = -1
) -> AsyncIterator[tuple[int, bytes, Mapping[bytes, bytes]]]:
    """Segments with their numbers, opened one by one."""
    organization_id = run.organization_id
    keyring = await core.vault.keyring(organization_id)
    while True:
        segments = await core.catalog.segments(organization_id, run.id, after=after, limit=_BATCH)
        if not segments:
            return
        for segment in segments:
            blobs = {
                name: await core.blobs.get(organization_id, run.id, name) for name in segment.blobs
            }
            aad = segment_aad(organization_id, run.id, segment.seq)
            yield segment.seq, keyring.open(segment.data, aad), blobs
        after = segments[-1].seq


async def _names(core: Core, run: Run) -> dict[int, str]:
    try:
        version = await core.catalog.version(run.organization_id, run.scenario_id, run.version)
        scenario = load(version.blueprint).scenario
    except JunctorError:  # its scenario was deleted: numbers alone remain
        return {}
    return {module.id: module.module for module in scenario.modules()}


async def resolve(core: Core, organization_id: UUID, run_id: UUID, *, actor: str, verb: str) -> Run:
    """``retry``: an incomplete run goes on from its journal. ``discard``: it is given up.

    `Conflict` if the run's state does not allow it.
    """
    run = await core.catalog.run(organization_id, run_id)
    name = {"retry": "resume", "discard": "discard"}[verb]
    names = {"organization": organization_id, "run": run_id}

    async def changed() -> bool:
        async with tenant(core.api, organization_id) as connection:
            cursor = await connection.execute(queries("hot")[name], names)
            return await cursor.fetchone() is not None

    if not await unlocked(changed):
        raise Conflict(
            f"The run is {run.state}; {_allowed(verb)}.",
            state=run.state,
            run=ids.show("run", run_id),
        )
    await core.catalog.note(
        organization_id,
        actor=actor,
        verb=f"run.{verb}",
        object=ids.show("run", run_id),
        details={"state": run.state},
    )
    return await core.catalog.run(organization_id, run_id)


def _allowed(verb: str) -> str:
    if verb == "retry":
        return "only an incomplete or waiting one can be retried (settle an uncertain one)"
    return (
        "only an incomplete, uncertain or waiting one can be discarded "
        "(`junctor run stop` ends one that is under way)"
    )
