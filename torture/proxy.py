"""A relay between a worker and Postgres that can swallow everything, and deliver it late.

The worst of networks: bytes are taken and not passed on, so neither side learns that anything is
wrong, and when it heals they arrive after all. No rights are needed for it.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path

from psycopg.conninfo import conninfo_to_dict

__all__ = ["Proxy"]


class Proxy:
    """Relays connections on a loopback port to a server's unix socket."""

    def __init__(self, target: Path) -> None:
        self._target = target
        self._open = asyncio.Event()
        self._open.set()
        self._pairs: set[asyncio.StreamWriter] = set()
        self._tasks: set[asyncio.Task[None]] = set()
        self.url = ""
        """How to reach the database through here."""

    @classmethod
    @asynccontextmanager
    async def to(cls, url: str) -> AsyncIterator[Proxy]:
        """A relay to the database of a URL, for the time of the block."""
        parts = conninfo_to_dict(url)
        made = cls(Path(str(parts["host"])) / ".s.PGSQL.5432")
        server = await asyncio.start_server(made._serve, "127.0.0.1", 0)
        port = server.sockets[0].getsockname()[1]
        made.url = (
            f"postgresql://{parts['user']}:{parts['password']}@127.0.0.1:{port}/{parts['dbname']}"
        )
        try:
            yield made
        finally:
            server.close()
            made.heal()
            made.break_off()
            for task in made._tasks:
                task.cancel()
            await asyncio.gather(*made._tasks, return_exceptions=True)

    def swallow(self) -> None:
        """From now on nothing is passed on, in either direction; new connections hang."""
        self._open.clear()

    def heal(self) -> None:
        """What was swallowed is delivered, and what follows passes."""
        self._open.set()

    def break_off(self) -> None:
        """Cuts every connection; what was swallowed is gone."""
        for writer in list(self._pairs):
            writer.transport.abort()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        self._pairs.add(writer)
        try:
            await self._open.wait()
            near, far = await asyncio.open_unix_connection(str(self._target))
            self._pairs.add(far)
            try:
                await asyncio.gather(self._pass(reader, far), self._pass(near, writer))
            finally:
                far.transport.abort()
                self._pairs.discard(far)
        except (OSError, asyncio.CancelledError):
            return  # cut off, or the relay ends
        finally:
            self._pairs.discard(writer)
            writer.transport.abort()

    async def _pass(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(OSError, RuntimeError):  # uvloop's word for a closed one
            while data := await reader.read(65536):
                await self._open.wait()
                writer.write(data)
                await writer.drain()
        writer.transport.abort()
