"""The machine's clock and randomness, for the pure layers that take them as arguments."""

from __future__ import annotations

import os
import socket
import time
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from junctor.language.ids import Ids

__all__ = ["now_ms", "process_name", "release", "system_ids", "uptime"]

_FETCH = 4096
_PROC = Path("/proc")
_INITIAL = 0xEFFFFFFC
"""The machine's own namespace of process numbers (Linux, include/linux/proc_ns.h)."""


def now_ms() -> int:
    """Milliseconds since 1970."""
    return time.time_ns() // 1_000_000


_BOOT: int | None = getattr(time, "CLOCK_BOOTTIME", None)


def uptime() -> float:
    """Seconds that never go back, those in which the machine slept included where it can tell
    (Linux, clock_gettime(2)); a lease in the database does not sleep.
    """
    return time.monotonic() if _BOOT is None else time.clock_gettime(_BOOT)


def release() -> str:
    """This release's number; ``source`` where it runs without being installed."""
    try:
        return version("junctor")
    except PackageNotFoundError:
        return "source"


def process_name(what: str, *, pid: int | None = None, proc: Path = _PROC) -> str:
    """What this process is called among the nodes, or one that it has started: ``host:server:1``.

    In a container ``host:server:1.f00003e2``: others may have the host's name and the same number.
    """
    try:
        space = (proc / "self/ns/pid").stat().st_ino
    except OSError:
        space = _INITIAL
    where = "" if space == _INITIAL else f".{space:x}"
    return f"{socket.gethostname()}:{what}:{pid or os.getpid()}{where}"


def system_ids() -> Ids:
    """A generator of ids on the machine's clock and randomness; one per thread."""
    return Ids(now_ms, _Pool().take)


class _Pool:
    """Random bytes from the system, fetched many at a time: each fetch is a system call."""

    __slots__ = ("_at", "_bytes")

    def __init__(self) -> None:
        self._bytes = b""
        self._at = 0

    def take(self, count: int) -> bytes:
        """The next ``count`` bytes; each is given once."""
        if self._at + count > len(self._bytes):
            self._bytes, self._at = os.urandom(max(_FETCH, count)), 0
        self._at += count
        return self._bytes[self._at - count : self._at]
