"""HTTP on the wire: uvicorn's protocol, with an end to heads that are too long or never whole.

uvicorn bounds neither with httptools, so a caller could have a server keep a head of any size, or
thousands of connections that never ask for anything. Bodies have their own bounds
(`runtime.ingest`). One task looks at all connections: a timer for each would cost every delivery.
"""

from __future__ import annotations

import asyncio
import time
from typing import Any

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

__all__ = ["HEAD_SECONDS", "MOST_HEAD", "MOST_HEADERS", "BoundedProtocol", "close_slow_heads"]

MOST_HEAD = 64 * 1024
"""Bytes of a request's head, counted by the pieces it comes in."""
MOST_HEADERS = 200
HEAD_SECONDS = 15.0
"""In this time the head of a connection's first request must be whole, and of each later one."""
_TOO_LARGE = (
    b"HTTP/1.1 431 Request Header Fields Too Large\r\n"
    b"content-length: 0\r\nconnection: close\r\n\r\n"
)


class BoundedProtocol(HttpToolsProtocol):
    """One connection."""

    def __init__(self, *given: Any, **named: Any) -> None:
        super().__init__(*given, **named)
        self.head_since = time.monotonic()
        """When its unfinished head began, or the connection; 0: none is awaited."""
        self._head_bytes = 0

    def data_received(self, data: bytes) -> None:
        """Bytes of the caller."""
        super().data_received(data)
        if self.head_since and not self.transport.is_closing():
            self._head_bytes += len(data)
            if self._head_bytes > MOST_HEAD:
                self.transport.write(_TOO_LARGE)
                self.transport.close()

    def on_message_begin(self) -> None:
        """The first byte of a request."""
        super().on_message_begin()
        if not self.head_since:
            self.head_since = time.monotonic()

    def on_headers_complete(self) -> None:
        """A whole head; an error raised here is answered with 400."""
        self.head_since = 0.0
        self._head_bytes = 0
        if len(self.headers) > MOST_HEADERS:
            raise ValueError(f"more than {MOST_HEADERS} headers")
        super().on_headers_complete()


async def close_slow_heads(connections: Any, *, seconds: float = HEAD_SECONDS) -> None:
    """Closes connections whose head has been awaited too long, until cancelled.

    ``connections`` is the server's own set of them.
    """
    while True:
        await asyncio.sleep(min(1.0, seconds / 4))
        oldest = time.monotonic() - seconds
        for each in list(connections):
            if isinstance(each, BoundedProtocol) and 0.0 < each.head_since < oldest:
                each.transport.close()
