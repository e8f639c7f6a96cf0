"""A worker that kills itself at a named point: ``victim.py URL POINT NTH ALLOW LEASE AHEAD``.

``AHEAD``: seconds that its clock is ahead. Tests have it begun by a nursery, which has loaded it.

The product has no such switch: the parts a worker is made of are wrapped here, in the test's own
process. SIGKILL, so nothing is tidied up.
"""

from __future__ import annotations

import asyncio
import os
import signal
import sys
import time
from collections.abc import Sequence
from typing import Any
from uuid import UUID

import uvloop

from junctor.adapters.blobs import PostgresBlobs
from junctor.adapters.postgres.database import pool
from junctor.adapters.transport import AiohttpTransport
from junctor.adapters.vault import MasterKeys, PostgresVault
from junctor.language.connector import Request, Response
from junctor.ports.backlog import Claim
from junctor.ports.ledger import Write
from junctor.ports.transport import Files
from junctor.runtime import waiting
from junctor.runtime.registry import Registry
from junctor.runtime.worker import Worker

POINTS = (
    "during claim",
    "after take",
    "before intent",
    "after intent",
    "during send",
    "after send",
    "before result",
    "after result",
    "before commit",
    "after commit",
)

AGAIN = 2.0
"""Seconds that a test waits for another to look back, instead of the product's 15."""

WAITS = ("after opening", "before answering", "after answering", "before closing", "after closing")
"""Of a run that waits for a delivery."""


class Trap:
    """Kills this process when ``point`` is reached for the n-th time."""

    def __init__(self, point: str, nth: int) -> None:
        self.point = point
        self.left = nth

    def reach(self, point: str) -> None:
        if point == self.point:
            self.left -= 1
            if self.left <= 0:
                os.kill(os.getpid(), signal.SIGKILL)


def kind_of(writes: Sequence[Write]) -> set[str]:
    """What a commit holds: intents come before a run's end, results after its first segment."""
    kinds = set()
    for write in writes:
        if write.done:
            kinds.add("commit")
        elif write.segments:
            kinds.add("intent" if write.segments[0].seq == 0 else "result")
    return kinds


def set_traps(worker: Worker, transport: AiohttpTransport, trap: Trap) -> None:
    """Wraps the parts."""
    ledger = worker.committer._ledger
    commit, claim, take, send = (
        ledger.commit,
        worker.backlog.claim,
        worker.backlog.take,
        transport.send,
    )

    async def trapped_commit(writes: Sequence[Write]) -> list[bool]:
        kinds = kind_of(writes)
        for kind in kinds:
            trap.reach(f"before {kind}")
        held = await commit(writes)
        for kind in kinds:
            trap.reach(f"after {kind}")
        if any(write.opens for write in writes):
            trap.reach("after opening")
        return held

    async def trapped_claim(limit: int, each: int, full: Sequence[UUID] = ()) -> list[Claim]:
        claims = await claim(limit, each, full)
        if claims:
            trap.reach("during claim")
        return claims

    async def trapped_take(*given: Any) -> Any:
        taken = await take(*given)
        if any(rows for _, rows in taken):
            trap.reach("after take")
        return taken

    async def trapped_send(request: Request, files: Files | None = None) -> Response:
        if trap.point == "during send" and trap.left == 1:
            asyncio.get_running_loop().call_later(0.02, trap.reach, "during send")
        elif trap.point == "during send":
            trap.left -= 1
        response = await send(request, files)
        trap.reach("after send")
        return response

    waits = worker._waiting._waits
    answer, close = waits.answer, waits.close

    async def trapped_answer(*given: Any, **more: Any) -> bool:
        trap.reach("before answering")
        answered = await answer(*given, **more)
        trap.reach("after answering")
        return answered

    async def trapped_close(*given: Any) -> Any:
        trap.reach("before closing")
        closed = await close(*given)
        trap.reach("after closing")
        return closed

    waits.answer = trapped_answer  # type: ignore[method-assign]  # that is the trap
    waits.close = trapped_close  # type: ignore[method-assign,assignment]  # that is the trap
    ledger.commit = trapped_commit  # type: ignore[method-assign]  # that is the trap
    worker.backlog.claim = trapped_claim  # type: ignore[method-assign]  # that is the trap
    worker.backlog.take = trapped_take  # type: ignore[method-assign,assignment]  # that is the trap
    transport.send = trapped_send  # type: ignore[method-assign]  # that is the trap


async def main(
    registry: Registry, url: str, point: str, nth: int, allow: str, lease: float, ahead: float
) -> None:
    stop = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
    async with pool(url, "engine", 1, 2) as engine:
        vault = PostgresVault(engine, MasterKeys({"test": bytes(32)}))
        transport = AiohttpTransport(allow=allow.split(","))
        worker = Worker(
            url,
            name=f"victim-{os.getpid()}",
            find=registry.find,
            connector=registry.connector,
            vault=vault,
            blobs=PostgresBlobs(engine, vault),
            transport=transport,
            lease=lease,
        )
        if ahead:
            worker.driver._clock = lambda: time.time() + ahead
        if point:
            set_traps(worker, transport, Trap(point, nth))
        await worker.run(stop)
        await transport.close()


def load() -> Registry:
    """The connectors; those that the tests' scenarios use are imported."""
    registry = Registry.load()
    for name in ("builtin", "gateway", "http", "json", "util", "wait"):
        registry.connector(name)
    return registry


def begin(
    registry: Registry, url: str, point: str, nth: str, allow: str, lease: str, ahead: str
) -> None:
    """Works until it is told to end, or meets its point."""
    waiting.AGAIN = AGAIN
    uvloop.run(main(registry, url, point, int(nth), allow, float(lease), float(ahead)))


if __name__ == "__main__":
    begin(load(), *sys.argv[1:])
