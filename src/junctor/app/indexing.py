"""The index of the history: one redacted, capped vector of words per run that has ended.

A job looks for runs that ended since its mark. A run whose stored text is of another end is read
again, so a repeat of the job, an overlap, or a long stand does no harm. Confidential scenarios
are not indexed.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, Final
from uuid import UUID

import structlog

from junctor.adapters.postgres.database import Connection
from junctor.adapters.postgres.hot import is_lost
from junctor.adapters.postgres.queries import load
from junctor.app.core import Core
from junctor.app.journal_parts import decode, parts_of
from junctor.app.logs import redact_bundle
from junctor.errors import JunctorError
from junctor.language import ids
from junctor.language.people import lexemes, texts_in
from junctor.ports.vault import Keyring
from junctor.runtime.flight import segment_aad

__all__ = ["MOST_TERMS", "forget_texts", "index_history", "index_run"]

log = structlog.get_logger(__name__)

MOST_TERMS: Final = 10_000
"""Terms of a run's text."""
MOST_BYTES: Final = 128 * 1024
"""Bytes of them; PostgreSQL takes a megabyte."""
OVERLAP: Final = timedelta(minutes=15)
"""How long after its end a run may be committed; clocks of workers are a part of it."""
_MARK: Final = "texts"
_MASKED: Final = "[redacted]"
BUSY_PAUSE = 0.1
"""Seconds between two runs indexed while others are under way."""
_BATCH: Final = 5_000
"""Runs that one look finds: each look goes through all of the overlap."""
_SEGMENTS: Final = 4
_FORGET: Final = 2_000


class _Text:
    """Gathers terms until there are enough."""

    def __init__(self, *, partial: bool) -> None:
        self.terms: set[str] = set()
        self.partial = partial
        self._bytes = 0

    @property
    def full(self) -> bool:
        return self._bytes >= MOST_BYTES or len(self.terms) >= MOST_TERMS

    def add(self, value: Any) -> None:
        """Redacted first, then cut."""
        for text in texts_in(redact_bundle(value)):
            if _MASKED in text:  # somebody may be named behind it
                self.partial = True
            for term in lexemes(text):
                if term in self.terms:
                    continue
                if self.full:
                    self.partial = True
                    return
                self.terms.add(term)
                self._bytes += len(term.encode()) + 8


async def index_history(core: Core, *, within: float = 45.0) -> Mapping[str, int]:
    """Indexes what ended since the last turn, oldest first, for about so many seconds; how many
    runs. What is left is the next turn's.
    """
    sql = load("history")
    deadline = time.monotonic() + within
    async with core.engine.connection() as connection:
        row = await (await connection.execute(sql["mark"], {"name": _MARK})).fetchone()
        if row is None:
            row = await (await connection.execute(sql["first_end"])).fetchone()
    mark: datetime | None = row[0] if row else None
    done = failed = 0
    if mark is None:
        return {"indexed": 0, "failed": 0}
    bad: set[tuple[UUID, UUID]] = set()
    while time.monotonic() < deadline:
        parameters = {"since": mark - OVERLAP, "limit": _BATCH + len(bad)}
        async with core.engine.connection() as connection:
            cursor = await connection.execute(sql["behind"], parameters)
            rows = [each for each in await cursor.fetchall() if (each[0], each[1]) not in bad]
        reached = mark
        for organization_id, run_id, ended_at in rows:
            if time.monotonic() > deadline:
                break
            reached = max(mark, min(ended_at, datetime.now(UTC)))
            # Runs come first: what is left while they are many is indexed in a quieter hour.
            await asyncio.sleep(BUSY_PAUSE if core.busy() else 0)
            try:
                await index_run(core, organization_id, run_id)
                done += 1
            except Exception as error:  # whatever is in it: others are to be found all the same
                if is_lost(error) and not isinstance(error, JunctorError):
                    raise
                bad.add((organization_id, run_id))
                failed += 1
                said = error.message if isinstance(error, JunctorError) else type(error).__name__
                log.warning("history.not_indexed", run=ids.show("run", run_id), error=said)
        if rows:
            mark = reached
            async with core.engine.connection() as connection:
                await connection.execute(sql["set_mark"], {"name": _MARK, "at": mark})
        if len(rows) < _BATCH:
            break
    return {"indexed": done, "failed": failed}


async def index_run(core: Core, organization_id: UUID, run_id: UUID) -> bool:
    """Writes a run's text anew; whether it has one. A few segments are in memory at a time.

    Nobody is erased from the run meanwhile: what was read before would be written after that.
    """
    keyring = await core.vault.keyring(organization_id)
    async with core.engine.connection() as connection, connection.transaction():
        return await _index(connection, keyring, organization_id, run_id)


async def _index(
    connection: Connection, keyring: Keyring, organization_id: UUID, run_id: UUID
) -> bool:
    sql = load("history")
    where = {"organization": organization_id, "run": run_id}
    row = await (await connection.execute(sql["run_to_index"], where)).fetchone()
    if row is None or row[3]:
        await connection.execute(sql["drop_text"], where)
        return False
    ended_at, names, error, _, blobs = row
    # What lies in blobs is not indexed, so more is in the run than in its text.
    text = _Text(partial=bool(blobs))
    text.add([names, error])
    after = -1
    while not text.full:
        cursor = await connection.execute(
            sql["next_segments"], {**where, "after": after, "limit": _SEGMENTS}, binary=True
        )
        segments = await cursor.fetchall()
        for seq, data, _ in segments:
            aad = segment_aad(organization_id, run_id, seq)
            for value in _data(decode(keyring.open(data, aad))):
                text.add(value)
                if text.full:
                    break
            after = seq
        if len(segments) < _SEGMENTS:
            break
    await connection.execute(
        sql["put_text"],
        {
            **where,
            "ended_at": ended_at,
            "words": sorted(text.terms),
            "partial": text.partial or text.full,
        },
    )
    return True


def _data(records: Iterable[list[Any]]) -> Iterable[Any]:
    for record in records:
        for position in parts_of(record):
            yield record[position]


async def forget_texts(core: Core) -> Mapping[str, int]:
    """Removes texts of runs that are gone or confidential; how many."""
    total = 0
    while True:
        async with core.engine.connection() as connection:
            cursor = await connection.execute(load("history")["forget_texts"], {"batch": _FORGET})
        total += cursor.rowcount
        if cursor.rowcount < _FORGET:
            return {"texts": total}
