"""Heads that are too long, too many, or never whole."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import Any

import pytest
import uvicorn

from junctor.app import wire
from tests.support import asynchronous


async def answer_ok(_scope: Any, receive: Any, send: Any) -> None:
    while (await receive()).get("more_body"):
        continue
    await send(
        {"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"2")]}
    )
    await send({"type": "http.response.body", "body": b"ok"})


@asynccontextmanager
async def serving(*, seconds: float = 15.0) -> AsyncIterator[int]:
    config = uvicorn.Config(
        answer_ok, loop="none", http=wire.BoundedProtocol, ws="none", lifespan="off",
        log_config=None, access_log=False,
    )  # fmt: skip
    server = uvicorn.Server(config)
    sock = socket.create_server(("127.0.0.1", 0))
    config.load()
    server.lifespan = config.lifespan_class(config)
    await server.startup(sockets=[sock])
    heads = asyncio.create_task(
        wire.close_slow_heads(server.server_state.connections, seconds=seconds)
    )
    try:
        yield sock.getsockname()[1]
    finally:
        heads.cancel()
        await server.shutdown(sockets=[sock])


async def said(port: int, *pieces: bytes) -> bytes:
    """All that is answered until the connection ends."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        with suppress(ConnectionError):
            for piece in pieces:
                writer.write(piece)
                await writer.drain()
                await asyncio.sleep(0)
        with suppress(ConnectionError):
            return await asyncio.wait_for(reader.read(), 10)
        return b""
    finally:
        writer.close()


HEAD = b"POST / HTTP/1.1\r\nhost: t\r\nconnection: close\r\n"


@asynchronous
async def test_an_ordinary_head_is_served() -> None:
    async with serving() as port:
        many = b"".join(b"x-%d: y\r\n" % each for each in range(100))
        body = b"content-length: 200000\r\n\r\n" + b"x" * 200_000
        assert (await said(port, HEAD + many + body)).startswith(b"HTTP/1.1 200")


@asynchronous
async def test_a_head_without_an_end_is_431() -> None:
    async with serving() as port:
        answer = await said(port, HEAD + b"x: ", *[b"y" * 30_000] * 40)
        assert answer == b"" or answer.startswith(b"HTTP/1.1 431")
        answer = await said(port, HEAD + b"x: " + b"y" * (wire.MOST_HEAD + 1))
        assert answer.startswith(b"HTTP/1.1 431")


@asynchronous
async def test_too_many_headers_are_400() -> None:
    async with serving() as port:
        answer = await said(port, HEAD + b"x: y\r\n" * (wire.MOST_HEADERS + 1) + b"\r\n")
        assert answer.startswith(b"HTTP/1.1 400")


@pytest.mark.parametrize("begun", [b"", b"POST", HEAD], ids=["nothing", "a word", "headers"])
def test_a_head_that_is_never_whole_ends(begun: bytes) -> None:
    @asynchronous
    async def check() -> None:
        async with serving(seconds=0.2) as port:
            assert await said(port, begun) == b""

    check()


@asynchronous
async def test_each_request_of_a_connection_has_its_time() -> None:
    async with serving(seconds=0.3) as port:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        for _ in range(3):
            writer.write(b"GET / HTTP/1.1\r\nhost: t\r\n\r\n")
            assert b"200" in await reader.readuntil(b"\r\n\r\n")
            await reader.readuntil(b"ok")
        writer.write(b"GET / HT")
        assert await asyncio.wait_for(reader.read(), 10) == b""
        writer.close()
