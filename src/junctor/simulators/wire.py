"""A small HTTP/1.1 server whose answers can go wrong in every way a network offers.

An ordinary server framework does its best to finish an answer. A simulator must also be able to cut
the connection, stay silent, send bytes that are no HTTP, or let an answer trickle, so it speaks to
the transport itself; httptools does the parsing. Handlers that need no wait answer inside
``data_received``, without a task per request.
"""

from __future__ import annotations

import asyncio
import socket
import struct
from collections import deque
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any, cast
from urllib.parse import parse_qsl, unquote

import httptools
import msgspec

__all__ = [
    "Application",
    "BadBody",
    "Connection",
    "Exchange",
    "Reply",
    "Request",
    "unquote_segments",
]

MAX_HEAD = 64 * 1024
MAX_BODY = 16 * 1024 * 1024

_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder().decode
_STATUS_LINES = {s.value: f"HTTP/1.1 {s.value} {s.phrase}\r\n".encode() for s in HTTPStatus}


class BadBody(ValueError):
    """The body is not what the operation takes."""


@dataclass(slots=True)
class Request:
    """One request as it arrived; header names in lower case, ``path`` unquoted by segment."""

    method: str
    target: str
    """The path and query exactly as sent."""
    headers: dict[str, str]
    body: bytes
    path: str = ""
    params: dict[str, str] = field(default_factory=dict)
    """Values of the ``{name}`` segments of the route, unquoted."""

    @property
    def query(self) -> dict[str, str]:
        """The query's parameters; of a repeated one, the last."""
        _, _, text = self.target.partition("?")
        return dict(parse_qsl(text, keep_blank_values=True)) if text else {}

    def json(self) -> dict[str, Any]:
        """The body as a JSON object, an empty body as ``{}``; `BadBody` if it is none."""
        if not self.body:
            return {}
        try:
            value = _decode(self.body)
        except (ValueError, RecursionError) as error:
            raise BadBody(f"the body is not valid JSON: {error}") from error
        if not isinstance(value, dict):
            raise BadBody(f"the body must be a JSON object, not {type(value).__name__}")
        return value


@dataclass(slots=True)
class Reply:
    """One answer."""

    status: int
    body: bytes = b""
    headers: tuple[tuple[str, str], ...] = ()
    content_type: str = "application/json; charset=utf-8"

    @classmethod
    def json(
        cls, value: Any, status: int = 200, headers: tuple[tuple[str, str], ...] = ()
    ) -> Reply:
        """An answer with a JSON body."""
        return cls(status, _encode(value), headers)

    def encode(self, *, keep_alive: bool = True, head: bool = False) -> bytes:
        """The bytes on the wire. An answer to HEAD has no body, and says nothing of one (RFC 9110
        §9.3.2 allows it): proxies have tried to read a type that was named.
        """
        line = _STATUS_LINES.get(self.status) or f"HTTP/1.1 {self.status} Other\r\n".encode()
        lines = f"content-type: {self.content_type}\r\ncontent-length: {len(self.body)}\r\n"
        if head:
            lines = ""
        for name, value in self.headers:
            lines += f"{name}: {value}\r\n"
        lines += "\r\n" if keep_alive else "connection: close\r\n\r\n"
        return line + lines.encode("latin-1", "replace") + (b"" if head else self.body)


class Exchange:
    """The way back for one request: exactly one of its sending methods is used."""

    __slots__ = ("_connection", "_head", "_keep_alive")

    def __init__(self, connection: Connection, *, keep_alive: bool, head: bool = False) -> None:
        self._connection = connection
        self._keep_alive = keep_alive
        self._head = head

    @property
    def gone(self) -> bool:
        """Whether the client has left."""
        return self._connection.transport is None

    def send(self, reply: Reply) -> None:
        """Answers properly."""
        self._write(reply.encode(keep_alive=self._keep_alive, head=self._head))
        if not self._keep_alive:
            self._close()

    def cut(self) -> None:
        """Resets the connection without another byte."""
        transport = self._connection.transport
        if transport is None:
            return
        sock = transport.get_extra_info("socket")
        if sock is not None:
            # Lingering for zero seconds makes the close a reset, as a crashed proxy's would be.
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        transport.abort()

    def garbage(self, data: bytes) -> None:
        """Sends bytes as they are and closes."""
        self._write(data)
        self._close()

    async def drip(self, reply: Reply, pause: Callable[[int], Coroutine[Any, Any, None]]) -> bool:
        """Sends an answer in up to 50 pieces; ``pause(pieces)`` waits before each but the first.

        Whether the client stayed to the end.
        """
        data = reply.encode(keep_alive=self._keep_alive, head=self._head)
        size = max(1, -(-len(data) // 50))
        pieces = [data[start : start + size] for start in range(0, len(data), size)]
        for index, piece in enumerate(pieces):
            if index:
                await pause(len(pieces))
            if self.gone:
                return False
            self._write(piece)
        if not self._keep_alive:
            self._close()
        return True

    def _write(self, data: bytes) -> None:
        if self._connection.transport is not None:
            self._connection.transport.write(data)

    def _close(self) -> None:
        if self._connection.transport is not None:
            self._connection.transport.close()


Application = Callable[[Request, Exchange], Coroutine[Any, Any, None] | None]
"""Answers through the exchange: at once, returning ``None``, or in the returned coroutine."""


class Connection(asyncio.Protocol):
    """One client connection; requests on it are answered in their order."""

    def __init__(self, application: Application, open_connections: set[Connection]) -> None:
        self._application = application
        self._open = open_connections
        self.transport: asyncio.Transport | None = None
        self._parser = httptools.HttpRequestParser(self)
        self._waiting: deque[tuple[Request, bool]] = deque()
        self._task: asyncio.Task[None] | None = None
        self._begin()

    def _begin(self) -> None:
        self._target = b""
        self._headers: dict[str, str] = {}
        self._body: list[bytes] = []
        self._head_size = 0
        self._body_size = 0

    # asyncio calls these.

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """A client came."""
        # uvloop's transports are no subclasses of asyncio's.
        self.transport = cast("asyncio.Transport", transport)
        self._open.add(self)

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002  asyncio's signature
        """The client left, or was cut."""
        self.transport = None
        self._open.discard(self)
        self._waiting.clear()
        if self._task is not None:
            # What had an effect had it before it began to wait; only the answer is lost.
            self._task.cancel()

    def data_received(self, data: bytes) -> None:
        """Bytes came."""
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserUpgrade as upgrade:
            # Declined by answering plainly; what follows is HTTP/1.1 again.
            self._parser = httptools.HttpRequestParser(self)
            self.data_received(data[upgrade.args[0] :])
        except httptools.HttpParserError as error:
            self._refuse(400, f"not HTTP/1.1: {error}")

    # httptools calls these.

    def on_message_begin(self) -> None:
        """A request begins."""
        self._begin()

    def on_url(self, part: bytes) -> None:
        """A part of the target."""
        self._target += part
        self._count_head(len(part))

    def on_header(self, name: bytes, value: bytes) -> None:
        """One header."""
        key = name.decode("latin-1").lower()
        text = value.decode("latin-1")
        known = self._headers.get(key)
        self._headers[key] = text if known is None else f"{known}, {text}"
        self._count_head(len(name) + len(value))

    def on_headers_complete(self) -> None:
        """The head is complete."""
        if self._headers.get("expect", "").lower() == "100-continue" and self.transport:
            self.transport.write(b"HTTP/1.1 100 Continue\r\n\r\n")

    def on_body(self, part: bytes) -> None:
        """A part of the body."""
        self._body_size += len(part)
        if self._body_size <= MAX_BODY:
            self._body.append(part)

    def on_message_complete(self) -> None:
        """The request is complete."""
        if self._body_size > MAX_BODY:
            self._refuse(413, f"the body is longer than {MAX_BODY} bytes")
            return
        target = self._target.decode("latin-1")
        request = Request(
            self._parser.get_method().decode("latin-1"),
            target,
            self._headers,
            b"".join(self._body),
            target.partition("?")[0],
        )
        self._waiting.append((request, self._parser.should_keep_alive()))
        if self._task is None:
            self._serve()

    # The rest is ours.

    async def end(self) -> None:
        """Cuts the connection and waits for what it was doing."""
        task = self._task
        if self.transport is not None:
            self.transport.abort()
        if task is not None:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

    def _count_head(self, size: int) -> None:
        self._head_size += size
        if self._head_size > MAX_HEAD:
            self._refuse(431, f"the head is longer than {MAX_HEAD} bytes")

    def _refuse(self, status: int, message: str) -> None:
        if self.transport is not None:
            self.transport.write(Reply.json({"message": message}, status).encode(keep_alive=False))
            self.transport.close()
            self._waiting.clear()

    def _serve(self) -> None:
        while self._waiting and self.transport is not None and not self.transport.is_closing():
            request, keep_alive = self._waiting.popleft()
            head = request.method == "HEAD"
            rest = self._application(request, Exchange(self, keep_alive=keep_alive, head=head))
            if rest is not None:
                self._task = asyncio.get_running_loop().create_task(rest)
                self._task.add_done_callback(self._served)
                return

    def _served(self, task: asyncio.Task[None]) -> None:
        self._task = None
        if not task.cancelled() and task.exception() is not None:
            self._refuse(500, f"the simulator failed: {task.exception()!r}")
            return
        self._serve()


def unquote_segments(path: str) -> list[str]:
    """The segments of a path, each unquoted by itself; slashes at the ends don't count."""
    bare = path.strip("/")
    if "%" not in bare:
        return bare.split("/")
    return [unquote(segment) for segment in bare.split("/")]
