"""Arrays as parameters, in Postgres' binary form, each of one known type.

psycopg writes lists as text unless told otherwise, quoting each item, and can't know the type of an
empty one; on the hot path that was a third of the worker's time (see bench/path.py). Here each kind
of array is a list of its own with a fixed type.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from struct import Struct
from typing import Any
from uuid import UUID

from psycopg.abc import AdaptContext, Buffer
from psycopg.adapt import Dumper
from psycopg.pq import Format

__all__ = ["Bools", "Buffers", "Ints", "Longs", "Texts", "Times", "Uuids", "register"]


class Uuids(list[UUID | None]):
    """uuid[]"""


class Texts(list[str | None]):
    """text[]"""


class Buffers(list[bytes | None]):
    """bytea[]"""


class Ints(list[int | None]):
    """int4[]"""


class Longs(list[int | None]):
    """int8[]"""


class Bools(list[bool]):
    """bool[]"""


class Times(list[datetime | None]):
    """timestamptz[]; aware instants."""


_HEAD = Struct("!iiIii")
_LENGTH = Struct("!i")
_EPOCH = datetime(2000, 1, 1, tzinfo=UTC)
_NULL = b"\xff\xff\xff\xff"
_INT = Struct("!ii")
_LONG = Struct("!iq")


def _sized(data: bytes) -> bytes:
    return _LENGTH.pack(len(data)) + data


def _microseconds(instant: datetime) -> int:
    spent = instant - _EPOCH
    return (spent.days * 86_400 + spent.seconds) * 1_000_000 + spent.microseconds


_ITEMS: dict[type, tuple[int, int, Callable[[Any], bytes]]] = {
    # kind: (type of the array, type of an item, one item with its length in front)
    Uuids: (2951, 2950, lambda item: b"\x00\x00\x00\x10" + item.bytes),
    Texts: (1009, 25, lambda item: _sized(item.encode())),
    Buffers: (1001, 17, _sized),
    Ints: (1007, 23, lambda item: _INT.pack(4, item)),
    Longs: (1016, 20, lambda item: _LONG.pack(8, item)),
    Bools: (1000, 16, lambda item: b"\x00\x00\x00\x01\x01" if item else b"\x00\x00\x00\x01\x00"),
    Times: (1185, 1184, lambda item: _LONG.pack(8, _microseconds(item))),
}


def _dumper(kind: type) -> type[Dumper]:
    array, element, encode = _ITEMS[kind]

    class ArrayDumper(Dumper):
        format = Format.BINARY
        oid = array

        def dump(self, obj: Sequence[Any]) -> Buffer:
            if not obj:
                return _HEAD.pack(0, 0, element, 0, 1)[:12]
            items = [_NULL if item is None else encode(item) for item in obj]
            return _HEAD.pack(1, 1, element, len(obj), 1) + b"".join(items)

    return ArrayDumper


def register(connection: AdaptContext) -> None:
    """Teaches a connection these arrays."""
    for kind in _ITEMS:
        connection.adapters.register_dumper(kind, _dumper(kind))
