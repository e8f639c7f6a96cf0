"""A thousand slow connections, and the others are served all the same."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
import structlog
import uvicorn

from junctor.app.handover import listen, raise_file_limit
from junctor.app.protocol import BODY_WINDOW, HEAD_BYTES, READ_SECONDS, Limits, limited
from junctor.app.server import _Server
from tests.support import asynchronous

SLOW = 1000
GET = b"GET / HTTP/1.1\r\nhost: t\r\n\r\n"


@pytest.fixture(autouse=True)
def plain_logs() -> Iterator[None]:
    """Log entries are kept, not drawn."""
    with structlog.testing.capture_logs():
        yield


async def application(scope: Any, receive: Any, send: Any) -> None:
    """Says how long the body was, or too much for a caller that does not read."""
    size = 0
    more = True
    while more:
        message = await receive()
        if message["type"] == "http.disconnect":
            return
        size += len(message["body"])
        more = message["more_body"]
    body = bytes(50_000_000) if scope["path"] == "/much" else str(size).encode()
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": body})


class Quiet(_Server):
    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield  # signals are the test runner's


@asynccontextmanager
async def serving(limits: Limits) -> AsyncIterator[tuple[int, Quiet]]:
    config = uvicorn.Config(
        application, loop="none", http=limited(limits), ws="none", lifespan="off",
        log_config=None, access_log=False, timeout_graceful_shutdown=1,
    )  # fmt: skip
    server = Quiet(config, limits)
    sock = listen("127.0.0.1", 0)
    port = sock.getsockname()[1]
    tasks = [asyncio.create_task(server.serve(sockets=[sock])), asyncio.create_task(limits.watch())]
    try:
        yield port, server
    finally:
        server.should_exit = True
        await tasks[0]
        tasks[1].cancel()


async def exchange(port: int, data: bytes) -> bytes:
    """All that comes back."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(data)
    try:
        return await reader.read()
    finally:
        writer.close()
        with contextlib.suppress(ConnectionError):
            await writer.wait_closed()


async def get(port: int) -> bytes:
    return await exchange(port, GET.replace(b"host: t", b"host: t\r\nconnection: close"))


@asynccontextmanager
async def wires(
    port: int, count: int
) -> AsyncIterator[list[tuple[asyncio.StreamReader, asyncio.StreamWriter]]]:
    """So many connections."""
    made = [await asyncio.open_connection("127.0.0.1", port) for _ in range(count)]
    try:
        yield made
    finally:
        for _, writer in made:
            writer.close()
        for _, writer in made:
            with contextlib.suppress(ConnectionError):
                await writer.wait_closed()


async def until(look: Any, seconds: float = 120) -> None:
    async with asyncio.timeout(seconds):
        while not look():
            await asyncio.sleep(0.01)


@asynchronous
async def test_a_thousand_slow_heads_are_ended_and_others_served_meanwhile() -> None:
    raise_file_limit(4 * SLOW)
    limits = Limits(SLOW + 50, SLOW + 50, head_seconds=3600.0)
    async with serving(limits) as (port, _), wires(port, SLOW) as slow:
        for _, writer in slow:
            writer.write(b"POST / HTTP/1.1\r\nhost:")
        await until(lambda: limits.open == SLOW)
        for _ in range(50):
            assert (await get(port)).startswith(b"HTTP/1.1 200 ")
        assert (limits.open >= SLOW, limits.dropped) == (True, 0)
        limits.head_seconds = 0.01  # their time is over
        await until(lambda: limits.open == 0)
        assert limits.dropped == SLOW


@asynchronous
async def test_when_full_the_one_that_was_quiet_for_longest_makes_room() -> None:
    limits = Limits(100, 100)
    async with serving(limits) as (port, _), wires(port, 150):
        await until(lambda: limits.dropped == 50)
        for _ in range(20):
            assert (await get(port)).startswith(b"HTTP/1.1 200 ")
        assert limits.open <= 100


@asynchronous
async def test_requests_in_progress_are_not_thrown_out_for_newer_ones() -> None:
    limits = Limits(10, 10)
    async with serving(limits) as (port, _), wires(port, 10) as busy:
        head = b"POST / HTTP/1.1\r\nhost: t\r\ncontent-length: 5\r\nconnection: close\r\n\r\n"
        for _, writer in busy:
            writer.write(head)
        await until(lambda: not limits._quiet)
        assert (await exchange(port, b"")).startswith(b"HTTP/1.1 503 ")
        for reader, writer in busy:
            writer.write(b"hello")
            assert b"\r\n\r\n1\r\n5\r\n" in await reader.read()


def test_one_address_may_have_a_part_unless_it_is_a_proxy_of_ours() -> None:
    class Connection:
        def __init__(self, address: str) -> None:
            self.address = address
            self.aborted = False
            self.transport = self

        def abort(self) -> None:
            self.aborted = True

    limits = Limits(100, 2, trusted=("10.0.0.0/8",))
    for address, most in (("192.0.2.1", 2), ("10.1.2.3", 5), ("127.0.0.1", 5), ("", 5)):
        made = [Connection(address) for _ in range(5)]
        assert all(limits.opened(each, address) for each in made)
        assert [each.aborted for each in made] == [True] * (5 - most) + [False] * most
        for each in made:
            limits.closed(each, address)
    assert limits.open == 0
    assert not limits._quiet


@pytest.mark.parametrize(
    "data",
    [
        b"GET / HTTP/1.1\r\nx: " + b"a" * (HEAD_BYTES + 9) + b"\r\n\r\n",
        b"GET / HTTP/1.1\r\nx: " + b"a" * (4 * HEAD_BYTES),
        b"GET /" + b"a" * (HEAD_BYTES + 9) + b" HTTP/1.1\r\nhost: t\r\n\r\n",
        b"POST / HTTP/1.1\r\n" + b"x: y\r\n" * 20_000 + b"content-length: 3\r\n\r\nabc",
    ],
    ids=["value", "endless", "address", "many"],
)
@asynchronous
async def test_a_head_that_is_too_large_is_refused(data: bytes) -> None:
    async with serving(Limits(10, 10)) as (port, _):
        with contextlib.suppress(ConnectionError):  # it may be closed before we have sent all
            answer = await exchange(port, data)
            assert answer.startswith(b"HTTP/1.1 431 ")
        assert (await get(port)).startswith(b"HTTP/1.1 200 ")


@asynchronous
async def test_a_body_in_the_same_piece_is_no_head() -> None:
    async with serving(Limits(10, 10)) as (port, _):
        head = b"POST / HTTP/1.1\r\nhost: t\r\ncontent-length: 300000\r\nconnection: close\r\n\r\n"
        assert (await exchange(port, head + bytes(300_000))).endswith(
            b"\r\n6\r\n300000\r\n0\r\n\r\n"
        )


def sweep(limits: Limits, seconds: float) -> None:
    """Looks at every connection so many seconds from now."""
    for connection in list(limits._all):
        connection.sweep(time.monotonic() + seconds)


@asynchronous
async def test_a_body_that_drips_is_ended_and_a_slow_one_is_not() -> None:
    limits = Limits(10, 10)
    async with serving(limits) as (port, _), wires(port, 2) as (dripping, steady):
        head = b"POST / HTTP/1.1\r\nhost: t\r\ncontent-length: 9000\r\nconnection: close\r\n\r\n"
        for _, writer in (dripping, steady):
            writer.write(head)
        await until(lambda: [each._receiving for each in limits._all] == ["body"] * 2)
        dripping[1].write(b"slowly")
        steady[1].write(bytes(6000))
        await until(lambda: sorted(each._bytes for each in limits._all) == [6, 6000])
        sweep(limits, BODY_WINDOW + 1)
        assert limits.dropped == 1
        steady[1].write(bytes(3000))
        assert b"9000" in await steady[0].read()


@asynchronous
async def test_who_does_not_read_its_answer_is_let_go() -> None:
    limits = Limits(10, 10)
    async with serving(limits) as (port, _), wires(port, 1) as ((_, writer),):
        writer.write(GET.replace(b"GET /", b"GET /much"))
        await until(lambda: any(each._unread for each in limits._all))
        sweep(limits, READ_SECONDS - 1)
        assert limits.dropped == 0
        sweep(limits, READ_SECONDS + 1)
        assert limits.dropped == 1


@asynchronous
async def test_a_server_that_is_replaced_answers_what_it_has_and_closes() -> None:
    limits = Limits(10, 10)
    async with serving(limits) as (port, server), wires(port, 1) as ((reader, writer),):
        post = b"POST / HTTP/1.1\r\nhost: t\r\ncontent-length: 5\r\n\r\n"
        writer.write(post + b"hello" + post)
        first = await reader.readuntil(b"0\r\n\r\n")
        assert b"connection: close" not in first
        server.drain()
        writer.write(b"world")
        second = await reader.read()
        assert second.startswith(b"HTTP/1.1 200 ")
        assert b"connection: close" in second
        with pytest.raises(ConnectionRefusedError):
            await asyncio.open_connection("127.0.0.1", port)
