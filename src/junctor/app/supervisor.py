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
import socket
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from junctor.errors import Misconfigured

__all__ = ["Child", "Supervisor", "junctor_command", "listen"]

BACKOFF = (0.1, 0.5, 1.0, 2.0, 5.0, 10.0)
"""Seconds before the first, second … restart in a row."""
STEADY = 30.0
"""Seconds after which a child counts as healthy and its backoff starts anew."""
GRACE = 3.5
"""Seconds a child may take to end before it is killed."""
LOG_LIMIT = 16 * 1024 * 1024
"""A log longer than this is set aside (one generation) when its process starts."""

_PR_SET_PDEATHSIG = 1


def junctor_command(*arguments: str) -> list[str]:
    """The command line of another process of this installation."""
    return [sys.executable, "-m", "junctor", *arguments]


def listen(host: str, port: int) -> socket.socket:
    """A listening socket for the servers to share; `Misconfigured` if the port is taken."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    sock = socket.socket(family, socket.SOCK_STREAM)
    try:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        sock.bind((host, port))
        sock.listen(2048)
    except OSError as error:
        sock.close()
        raise Misconfigured(
            f"Port {port} on {host} can't be used: {error.strerror or error}. "
            "Set JUNCTOR_PORT to another one, or stop what uses it.",
            host=host,
            port=port,
        ) from error
    sock.set_inheritable(True)
    return sock


@dataclass(slots=True)
class Child:
    """One process to keep alive."""

    name: str
    command: Sequence[str]
    env: Mapping[str, str] = field(default_factory=dict)
    pass_fds: tuple[int, ...] = ()
    restarts: int = 0
    pid: int | None = None


class Supervisor:
    """Keeps children alive until `stop`.

    ``on_event(name, what)`` hears of every start and end, for the console.
    """

    def __init__(self, logs: Path, *, on_event: Callable[[str, str], None] | None = None) -> None:
        self._logs = logs
        self._on_event = on_event or (lambda _name, _what: None)
        self._tasks: list[asyncio.Task[None]] = []
        self._stopping = asyncio.Event()
        self.children: list[Child] = []

    def start(self, child: Child) -> None:
        """Begins to keep a child alive."""
        self.children.append(child)
        self._tasks.append(asyncio.create_task(self._keep(child), name=f"keep {child.name}"))

    async def stop(self) -> None:
        """Ends every child: asked first, killed after ``GRACE`` seconds."""
        self._stopping.set()
        if self._tasks:
            await asyncio.gather(*self._tasks)
        self._tasks.clear()

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

    async def _spawn(self, child: Child) -> asyncio.subprocess.Process:
        log = self._logs / f"{child.name}.log"
        if log.exists() and log.stat().st_size > LOG_LIMIT:
            log.replace(log.with_suffix(".log.1"))
        with log.open("ab") as out:
            process = await asyncio.create_subprocess_exec(
                *child.command,
                stdin=asyncio.subprocess.DEVNULL,
                stdout=out,
                stderr=out,
                env={**os.environ, **child.env},
                pass_fds=child.pass_fds,
                start_new_session=True,  # a ^C at the terminal is ours to pass on, in order
                preexec_fn=_end_with_parent(os.getpid()),
            )
        child.pid = process.pid
        return process

    async def _watch(self, child: Child, process: asyncio.subprocess.Process) -> int:
        ended = asyncio.create_task(process.wait())
        stopping = asyncio.create_task(self._stopping.wait())
        await asyncio.wait({ended, stopping}, return_when=asyncio.FIRST_COMPLETED)
        stopping.cancel()
        if not ended.done():
            with contextlib.suppress(ProcessLookupError):
                process.send_signal(signal.SIGTERM)
            try:
                await asyncio.wait_for(asyncio.shield(ended), GRACE)
            except TimeoutError:
                self._on_event(child.name, f"did not end within {GRACE} s; killed")
                with contextlib.suppress(ProcessLookupError):
                    process.kill()
        code = await ended
        child.pid = None
        return code


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
