"""A spool on a local disk: records appended to segment files, durable before anyone is told so.

A segment is a row of records, each ``mark, length, checksum of the body, checksum of these three``
and then its body: organisation, delivery, and the sealed rest. Whatever is cut off at the end of a
segment was never acknowledged. Anything else that can't be read is damage: what can be read around
it is used, and the file is set aside.

A segment belongs to the process that holds its lock; the system lets go of it when that dies, and
then another server of the same folder takes it over. All of this blocks: call it in a thread.
"""

from __future__ import annotations

import fcntl
import os
import shutil
import struct
import time
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple
from uuid import UUID

from junctor.adapters.durable import make_folder, sync
from junctor.adapters.system import system_ids
from junctor.errors import JunctorError
from junctor.language.ids import milliseconds

__all__ = [
    "Record", "Scan", "Segment", "SpoolFolder", "SpoolFull", "SpoolState", "look", "pack", "scan",
]  # fmt: skip

_MARK = b"\x89JS1"
_HEAD = struct.Struct(">4sIII")
_HEAD_SUM = struct.Struct(">I")
_IDS = 32

SEGMENT_BYTES = 8 * 1024 * 1024
"""A segment that is longer gets no more records."""
KEEP_FREE = 64 * 1024 * 1024
"""Bytes that stay free on the disk."""
_ENDING = ".spool"
_NEW = ".new"
_MAKING = 60.0
"""Seconds after which nobody is making a segment any more; it takes an instant."""
_ASIDE = "aside"


class SpoolFull(JunctorError):
    """The spool is full. Please send it again later."""

    code = "spool_full"
    status = 503
    retry_after = 30.0


class Record(NamedTuple):
    """One delivery in the spool."""

    organization_id: UUID
    id: UUID
    sealed: bytes
    """With the organisation's key."""


@dataclass(frozen=True, slots=True)
class Scan:
    """What a segment holds."""

    records: tuple[Record, ...]
    torn: int
    """Bytes at the end that a crash cut off; never acknowledged."""
    damaged: tuple[tuple[int, int], ...]
    """Where (from, to) something lies that nothing but damage explains."""


def pack(record: Record) -> bytes:
    """A record as it lies in a segment."""
    body = record.organization_id.bytes + record.id.bytes + record.sealed
    head = _HEAD.pack(_MARK, len(body), zlib.crc32(body), 0)[:-4]
    return head + _HEAD_SUM.pack(zlib.crc32(head)) + body


def scan(data: bytes) -> Scan:
    """Reads a segment."""
    records: list[Record] = []
    damaged: list[tuple[int, int]] = []
    at = 0
    while at < len(data):
        found = _read(data, at)
        if found is None:
            start, at = at, _next(data, at + 1)
            if at == len(data) and _cut_off(data, start):
                return Scan(tuple(records), at - start, tuple(damaged))
            damaged.append((start, at))
            continue
        record, at = found
        records.append(record)
    return Scan(tuple(records), 0, tuple(damaged))


def _read(data: bytes, at: int) -> tuple[Record, int] | None:
    """The record there and where the next one begins; ``None`` if there is no whole one."""
    length = _length(data, at)
    if length is None or length < _IDS:
        return None
    start, end = at + _HEAD.size, at + _HEAD.size + length
    if end > len(data):
        return None
    body = data[start:end]
    if zlib.crc32(body) != _HEAD.unpack_from(data, at)[2]:
        return None
    return Record(UUID(bytes=body[:16]), UUID(bytes=body[16:32]), body[_IDS:]), end


def _length(data: bytes, at: int) -> int | None:
    """The length that a sound head says, or nothing."""
    if at + _HEAD.size > len(data):
        return None
    mark, length, _, head_sum = _HEAD.unpack_from(data, at)
    if mark != _MARK or zlib.crc32(data[at : at + _HEAD.size - 4]) != head_sum:
        return None
    return int(length)


def _next(data: bytes, at: int) -> int:
    """Where the next whole record begins, or the end."""
    while (at := data.find(_MARK, at)) >= 0:
        if _read(data, at) is not None:
            return at
        at += 1
    return len(data)


def _cut_off(data: bytes, at: int) -> bool:
    """Whether the rest is the beginning of a record, as a crash while appending leaves it, or the
    zeros that some file systems leave where a file had grown already.
    """
    rest = data[at:]
    if len(rest) < _HEAD.size:
        head = rest[: len(_MARK)]
        return _MARK.startswith(head) or not any(rest)
    length = _length(data, at)
    if length is not None:
        return at + _HEAD.size + length > len(data)
    return not any(rest)


@dataclass(slots=True)
class Segment:
    """A segment that this process owns."""

    path: Path
    fd: int
    size: int = 0
    records: int = 0


@dataclass(frozen=True, slots=True)
class SpoolState:
    """What lies in a spool's folder, of whichever process."""

    segments: int = 0
    deliveries: int = 0
    bytes: int = 0
    oldest_at: float | None = None
    """When the first of them came, in seconds since 1970, or ``None``."""
    aside: tuple[str, ...] = ()
    """Files that somebody must look at: damaged segments, and deliveries the database refused."""
    unread: tuple[str, ...] = ()
    """Segments that can't be opened by who looks."""


def look(folder: Path) -> SpoolState:
    """Counts what lies in a spool, without taking anything; for `status`, `doctor` and metrics."""
    segments = deliveries = size = 0
    oldest: float | None = None
    unread: list[str] = []
    for path in sorted(folder.glob(f"*{_ENDING}")):
        try:
            data = path.read_bytes()
        except FileNotFoundError:
            continue  # drained at this moment
        except OSError:
            unread.append(path.name)
            continue
        count = len(scan(data).records)
        segments += bool(data)
        if data and oldest is None:
            oldest = _begun(path)
        deliveries += count
        size += len(data)
    aside = sorted(path.name for path in (folder / _ASIDE).glob("*"))
    return SpoolState(segments, deliveries, size, oldest, tuple(aside), tuple(unread))


class SpoolFolder:
    """One process's part of a spool's folder. For one thread at a time.

    ``most_bytes``: how much may lie in the spool; ``keep_free``: bytes that stay free on its disk.
    """

    def __init__(
        self,
        folder: Path,
        *,
        most_bytes: int,
        keep_free: int = KEEP_FREE,
        segment_bytes: int = SEGMENT_BYTES,
    ) -> None:
        self.folder = folder
        self._most = most_bytes
        self._keep_free = keep_free
        self._segment_bytes = segment_bytes
        self._ids = system_ids()
        self._current: Segment | None = None
        self._waiting: list[Segment] = []
        self.unread: dict[str, str] = {}
        """Segments that could not be opened when they were last looked at, and why."""
        make_folder(folder, 0o700)
        probe = folder / f".{self._ids.new().hex}"
        probe.touch(mode=0o600)
        probe.unlink()
        self._sweep()

    @property
    def size(self) -> int:
        """Bytes in segments that this process owns."""
        return sum(each.size for each in self._segments())

    @property
    def records(self) -> int:
        """Deliveries in them, those that can't be read left out."""
        return sum(each.records for each in self._segments())

    @property
    def oldest_at(self) -> float | None:
        """When the first of them came, in seconds since 1970; ``None``: there is none."""
        return next((_begun(each.path) for each in self._segments() if each.size), None)

    def _segments(self) -> list[Segment]:
        current = [self._current] if self._current is not None else []
        return [*self._waiting, *current]

    def _sweep(self) -> None:
        """Removes what a crash left of a segment that was just being made: nothing is in it yet."""
        for path in self.folder.glob(f"*{_NEW}"):
            try:
                found = path.stat()
                if found.st_size == 0 and found.st_mtime < time.time() - _MAKING:
                    path.unlink()
            except OSError:
                continue  # somebody else was faster, or it is not ours

    def adopt(self) -> int:
        """Takes over segments whose process is gone; how many. One that can't be opened is left
        where it is, and noted in `unread`.
        """
        mine = {each.path for each in (*self._waiting, self._current) if each is not None}
        taken = 0
        self.unread = {}
        for path in sorted(self.folder.glob(f"*{_ENDING}")):
            if path in mine:
                continue
            try:
                fd = os.open(path, os.O_RDWR | os.O_CLOEXEC)
            except FileNotFoundError:
                continue
            except OSError as error:  # another user's, or the disk's
                self.unread[path.name] = str(error)
                continue
            try:
                fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
                there = path.stat().st_ino == os.fstat(fd).st_ino
            except OSError:  # its owner lives, or has just removed it
                there = False
            if not there:
                os.close(fd)
                continue
            try:
                size = os.fstat(fd).st_size
                self._waiting.append(Segment(path, fd, size, _count(fd, size)))
            except OSError as error:
                os.close(fd)
                self.unread[path.name] = str(error)
                continue
            taken += 1
        self._waiting.sort(key=lambda each: each.path.name)
        return taken

    def append(self, records: Sequence[bytes]) -> None:
        """Appends packed records; all of them are on the disk when it returns.

        `SpoolFull` or `OSError`: none is, and none will be found later if the disk still lets go
        of what it took.
        """
        size = sum(map(len, records))
        if self.size + size > self._most:
            raise SpoolFull
        if shutil.disk_usage(self.folder).free - size < self._keep_free:
            raise SpoolFull("The spool's disk is full. Please send it again later.")
        segment = self._current or self._open()
        try:
            _write(segment.fd, b"".join(records))
            os.fsync(segment.fd)
        except OSError:
            # What is in the system's cache after a failed fsync is anybody's guess.
            self.rotate()
            os.ftruncate(segment.fd, segment.size)
            raise
        segment.size += size
        segment.records += len(records)
        if segment.size >= self._segment_bytes:
            self.rotate()

    def rotate(self) -> None:
        """The current segment gets no more records."""
        if self._current is not None:
            self._waiting.append(self._current)
            self._current = None

    def oldest(self) -> Segment | None:
        """The segment to drain next, if there is any; it gets no more records."""
        if not self._waiting:
            self.rotate()
        return self._waiting[0] if self._waiting else None

    def read(self, segment: Segment) -> Scan:
        """What it holds."""
        parts = []
        at = 0
        while part := os.pread(segment.fd, 1 << 20, at):
            parts.append(part)
            at += len(part)
        return scan(b"".join(parts))

    def finish(self, segment: Segment, *, damaged: bool = False) -> None:
        """What it held is in the database: removes it, or sets it aside."""
        if damaged:
            aside = self._aside()
            segment.path.replace(aside / f"{segment.path.stem}.damaged")
            sync(aside)
        else:
            segment.path.unlink(missing_ok=True)
        sync(self.folder)
        self._waiting.remove(segment)
        os.close(segment.fd)

    def refuse(self, record: Record) -> str:
        """Sets one record aside, durably; the file's name."""
        path = self._aside() / f"{record.id}.refused"
        fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
        try:
            _write(fd, pack(record))
            os.fsync(fd)
        finally:
            os.close(fd)
        sync(path.parent)
        return path.name

    def close(self) -> None:
        """Lets go of everything; what lies there stays for who comes next."""
        self.rotate()
        for segment in self._waiting:
            if segment.size == 0:
                segment.path.unlink(missing_ok=True)
            os.close(segment.fd)
        self._waiting.clear()

    def _open(self) -> Segment:
        path = self.folder / f"{self._ids.new()}{_ENDING}"
        new = path.with_suffix(_NEW)  # nobody adopts it before it is locked
        flags = os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_APPEND | os.O_CLOEXEC
        fd = os.open(new, flags, 0o600)
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
            new.rename(path)
            sync(self.folder)
        except OSError:
            os.close(fd)
            raise
        self._current = Segment(path, fd)
        return self._current

    def _aside(self) -> Path:
        aside = self.folder / _ASIDE
        if not aside.exists():
            aside.mkdir(mode=0o700)
            sync(self.folder)
        return aside


def _begun(path: Path) -> float:
    """When a segment was begun: when its first delivery came. Its name is a UUIDv7."""
    try:
        return milliseconds(UUID(path.stem)) / 1000
    except ValueError:
        return path.stat().st_mtime


def _count(fd: int, size: int) -> int:
    """Records up to the first that is damaged, by their heads alone."""
    at = count = 0
    while at < size:
        length = _length(os.pread(fd, _HEAD.size, at), 0)
        if length is None or at + _HEAD.size + length > size:
            break
        at += _HEAD.size + length
        count += 1
    return count


def _write(fd: int, data: bytes) -> None:
    view = memoryview(data)
    while view:
        view = view[os.write(fd, view) :]
