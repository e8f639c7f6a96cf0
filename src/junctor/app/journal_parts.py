"""The records of a stored segment, and which of their parts are data of the run."""

from __future__ import annotations

from typing import Any, Final

import msgspec
import zstandard

from junctor.engine.journal import FORMAT, Tag
from junctor.errors import Fault, Unsupported

__all__ = ["decode", "encode", "parts_of"]

_PARTS: Final[dict[int, tuple[int, ...]]] = {
    Tag.HEADER: (1,),
    Tag.OPERATION: (5,),
    Tag.INTENT: (7,),
    Tag.DONE: (5, 8),
    Tag.STEP: (6,),
    Tag.FAILED: (5, 6),
    Tag.VALUE: (1, 2),
    Tag.END: (1,),
    Tag.WAIT: (),
    Tag.ANSWER: (7, 8),
    Tag.STAGED: (5,),
    Tag.SETTLED: (2,),
}


def parts_of(record: list[Any]) -> tuple[int, ...]:
    """Positions of data in a record; the others are addresses, times, sizes and hashes."""
    return tuple(each for each in _PARTS.get(record[0], ()) if each < len(record))


_encode = msgspec.msgpack.Encoder().encode


def decode(data: bytes) -> list[list[Any]]:
    """The records of an opened segment; large values stay references (`msgspec.msgpack.Ext`).

    `Unsupported` on a format of another release, `Fault` on a damaged segment.
    """
    if data[:1] != bytes((FORMAT,)):
        raise Unsupported(what=f"journal segment format {data[:1].hex() or 'nothing'}")
    try:
        raw = zstandard.ZstdDecompressor().decompress(data[1:])
        records: list[list[Any]] = msgspec.msgpack.decode(raw)
    except (zstandard.ZstdError, ValueError) as error:
        raise Fault(reason=f"a journal segment is damaged ({error})") from error
    return records


def encode(records: list[list[Any]]) -> bytes:
    """Records as `engine.journal.Segment.raw` has them."""
    return _encode(records)
