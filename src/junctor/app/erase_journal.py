"""A person erased from what one run keeps: its row, its journal, its large values and files.

A run's segments change in one transaction, each sealed to the same place again, so a run is either
as it was or without them. What replay goes by (addresses, times, hashes of requests) stays.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field
from hashlib import blake2b
from typing import Any, Final
from uuid import UUID

import msgspec
from psycopg.types.json import Jsonb

from junctor.adapters.postgres.queries import load
from junctor.app.core import Core
from junctor.app.journal_parts import decode, encode, parts_of
from junctor.engine.journal import Tag, encode_segment
from junctor.errors import Misconfigured
from junctor.language.people import MARK, Person
from junctor.ports.vault import Keyring
from junctor.runtime.flight import segment_aad

__all__ = ["ENDED", "Erased", "erase_run"]

ENDED: Final = frozenset({"finished", "discarded"})
_BATCH: Final = 4
_PIECE: Final = 64 * 1024
_OVERLAP: Final = 512
"""Bytes of the piece before that are looked at with the next: longer than any spelling."""
_BLOB: Final = 1


@dataclass(slots=True)
class Erased:
    """What was found in a run; ``left`` says what still names them and why."""

    values: int = 0
    segments: int = 0
    blobs: int = 0
    files: int = 0
    row: int = 0
    left: dict[str, int] = field(default_factory=dict)

    @property
    def any(self) -> bool:
        """Whether anything was found that can be erased."""
        return bool(self.values or self.segments or self.blobs or self.files or self.row)


@dataclass(slots=True)
class _Work:
    core: Core
    organization_id: UUID
    run_id: UUID
    person: Person
    dry: bool
    keyring: Keyring
    found: Erased = field(default_factory=Erased)
    blobs: dict[bytes, bytes] = field(default_factory=dict)
    """Large values already looked at: the name of what stands in their place."""


async def erase_run(
    core: Core, organization_id: UUID, run_id: UUID, person: Person, *, dry: bool = False
) -> Erased:
    """Erases them from a run (or from the journal of a delivery that is at work); what was found.

    ``dry`` looks and changes nothing. A few segments are in memory at a time.
    """
    keyring = await core.vault.keyring(organization_id)
    work = _Work(core, organization_id, run_id, person, dry, keyring)
    where = {"organization": organization_id, "run": run_id}
    referenced: set[bytes] = set()
    async with core.engine.connection() as connection, connection.transaction():
        cursor = await connection.execute(load("erase")["lock_run"], where)
        row = await cursor.fetchone()
        if row is not None:
            await _row(work, connection, row)
        after = -1
        while True:
            cursor = await connection.execute(
                load("erase")["segments"], {**where, "after": after, "limit": _BATCH}, binary=True
            )
            segments = await cursor.fetchall()
            for seq, data, blobs in segments:
                names = await _segment(work, connection, seq, data, [bytes(each) for each in blobs])
                referenced.update(names)
                after = seq
            if len(segments) < _BATCH:
                break
    changed = {name for name, other in work.blobs.items() if name != other}
    if not dry:
        for name in changed - referenced:
            await core.blobs.delete(organization_id, run_id, name)
    await _files(work, skip=referenced | changed)
    return work.found


async def _row(work: _Work, connection: Any, row: Any) -> None:
    *values_, order_key, state = row
    person, found = work.person, work.found
    named = dict(zip(("name", "error", "dropped", "actor"), values_, strict=True))
    made = {column: person.erase(value) for column, value in named.items()}
    key, of_key = person.erase(order_key)
    if of_key and state not in ENDED:
        # What stands behind the run is found by its key.
        found.left["order keys of unfinished runs"] = 1
        key, of_key = order_key, 0
    found.row += sum(count for _, count in made.values()) + of_key
    if not found.row or work.dry:
        return
    values = {column: value for column, (value, _) in made.items()}
    for column in ("error", "dropped"):
        values[column] = None if values[column] is None else Jsonb(values[column])
    await connection.execute(
        load("erase")["rewrite_run"],
        {
            "organization": work.organization_id,
            "run": work.run_id,
            "order_key": key,
            **values,
        },
    )


async def _segment(
    work: _Work, connection: Any, seq: int, data: bytes, names: list[bytes]
) -> list[bytes]:
    """Rewrites one segment if need be; the blobs that it names then."""
    aad = segment_aad(work.organization_id, work.run_id, seq)
    records = decode(work.keyring.open(data, aad))
    kept: dict[bytes, bytes] = {}
    for name in names:
        kept[name] = await _blob(work, name)
    moved = any(name != other for name, other in kept.items())
    count = 0
    for record in records:
        for position in parts_of(record):
            # A run's own values are times and seeds; texts among them may name somebody.
            plain = record[0] in {Tag.VALUE, Tag.HEADER} and not isinstance(
                record[position], (dict, list)
            )
            value, hits = work.person.erase(record[position], numbers=not plain)
            if moved:
                value = _renamed(value, kept)
            record[position] = value
            count += hits
    work.found.values += count
    if not count and not moved:
        return names
    work.found.segments += 1
    if work.dry:
        return names
    others = list(dict.fromkeys(kept.values()))
    await connection.execute(
        load("erase")["rewrite_segment"],
        {
            "organization": work.organization_id,
            "run": work.run_id,
            "seq": seq,
            "data": work.keyring.seal(encode_segment(encode(records)), aad),
            "blobs": others,
        },
    )
    return others


def _renamed(value: Any, names: Mapping[bytes, bytes]) -> Any:
    if isinstance(value, msgspec.msgpack.Ext) and value.code == _BLOB:
        name = bytes(value.data)
        return msgspec.msgpack.Ext(_BLOB, names.get(name, name))
    if isinstance(value, dict):
        return {key: _renamed(item, names) for key, item in value.items()}
    if isinstance(value, list):
        return [_renamed(item, names) for item in value]
    return value


async def _blob(work: _Work, name: bytes) -> bytes:
    """A large value looked through; the name of what stands in its place, durable by then."""
    known = work.blobs.get(name)
    if known is not None:
        return known
    content = await work.core.blobs.get(work.organization_id, work.run_id, name)
    value, count = work.person.erase(msgspec.msgpack.decode(content))
    other = name
    if count:
        work.found.blobs += 1
        work.found.values += count
        made = msgspec.msgpack.encode(value)
        other = blake2b(made, digest_size=16).digest()
        if not work.dry:
            await work.core.blobs.put(work.organization_id, work.run_id, other, made)
    work.blobs[name] = other
    return other


async def _files(work: _Work, skip: set[bytes]) -> None:
    """Files that the run fetched, and large values that an erasure cut short left behind."""
    core, organization_id, run_id = work.core, work.organization_id, work.run_id
    async with core.engine.connection() as connection:
        cursor = await connection.execute(
            load("erase")["blobs"], {"organization": organization_id, "run": run_id}
        )
        rows = [(bytes(name), size) for name, size in await cursor.fetchall()]
    for name, size in rows:
        if name in skip:
            continue
        try:
            named = await _named_in(
                work.person, core.blobs.stream(organization_id, run_id, name, size)
            )
            streamed = True
        except Misconfigured:  # sealed as a value, not as a file: nothing refers to it any more
            content = await core.blobs.get(organization_id, run_id, name)
            named, streamed = work.person.erase(content)[1] > 0, False
        if not named:
            continue
        work.found.files += 1
        if work.dry:
            continue
        await core.blobs.delete(organization_id, run_id, name)
        if streamed:  # of the same size, as the bundles that hold it say
            await core.blobs.put_stream(organization_id, run_id, name, _blank(size))


async def _named_in(person: Person, pieces: AsyncIterator[bytes]) -> bool:
    before = b""
    async for piece in pieces:
        text = before + piece
        if person.in_text(text.decode("utf-8", "replace")):
            return True
        before = text[-_OVERLAP:]
    return False


async def _blank(size: int) -> AsyncIterator[bytes]:
    mark = MARK.encode()[:size]
    yield mark
    left = size - len(mark)
    while left > 0:
        yield b" " * min(left, _PIECE)
        left -= _PIECE
