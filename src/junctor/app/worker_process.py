"""The worker process: runs scenarios until it is told to stop."""

from __future__ import annotations

import asyncio
import os
import signal
import socket

import structlog

from junctor.app.core import open_core
from junctor.app.settings import Settings
from junctor.runtime.worker import Worker

__all__ = ["run_worker"]


async def run_worker(settings: Settings, url: str, *, name: str) -> None:
    """Works until SIGTERM or SIGINT, then gives back what it owns."""
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    log = structlog.get_logger("junctor.worker")
    # A restarted worker must not be taken for the one before: its leases are not ours.
    unique = f"{socket.gethostname()}:{name}:{os.getpid()}"
    async with open_core(settings, url) as core:
        worker = Worker(
            url,
            name=unique,
            find=core.registry.find,
            connector=core.registry.connector,
            vault=core.vault,
            blobs=core.blobs,
            transport=core.transport,
        )
        log.info("worker ready", worker=unique)
        await worker.run(stop)
    log.info("worker ended", worker=unique)
