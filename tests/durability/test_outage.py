"""kill -9 of the server and of Postgres, while deliveries come in and runs act."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import psutil
import psycopg
import pytest
import structlog

from junctor.adapters.postgres.embedded import Embedded
from junctor.adapters.postgres.migrate import migrate
from junctor.app.handover import listen
from tests.durability import kit
from tests.integration.runtime.door import (
    SET,
    WEBHOOK,
    Door,
    door,
    flow,
    idle,
    plant_hook,
    request,
    working,
)
from tests.integration.runtime.test_waits import sends
from tests.support import SOURCE, run

pytestmark = pytest.mark.timeout(60)

SENDERS = 16


@pytest.fixture(autouse=True)
def plain_logs() -> Iterator[None]:
    """Log entries are kept, not drawn."""
    with structlog.testing.capture_logs():
        yield


class Sender:
    """Sends numbered events over one connection at a time, each once."""

    def __init__(self, path: str, first: int) -> None:
        self.path = path
        self.next = first
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
                        self.next += SENDERS
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


def once(url: str, vendor: kit.Vendor, senders: list[Sender]) -> None:
    """Each acknowledged event is one run that ended; others at most one."""
    acknowledged = [number for sender in senders for number in sender.acknowledged]
    others = [n for sender in senders for n in (*sender.unanswered, *sender.refused)]
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
async def server_process(url: str, folder: Path, port: int) -> AsyncIterator[psutil.Process]:
    """A real server, loading; killed at the end at the latest."""
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
    async with asyncio.timeout(30):
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
    socks = [listen("127.0.0.1", 0) for _ in range(count)]
    ports = [sock.getsockname()[1] for sock in socks]
    for sock in socks:
        sock.close()
    return ports


def test_a_killed_server_loses_nothing_it_acknowledged(database_url: str, tmp_path: Path) -> None:
    async def check() -> None:
        old, new = free_ports(2)
        async with (
            kit.vendor() as vendor,
            server_process(database_url, tmp_path, old) as victim,
            server_process(database_url, tmp_path, new),
            working(database_url, allow=f"127.0.0.1:{vendor.port}"),
        ):
            path = plant_hook(database_url, flow(WEBHOOK, SET, sends(vendor.port, "{{1.n}}")))
            await asyncio.gather(answering(old), answering(new))
            ports = [old]
            senders = [Sender(path, first) for first in range(SENDERS)]
            sending = [asyncio.create_task(sender.send(ports)) for sender in senders]

            def told() -> int:
                return sum(len(sender.acknowledged) for sender in senders)

            await kit.until(lambda: told() >= 200)
            victim.kill()
            before = told()
            ports.append(new)
            await kit.until(lambda: told() >= before + 200)
            ports.clear()
            await asyncio.gather(*sending)
            await idle(database_url)
            assert not any(sender.refused for sender in senders)
            assert sum(len(sender.unanswered) for sender in senders) <= SENDERS
            once(database_url, vendor, senders)

    run(check())


@pytest.fixture(scope="module")
def own_postgres() -> Iterator[Embedded]:
    """A server of this module's own that flushes what it commits, to be killed."""
    folder = Path(tempfile.mkdtemp(prefix="junctor-test-"))
    server = Embedded(folder, settings={"shared_buffers": "32MB", "max_connections": "50"})
    try:
        asyncio.run(migrate(server.start()))
        yield server
    finally:
        server.stop()
        shutil.rmtree(folder, ignore_errors=True)


def kill_postgres(server: Embedded) -> None:
    """The server and all its processes, at once."""
    assert server.pid is not None
    postmaster = psutil.Process(server.pid)
    family = [postmaster, *postmaster.children(recursive=True)]
    for process in family:
        process.kill()
    psutil.wait_procs(family, timeout=10)


def test_a_killed_postgres_loses_and_repeats_nothing(own_postgres: Embedded) -> None:
    async def check() -> None:
        url = own_postgres.url
        async with (
            kit.vendor(delay=0.005) as vendor,
            door(url, patience=0.3) as it,
            working(url, allow=f"127.0.0.1:{vendor.port}") as worker,
        ):
            path = plant_hook(url, flow(WEBHOOK, SET, sends(vendor.port, "{{1.n}}")))
            ports = [it.port]
            senders = [Sender(path, first) for first in range(SENDERS)]
            sending = [asyncio.create_task(sender.send(ports)) for sender in senders]

            def told() -> int:
                return sum(len(sender.acknowledged) for sender in senders)

            def refused() -> list[int]:
                return [status for sender in senders for status in sender.refused.values()]

            await kit.until(lambda: told() >= 200 and vendor.done.total() >= 50)
            await asyncio.to_thread(kill_postgres, own_postgres)
            before = told()
            await kit.until(lambda: len(refused()) >= SENDERS)
            assert told() <= before + SENDERS  # answers that were on their way
            assert not own_postgres.alive()
            await asyncio.to_thread(own_postgres.stop)
            await asyncio.to_thread(own_postgres.start)
            back = time.monotonic()
            before = told()
            await kit.until(lambda: told() >= before + 100)
            ports.clear()
            await asyncio.gather(*sending)
            await idle(url)
            assert time.monotonic() - back <= kit.TAKEOVER
            assert set(refused()) == {503}
            assert not any(sender.unanswered for sender in senders)
            assert worker.active == 0
            once(url, vendor, senders)

    run(check())
