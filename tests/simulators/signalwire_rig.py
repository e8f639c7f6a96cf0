"""A simulated SignalWire with a client of its API, and a server that answers its webhooks."""

from __future__ import annotations

import asyncio
import base64
from collections.abc import Awaitable, Callable
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit

from sim_client import Answer, Time, call

from junctor.connectors.signalwire.deliveries import SIGNED
from junctor.language.connector import Delivery
from junctor.simulators.kit import running
from junctor.simulators.signalwire import SignalWireSimulator
from junctor.simulators.wire import Connection, Exchange, Reply, Request


class Client:
    """Asks one simulator, below its project."""

    def __init__(self, sim: SignalWireSimulator) -> None:
        self.sim = sim
        pair = f"{sim.project}:{sim.keys['api_token']}"
        self.headers = {"authorization": f"Basic {base64.b64encode(pair.encode()).decode()}"}
        self.numbers = [row["number"] for row in sim.state.numbers.values()]

    async def __call__(
        self, method: str, path: str, *pairs: tuple[str, str], base: str = "/api/laml/2010-04-01"
    ) -> Answer:
        url = f"{self.sim.origin}{base}/Accounts/{self.sim.project}{path}"
        kind = {"content-type": "application/x-www-form-urlencoded"}
        body = urlencode(pairs).encode() if pairs else None
        return await call(method, url, body, {**self.headers, **kind})

    async def rest(self, method: str, path: str, json: Any = None) -> Answer:
        return await call(method, f"{self.sim.origin}/api/relay/rest{path}", json, self.headers)

    async def admin(self, path: str, json: Any = None, method: str = "POST") -> Any:
        answer = await call(method, self.sim.admin_url + path, json)
        assert answer.status < 400, answer
        return answer.data


def with_sim(test: Callable[[Client], Awaitable[None]]) -> None:
    async def run() -> None:
        async with running(SignalWireSimulator(seed=1, clock=Time().clock())) as sim:
            await test(Client(sim))

    asyncio.run(run())


def form_of(request: Request) -> dict[str, str]:
    return dict(parse_qsl(request.body.decode(), keep_blank_values=True))


class Cxml:
    """A server that answers with cXML, by path, and remembers what it was asked."""

    def __init__(self, answers: dict[str, tuple[int, str]]) -> None:
        self.answers = answers
        self.asked: list[Request] = []
        self.url = ""

    def take(self, request: Request, exchange: Exchange) -> None:
        self.asked.append(request)
        status, text = self.answers.get(request.path, (200, "<Response/>"))
        exchange.send(Reply(status, text.encode(), content_type="application/xml"))

    def genuine(self, key: str) -> None:
        for request in self.asked:
            SIGNED(
                Delivery(
                    id="",
                    method=request.method,
                    query=tuple(parse_qsl(urlsplit(request.target).query)),
                    headers=request.headers,
                    body=request.body,
                    received_at=None,  # type: ignore[arg-type]  # not looked at
                    url=self.url + request.target,
                ),
                {"signing_key": key},
            )


def with_cxml(test: Callable[[Client, Cxml], Awaitable[None]], **answers: tuple[int, str]) -> None:
    async def run() -> None:
        server = Cxml({f"/{name}": answer for name, answer in answers.items()})
        connections: set[Connection] = set()
        listening = await asyncio.get_running_loop().create_server(
            lambda: Connection(server.take, connections), "127.0.0.1", 0
        )
        server.url = f"http://127.0.0.1:{listening.sockets[0].getsockname()[1]}"
        try:
            async with running(SignalWireSimulator(seed=1, clock=Time().clock())) as sim:
                await test(Client(sim), server)
        finally:
            listening.close()
            await asyncio.gather(*[connection.end() for connection in list(connections)])
            await listening.wait_closed()

    asyncio.run(run())
