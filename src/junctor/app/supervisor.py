"""Child processes: started, watched, restarted with backoff, ended with us.

The supervisor decides nothing about work; it only keeps processes alive. On Linux a child is
told (``PR_SET_PDEATHSIG``) to end when the supervisor dies, even by ``kill -9``. The listening
socket belongs to the supervisor and is handed to each server, so that connections wait in the
kernel's queue while a server restarts.
"""

from __future__ import annotations

import asyncio
import contextlib
import ctypes
import os
import signal
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from junctor.app.handover import READY

__all__ = ["Child", "Supervisor", "junctor_command"]

BACKOFF = (0.1, 0.5, 1.0, 2.0, 5.0, 10.0)
"""Seconds before the first, second … restart in a row."""
STEADY = 30.0
"""Seconds after which a child counts as healthy and its backoff starts anew."""
GRACE = 3.5
"""Seconds a child may take to end before it is killed."""
READY_SECONDS = 90.0
"""A new process must have said in this time that it works, or the old one stays."""
LOG_LIMIT = 16 * 1024 * 1024
"""A log longer than this is set aside (one generation) when its process starts."""

_PR_SET_PDEATHSIG = 1


def junctor_command(*arguments: str) -> list[str]:
    """The command line of another process of this installation."""
    return [sys.executable, "-m", "junctor", *arguments]


@dataclass(slots=True)
class Child:
    """One process to keep alive."""

    name: str
    command: Sequence[str]
    env: Mapping[str, str] = field(default_factory=dict)
    pass_fds: tuple[int, ...] = ()
    retire: int | None = None
    """The signal that lets it finish what it does, once another has taken its place; ``None``: it
    is not replaced on a reload."""
    retire_seconds: float = 60.0
    """How long that may take."""
    restarts: int = 0
    pid: int | None = None
    asked: asyncio.Future[bool] | None = None
    """A reload that waits for this one to be replaced."""
    wanted: asyncio.Event = field(default_factory=asyncio.Event)


class Supervisor:
    """Keeps children alive until `stop`.

    ``on_event(name, what)`` hears of every start and end, for the console.
    """

    def __init__(self, logs: Path, *, on_event: Callable[[str, str], None] | None = None) -> None:
        self._logs = logs
        self._on_event = on_event or (lambda _name, _what: None)
        self._tasks: list[asyncio.Task[None]] = []
        self._retired: set[asyncio.Task[None]] = set()
        self._stopping = asyncio.Event()
        self._reloading = asyncio.Lock()
        self.children: list[Child] = []

    def start(self, child: Child) -> None:
        """Begins to keep a child alive."""
        self.children.append(child)
        self._tasks.append(asyncio.create_task(self._keep(child), name=f"keep {child.name}"))

    async def stop(self) -> None:
        """Ends every child: asked first, killed after ``GRACE`` seconds."""
        self._stopping.set()
        await asyncio.gather(*self._tasks, *self._retired)
        self._tasks.clear()

    async def reload(self) -> str | None:
        """Replaces the processes that can be, one by one: the new one works before the old one is
        asked to end. The name of the first whose replacement did not come up; then it and all that
        come after it stay as they are.
        """
        async with self._reloading:
            for child in list(self.children):
                if child.retire is None or self._stopping.is_set():
                    continue
                child.asked = asyncio.get_running_loop().create_future()
                child.wanted.set()
                if not await child.asked:
                    return child.name
            return None

    async def _keep(self, child: Child) -> None:
        failures = 0
        while not self._stopping.is_set():
            started = time.monotonic()
            try:
                process = await self._spawn(child)
            except OSError as error:
                self._on_event(child.name, f"could not start: {error}")
            else:
                code = await self._watch(child, process)
                if self._stopping.is_set():
                    return
                self._on_event(child.name, f"ended ({_say(code)}); restarting")
            steady = time.monotonic() - started > STEADY
            failures = 0 if steady else failures + 1
            child.restarts += 1
            delay = BACKOFF[min(max(failures - 1, 0), len(BACKOFF) - 1)]
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._stopping.wait(), delay)

    async def _spawn(self, child: Child, ready: int | None = None) -> asyncio.subprocess.Process:
        more = {READY: str(ready)} if ready is not None else {}
        fds = child.pass_fds if ready is None else (*child.pass_fds, ready)
        log = self._logs / f"{child.name}.log"
        if log.exists() and log.stat().st_size > LOG_LIMIT:
            log.replace(log.with_suffix(".log.1"))
        with log.open("ab") as out:
            process = await asyncio.create_subprocess_exec(
                *child.command,
                stdin=asyncio.subprocess.DEVNULL,
                stdout=out,
                stderr=out,
                env={**os.environ, **child.env, **more},
                pass_fds=fds,
                start_new_session=True,  # a ^C at the terminal is ours to pass on, in order
                preexec_fn=_end_with_parent(os.getpid()),
            )
        child.pid = process.pid
        return process

    async def _watch(self, child: Child, process: asyncio.subprocess.Process) -> int:
        """Until it ends, or is ended with us; its exit code. It may be replaced meanwhile."""
        while True:
            ended = asyncio.create_task(process.wait())
            stopping = asyncio.create_task(self._stopping.wait())
            wanted = asyncio.create_task(child.wanted.wait())
            await asyncio.wait({ended, stopping, wanted}, return_when=asyncio.FIRST_COMPLETED)
            stopping.cancel()
            wanted.cancel()
            if self._stopping.is_set() or ended.done() or not child.wanted.is_set():
                break
            child.wanted.clear()
            new = await self._replacement(child)
            if new is not None:
                retired = asyncio.create_task(self._retire(child, process, ended))
                self._retired.add(retired)
                retired.add_done_callback(self._retired.discard)
                process = new
                child.pid = new.pid
            if child.asked is not None and not child.asked.done():
                child.asked.set_result(new is not None)
        if not ended.done():
            await self._end(child, process, ended)
        if child.asked is not None and not child.asked.done():
            child.wanted.clear()
            child.asked.set_result(False)
        code = await ended
        child.pid = None
        return code

    async def _replacement(self, child: Child) -> asyncio.subprocess.Process | None:
        """Another process of its kind, at work; ``None`` if it did not come so far."""
        loop = asyncio.get_running_loop()
        told, ready = os.pipe()
        heard: asyncio.Future[bool] = loop.create_future()

        def hear() -> None:
            if not heard.done():
                heard.set_result(os.read(told, 1) == b"1")

        loop.add_reader(told, hear)
        old = child.pid
        try:
            new = await self._spawn(child, ready)
        except OSError as error:
            self._on_event(child.name, f"could not be replaced: {error}")
            os.close(ready)
            return None
        else:
            os.close(ready)
            stopping: asyncio.Future[Any] = asyncio.create_task(self._stopping.wait())
            waited: set[asyncio.Future[Any]] = {heard, stopping}
            await asyncio.wait(waited, timeout=READY_SECONDS, return_when=asyncio.FIRST_COMPLETED)
            stopping.cancel()
            if heard.done() and heard.result():
                self._on_event(child.name, "was replaced")
                return new
            ended = asyncio.create_task(new.wait())
            await self._end(child, new, ended)
            code = await ended
            if not self._stopping.is_set():
                self._on_event(child.name, f"was not replaced: the new one ended ({_say(code)})")
            return None
        finally:
            loop.remove_reader(told)
            os.close(told)
            child.pid = old

    async def _retire(
        self, child: Child, process: asyncio.subprocess.Process, ended: asyncio.Task[int]
    ) -> None:
        """Lets a process that was replaced finish what it does."""
        assert child.retire is not None
        _tell(process, child.retire)
        stopping = asyncio.create_task(self._stopping.wait())
        await asyncio.wait(
            {ended, stopping}, timeout=child.retire_seconds, return_when=asyncio.FIRST_COMPLETED
        )
        stopping.cancel()
        if not ended.done():
            await self._end(child, process, ended)

    async def _end(
        self, child: Child, process: asyncio.subprocess.Process, ended: asyncio.Task[int]
    ) -> None:
        _tell(process, signal.SIGTERM)
        try:
            await asyncio.wait_for(asyncio.shield(ended), GRACE)
        except TimeoutError:
            self._on_event(child.name, f"did not end within {GRACE} s; killed")
            _tell(process, signal.SIGKILL)
            await ended


def _tell(process: asyncio.subprocess.Process, number: int) -> None:
    """Sends a signal. `send_signal` would first reap a process that has just ended; then asyncio
    could not say any more how.
    """
    if process.returncode is None:
        with contextlib.suppress(ProcessLookupError):
            os.kill(process.pid, number)


def _say(code: int) -> str:
    return f"signal {signal.Signals(-code).name}" if code < 0 else f"exit code {code}"


def _end_with_parent(parent: int) -> Callable[[], None]:
    """What a child does before it becomes its program; everything is loaded before the fork."""
    if not sys.platform.startswith("linux"):
        return lambda: None
    prctl = ctypes.CDLL(None, use_errno=True).prctl

    def ask() -> None:
        prctl(_PR_SET_PDEATHSIG, signal.SIGTERM, 0, 0, 0)
        if os.getppid() != parent:  # it died between the fork and the line above
            os._exit(1)

    return ask
