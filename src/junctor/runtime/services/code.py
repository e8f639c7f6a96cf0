"""Runs the code of code steps, each in a process of its own (`runtime.sandbox`).

The process is started with an argument list, without environment and open files, before the code
is known; it serves one step and ends. One started ahead waits for the next step of its language, so
that a step seldom waits for a start.
"""

from __future__ import annotations

import asyncio
import atexit
import contextlib
import json
import os
import select
import signal
import subprocess
import sys
import sysconfig
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import msgspec
import structlog

import junctor
from junctor.errors import DataError, Misconfigured
from junctor.language.asks.code import Language, RunCode
from junctor.language.values import plain
from junctor.runtime.sandbox.entry import READY
from junctor.runtime.sandbox.wire import NotData, pack, unpack
from junctor.runtime.services import Asking

__all__ = ["MEMORY", "Sandbox", "execute", "run", "walls"]

log = structlog.get_logger(__name__)

MEMORY = 128 * 1024 * 1024
"""Bytes that a step's code and values may take."""
MOST_SOURCE = 512 * 1024
"""Characters of source."""
MOST_INPUT = 16 * 1024 * 1024
MOST_OUTPUT = 16 * 1024 * 1024
"""Bytes of the answer, as JSON."""
START = 30.0
"""Seconds for the process to be ready, on a machine with much to do."""
GRACE = 0.5
"""Seconds that a step may take more before its process is ended: the interpreter's own stop says
the line."""
_MAIN = (
    "import sys; sys.path += sys.argv[1].splitlines(); "
    "from junctor.runtime.sandbox.entry import main; main(*sys.argv[2:])"
)
_WALLS = {"interpreter", "limits", "privileges", "namespaces", "landlock", "seccomp"}


class _Answer(msgspec.Struct):
    ok: str | None = None
    kind: str = ""
    name: str = ""
    message: str = ""
    line: int | None = None
    logs: str = ""
    walls: list[str] = []


class Sandbox:
    """One process, for one step. Blocks; made for a thread."""

    def __init__(self, language: Language, memory: int = MEMORY) -> None:
        self._process = subprocess.Popen(  # noqa: S603  # our own program, our own arguments
            _arguments(language, memory),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env={},
            cwd="/",
            close_fds=True,
            start_new_session=True,
            bufsize=0,
        )
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._in, self._out = self._process.stdin, self._process.stdout
        os.set_blocking(self._in.fileno(), False)
        self.ready = False

    @property
    def pid(self) -> int:
        """Of the process; its group has the same number."""
        return self._process.pid

    @property
    def alive(self) -> bool:
        """Whether the process runs."""
        return self._process.poll() is None

    def run(self, ask: RunCode) -> _Answer:
        """Does the step and ends the process. `DataError` if the code or its result is no good."""
        try:
            job = _job(ask)
            if not self.ready:
                self.await_ready()
            started = time.monotonic()
            raw = self._exchange(job, started + ask.seconds + GRACE)
            if raw is None:
                return _Answer(kind="time")
            try:
                answer = msgspec.json.decode(raw, type=_Answer)
            except (ValueError, RecursionError):
                took = time.monotonic() - started
                return _Answer(kind="time" if took >= ask.seconds else "crash")
            return answer
        finally:
            self.end()

    def await_ready(self) -> None:
        """Waits until it is shut in. `Misconfigured` if it does not start."""
        fds, _, _ = select.select([self._out], [], [], START)
        if not fds or os.read(self._out.fileno(), 1) != READY:
            raise Misconfigured(
                reason="the process for code steps does not start; "
                "try it: junctor's Python must be able to run by itself (-I -S)"
            )
        self.ready = True

    def _exchange(self, job: bytes, end: float) -> bytes | None:
        """Writes the job, reads the answer to its end; ``None`` if it takes too long."""
        left, size = memoryview(job), 0
        parts: list[bytes] = []
        while True:
            wait = end - time.monotonic()
            if wait <= 0:
                return None
            readable, writable, _ = select.select([self._out], [self._in] if left else [], [], wait)
            if writable:
                try:
                    left = left[os.write(self._in.fileno(), left[: 1 << 16]) :]
                except BrokenPipeError:
                    left = left[:0]
            if readable:
                part = os.read(self._out.fileno(), 1 << 20)
                if not part:
                    return b"".join(parts)
                parts.append(part)
                size += len(part)
                if size > MOST_OUTPUT:
                    raise DataError(
                        reason=f"the code returned more than {MOST_OUTPUT >> 20} MB; return less"
                    )

    def end(self) -> None:
        """Ends the process and all that it started; again is harmless."""
        if self._process.returncode is None:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait()
        self._in.close()
        self._out.close()


def _arguments(language: Language, memory: int) -> list[str]:
    source = str(Path(junctor.__file__).parents[1])
    needed = ["pydantic_monty", "typing_extensions"] if language == "python" else ["_quickjs"]
    paths = [source]
    for name in needed:
        spec = find_spec(name)
        if spec is None or spec.origin is None:
            raise Misconfigured(reason=f"code steps need the package {name}; install it again")
        place = Path(spec.origin).parent
        paths.append(str(place.parent if spec.submodule_search_locations else place))
    more = [_monty()] if language == "python" else []
    known = "\n".join(dict.fromkeys(paths))
    return [sys.executable, "-I", "-S", "-c", _MAIN, known, language, str(memory), *more]


def _monty() -> str:
    """Where the program is that Monty's package installs."""
    for place in (sysconfig.get_path("scripts"), str(Path(sys.executable).parent)):
        program = Path(place) / "monty"
        if program.is_file():
            return str(program.resolve())
    raise Misconfigured(
        reason="the program 'monty' is missing; install the package pydantic-monty-runtime again"
    )


def _job(ask: RunCode) -> bytes:
    if len(ask.source) > MOST_SOURCE:
        raise DataError(reason=f"the code is longer than {MOST_SOURCE >> 10} KB")
    try:
        given = pack({name: _given(value) for name, value in ask.input.items()})
    except NotData as error:
        raise DataError(reason=f"the input can't be given to the code: {error}") from error
    job = json.dumps({"source": ask.source, "input": given, "seconds": ask.seconds}).encode()
    if len(job) > MOST_INPUT:
        raise DataError(reason=f"the input is larger than {MOST_INPUT >> 20} MB; map less into it")
    return len(job).to_bytes(4, "big") + job


def _given(value: Any) -> Any:
    """Dates are texts to the code, as in Make; buffers stay bytes."""
    if isinstance(value, bytes):
        return value
    if isinstance(value, dict):
        return {str(key): _given(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_given(item) for item in value]
    return plain(value)


class _Spares:
    """Processes started ahead, one for each language."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._waiting: dict[Language, Sandbox] = {}
        self._owner = os.getpid()

    def take(self, language: Language) -> Sandbox:
        """One that waits, or a new one."""
        with self._lock:
            if self._owner != os.getpid():  # a fork has no children of its parent's
                self._waiting, self._owner = {}, os.getpid()
            found = self._waiting.pop(language, None)
        if found is not None:
            if found.alive:
                return found
            found.end()
        return Sandbox(language)

    def refill(self, language: Language) -> None:
        """Starts one for the next step."""
        with self._lock:
            if language not in self._waiting and self._owner == os.getpid():
                self._waiting[language] = Sandbox(language)

    def end(self) -> None:
        """Ends those that wait."""
        with self._lock:
            waiting, self._waiting = self._waiting, {}
        if self._owner == os.getpid():
            for each in waiting.values():
                each.end()


_spares = _Spares()
atexit.register(_spares.end)
_threads: ThreadPoolExecutor | None = None
_walls_seen: set[str] = set()


def walls(language: Language) -> list[str]:
    """The walls that stand around code of a language on this machine; for `junctor doctor`."""
    return Sandbox(language).run(RunCode(language, "return 1")).walls


def execute(ask: RunCode, *, ahead: bool = False) -> dict[str, Any]:
    """Runs the code and waits for it; ``ahead``: starts the process of the next step, too."""
    sandbox = _spares.take(ask.language) if ahead else Sandbox(ask.language)
    answer = sandbox.run(ask)
    if ahead:
        _spares.refill(ask.language)
    _say(answer.walls)
    if answer.ok is None:
        raise _error(ask, answer)
    try:
        result = unpack(msgspec.json.decode(answer.ok))
    except (NotData, ValueError, RecursionError) as error:
        raise DataError(reason=f"what the code returned can't be read: {error}") from error
    return {"result": result, "logs": answer.logs} if answer.logs else {"result": result}


async def run(ask: RunCode, _asking: Asking) -> dict[str, Any]:
    """The service of `RunCode`."""
    global _threads  # noqa: PLW0603  # one pool for the process, made when first needed
    if _threads is None:
        _threads = ThreadPoolExecutor(max(2, os.cpu_count() or 1), thread_name_prefix="code")
    loop = asyncio.get_running_loop()
    return await loop.run_in_executor(_threads, lambda: execute(ask, ahead=True))


def _say(standing: list[str]) -> None:
    missing = _WALLS - set(standing)
    if standing and missing - _walls_seen:
        _walls_seen.update(missing)
        log.warning("code_steps_walls_missing", missing=sorted(missing), standing=standing)


def _error(ask: RunCode, answer: _Answer) -> DataError | Misconfigured:
    """Why there is no result, for the author of the code."""
    if answer.kind == "start":
        return Misconfigured(reason=answer.message)
    text = " ".join(answer.message.split())[:500]
    said = f"{answer.name}: {text}" if answer.name and text else answer.name or text
    match answer.kind:
        case "time":
            reason = f"it took longer than {ask.seconds:g} seconds; do less in one step"
        case "memory":
            reason = f"it needed more than {MEMORY >> 20} MB of memory; handle less at a time"
        case "stack":
            reason = "its functions call each other too deeply; use a loop"
        case "waits":
            reason = "it waits for a promise that nothing keeps: there are no timers or requests"
        case "result":
            reason = f"what it returned is no data: {text}; return text, numbers, arrays or objects"
        case "syntax" | "raised":
            reason = said or "it failed"
        case _:
            reason = "its process ended without an answer: too much memory, or a fault of ours"
    place = f"line {answer.line}: " if answer.line else ""
    shown = {"javascript": "JavaScript", "python": "Python"}[ask.language]
    return DataError(
        f"The {shown} code failed: {place}{reason}",
        kind=answer.kind,
        line=answer.line,
        error=answer.name,
        logs=answer.logs[-2000:],
    )
