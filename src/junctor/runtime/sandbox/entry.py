"""The main function of the process of a code step.

It loads an interpreter, shuts itself in, says so with one byte, reads one job, writes one answer
and ends. Jobs and answers are JSON; the job is preceded by its length (4 bytes, big-endian).

job       ``{"source", "input" (tagged), "seconds", "memory"}``
answer    ``{"ok": tagged JSON as text, "logs", "walls"}``, or
          ``{"kind", "name", "message", "line", "logs", "walls"}`` with kind ``syntax``, ``raised``,
          ``time``, ``memory``, ``stack``, ``waits``, ``result``, ``crash`` or ``start``
"""

from __future__ import annotations

import json
import os
from typing import Any

__all__ = ["READY", "main"]

READY = b"!"
_BASE = 256 * 1024 * 1024  # what the two interpreters need beside the code's own memory
_PLACES = ("/lib", "/lib64", "/usr/lib", "/usr/lib64", "/etc/ld.so.cache", "/usr/share/zoneinfo")


def main(language: str, memory: str, *paths: str) -> None:
    """Serves one job. ``paths``: of the program that runs Monty."""
    try:
        walls = _prepared(language, int(memory), paths)
    except Exception as error:
        os.write(1, READY)
        os.write(1, json.dumps({"kind": "start", "message": str(error)}).encode())
        os._exit(1)
    os.write(1, READY)
    job = json.loads(_read(int.from_bytes(_read(4), "big")))
    limits = {"seconds": job["seconds"], "memory": int(memory)}
    answer: dict[str, Any]
    try:
        if language == "python":
            from junctor.runtime.sandbox import python  # noqa: PLC0415  # loaded already

            answer = python.run(job["source"], job["input"], **limits, binary=paths[0])
        else:
            from junctor.runtime.sandbox import javascript  # noqa: PLC0415  # loaded already

            answer = javascript.run(job["source"], job["input"], **limits)
    except MemoryError:
        answer = {"kind": "memory"}
    except BaseException as error:
        answer = {"kind": "crash", "message": f"{type(error).__name__}: {error}"}
    _write(json.dumps({**answer, "walls": walls}).encode())
    os._exit(0)  # whatever an interpreter would still do


def _prepared(language: str, memory: int, paths: tuple[str, ...]) -> list[str]:
    from junctor.runtime.sandbox import walls  # noqa: PLC0415  # inside the try: its error is said

    if language == "python":
        from junctor.runtime.sandbox import python  # noqa: F401, PLC0415  # before the walls

        return walls.confine(memory=memory + _BASE, starts=True, readable=(*paths, *_PLACES))
    from junctor.runtime.sandbox import javascript  # noqa: F401, PLC0415  # before the walls

    return walls.confine(memory=memory + _BASE, starts=False)


def _read(size: int) -> bytes:
    parts = []
    while size:
        part = os.read(0, min(size, 1 << 20))
        if not part:
            os._exit(0)  # nobody needs this process any more
        parts.append(part)
        size -= len(part)
    return b"".join(parts)


def _write(answer: bytes) -> None:
    while answer:
        answer = answer[os.write(1, answer) :]
