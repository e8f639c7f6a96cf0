"""The door behind a real HTTP server, and a worker, both in the test's own process."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import socket
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import psycopg
import uvicorn

from junctor.adapters.blobs import PostgresBlobs
from junctor.adapters.postgres.database import pool
from junctor.adapters.transport import AiohttpTransport
from junctor.adapters.vault import MasterKeys, PostgresVault
from junctor.runtime.ingest import Ingest
from junctor.runtime.registry import Registry
from junctor.runtime.worker import Worker
from tests.durability.kit import ORGANIZATION, PATIENCE, TEAM, new_id, plant

registry = Registry.load()


def flow(*modules: tuple[str, dict[str, Any]], order_key: str = "", **settings: Any) -> str:
    """A blueprint: these modules in a row, the first of them the trigger, number 1."""
    metadata: dict[str, Any] = {"instant": True, "version": 1, "scenario": settings}
    if order_key:
        metadata["junctor"] = {"orderKey": order_key}
    placed = [
        {
            "id": number,
            "module": module,
            "version": 1,
            "parameters": {"handleErrors": True} if module.startswith("http:") else {},
            "mapper": mapper,
        }
        for number, (module, mapper) in enumerate(modules, start=1)
    ]
    return json.dumps({"name": "door", "flow": placed, "metadata": metadata})


WEBHOOK: tuple[str, dict[str, Any]] = ("gateway:CustomWebHook", {})
SET: tuple[str, dict[str, Any]] = (
    "util:SetVariables",
    {"scope": "roundtrip", "variables": [{"name": "n", "value": "{{1.n}}"}]},
)


def plant_hook(
    url: str, text: str, *, kind: str = "CustomWebHook", connector: str = "gateway", **settings: Any
) -> str:
    """A published, active scenario with a hook; returns the hook's path."""
    scenario = plant(url, text)
    token = os.urandom(16).hex()
    with psycopg.connect(url, autocommit=True) as db:
        db.execute(
            "insert into hooks (organization_id, id, team_id, scenario_id, module, name, connector,"
            " kind, token, settings, created_by, updated_by)"
            " values (%s, %s, %s, %s, 1, 'h', %s, %s, %s, %s, 't', 't')",
            (
                ORGANIZATION, new_id(), TEAM, scenario, connector, kind, token,
                json.dumps(settings),
            ),
        )  # fmt: skip
    return f"/hook/{token}"


@dataclass
class Answer:
    """What the server said."""

    status: int
    headers: dict[str, str]
    body: bytes


@dataclass
class Wire:
    """One connection to the door: sends bytes, well formed or not."""

    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter

    async def send(self, data: bytes) -> None:
        self.writer.write(data)
        await self.writer.drain()

    async def answer(self) -> Answer:
        """The next answer; `asyncio.IncompleteReadError` if the connection ends before."""
        head = (await self.reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
        headers = {
            name.lower(): value for name, _, value in (line.partition(": ") for line in head[1:-2])
        }
        if "content-length" in headers:
            body = await self.reader.readexactly(int(headers["content-length"]))
        else:
            body = await self.reader.read()
        return Answer(int(head[0].split(" ")[1]), headers, body)


@dataclass
class Door:
    """The running server."""

    port: int
    ingest: Ingest
    errors: list[str] = field(default_factory=list)

    @asynccontextmanager
    async def wire(self) -> AsyncIterator[Wire]:
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
        try:
            yield Wire(reader, writer)
        finally:
            writer.close()
            with contextlib.suppress(ConnectionError):
                await writer.wait_closed()

    async def raw(self, data: bytes) -> Answer:
        """The answer to these bytes."""
        async with self.wire() as wire:
            await wire.send(data)
            return await wire.answer()

    async def post(self, path: str, body: bytes = b"", **headers: str) -> Answer:
        """The answer to a well formed POST; ``content_type="…"`` and so on are its headers."""
        return await self.raw(request(path, body, **headers))


def request(path: str, body: bytes, **headers: str) -> bytes:
    """A well formed POST."""
    given = {"host": "t", "content_length": str(len(body)), **headers}
    lines = "".join(f"{name.replace('_', '-')}: {value}\r\n" for name, value in given.items())
    return f"POST {path} HTTP/1.1\r\n{lines}\r\n".encode("latin-1") + body


class _Server(uvicorn.Server):
    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield  # signals are the test runner's


@asynccontextmanager
async def door(url: str, **settings: Any) -> AsyncIterator[Door]:
    """The door, open."""
    async with pool(url, "engine", 1, 2) as engine:
        vault = PostgresVault(engine, MasterKeys({"test": bytes(32)}))
        ingest = Ingest(
            url, server=f"test{new_id().hex}", find=registry.find, vault=vault,
            connector=registry.connector, **settings,
        )  # fmt: skip
        made = Door(0, ingest)

        async def application(scope: Any, receive: Any, send: Any) -> None:
            try:
                await ingest(scope, receive, send)
            except Exception as error:
                made.errors.append(repr(error))
                raise

        sock = socket.create_server(("127.0.0.1", 0), backlog=1024)
        made.port = sock.getsockname()[1]
        config = uvicorn.Config(
            application, loop="none", http="httptools", ws="none", lifespan="off",
            log_config=None, access_log=False, timeout_graceful_shutdown=1,
        )  # fmt: skip
        server = _Server(config)
        await ingest.start()
        serving = asyncio.create_task(server.serve(sockets=[sock]))
        try:
            yield made
        finally:
            server.should_exit = True
            await serving
            await ingest.stop()
    assert made.errors == [], "something came through the door's own care"


@asynccontextmanager
async def working(url: str, *, allow: str = "", lease: float = 5.0) -> AsyncIterator[Worker]:
    """A worker, at work."""
    stop = asyncio.Event()
    async with pool(url, "engine", 1, 2) as engine:
        vault = PostgresVault(engine, MasterKeys({"test": bytes(32)}))
        async with AiohttpTransport([allow] if allow else []) as transport:
            worker = Worker(
                url,
                name=f"worker-{new_id().hex}",
                find=registry.find,
                connector=registry.connector,
                vault=vault,
                blobs=PostgresBlobs(engine, vault),
                transport=transport,
                lease=lease,
            )
            task = asyncio.create_task(worker.run(stop))
            try:
                yield worker
            finally:
                stop.set()
                await task


def waiting_deliveries(url: str) -> int:
    """Deliveries that lie in the inbox."""
    with psycopg.connect(url, autocommit=True) as db:
        row = db.execute("select count(*) from inbox").fetchone()
        assert row is not None
        return int(row[0])


async def idle(url: str, *, seconds: float = PATIENCE) -> None:
    """Waits until no delivery lies unparked in the inbox and no backlog is owned."""
    async with asyncio.timeout(seconds):
        async with await psycopg.AsyncConnection.connect(url, autocommit=True) as db:
            while True:
                cursor = await db.execute(
                    "select (select count(*) from inbox where parked_at is null)"
                    " + (select count(*) from backlog where owner is not null)"
                )
                if await cursor.fetchone() == (0,):
                    return
                await asyncio.sleep(0.01)
