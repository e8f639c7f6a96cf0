"""A server that misbehaves exactly as its path says; plain asyncio, so that nothing helps it."""

from __future__ import annotations

import asyncio
import gzip
import ssl
import zlib
from collections.abc import Awaitable, Callable

from tests.support import pass_time

Behaviour = Callable[[asyncio.StreamWriter, str, bytes], Awaitable[bool]]
"""Answers one request with the rest of its path and its body; whether to keep the connection."""


class RawServer:
    """Listens on loopback. ``requests`` keeps the raw bytes of every request that was read."""

    def __init__(self, tls: ssl.SSLContext | None = None) -> None:
        self.tls = tls
        self.requests: list[bytes] = []
        self.connections = 0
        self._tasks: set[asyncio.Task[None]] = set()

    async def start(self) -> None:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0, ssl=self.tls)
        self.port = self._server.sockets[0].getsockname()[1]
        self.address = f"127.0.0.1:{self.port}"

    async def stop(self) -> None:
        self._server.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._server.wait_closed()

    def url(self, behaviour: str) -> str:
        if behaviour == "unreachable":
            return "http://127.0.0.1:1/"  # a port nothing listens on
        return f"{'https' if self.tls else 'http'}://{self.address}/{behaviour}"

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        self.connections += 1
        try:
            while await self._answer(reader, writer):
                pass
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        except asyncio.CancelledError:  # the test is over; asyncio would log it as unhandled
            pass
        finally:
            writer.close()

    async def _answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        head = await reader.readuntil(b"\r\n\r\n")
        lines = head.decode().split("\r\n")
        path = lines[0].split(" ")[1].lstrip("/").partition("?")[0]
        if path == "cut-before-body":
            writer.transport.abort()
            return False
        length = next(
            (int(line[15:]) for line in lines if line.lower().startswith("content-length:")), 0
        )
        body = await reader.readexactly(length)
        self.requests.append(head + body)
        name, _, argument = path.partition("/")
        behave: Behaviour = getattr(self, "do_" + name.replace("-", "_"))
        return await behave(writer, argument, body)

    def _write(
        self, writer: asyncio.StreamWriter, status: int, body: bytes = b"", *headers: str
    ) -> bool:
        lines = [f"HTTP/1.1 {status} X", f"Content-Length: {len(body)}", *headers]
        writer.write("\r\n".join(lines).encode() + b"\r\n\r\n" + body)
        return True

    async def do_echo(self, writer: asyncio.StreamWriter, _: str, body: bytes) -> bool:
        return self._write(writer, 200, body, "Content-Type: application/json")

    async def do_status(self, writer: asyncio.StreamWriter, argument: str, _: bytes) -> bool:
        return self._write(writer, int(argument))

    async def do_headers(self, writer: asyncio.StreamWriter, _: str, __: bytes) -> bool:
        cookies = ("Set-Cookie: a=1", "Set-Cookie: b=2")
        return self._write(writer, 200, b"", "X-One: 1", "X-ONE: 2", *cookies)

    async def do_redirect(self, writer: asyncio.StreamWriter, argument: str, _: bytes) -> bool:
        status, _slash, target = argument.partition("/")
        return self._write(writer, int(status), b"", f"Location: {target.replace('|', '/')}")

    async def do_gzip(self, writer: asyncio.StreamWriter, argument: str, _: bytes) -> bool:
        packed = gzip.compress(b"a" * int(argument))
        return self._write(writer, 200, packed, "Content-Encoding: gzip")

    async def do_bomb(self, writer: asyncio.StreamWriter, argument: str, _: bytes) -> bool:
        """A small gzip of that many megabytes of nothing."""
        packer = zlib.compressobj(9, wbits=31)
        million = bytes(1_000_000)
        packed = b"".join(packer.compress(million) for _ in range(int(argument))) + packer.flush()
        return self._write(writer, 200, packed, "Content-Encoding: gzip")

    async def do_login(self, writer: asyncio.StreamWriter, target: str, _: bytes) -> bool:
        lines = ("Set-Cookie: s=1; Path=/", f"Location: {target.replace('|', '/')}")
        return self._write(writer, 302, b"", *lines)

    async def do_cut(self, writer: asyncio.StreamWriter, _: str, __: bytes) -> bool:
        writer.transport.abort()
        return False

    async def do_cut_mid_body(self, writer: asyncio.StreamWriter, _: str, __: bytes) -> bool:
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf")
        return False

    async def do_cut_mid_chunk(self, writer: asyncio.StreamWriter, _: str, __: bytes) -> bool:
        writer.write(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhe")
        return False

    async def do_zeros(self, writer: asyncio.StreamWriter, argument: str, _: bytes) -> bool:
        return self._write(writer, 200, bytes(int(argument)))

    async def do_long_cut(self, writer: asyncio.StreamWriter, argument: str, _: bytes) -> bool:
        """So many bytes of one more."""
        length = int(argument)
        writer.write(f"HTTP/1.1 200 OK\r\nContent-Length: {length + 1}\r\n\r\n".encode())
        writer.write(bytes(length))
        return False

    async def do_long_cut_chunked(
        self, writer: asyncio.StreamWriter, argument: str, _: bytes
    ) -> bool:
        """Whole chunks, but no last one."""
        length = int(argument)
        writer.write(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
        writer.write(f"{length:x}\r\n".encode() + bytes(length) + b"\r\n")
        return False

    async def do_garbage(self, writer: asyncio.StreamWriter, _: str, __: bytes) -> bool:
        writer.write(b"this is no HTTP at all\r\n\r\n")
        return False

    async def do_bad_gzip(self, writer: asyncio.StreamWriter, _: str, __: bytes) -> bool:
        return self._write(writer, 200, b"not gzip", "Content-Encoding: gzip")

    async def do_endless(self, writer: asyncio.StreamWriter, _: str, __: bytes) -> bool:
        writer.write(b"HTTP/1.1 200 OK\r\n\r\n")
        while not writer.is_closing():
            writer.write(b"x" * 10_000)
            await writer.drain()
        return False

    async def do_drip(self, writer: asyncio.StreamWriter, _: str, __: bytes) -> bool:
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n")
        while not writer.is_closing():  # a byte per tick: the total timeout must end it
            writer.write(b"x")
            await writer.drain()
            pass_time(1.0)
            await asyncio.sleep(0)
        return False

    async def do_hang(self, _: asyncio.StreamWriter, __: str, ___: bytes) -> bool:
        pass_time(3600.0)
        await asyncio.Event().wait()
        return False

    async def do_one(self, writer: asyncio.StreamWriter, _: str, __: bytes) -> bool:
        self._write(writer, 200)  # promises to keep the connection, and does not
        return False
