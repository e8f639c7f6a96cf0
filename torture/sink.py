"""The vendor: a process that acts, writes down what it did, and answers as badly as it is told to.

    python -m torture.sink FILE [PORT]

It prints its port. A request says what it wants done to it by its path, ``/FAULT/STEP``, and which
event it is for by its body, ``{"n": 17}``. What the vendor does is one line in FILE: event, step
and the moment, written with one ``write`` before anything is answered; so the file holds every
effect whatever happens to the processes around it. It is never killed itself: it is the judge.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import os
import re
import signal
import socket
import struct
import sys
import time
import zlib
from collections import Counter
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Final

import psutil

Answer = Callable[["Call"], Awaitable[None]]

LONG: Final = 60.0
"""Seconds: longer than anybody waits for an answer."""
HUGE: Final = 10 * 1024**3
REFUSALS: Final = 2
"""How often an event is refused by ``busy`` and ``away`` before it is let through."""
TOKEN_SECONDS: Final = 0.5
"""How long the token endpoint takes, so that many would meet there."""


class Sink:
    """What it did is in ``file``; ``refused`` counts by event and step."""

    def __init__(self, file: str) -> None:
        self._file = os.open(file, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)
        self.refused: Counter[tuple[int, str]] = Counter()
        self.pending: Counter[tuple[int, str]] = Counter()
        """What was asked for and will be done later."""
        self.tokens = 0

    def note(self, number: int, step: str) -> None:
        """Writes one effect down."""
        os.write(self._file, f"{number} {step} {time.monotonic():.6f}\n".encode())

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One connection."""
        with suppress(asyncio.IncompleteReadError, asyncio.LimitOverrunError, OSError):
            while not writer.is_closing():
                head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
                size = 0
                for line in head.split("\r\n"):
                    name, _, value = line.partition(":")
                    if name.lower() == "content-length":
                        size = int(value)
                body = await reader.readexactly(size)
                target = head.split(" ")[1].partition("?")[0].strip("/")
                fault, _, step = target.partition("/")
                found = re.search(r"[?&]n=(\d+)", head.split(" ")[1])
                number = int(found[1]) if found else -1
                with suppress(ValueError, KeyError, TypeError):
                    number = int(json.loads(body)["n"])
                kind = fault.partition("-")[0]
                await FAULTS.get(kind, ok)(Call(self, writer, number, step, fault))
        writer.close()


class Call:
    """One request."""

    def __init__(
        self, sink: Sink, writer: asyncio.StreamWriter, number: int, step: str, fault: str
    ) -> None:
        self.sink, self.writer, self.number, self.step, self.fault = (
            sink, writer, number, step, fault,
        )  # fmt: skip

    def act(self) -> None:
        """Does what was asked for, durably."""
        if self.number >= 0:
            self.sink.note(self.number, self.step)

    async def say(
        self, status: int, body: bytes, *, size: int | None = None, **headers: str
    ) -> None:
        """An answer; ``size`` is what it claims to be long."""
        given = {"content_type": "application/json", **headers}
        lines = "".join(f"{name.replace('_', '-')}: {value}\r\n" for name, value in given.items())
        length = len(body) if size is None else size
        head = f"HTTP/1.1 {status} X\r\n{lines}content-length: {length}\r\n\r\n"
        self.writer.write(head.encode() + body)
        await self.writer.drain()

    def reset(self) -> None:
        """Cuts the connection with a RST."""
        sock = self.writer.get_extra_info("socket")
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.writer.transport.abort()


async def ok(call: Call) -> None:
    """Acts and says so."""
    call.act()
    await call.say(200, b'{"ok":true}')


async def brief(call: Call) -> None:
    """Acts, and says so after some ten milliseconds, as a vendor does."""
    call.act()
    await asyncio.sleep(0.03)
    await call.say(200, b'{"ok":true}')


async def slow(call: Call) -> None:
    """Acts at once, and says so after a while."""
    call.act()
    await asyncio.sleep(0.3)
    await call.say(200, b'{"ok":true}')


async def hang(call: Call) -> None:
    """Acts and never answers."""
    call.act()
    await asyncio.sleep(LONG)


async def idle(_call: Call) -> None:
    """Neither acts nor answers."""
    await asyncio.sleep(LONG)


async def drip(call: Call) -> None:
    """Acts, and answers a byte at a time for ever."""
    call.act()
    await call.say(200, b"", size=100_000)
    for _ in range(100_000):
        call.writer.write(b" ")
        await call.writer.drain()
        await asyncio.sleep(0.2)


async def reset(call: Call) -> None:
    """Acts, and cuts the connection after the whole request was read."""
    call.act()
    call.reset()


async def cut(call: Call) -> None:
    """Acts, and cuts the connection in the middle of its answer."""
    call.act()
    await call.say(200, b'{"ok"', size=11)
    call.reset()


async def drop(call: Call) -> None:
    """Cuts the connection without having acted."""
    call.reset()


async def garbage(call: Call) -> None:
    """Acts, and answers with bytes that are no HTTP."""
    call.act()
    call.writer.write(b"\x00\xff\x16\x03 this is no HTTP \r\n\r\n")
    await call.writer.drain()
    call.writer.close()


async def html(call: Call) -> None:
    """Acts, and answers with a page where JSON is asked for."""
    call.act()
    await call.say(200, b"<html><body>Welcome</body></html>")


async def truncated(call: Call) -> None:
    """Acts, and answers with gzip that ends in the middle."""
    call.act()
    squeezer = zlib.compressobj(9, zlib.DEFLATED, 31)
    body = squeezer.compress(b'{"ok":true}' * 999) + squeezer.flush()
    await call.say(200, body[: len(body) // 2], content_encoding="gzip")


async def huge(call: Call) -> None:
    """Acts, and answers with 10 GB, as it says."""
    call.act()
    await call.say(200, b"", size=HUGE)
    await _pour(call)


async def endless(call: Call) -> None:
    """Acts, and answers with 10 GB in chunks, without saying so."""
    call.act()
    call.writer.write(b"HTTP/1.1 200 X\r\ntransfer-encoding: chunked\r\n\r\n")
    await _pour(call, chunked=True)


async def _pour(call: Call, *, chunked: bool = False) -> None:
    block = b" " * 65536
    for _ in range(HUGE // len(block)):
        call.writer.write(b"10000\r\n" + block + b"\r\n" if chunked else block)
        await call.writer.drain()


async def bomb(call: Call) -> None:
    """Acts, and answers with a megabyte of gzip that is a gigabyte."""
    call.act()
    squeezer = zlib.compressobj(9, zlib.DEFLATED, -15)
    block = squeezer.compress(b" " * 1_000_000) + squeezer.flush(zlib.Z_FULL_FLUSH)
    head = bytes.fromhex("1f8b0800000000000003")
    await call.say(200, head + block * 1000, content_encoding="gzip")


async def loop(call: Call) -> None:
    """Sends on to itself, for ever; nothing is done."""
    await call.say(307, b"", location=f"/loop/{call.step}")


async def busy(call: Call) -> None:
    """Refuses an event with 429 at first, then acts."""
    await _refuse(call, 429)


async def away(call: Call) -> None:
    """Refuses an event with 503 at first, then acts."""
    await _refuse(call, 503)


async def _refuse(call: Call, status: int) -> None:
    key = (call.number, call.step)
    if call.sink.refused[key] < REFUSALS:
        call.sink.refused[key] += 1
        await call.say(status, b'{"error":"later"}', retry_after="1")
        return
    await ok(call)


async def broken(call: Call) -> None:
    """Acts, and says 500."""
    call.act()
    await call.say(500, b'{"error":"oops"}')


async def poison(call: Call) -> None:
    """Kills whoever calls, with SIGKILL: a delivery that stops its worker every time."""
    here = call.writer.get_extra_info("peername")[:2]
    for each in psutil.net_connections(kind="tcp4"):
        if each.laddr == here and each.pid:
            call.sink.note(call.number, "poison")
            os.kill(each.pid, signal.SIGKILL)


async def late(call: Call) -> None:
    """Takes its time before it acts, whether the caller is still there or not."""
    key = (call.number, call.step)
    call.sink.pending[key] += 1
    try:
        await asyncio.sleep(1.0 + 8.0 * _chance(*key))
        call.act()
    finally:
        call.sink.pending[key] -= 1
    await call.say(200, b'{"ok":true}')


async def pending(call: Call) -> None:
    """Says what it will still do."""
    found = [key for key, count in call.sink.pending.items() if count]
    call.sink.pending = Counter({key: call.sink.pending[key] for key in found})
    await call.say(200, json.dumps(found).encode())


def _chance(*what: object) -> float:
    """From 0 to 1, the same for the same."""
    mark = hashlib.blake2b(repr(what).encode(), digest_size=4).digest()
    return int.from_bytes(mark) / 2**32


async def storm(call: Call) -> None:
    """``/storm-SEED-SHARE/STEP``: one of the other things that vendors do, for so many of a
    thousand calls, at the first try; and else brief.
    """
    _, seed, share = call.fault.split("-")
    key = (call.number, call.step)
    drawn = _chance(seed, *key) * 1000 / max(1, int(share))
    fault = STORM[int(drawn * len(STORM))] if drawn < 1 else brief
    if fault in (busy, away):
        await fault(call)
        return
    call.sink.refused[key] += drawn < 1
    await (fault if call.sink.refused[key] == 1 else brief)(call)


async def token(call: Call) -> None:
    """An OAuth token endpoint whose refresh tokens may be used once; every use is written down."""
    call.sink.tokens += 1
    call.sink.note(call.sink.tokens, "token")
    made = call.sink.tokens
    await asyncio.sleep(TOKEN_SECONDS)
    body = {"access_token": f"a{made}", "refresh_token": f"r{made}", "expires_in": 3600}
    await call.say(200, json.dumps(body).encode())


STORM: Final[tuple[Answer, ...]] = (
    late, late, hang, idle, drip, reset, cut, drop, garbage, truncated, busy, away, broken,
)  # fmt: skip
"""Of those faults that overlap with all others. The large answers have a row of their own."""

FAULTS: Final[dict[str, Answer]] = {
    each.__name__: each
    for each in (
        ok, brief, slow, hang, idle, drip, reset, cut, drop, garbage, html, truncated, huge,
        endless, bomb, loop, busy, away, broken, poison, token,
        late, pending, storm,
    )
}  # fmt: skip


async def main(file: str, port: int) -> None:
    """Serves until it is ended."""
    sink = Sink(file)
    server = await asyncio.start_server(sink.serve, "127.0.0.1", port, backlog=2048)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], int(sys.argv[2]) if len(sys.argv) > 2 else 0))
