"""The way out, for processes that may never use it."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from importlib import import_module
from typing import TYPE_CHECKING, Self

from junctor.language.connector import Request, Response
from junctor.ports.transport import Files

if TYPE_CHECKING:
    from junctor.adapters.transport import AiohttpTransport

__all__ = ["TransportAtFirstUse"]


class TransportAtFirstUse:
    """A transport that is loaded and made when something is first sent, or by `ready`.

    aiohttp and the certificates it believes in are a tenth of a second of CPU. Workers have them
    before they begin; servers, and most commands, send nothing but when somebody asks them to.
    """

    def __init__(self, allow: Iterable[str]) -> None:
        self._allow = tuple(allow)
        self._made: AiohttpTransport | None = None

    async def __aenter__(self) -> Self:
        """Nothing is made yet."""
        return self

    async def __aexit__(self, *_: object) -> None:
        """Closes what was made."""
        if self._made is not None:
            await self._made.close()

    async def ready(self) -> AiohttpTransport:
        """The transport itself."""
        if self._made is None:
            # In a thread: a server goes on taking deliveries meanwhile.
            module = await asyncio.to_thread(import_module, "junctor.adapters.transport")
            self._made = self._made or module.AiohttpTransport(self._allow)
        return self._made

    async def send(self, request: Request, files: Files | None = None) -> Response:
        """See `ports.transport.Transport`."""
        transport = self._made or await self.ready()
        return await transport.send(request, files)
