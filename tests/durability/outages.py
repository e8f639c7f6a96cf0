"""Senders that go on while servers and databases are killed below them."""

from __future__ import annotations

import asyncio
import json
import os
import secrets
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import psutil
import psycopg

from junctor.adapters.postgres.embedded import Embedded
from junctor.app.settings import is_free
from tests.durability import kit
from tests.integration.runtime.door import Door, request
from tests.support import SOURCE

SENDERS = 16


class Sender:
    """Sends every ``step``-th event over one connection at a time, each once."""

    def __init__(self, path: str, first: int, step: int) -> None:
        self.path = path
        self.next = first
        self.step = step
        self.acknowledged: list[int] = []
        self.unanswered: list[int] = []
        self.refused: dict[int, int] = {}

    async def send(self, ports: list[int]) -> None:
        """Sends to the last of these ports until there is none; a new one may be added."""
        while ports:
            at = ports[-1]
            try:
                async with Door(at, None).wire() as wire:  # type: ignore[arg-type]  # only its wire
                    while ports and ports[-1] == at:
                        number = self.next
                        self.next += self.step
                        body = json.dumps({"n": number}).encode()
                        key = {"idempotency_key": f"event {number}"} if number % 2 else {}
                        self.unanswered.append(number)
                        await wire.send(
                            request(self.path, body, content_type="application/json", **key)
                        )
                        status = (await wire.answer()).status
                        self.unanswered.remove(number)
                        if status == 200:
                            self.acknowledged.append(number)
                        else:
                            self.refused[number] = status
            except (OSError, EOFError):
                await asyncio.sleep(0.01)


class Crowd:
    """Several senders at work, together sending each number once; made inside a loop."""

    def __init__(
        self, path: str, port: int, *, size: int = SENDERS, kind: type[Sender] = Sender
    ) -> None:
        self.ports = [port]
        """Where they send: to the last of these."""
        self.senders = [kind(path, first, size) for first in range(size)]
        self._tasks = [asyncio.create_task(sender.send(self.ports)) for sender in self.senders]

    @property
    def acknowledged(self) -> list[int]:
        return [number for sender in self.senders for number in sender.acknowledged]

    @property
    def unanswered(self) -> list[int]:
        return [number for sender in self.senders for number in sender.unanswered]

    @property
    def refused(self) -> dict[int, int]:
        """The statuses of what was refused, by its number."""
        return {number: s for sender in self.senders for number, s in sender.refused.items()}

    def told(self) -> int:
        """How many were acknowledged."""
        return sum(len(sender.acknowledged) for sender in self.senders)

    async def more(self, count: int) -> None:
        """Waits until so many more were acknowledged."""
        before = self.told()
        await kit.until(lambda: self.told() >= before + count)

    async def stop(self) -> None:
        """They end with what they are at."""
        self.ports.clear()
        await asyncio.gather(*self._tasks)


def once(url: str, vendor: kit.Vendor, crowd: Crowd) -> None:
    """Each acknowledged event is one run that ended; others at most one."""
    acknowledged = crowd.acknowledged
    others = [*crowd.unanswered, *crowd.refused]
    with psycopg.connect(url) as db:
        ends: dict[str, int] = dict(
            db.execute("select state, count(*) from runs group by state").fetchall()
        )
        assert db.execute("select count(*) from inbox").fetchone() == (0,)
    assert set(ends) <= {"finished", "uncertain"}
    assert len(acknowledged) <= sum(ends.values()) <= len(acknowledged) + len(others)
    doubtful = ends.get("uncertain", 0)
    assert all(count == 1 for count in vendor.done.values())
    missing = [number for number in acknowledged if not vendor.done[number]]
    assert len(missing) <= doubtful
    assert vendor.done.total() >= ends["finished"]


@asynccontextmanager
async def server_process(
    url: str, folder: Path, port: int, **more: str
) -> AsyncIterator[psutil.Process]:
    """A real server, loading; killed at the end at the latest. ``more``: of its environment."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("JUNCTOR_")}
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "junctor", "server",
        stdout=asyncio.subprocess.DEVNULL, stderr=asyncio.subprocess.DEVNULL,
        env={
            **kept,
            "PYTHONPATH": str(SOURCE.parent),
            "JUNCTOR_DATABASE_URL": url,
            "JUNCTOR_DATA_DIR": str(folder),
            "JUNCTOR_PORT": str(port),
            **more,
        },
    )  # fmt: skip
    try:
        yield psutil.Process(process.pid)
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()


async def answering(port: int) -> None:
    """Waits until a server answers there."""
    async with asyncio.timeout(kit.PATIENCE):
        while True:
            try:
                answer = await Door(port, None).raw(  # type: ignore[arg-type]  # only its wire
                    b"GET /healthz HTTP/1.1\r\nhost: 127.0.0.1\r\n\r\n"
                )
            except (OSError, EOFError):
                await asyncio.sleep(0.02)
            else:
                assert answer.status == 200
                return


def free_ports(count: int) -> list[int]:
    """Ports that nobody listens on, of those that the system gives to nobody by itself: so nobody
    gets one of them before its server is there.
    """
    found: list[int] = []
    while len(found) < count:
        port = secrets.choice(range(20_000, 32_000))
        if port not in found and is_free("127.0.0.1", port):
            found.append(port)
    return found


async def lose(server: Embedded) -> None:
    """Kills a database server and all its processes, at once."""
    await asyncio.to_thread(_kill, server)
    assert not server.alive()


async def restart(server: Embedded) -> None:
    await asyncio.to_thread(server.stop)
    await asyncio.to_thread(server.start)


def _kill(server: Embedded) -> None:
    assert server.pid is not None
    postmaster = psutil.Process(server.pid)
    family = [postmaster, *postmaster.children(recursive=True)]
    for process in family:
        process.kill()
    psutil.wait_procs(family, timeout=kit.PATIENCE)
