"""HTTP connections that can't be held open for nothing: limits on slowness, size and number.

uvicorn closes idle connections after an answer and nothing else. Here a request's head must be
complete in time, a body must keep coming, an answer must be read, and when there are too many
connections, the one that has been quiet for longest makes room.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from ipaddress import ip_address, ip_network
from typing import Any, ClassVar, Literal

import structlog
from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol

__all__ = ["Limits", "limited"]

log = structlog.get_logger(__name__)

HEAD_SECONDS = 10.0
"""From a connection or the first byte of a request until its head is complete."""
HEAD_BYTES = 64 * 1024
MOST_HEADERS = 200
BODY_WINDOW = 10.0
"""Seconds over which a body's speed is measured."""
BODY_RATE = 500
"""Bytes a second of a body, at least."""
READ_SECONDS = 60.0
"""After so long a caller must have read some of its answer."""
SWEEP = 0.5


@dataclass(slots=True, eq=False)
class Limits:
    """What the connections of one server share.

    ``most`` at once; ``most_of_one`` from one address, unless it is this machine or in ``trusted``.
    """

    most: int
    most_of_one: int
    trusted: Sequence[str] = ()
    head_seconds: float = HEAD_SECONDS
    body_window: float = BODY_WINDOW
    read_seconds: float = READ_SECONDS
    draining: bool = False
    """No connection is kept for another request."""
    open: int = 0
    dropped: int = 0
    """Connections that were closed because of a limit, since the start."""
    _all: set[Any] = field(default_factory=set)
    _count: dict[str, int] = field(default_factory=dict)
    _quiet: dict[str, dict[Any, None]] = field(default_factory=dict)
    """Connections without a request in progress, the oldest first: by address, and ``""``: all."""
    _counted: dict[str, bool] = field(default_factory=dict)

    def opened(self, connection: Any, address: str) -> bool:
        """Counts it; ``False`` if there is no room for it, and none could be made."""
        self._all.add(connection)
        self.open += 1
        count = self._count[address] = self._count.get(address, 0) + 1
        room = True
        if count > self.most_of_one and self._is_counted(address):
            room = self._make_room(address)
        elif self.open > self.most:
            room = self._make_room("")
        if room:
            self.quiet(connection, address)
        return room

    def closed(self, connection: Any, address: str) -> None:
        """Forgets it."""
        if connection not in self._all:
            return
        self._all.discard(connection)
        self.open -= 1
        self._count[address] -= 1
        if not self._count[address]:
            del self._count[address]
        self.busy(connection, address)

    def quiet(self, connection: Any, address: str) -> None:
        """It has no request in progress."""
        for key in ("", address):
            self._quiet.setdefault(key, {})[connection] = None

    def busy(self, connection: Any, address: str) -> None:
        """It has one."""
        for key in ("", address):
            among = self._quiet.get(key)
            if among is not None:
                among.pop(connection, None)
                if not among:
                    del self._quiet[key]

    def drain(self) -> None:
        """From now on every answer is its connection's last."""
        self.draining = True
        for connection in list(self._all):
            connection.last()

    async def watch(self) -> None:
        """Ends what is too slow, for ever."""
        while True:
            await asyncio.sleep(min(SWEEP, self.head_seconds / 4))
            now = time.monotonic()
            for connection in list(self._all):
                connection.sweep(now)

    def _make_room(self, key: str) -> bool:
        oldest = next(iter(self._quiet.get(key, ())), None)
        self.dropped += 1
        if self.dropped % 1000 == 1:
            log.warning("too_many_connections", open=self.open, address=key, dropped=self.dropped)
        if oldest is None:
            return False
        self.busy(oldest, oldest.address)
        oldest.transport.abort()
        return True

    def _is_counted(self, address: str) -> bool:
        if address not in self._counted:
            if len(self._counted) > 10_000:
                self._counted.clear()
            try:
                found = ip_address(address)
            except ValueError:  # a Unix socket
                self._counted[address] = False
            else:
                networks = [ip_network(each, strict=False) for each in self.trusted]
                ours = found.is_loopback or any(found in network for network in networks)
                self._counted[address] = not ours
        return self._counted[address]


class _Limited(HttpToolsProtocol):
    """uvicorn's protocol, watched."""

    limits: ClassVar[Limits]
    address: str = ""
    _receiving: Literal["", "head", "body"] = "head"
    _since: float = 0.0
    _bytes: int = 0
    _head: int = 0
    _refused: bool = False
    _unread: float = 0.0
    """Since when the caller has read nothing of its answer; 0: it reads."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # uvicorn's own narrowing
        super().connection_made(transport)
        self.address = self.client[0] if self.client else ""
        self._since = time.monotonic()
        if not self.limits.opened(self, self.address):
            self._refuse(503, "Too many connections.")

    def connection_lost(self, exc: Exception | None) -> None:
        self.limits.closed(self, self.address)
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        if self._refused:
            return
        if not self._receiving and (self.cycle is None or self.cycle.response_complete):
            self._begin_head()
        if self._receiving == "head":
            self._head += len(data)
        else:
            self._bytes += len(data)
        super().data_received(data)
        if self._receiving == "head" and self._head > HEAD_BYTES:
            self._refuse(431, "The request's head is too large.")

    def on_message_begin(self) -> None:
        super().on_message_begin()
        if self._receiving != "head":
            self._begin_head()

    def on_headers_complete(self) -> None:
        size = len(self.url) + sum(len(name) + len(value) + 4 for name, value in self.headers)
        if self._refused or size > HEAD_BYTES or len(self.headers) > MOST_HEADERS:
            self._refuse(431, "The request's head is too large.")
            return
        self._receiving, self._since, self._bytes = "body", time.monotonic(), 0
        self.limits.busy(self, self.address)
        super().on_headers_complete()
        if self.limits.draining and self.cycle is not None:
            self.cycle.keep_alive = False

    def on_body(self, body: bytes) -> None:
        if not self._refused:
            super().on_body(body)

    def on_message_complete(self) -> None:
        if self._refused:
            return
        self._receiving = ""
        super().on_message_complete()

    def on_response_complete(self) -> None:
        super().on_response_complete()
        if not self.transport.is_closing() and not self.pipeline:
            self.limits.quiet(self, self.address)

    def pause_writing(self) -> None:
        self._unread = time.monotonic()
        super().pause_writing()

    def resume_writing(self) -> None:
        self._unread = 0.0
        super().resume_writing()

    def last(self) -> None:
        """The answer in progress is this connection's last one."""
        if self.cycle is not None and not self.cycle.response_complete:
            self.cycle.keep_alive = False

    def sweep(self, now: float) -> None:
        """Ends the connection if it is too slow."""
        limits = self.limits
        if self._unread and now - self._unread > limits.read_seconds:
            limits.dropped += 1
            self.transport.abort()
        elif self._receiving == "head":
            answering = self.cycle is not None and not self.cycle.response_complete
            if now - self._since > limits.head_seconds and not answering:
                self._refuse(408, "The request's head did not come in time." if self._head else "")
        elif self._receiving == "body":
            if self.flow.read_paused:  # we are the slow ones
                self._since, self._bytes = now, 0
            elif now - self._since > limits.body_window:
                if self._bytes < BODY_RATE * limits.body_window:
                    limits.dropped += 1
                    self.transport.abort()
                self._since, self._bytes = now, 0

    def _begin_head(self) -> None:
        self._receiving, self._since, self._head = "head", time.monotonic(), 0

    def _refuse(self, status: int, message: str) -> None:
        """Says why, if there is a request, and closes."""
        if self._refused:
            return
        self._refused = True
        self.limits.dropped += 1
        if message and not self.transport.is_closing():
            body = message.encode()
            self.transport.write(
                STATUS_LINE[status] + b"content-type: text/plain; charset=utf-8\r\n"
                b"content-length: %d\r\nconnection: close\r\n\r\n" % len(body) + body
            )
        self.transport.close()


def limited(limits: Limits) -> type[asyncio.Protocol]:
    """The protocol class for uvicorn's ``http``."""
    return type("Limited", (_Limited,), {"limits": limits})
