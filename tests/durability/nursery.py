"""Processes that begin loaded: one process imports a program, and is forked for each of its runs.

``python nursery.py SOCKET PROGRAM`` imports a program, calls its ``load()``, and forks at every
request that comes through the socket; the new process calls ``begin(loaded, *arguments)``. It is a
process like any other, with a number and an end of its own, and is spared a second of imports. All
of them are killed when the socket closes, so that none is left behind.

A request is one packet: JSON and three descriptors, which are the new process's control socket,
output and error output. Through the control socket one is told its number, lets it go if it is
held, and is told how it ended.
"""

from __future__ import annotations

import asyncio
import atexit
import gc
import importlib.util
import json
import os
import signal
import socket
import subprocess
import sys
import traceback
from contextlib import suppress
from functools import cache
from pathlib import Path
from types import ModuleType
from typing import Any, NoReturn

LONGEST = 1 << 17
"""Bytes of a request, which holds an environment."""


class Offspring:
    """A process of a nursery, used like an `asyncio.subprocess.Process`."""

    def __init__(self) -> None:
        self.pid = 0
        self.returncode: int | None = None

    async def _born(self, control: socket.socket) -> None:
        reader, self._writer = await asyncio.open_connection(sock=control)
        self.pid = int(await reader.readline())
        self._ending = asyncio.create_task(self._watch(reader))

    async def _watch(self, reader: asyncio.StreamReader) -> int:
        try:
            self.returncode = int(await reader.readline())
        finally:
            self._writer.close()
        return self.returncode

    def go(self) -> None:
        """Lets one that is held begin."""
        self._writer.write(b"\n")

    async def wait(self) -> int:
        """Its exit status, once it has ended: negative for a signal."""
        return await asyncio.shield(self._ending)

    def send_signal(self, number: int) -> None:
        """Nothing happens to one that has ended."""
        if self.returncode is None:
            with suppress(ProcessLookupError):
                os.kill(self.pid, number)

    def terminate(self) -> None:
        self.send_signal(signal.SIGTERM)

    def kill(self) -> None:
        self.send_signal(signal.SIGKILL)


class Nursery:
    """The process that has loaded a program."""

    def __init__(self, program: Path, path: str) -> None:
        self._socket, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with theirs:
            self._process = subprocess.Popen(
                [sys.executable, __file__, str(theirs.fileno()), str(program)],
                env={**os.environ, "PYTHONPATH": path},
                pass_fds=[theirs.fileno()],
            )
        atexit.register(self.close)

    async def bear(self, *arguments: str, held: bool = False) -> Offspring:
        """A new process, with this one's environment; ``held``: it begins when told to `go`."""
        request = {"arguments": arguments, "held": held, "environment": dict(os.environ)}
        ours, theirs = socket.socketpair()
        ours.setblocking(False)
        with theirs:
            socket.send_fds(self._socket, [json.dumps(request).encode()], [theirs.fileno(), 1, 2])
        child = Offspring()
        await child._born(ours)
        return child

    def close(self) -> None:
        """Ends it, and every process that it has borne."""
        self._socket.close()
        self._process.wait()


@cache
def nursery(program: Path, path: str) -> Nursery:
    """The one of this process; ``path`` is what it imports from."""
    return Nursery(program, path)


class _Parent:
    """Forks, and tells how each has ended."""

    def __init__(self, requests: socket.socket, program: ModuleType) -> None:
        self._requests = requests
        self._program = program
        self._loaded = program.load()
        self._controls: dict[int, socket.socket] = {}

    def serve(self) -> None:
        """Until the socket closes."""
        signal.signal(signal.SIGCHLD, lambda *_: self._reap())
        gc.freeze()
        while True:
            request, handles, _, _ = socket.recv_fds(self._requests, LONGEST, 3)
            if not request:
                break
            control, *outputs = handles
            self._fork(json.loads(request), socket.socket(fileno=control), outputs)
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        for pid in self._controls:
            os.kill(pid, signal.SIGKILL)

    def _fork(self, request: dict[str, Any], control: socket.socket, outputs: list[int]) -> None:
        signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGCHLD})  # until it is known here
        pid = os.fork()
        if pid == 0:
            self._begin(request, control, outputs)
        self._controls[pid] = control
        _tell(control, pid)
        for output in outputs:
            os.close(output)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGCHLD})

    def _begin(
        self, request: dict[str, Any], control: socket.socket, outputs: list[int]
    ) -> NoReturn:
        status = 1
        try:
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGCHLD})
            self._requests.close()
            for other in self._controls.values():
                other.close()
            for output, number in zip(outputs, (1, 2), strict=True):
                os.dup2(output, number)
                os.close(output)
            os.environ.clear()
            os.environ.update(request["environment"])
            if not request["held"] or control.recv(1):
                self._program.begin(self._loaded, *request["arguments"])
            status = 0
        except BaseException:
            traceback.print_exc()
        finally:
            sys.stdout.flush()
            sys.stderr.flush()
            os._exit(status)  # not this process's own end: what it has open is its parent's, too

    def _reap(self) -> None:
        while self._controls:
            pid, status = os.waitpid(-1, os.WNOHANG)
            if pid == 0:
                return
            with self._controls.pop(pid) as control:
                _tell(control, os.waitstatus_to_exitcode(status))


def _tell(control: socket.socket, number: int) -> None:
    with suppress(OSError):  # nobody listens any more
        control.send(b"%d\n" % number)


def _imported(program: Path) -> ModuleType:
    spec = importlib.util.spec_from_file_location(program.stem, program)
    assert spec is not None
    assert spec.loader is not None
    made = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(made)
    return made


if __name__ == "__main__":
    _Parent(socket.socket(fileno=int(sys.argv[1])), _imported(Path(sys.argv[2]))).serve()
