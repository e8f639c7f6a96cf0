"""A simulator in a thread of its own, for clients and tools that are not asynchronous."""

from __future__ import annotations

import asyncio
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TypeVar

from junctor.simulators.kit import Simulator, running

__all__ = ["serving"]

S = TypeVar("S", bound=Simulator)


@contextmanager
def serving(
    simulator: S,
    *,
    host: str = "127.0.0.1",
    port: int = 0,
    certificate: ssl.SSLContext | None = None,
) -> Iterator[S]:
    """Serves a simulator while the block runs, as `running` does. `OSError` if the port is taken.

    Its state belongs to the thread: look at it through the admin API, or once no request is going
    on.
    """
    loop = asyncio.new_event_loop()
    started = threading.Event()
    trouble: list[BaseException] = []
    ended = asyncio.Event()

    async def serve() -> None:
        try:
            async with running(simulator, host=host, port=port, certificate=certificate):
                started.set()
                await ended.wait()
        except BaseException as error:
            trouble.append(error)
            started.set()

    thread = threading.Thread(
        target=lambda: loop.run_until_complete(serve()), name=f"simulator {simulator.name}"
    )
    thread.start()
    try:
        started.wait()
        if trouble:
            raise trouble[0]
        yield simulator
    finally:
        if not loop.is_closed():
            loop.call_soon_threadsafe(ended.set)
        thread.join()
        loop.close()
