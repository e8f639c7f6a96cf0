"""How requests leave this machine."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator
from typing import Protocol

from junctor.language.connector import Request, Response
from junctor.language.files import File

__all__ = ["Files", "Transport"]


class Files(Protocol):
    """Where a run keeps the files that are too large for a bundle."""

    async def keep(self, pieces: AsyncIterator[bytes]) -> File:
        """Keeps what comes; if it breaks off with an error, nothing of it."""

    def pieces(self, file: File) -> AsyncGenerator[bytes]:
        """A kept file, a piece at a time; `DataError` if it is not there, in place of the first."""
        ...


class Transport(Protocol):
    """Sends requests. One method, so that a fake is a function."""

    async def send(self, request: Request, files: Files | None = None) -> Response:
        """The complete answer, whatever its status; redirects followed as the request allows.

        ``request.url`` is absolute and the request is already signed. ``files``: where the files
        that it sends are, and a long answer goes (`Request.keep_above`); never half of one.

        Raises `NotSent` if nothing left this machine (name, connect, TLS, an address that may not
        be reached), and `Uncertain` if something left and no complete answer came back (cut, timed
        out, unreadable, longer than ``request.max_bytes``). Both carry ``host`` and ``reason``;
        of an answer that is too long, ``limit`` in bytes.
        """
        ...
