"""Which processes of this machine live: what one process can know of another for certain.

Linux only (proc(5)): elsewhere nothing is known, and a dead worker's leases run out by themselves.
"""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path

__all__ = ["gone", "machine", "process"]

_PROC = Path("/proc")
_ENDED = "ZX"
"""States of a process that only its parent still remembers (proc_pid_stat(5))."""


def machine() -> str:
    """Where a process's number means the same process: this start of this machine, and the
    namespace that its processes are numbered in (containers have their own); empty if unknown.
    """
    try:
        if (_PROC / "self").readlink() != Path(str(os.getpid())):
            return ""  # of another namespace (`unshare --pid`): its numbers are other processes
        boot = (_PROC / "sys/kernel/random/boot_id").read_text().strip()
        return f"{boot}/{(_PROC / 'self/ns/pid').stat().st_ino}"
    except OSError:
        return ""


def process(pid: int) -> str:
    """A process for all time, as numbers are given again: its number, and when it was begun in
    clock ticks since the machine was. Empty if there is none.
    """
    seen = _look(pid)
    return f"{pid}:{seen[1]}" if seen else ""


def gone(what: str) -> bool:
    """Whether a `process` of this `machine` has ended for certain."""
    pid, _, begun = what.partition(":")
    if not pid.isdigit() or not begun:
        return False
    try:
        os.kill(int(pid), 0)
    except ProcessLookupError:
        return True
    except (OSError, OverflowError):
        return False
    seen = _look(int(pid))  # None: it may be hidden from us (hidepid of proc(5))
    return seen is not None and (seen[0] in _ENDED or seen[1] != begun)


def _look(pid: int) -> tuple[str, str] | None:
    """A process's state, and when it was begun."""
    with suppress(OSError, IndexError):
        # A program's name stands in brackets, and may have any character in it.
        fields = (_PROC / f"{pid}/stat").read_text(errors="replace").rpartition(")")[2].split()
        return fields[0], fields[19]
    return None
