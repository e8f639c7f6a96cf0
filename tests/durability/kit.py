"""A scenario with an effect, a vendor that counts, and workers as processes of their own."""

from __future__ import annotations

import asyncio
import json
import signal
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import UUID

import psycopg

from junctor.adapters.postgres.hot import Line, PostgresInbox
from junctor.adapters.system import system_ids
from junctor.language.connector import Delivery
from junctor.ports.inbox import NewDelivery
from junctor.runtime.envelope import pack_call
from junctor.runtime.worker import Worker
from tests.durability.nursery import Offspring, nursery

HERE = Path(__file__).resolve().parent
ORGANIZATION = UUID(int=1)
TEAM = UUID(int=2)
ENDED = ("finished", "incomplete", "uncertain")
NEVER = 3600.0
"""Seconds: longer than any test."""
TAKEOVER = 120.0
"""Seconds: eight times what is promised, as tests share their machine; `make torture` measures."""
PATIENCE = 120.0
"""Seconds that something is waited for that takes a second where nobody else is at work."""


_ids = system_ids()


def new_id() -> UUID:
    return _ids.new()


@dataclass
class Vendor:
    """Counts what it did, by the event's number. ``script`` answers an event's first requests.

    With ``delay=NEVER`` it answers only once it is told to, by `answer`.
    """

    port: int = 0
    done: Counter[int] = field(default_factory=Counter)
    order: list[int] = field(default_factory=list)
    script: dict[int, list[tuple[int, dict[str, str]]]] = field(default_factory=dict)
    delay: float = 0.0
    closing: asyncio.Event = field(default_factory=asyncio.Event)
    callers: set[asyncio.Task[Any]] = field(default_factory=set)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self.callers.add(task)
        task.add_done_callback(self.callers.discard)
        await self._serve(reader, writer)
        with suppress(ConnectionError):
            await writer.wait_closed()

    def answer(self) -> None:
        """Nobody is made to wait any more."""
        self.delay = 0.0
        self.closing.set()

    async def close(self) -> None:
        """Returns when all have gone."""
        self.answer()
        callers = list(self.callers)
        for task in callers:
            task.cancel()
        await asyncio.gather(*callers, return_exceptions=True)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(asyncio.IncompleteReadError, ConnectionError):
            while True:
                head = await reader.readuntil(b"\r\n\r\n")
                size = 0
                for line in head.split(b"\r\n"):
                    if line.lower().startswith(b"content-length:"):
                        size = int(line.split(b":")[1])
                body = await reader.readexactly(size)
                number = int(json.loads(body)["n"]) if body else -1
                status, headers = 200, dict[str, str]()
                if self.script.get(number):
                    status, headers = self.script[number].pop(0)
                elif number >= 0:
                    self.done[number] += 1
                    self.order.append(number)
                if self.delay:
                    with suppress(TimeoutError):
                        await asyncio.wait_for(self.closing.wait(), self.delay)
                extra = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
                writer.write(
                    f"HTTP/1.1 {status} X\r\ncontent-type: application/json\r\n{extra}"
                    "content-length: 11\r\n\r\n".encode()
                    + b'{"ok":true}'
                )
                await writer.drain()
        writer.close()


@asynccontextmanager
async def vendor(**given: Any) -> AsyncIterator[Vendor]:
    """A vendor on loopback."""
    made = Vendor(**given)
    server = await asyncio.start_server(made.serve, "127.0.0.1", 0)
    made.port = server.sockets[0].getsockname()[1]
    try:
        yield made
    finally:
        server.close()
        await made.close()


def blueprint(port: int, **settings: Any) -> str:
    """Hook → expressions → POST (never twice) → GET → JSON."""
    return json.dumps(
        {
            "name": "durable",
            "flow": [
                {
                    "id": 1,
                    "module": "gateway:CustomWebHook",
                    "version": 1,
                    "parameters": {"hook": 1},
                    "mapper": {},
                },
                {
                    "id": 2,
                    "module": "util:SetVariables",
                    "version": 1,
                    "parameters": {},
                    "mapper": {
                        "scope": "roundtrip",
                        "variables": [{"name": "n", "value": "{{1.n}}"}],
                    },
                },
                {
                    "id": 3,
                    "module": "http:ActionSendData",
                    "version": 3,
                    "parameters": {"handleErrors": True},
                    "mapper": {
                        "url": f"http://127.0.0.1:{port}/",
                        "method": "post",
                        "headers": [],
                        "qs": [],
                        "bodyType": "raw",
                        "contentType": "application/json",
                        "data": '{"n": {{2.n}}}',
                        "parseResponse": True,
                    },
                },
                {
                    "id": 5,
                    "module": "http:ActionSendData",
                    "version": 3,
                    "parameters": {"handleErrors": True},
                    "mapper": {
                        "url": f"http://127.0.0.1:{port}/",
                        "method": "get",
                        "headers": [],
                        "qs": [],
                        "bodyType": "",
                        "parseResponse": True,
                    },
                },
                {
                    "id": 4,
                    "module": "json:CreateJSON",
                    "version": 1,
                    "parameters": {},
                    "mapper": {"n": "{{1.n}}", "ok": "{{3.data.ok}}"},
                },
            ],
            "metadata": {"instant": True, "version": 1, "scenario": settings},
        }
    )


def plant(url: str, text: str, organization: UUID = ORGANIZATION) -> UUID:
    """A published, active scenario."""
    scenario = new_id()
    with psycopg.connect(url, autocommit=True) as db:
        db.execute(
            "insert into organizations (organization_id, name, created_by) values (%s, 'o', 't')"
            " on conflict do nothing",
            (organization,),
        )
        db.execute(
            "insert into teams (organization_id, id, name, created_by) values (%s, %s, 't', 't')"
            " on conflict do nothing",
            (organization, TEAM),
        )
        db.execute(
            "insert into scenarios (organization_id, id, team_id, name, active, published,"
            " created_by, updated_by) values (%s, %s, %s, 's', true, 1, 't', 't')",
            (organization, scenario, TEAM),
        )
        db.execute(
            "insert into scenario_versions (organization_id, scenario_id, version, blueprint,"
            " created_by) values (%s, %s, 1, %s, 't')",
            (organization, scenario, text),
        )
    return scenario


async def deliver(
    url: str, scenario: UUID, numbers: range | list[int], organization: UUID = ORGANIZATION
) -> dict[UUID, int]:
    """Acknowledged deliveries: run id → number."""
    line = Line(url, patience=5)
    out = {}
    batch = []
    for number in numbers:
        run = new_id()
        out[run] = number
        call = Delivery(
            id="",
            method="POST",
            query=(),
            headers={"content-type": "application/json"},
            body=json.dumps({"n": number}).encode(),
            received_at=datetime.now(UTC),
        )
        batch.append(
            NewDelivery(organization, run, scenario, "", None, pack_call(call), None, None)
        )
    try:
        await PostgresInbox(line).accept(batch)
    finally:
        await line.close()
    return out


class WorkerProcess:
    """A worker, to be killed."""

    def __init__(self, process: Offspring) -> None:
        self.process = process

    @classmethod
    async def start(
        cls,
        url: str,
        *,
        port: int,
        point: str = "",
        nth: int = 1,
        lease: float = 3.0,
        ahead: float = 0.0,
        held: bool = False,
    ) -> WorkerProcess:
        """Starts one; ``held``: it begins when told to `go`."""
        here = nursery(HERE / "victim.py", str(HERE.parent.parent / "src"))
        given = (url, point, str(nth), f"127.0.0.1:{port}", str(lease), str(ahead))
        return cls(await here.bear(*given, held=held))

    def go(self) -> None:
        """Lets a held one begin."""
        self.process.go()

    def kill(self) -> None:
        """SIGKILL."""
        self.process.kill()

    async def died(self, *, seconds: float = PATIENCE) -> int:
        """Its exit status, once it is gone."""
        return await asyncio.wait_for(self.process.wait(), seconds)

    async def stop(self, how: int = signal.SIGTERM) -> None:
        if self.process.returncode is None:
            self.process.send_signal(how)
            await self.died()


async def until(look: Callable[[], bool], *, seconds: float = PATIENCE) -> None:
    """Waits until it is so."""
    async with asyncio.timeout(seconds):
        while not look():
            await asyncio.sleep(0.005)


def states(url: str) -> dict[UUID, str]:
    """Every run's state."""
    with psycopg.connect(url, autocommit=True) as db:
        return dict(db.execute("select id, state from runs").fetchall())


async def settle(url: str, runs: dict[UUID, int], *, seconds: float = PATIENCE) -> dict[UUID, str]:
    """Waits until each of these deliveries has ended in a run; returns their states."""
    until = time.monotonic() + seconds
    with psycopg.connect(url, autocommit=True) as db:  # one: a new one costs more than the look
        while True:
            rows = db.execute("select id, state from runs where id = any(%s)", (list(runs),))
            found: dict[UUID, str] = dict(rows.fetchall())
            if len(found) == len(runs) and all(state in ENDED for state in found.values()):
                return found
            if time.monotonic() > until:
                left = {run: found.get(run) for run in runs if found.get(run) not in ENDED}
                raise AssertionError(f"not ended after {seconds} s: {left}")
            await asyncio.sleep(0.03)


async def waiting(url: str, count: int = 1, *, seconds: float = PATIENCE) -> list[UUID]:
    """The runs that wait for a time, once there are so many and nobody owns their backlog."""
    async with asyncio.timeout(seconds):
        with psycopg.connect(url, autocommit=True) as db:
            while True:
                rows = db.execute(
                    "select id from runs r where state = 'waiting' and wait_reason = 'time'"
                    " and exists (select from backlog b where b.scenario_id = r.scenario_id"
                    " and b.owner is null and b.due_at is not null)"
                ).fetchall()
                if len(rows) == count:
                    return [row[0] for row in rows]
                await asyncio.sleep(0.01)


def advance(worker: Worker, seconds: float) -> None:
    """Sets a worker's clock ahead."""
    worker.driver._clock = lambda: time.time() + seconds


async def make_due(url: str) -> None:
    """Makes every run that waits for a time due; its worker's clock must be ahead, too."""
    async with await psycopg.AsyncConnection.connect(url) as db:
        await db.execute("update runs set due_at = now() where state = 'waiting'")
        await db.execute("update backlog set due_at = now() where due_at is not null")
        await db.execute("notify junctor_wake")
