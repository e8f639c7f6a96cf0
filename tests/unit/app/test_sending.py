"""The way out that is made when something is first sent."""

from __future__ import annotations

import asyncio
import socket

import pytest

from junctor.adapters.transport import AiohttpTransport
from junctor.app.sending import TransportAtFirstUse
from junctor.errors import NotSent
from junctor.language.connector import Request


def test_it_is_made_once_and_closed_at_the_end(monkeypatch: pytest.MonkeyPatch) -> None:
    closed: list[AiohttpTransport] = []

    async def close(made: AiohttpTransport) -> None:
        closed.append(made)

    monkeypatch.setattr(AiohttpTransport, "close", close)

    async def main() -> None:
        async with TransportAtFirstUse(()) as transport:
            made = await transport.ready()
            assert await transport.ready() is made
            assert not closed
        assert closed == [made]
        async with TransportAtFirstUse(()):
            pass
        assert closed == [made]  # nothing was made, so nothing is closed

    asyncio.run(main())


def test_it_sends_to_what_is_allowed_and_nowhere_else() -> None:
    async def main(allow: list[str], address: str) -> str:
        async with TransportAtFirstUse(allow) as transport:
            with pytest.raises(NotSent) as refused:
                await transport.send(Request("GET", f"http://{address}/"))
        return str(refused.value.params["reason"])

    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        nobody = f"127.0.0.1:{probe.getsockname()[1]}"
        tried = asyncio.run(main([nobody], nobody))  # it is bound, and nobody listens
        assert "Connect call failed" in tried
        assert asyncio.run(main([], nobody)) != tried
