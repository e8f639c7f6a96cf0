"""What the simulators' tests share: a raw client, a receiver of hooks, and time that is told."""

from __future__ import annotations

import asyncio
import json as jsonlib
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from junctor.simulators.clock import Clock
from junctor.simulators.crisp import CrispSimulator
from junctor.simulators.highlevel import HighLevelSimulator
from junctor.simulators.kit import Simulator
from junctor.simulators.toky import TokySimulator
from junctor.simulators.wire import Connection, Exchange, Reply, Request


class Time:
    """Real seconds under the test's hand; a sleep passes at once and is noted."""

    def __init__(self) -> None:
        self.now = 1000.0
        self.slept: list[float] = []

    async def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.now += seconds
        await asyncio.sleep(0)

    def clock(self, factor: float = 1.0) -> Clock:
        return Clock(
            factor,
            source=lambda: self.now,
            wall=lambda: 1_790_000_000.0 + self.now,
            sleep=self.sleep,
        )


async def until(condition: Callable[[], bool]) -> None:
    """Lets the loop turn until something has happened there; pytest's timeout is the limit."""
    while not condition():
        await asyncio.sleep(0)


@dataclass(frozen=True)
class Answer:
    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def data(self) -> Any:
        return jsonlib.loads(self.body)


async def raw(url: str, data: bytes) -> bytes:
    """Sends bytes and returns all that comes until the connection ends."""
    parts = urlsplit(url)
    reader, writer = await asyncio.open_connection(parts.hostname, parts.port)
    try:
        writer.write(data)
        await writer.drain()
        return await reader.read()
    finally:
        writer.close()
        await asyncio.gather(writer.wait_closed(), return_exceptions=True)


def head(method: str, url: str, headers: dict[str, str], length: int) -> bytes:
    parts = urlsplit(url)
    target = parts.path + (f"?{parts.query}" if parts.query else "")
    lines = [f"{method} {target} HTTP/1.1", f"content-length: {length}"]
    if "host" not in {name.lower() for name in headers}:
        lines.append(f"host: {parts.netloc}")
    lines += [f"{name}: {value}" for name, value in headers.items()]
    return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1")


async def call(
    method: str, url: str, json: Any = None, headers: dict[str, str] | None = None
) -> Answer:
    """One request on its own connection, read to the last byte."""
    body = (
        json if isinstance(json, bytes) else b"" if json is None else jsonlib.dumps(json).encode()
    )
    given = {"connection": "close", **(headers or {})}
    return parse(await raw(url, head(method, url, given, len(body)) + body))


def parse(data: bytes) -> Answer:
    """An HTTP answer, or `ValueError` if it is none."""
    start, _, body = data.partition(b"\r\n\r\n")
    first, *lines = start.decode("latin-1").split("\r\n")
    protocol, _, rest = first.partition(" ")
    if protocol != "HTTP/1.1":
        raise ValueError(f"no HTTP: {data!r}")
    headers = {name.lower(): value for name, value in (line.split(": ", 1) for line in lines)}
    if len(body) != int(headers.get("content-length", "0")):
        raise ValueError(f"cut short: {data!r}")
    return Answer(int(rest.split(" ")[0]), headers, body)


class Vendor:
    """A client with the right credentials for one simulator."""

    def __init__(self, sim: Simulator) -> None:
        self.sim = sim
        if isinstance(sim, HighLevelSimulator):
            token = sim.credentials["token"]
            self.headers = {"authorization": f"Bearer {token}", "version": "2021-07-28"}
        elif isinstance(sim, CrispSimulator):
            self.headers = sim.authorization(sim.tier)
        elif isinstance(sim, TokySimulator):
            self.headers = {"x-toky-key": sim.credentials["api_key"]}

    async def __call__(self, method: str, path: str, json: Any = None, **headers: str) -> Answer:
        return await call(method, self.sim.base_url + path, json, {**self.headers, **headers})

    async def admin(self, method: str, path: str, json: Any = None) -> Any:
        answer = await call(method, self.sim.admin_url + path, json)
        assert answer.status < 400, answer
        return answer.data

    async def fault(self, **fault: Any) -> Any:
        return await self.admin("POST", "/faults", fault)


@dataclass
class Receiver:
    url: str
    requests: list[Request]

    @property
    def bodies(self) -> list[Any]:
        return [request.json() for request in self.requests]


@asynccontextmanager
async def receiving(statuses: Iterable[int] = ()) -> AsyncIterator[Receiver]:
    """A server that takes hooks, answering with these statuses, then with 200."""
    script = iter(statuses)
    receiver = Receiver("", [])

    def take(request: Request, exchange: Exchange) -> None:
        receiver.requests.append(request)
        exchange.send(Reply.json({}, next(script, 200)))

    connections: set[Connection] = set()
    server = await asyncio.get_running_loop().create_server(
        lambda: Connection(take, connections), "127.0.0.1", 0
    )
    receiver.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/hook"
    try:
        yield receiver
    finally:
        server.close()
        await asyncio.gather(*[connection.end() for connection in list(connections)])
        await server.wait_closed()
