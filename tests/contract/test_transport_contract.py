"""The transport contract on the fake and on aiohttp."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator

import pytest
from raw_server import RawServer
from transport_contract import Run, TransportContract

from junctor.adapters.transport import AiohttpTransport
from junctor.errors import NotSent, Uncertain
from junctor.language.connector import Request, Response
from junctor.testing.transport import FakeTransport


@pytest.fixture
def loop() -> Iterator[asyncio.Runner]:
    with asyncio.Runner() as runner:
        yield runner


@pytest.fixture
def run(loop: asyncio.Runner) -> Run:
    async def wait(awaitable: Awaitable[Response]) -> Response:
        return await awaitable

    return lambda awaitable: loop.run(wait(awaitable))


class TestFake(TransportContract):
    @pytest.fixture
    def url(self) -> Callable[[str], str]:
        return lambda behaviour: f"https://fake.test/{behaviour}"

    @pytest.fixture
    def transport(self) -> FakeTransport:
        def answer(request: Request) -> Response:
            behaviour = request.url.removeprefix("https://fake.test/")
            if behaviour == "unreachable":
                raise NotSent(host="fake.test", reason="refused")
            if behaviour in {"cut", "hang"}:
                raise Uncertain(host="fake.test", reason=behaviour)
            if behaviour == "echo":
                return Response(200, {}, b'{"a":1}')
            if behaviour == "headers":
                return Response(200, {"x-one": "1, 2", "set-cookie": "a=1\nb=2"}, b"")
            return Response(int(behaviour.removeprefix("status/")), {}, b"")

        return FakeTransport(answer)

    def test_keeps_what_was_sent(self, transport: FakeTransport, run: Run) -> None:
        request = Request("GET", "https://fake.test/status/204")
        run(transport.send(request))
        assert transport.sent == [request]

    def test_a_handler_may_be_a_coroutine(self, run: Run) -> None:
        async def answer(_request: Request) -> Response:
            return Response(204, {}, b"")

        assert run(FakeTransport(answer).send(Request("GET", "https://x.test"))).status == 204


class TestAiohttp(TransportContract):
    @pytest.fixture
    def server(self, loop: asyncio.Runner) -> Iterator[RawServer]:
        server = RawServer()
        loop.run(server.start())
        yield server
        loop.run(server.stop())

    @pytest.fixture
    def url(self, server: RawServer) -> Callable[[str], str]:
        return server.url

    @pytest.fixture
    def transport(self, server: RawServer, loop: asyncio.Runner) -> Iterator[AiohttpTransport]:
        transport = AiohttpTransport([server.address, "127.0.0.1:1"])
        yield transport
        loop.run(transport.close())
