"""The worker process: runs scenarios until it is told to stop."""

from __future__ import annotations

import asyncio
import contextlib
import importlib
import signal
from collections.abc import Mapping
from typing import Any

import structlog

from junctor.adapters.system import process_name
from junctor.app.control import watch_drains
from junctor.app.core import START_PATIENCE, Core, open_core
from junctor.app.handover import tell_ready
from junctor.app.lean import settle_memory
from junctor.app.room import disk_of
from junctor.app.settings import Settings
from junctor.app.telemetry import watched
from junctor.runtime.complaints import Complaint
from junctor.runtime.disk import Disk
from junctor.runtime.scheduler import run_scheduler
from junctor.runtime.worker import Worker

__all__ = ["keep_house", "keep_time", "run_worker"]

HOUSE_DELAY = 1.0
"""Seconds of work before the installation's jobs are begun: loading them takes a moment."""
HOUSE_PAUSE = 5.0
"""Seconds until they are begun again after their database was lost."""
TIME_PAUSE = 1.0
"""Seconds until schedules are looked at again after their database was lost."""
HOUSE_GRACE = 1.0
"""Seconds that jobs may take to end once the worker has."""


async def run_worker(settings: Settings, url: str, *, name: str) -> None:
    """Works until SIGTERM or SIGINT, then gives back what it owns."""
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    log = structlog.get_logger("junctor.worker")
    # A restarted worker must not be taken for the one before: its leases are not ours.
    unique = process_name(name)
    async with (
        watched(settings, url, role="worker", process=name),
        open_core(settings, url, patience=START_PATIENCE, sends=True) as core,
    ):
        disk = disk_of(settings)
        await asyncio.to_thread(disk.look)
        worker = Worker(
            url,
            name=unique,
            find=core.registry.find,
            connector=core.registry.connector,
            vault=core.vault,
            blobs=core.blobs,
            transport=core.transport,
            mail=core.services.tools.mail,
            public_url=settings.public_url,
            disk=disk,
        )
        core.busy = lambda: worker.active > 0
        settle_memory()
        log.info("worker ready", worker=unique)
        tell_ready()
        beside = {
            asyncio.create_task(keep_house(url, stop, core=core), name="keep house"),
            asyncio.create_task(keep_time(url, stop, disk=disk), name="keep time"),
            asyncio.create_task(disk.watch(), name="disk"),
            asyncio.create_task(watch_drains(core, stop), name="drains"),
        }
        try:
            await worker.run(stop)
        finally:
            for task in beside:
                task.cancel()
            # Bounded: signing off may wait for a database that is away.
            await asyncio.wait(beside, timeout=HOUSE_GRACE)
    log.info("worker ended", worker=unique)


class _Repairs:
    """What is mended without anybody asking; loaded when it is first done."""

    def __init__(self, core: Core) -> None:
        self._core = core

    async def fill_gaps(self) -> Mapping[str, int]:
        """See `repair.fill_gaps`."""
        repair = await asyncio.to_thread(importlib.import_module, "junctor.app.repair")
        done: Mapping[str, int] = await repair.fill_gaps(self._core)
        return done

    async def probe(self, now: float) -> Mapping[str, int]:
        """See `settling.probe_uncertain`."""
        settling = await asyncio.to_thread(importlib.import_module, "junctor.app.settling")
        done: Mapping[str, int] = await settling.probe_uncertain(self._core, now=now)
        return done


async def keep_house(
    url: str,
    stop: asyncio.Event,
    *,
    core: Core | None = None,
    delay: float = HOUSE_DELAY,
    pause: float = HOUSE_PAUSE,
) -> None:
    """Does the installation's jobs beside the work until ``stop``; no failure of theirs ends it.

    With a ``core``, also what mends: gaps are filled, uncertain effects looked for.
    """
    repairs = _Repairs(core) if core is not None else None
    log = structlog.get_logger("junctor.worker")
    await _stopped(stop, within=delay)
    while not stop.is_set():
        try:
            # In a thread: the first import takes a tenth of a second, and runs are under way.
            maintenance = await asyncio.to_thread(
                importlib.import_module, "junctor.runtime.maintenance"
            )
            more: list[Any] = []
            for name in ("chores", "backup_job") if core is not None else ():
                jobs = await asyncio.to_thread(importlib.import_module, f"junctor.app.{name}")
                more += jobs.chores_of(core)
            await maintenance.run_jobs(url, stop, repairs, more)
        except Exception as error:
            said = str(error).strip().partition("\n")[0] or type(error).__name__
            log.warning("worker.jobs_interrupted", error=said, again_in=pause)
        await _stopped(stop, within=pause)


async def keep_time(
    url: str, stop: asyncio.Event, *, disk: Disk | None = None, pause: float = TIME_PAUSE
) -> None:
    """Fires schedules beside the work until ``stop``; no failure of theirs ends it."""
    log = structlog.get_logger("junctor.worker")
    interrupted = Complaint(log.warning, "worker.schedules_interrupted")
    while not stop.is_set():
        try:
            await run_scheduler(url, stop, disk)
        except Exception as error:
            said = str(error).strip().partition("\n")[0] or type(error).__name__
            interrupted(said, again_in=pause)
            await _stopped(stop, within=pause)


async def _stopped(stop: asyncio.Event, *, within: float) -> None:
    """Waits so many seconds, or less if told to stop."""
    with contextlib.suppress(TimeoutError):
        await asyncio.wait_for(stop.wait(), within)
