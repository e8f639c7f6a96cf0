"""How requests leave this machine."""

from __future__ import annotations

from typing import Protocol

from junctor.language.connector import Request, Response

__all__ = ["Transport"]


class Transport(Protocol):
    """Sends requests. One method, so that a fake is a function."""

    async def send(self, request: Request) -> Response:
        """The complete answer, whatever its status; redirects followed as the request allows.

        ``request.url`` is absolute and the request is already signed.

        Raises `NotSent` if nothing left this machine (name, connect, TLS, an address that may not
        be reached), and `Uncertain` if something left and no complete answer came back (cut, timed
        out, unreadable, longer than ``request.max_bytes``). Both carry ``host`` and ``reason``;
        of an answer that is too long, ``limit`` in bytes.
        """
        ...
