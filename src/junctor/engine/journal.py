"""The journal: what happened in a run, written once, in segments.

A record is a msgpack array whose first item says what it is (`Tag`). The journal collects records
in one buffer; the driver takes the buffer as a `Segment`, encodes it, seals it and stores it. What
a record says is addressed by (cycle, module id, bundle path, attempt), so that a replay finds it by
where it belongs, never by when it came.

A value whose encoding is over 64 KB leaves its bundle: the record keeps a reference (msgpack
extension 1, a 16-byte BLAKE2b hash) and the bytes are a blob of the segment, to be stored before
the segment is.

    (0, header)                                                       what the run pins
    (1, cycle, module, path, attempt, output)                         a pure operation or trigger
    (2, cycle, module, path, attempt, step, hash, summary)            an intent: about to be sent
    (3, cycle, module, path, attempt, output, bytes, ms, arguments)   an effect that is done
    (4, cycle, module, path, attempt, step, response)                 one answer of several
    (5, cycle, module, path, attempt, error[, arguments])             a failed attempt
    (6, name, value)                                                  a value of the run
    (7, end)                                                          how the run ended
    (8, cycle, module, path, attempt, due)                            a wait, until epoch seconds
    (9, cycle, module, path, attempt, sent, status, headers, body)    an answer to the caller
    (10, cycle, module, path, attempt, writes)                        what is written, not applied
    (11, cycle, writes)                                               what is left of it: settled

An iterator's bundles, and those of a pure module that gives several, are recorded in lists of up to
`CHUNK`; there *attempt* is the number of the list, counted from 0, and the last is shorter.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from enum import IntEnum
from hashlib import blake2b
from typing import Any, Literal

import msgspec
import zstandard

from junctor import errors
from junctor.engine.commands import Address
from junctor.errors import DataError, Fault, JunctorError, Unsupported

__all__ = [
    "BREATH",
    "CHUNK",
    "ENGINE",
    "SEGMENT_BYTES",
    "Detail",
    "Journal",
    "Segment",
    "Tag",
    "decode_segment",
    "encode_segment",
    "error_record",
    "revive",
]

ENGINE = 1
"""The engine's number: raised when the same plan and journal would run differently."""
CHUNK = 64
"""Bundles of a stream in one record."""
FORMAT = 1
"""First byte of an encoded segment: a zstd frame of one msgpack array of records."""
SEGMENT_BYTES = 256 * 1024
"""Buffered bytes at which a run asks for a flush."""
BREATH = 256
"""Operations after which a run gives way."""
FIRST = 1000
"""Operations per module that detail *first* records."""
BLOB_BYTES = 64 * 1024

Detail = Literal["full", "first", "errors"]
"""How many pure operations are recorded: all, each module's first thousand, none."""

_BLOB = 1
_HEAD = b"\xdd\x00\x00\x00\x00"  # msgpack array 32; the count is set when the segment is taken


class Tag(IntEnum):
    """The first item of a record."""

    HEADER = 0
    OPERATION = 1
    INTENT = 2
    DONE = 3
    STEP = 4
    FAILED = 5
    VALUE = 6
    END = 7
    WAIT = 8
    ANSWER = 9
    STAGED = 10
    SETTLED = 11


def _plain(value: Any) -> Any:
    if isinstance(value, str):
        return str.__str__(value)
    if isinstance(value, Mapping):
        return dict(value)
    raise TypeError(f"a value of type {type(value).__name__}")


_encoder = msgspec.msgpack.Encoder(enc_hook=_plain)
_encode_into = _encoder.encode_into
# One of each per process, as making them costs more than a small segment does. They are not for
# use by several threads at once.
_compressor = zstandard.ZstdCompressor(level=1)
_decompressor = zstandard.ZstdDecompressor()


@dataclass(frozen=True, slots=True)
class Segment:
    """Records ready to be stored; ``blobs`` (hash → bytes) must be durable before ``raw`` is."""

    raw: bytes
    records: int
    blobs: Mapping[bytes, bytes] = field(default_factory=dict)


class Journal:
    """Collects the records of one run until the driver takes them.

    The engine writes what it evaluates; the driver writes what it does (`intent`, `done`, `step`,
    `failed`, `wait`). All methods raise `DataError` on a value that can't be recorded, and leave
    the buffer as it was.
    """

    def __init__(self, detail: Detail = "full") -> None:
        self.pin_detail(detail)
        self.skipped = 0
        """Pure operations that were evaluated and not recorded."""
        self._taken = 0
        self._counts: dict[int, int] = {}
        self._ticks = 0
        self._reset()

    def _reset(self) -> None:
        self._buffer = bytearray(_HEAD)
        self._records = 0
        self._blobs: dict[bytes, bytes] = {}
        self._blob_bytes = 0

    def pin_detail(self, detail: Detail) -> None:
        """Sets the detail; a resumed run keeps the one that its journal began with."""
        self.detail: Detail = detail
        self.full = detail == "full"

    def wants(self, module: int, bundles: int = 1) -> bool:
        """Whether the next operation of this module is recorded; it is counted either way."""
        if self.full:
            return True
        seen = self._counts.get(module, 0)
        self._counts[module] = seen + bundles
        if self.detail == "first" and seen < FIRST:
            return True
        self.skipped += 1
        return False

    def tick(self) -> bool:
        """Counts an operation; true when it is time to yield `Flush`."""
        self._ticks += 1
        return not self._ticks % BREATH or len(self._buffer) + self._blob_bytes >= SEGMENT_BYTES

    @property
    def size(self) -> int:
        """Buffered bytes, those of blobs included."""
        return len(self._buffer) - len(_HEAD) + self._blob_bytes

    @property
    def written(self) -> int:
        """Records of all segments, taken or not."""
        return self._taken + self._records

    def take(self) -> Segment | None:
        """Empties the buffer; ``None`` if there is nothing in it."""
        if not self._records:
            return None
        self._buffer[1:5] = self._records.to_bytes(4, "big")
        segment = Segment(bytes(self._buffer), self._records, self._blobs)
        self._taken += self._records
        self._reset()
        return segment

    # What the engine writes.

    def header(self, header: Mapping[str, Any]) -> None:
        """What the run pins; its first record."""
        self.write((0, header))

    def operation(self, cycle: int, module: int, path: tuple[int, ...], n: int, out: Any) -> None:
        """A pure operation: its bundle, or the ``n``-th list of its bundles."""
        self.write((1, cycle, module, path, n, out))

    def value(self, name: str, value: Any) -> None:
        """A value of the run, at its first use."""
        self.write((6, name, value))

    def end(self, end: Mapping[str, Any]) -> None:
        """How the run ended. A resumed run has several ends."""
        self.write((7, end))

    def answered(
        self,
        address: Address,
        answer: tuple[int, tuple[tuple[str, str], ...], bytes],
        *,
        sent: bool,
    ) -> None:
        """An answer to the hook's caller; only the first of a run is ``sent``."""
        self.write((9, *address, sent, *answer))

    # What the driver writes.

    def intent(self, address: Address, step: int, request_hash: bytes, summary: Any = None) -> None:
        """A request is about to be sent: must be durable first if the effect is *once*."""
        self.write((2, *address, step, request_hash, summary))

    def done(
        self,
        address: Address,
        output: list[dict[str, Any]],
        size: int = 0,
        milliseconds: float = 0,
        arguments: Any = None,
    ) -> None:
        """An effect happened: its bundles, bytes moved, duration, and the arguments it got."""
        self.write((3, *address, output, size, milliseconds, arguments))

    def step(self, address: Address, step: int, response: Any) -> None:
        """One complete answer of a flow of several requests."""
        self.write((4, *address, step, response))

    def failed(self, address: Address, error: JunctorError, arguments: Any = None) -> None:
        """An attempt failed, and the arguments that it got, of an effect. ``retry`` in place of an
        *uncertain* one settles that it did not happen; `done` in its place, that it did.
        """
        record = error_record(error)
        given = () if arguments is None else (arguments,)
        try:
            self.write((5, *address, record, *given))
        except DataError:
            shown = {name: str(value) for name, value in error.params.items()}
            self.write((5, *address, {**record, "params": shown}))

    def wait(self, address: Address, due: float) -> None:
        """A wait was begun that is over at ``due`` (epoch seconds)."""
        self.write((8, *address, due))

    def staged(self, address: Address, writes: Any) -> None:
        """What an operation wrote to data stores and remembered; others can't see it yet."""
        self.write((10, *address, writes))

    def settled(self, cycle: int, writes: Any) -> None:
        """What was written is applied or taken back; ``writes`` are left."""
        self.write((11, cycle, writes))

    def write(self, record: tuple[Any, ...]) -> bool:
        """Adds any record; true if the buffer is full. Called for every bundle, hence so plain."""
        buffer = self._buffer
        start = len(buffer)
        try:
            _encode_into(record, buffer, -1)
        except (TypeError, ValueError, OverflowError, RecursionError) as error:
            del buffer[start:]
            raise DataError(reason=f"a value can't be recorded ({error})") from error
        end = len(buffer)
        if end - start > BLOB_BYTES:
            self._spill(start, record)
        self._records += 1
        return end >= SEGMENT_BYTES

    def _spill(self, start: int, record: tuple[Any, ...]) -> None:
        """Writes the record again, its large values as blobs."""
        del self._buffer[start:]
        _encode_into(tuple(self._slim(item) for item in record), self._buffer, -1)

    def _slim(self, item: Any) -> Any:
        if isinstance(item, Mapping):
            return {name: self._reference(value) for name, value in item.items()}
        if isinstance(item, list):
            return [self._slim(each) if isinstance(each, Mapping) else each for each in item]
        return item

    def _reference(self, value: Any) -> Any:
        encoded = _encoder.encode(value)
        if len(encoded) <= BLOB_BYTES:
            return msgspec.Raw(encoded)
        digest = blake2b(encoded, digest_size=16).digest()
        if digest not in self._blobs:
            self._blobs[digest] = encoded
            self._blob_bytes += len(encoded)
        return msgspec.msgpack.Ext(_BLOB, digest)


def encode_segment(raw: bytes) -> bytes:
    """The stored form of `Segment.raw`, before it is sealed."""
    return bytes((FORMAT,)) + _compressor.compress(raw)


def decode_segment(data: bytes, blobs: Mapping[bytes, bytes] | None = None) -> Iterator[list[Any]]:
    """The records of an encoded segment; references are resolved through ``blobs``.

    Raises `Unsupported` on a format this version does not know, `Fault` on a damaged segment or a
    missing blob.
    """
    if data[:1] != bytes((FORMAT,)):
        known = f"this version reads format {FORMAT}"
        raise Unsupported(what=f"journal segment format {data[:1].hex() or 'nothing'} ({known})")

    def resolve(code: int, payload: memoryview) -> Any:
        digest = bytes(payload)
        if code != _BLOB:
            raise Fault(reason=f"unknown extension {code} in a journal segment")
        if blobs is None or digest not in blobs:
            raise Fault(reason=f"blob {digest.hex()} of a journal segment is missing")
        return msgspec.msgpack.decode(blobs[digest])

    try:
        raw = _decompressor.decompress(data[1:])
        records: list[list[Any]] = msgspec.msgpack.decode(raw, ext_hook=resolve)
    except (zstandard.ZstdError, ValueError) as error:
        raise Fault(reason=f"a journal segment is damaged ({error})") from error
    return iter(records)


_CLASSES: dict[str, type[JunctorError]] = {
    each.code: each for each in (getattr(errors, name) for name in errors.__all__)
}


def error_record(error: JunctorError) -> dict[str, Any]:
    """An error as the journal keeps it."""
    record = error.as_record()
    wait = getattr(error, "retry_after", None)
    return record if wait is None else {**record, "retry_after": wait}


def revive(record: Mapping[str, Any]) -> JunctorError:
    """The error that a record tells of; one of an unknown code becomes a `Fault`."""
    error = _CLASSES.get(record["code"], Fault)(record["message"])
    error.params = dict(record["params"])
    if isinstance(error, errors.Retry):
        error.retry_after = record.get("retry_after")
    return error
