"""Housekeeping: day partitions ahead, history past its retention, remembered things past theirs.

Everything is safe to do twice, and at once in several processes; Procrastinate sees to it that each
chore is done once per turn in the whole installation.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any, Final, Protocol

import structlog
from procrastinate import App
from procrastinate.jobs import Status
from psycopg import errors

from junctor.adapters.jobs import job_app, work
from junctor.adapters.postgres.database import Pool, pool
from junctor.adapters.postgres.queries import load

__all__ = ["RETENTION_DAYS", "Chore", "Maintenance", "Repairs", "run_jobs"]

log = structlog.get_logger(__name__)

RETENTION_DAYS: Final = {"short": 7, "standard": 30, "long": 365}
"""How long history stays, by a scenario's retention class, in days."""
_AHEAD_DAYS: Final = 9
_BATCH: Final = 2000
_KEEP_JOBS_HOURS: Final = 24


class Maintenance:
    """The chores. ``engine``: an open engine pool."""

    def __init__(self, engine: Pool, *, batch: int = _BATCH) -> None:
        self._engine = engine
        self._batch = batch
        self._sql = load("maintenance")

    async def ensure_partitions(self, *, today: date | None = None) -> int:
        """Makes the day partitions from yesterday to a week ahead; returns how many were new."""
        day = today or await self._value("today")
        made = await self._value(
            "ensure_partitions", first=day - timedelta(days=1), days=_AHEAD_DAYS
        )
        return int(made)

    async def drop_history(self, *, today: date | None = None) -> dict[str, int]:
        """Drops what is past its retention; returns how much, by kind.

        Unfinished runs, and journals of deliveries that wait, move to class ``kept`` first.
        """
        day = today or await self._value("today")
        done = dict.fromkeys(("kept", "days", "runs", "segments", "blobs"), 0)
        for name, days in RETENTION_DAYS.items():
            last = day - timedelta(days=days)
            before = datetime(last.year, last.month, last.day, tzinfo=UTC)
            where = {"class": name, "before": before}
            while moved := int(await self._value("keep_runs", **where, batch=self._batch)):
                done["kept"] += moved
            await self._execute("keep_segments", **where)
            done["days"] += await self._drop_days(name, last)
            done["runs"] += await self._batches("forget_runs", **where)
            done["segments"] += await self._batches("forget_segments", **where)
        done["runs"] += await self._batches("forget_kept_runs", **RETENTION_DAYS)
        first = day - timedelta(days=min(RETENTION_DAYS.values()))
        before = datetime(first.year, first.month, first.day, tzinfo=UTC)
        done["segments"] += await self._batches(
            "forget_segments", **{"class": "kept", "before": before}
        )
        for (organization_id,) in await self._rows("organizations"):
            done["blobs"] += await self._batches(
                "forget_blobs", organization=organization_id, before=before
            )
        return done

    async def forget(self) -> dict[str, int]:
        """Forgets what has served; returns how many of each.

        Dedup keys after 7 days, answers after an hour, answers of the API and processes that
        fell silent after a day, waits a week after their end, what lies in the inbox for a
        scenario that is gone, order keys with nothing to do.
        """
        done = {
            name: await self._batches(f"forget_{name}")
            for name in ("seen", "answers", "idempotency", "waits", "orphans", "idle")
        }
        done["nodes"] = await self._execute("forget_nodes")
        done["woken"] = await self._execute("wake_forgotten")
        done["woken"] += await self._execute("wake_stranded")
        done["woken"] += await self._execute("free_lines")
        return done

    async def _drop_days(self, name: str, before: date) -> int:
        dropped = 0
        for (day,) in await self._rows("old_partitions", **{"class": name, "before": before}):
            try:
                if await self._value("drop_partitions", **{"class": name, "day": day}):
                    dropped += 1
                else:
                    log.warning("history.day_kept", retention=name, day=str(day), why="in use")
            except errors.LockNotAvailable:
                log.info("history.day_kept", retention=name, day=str(day), why="locked")
        return dropped

    async def _batches(self, name: str, **parameters: Any) -> int:
        total = 0
        while True:
            count = await self._execute(name, **parameters, batch=self._batch)
            total += count
            if count < self._batch:
                return total

    async def _execute(self, name: str, **parameters: Any) -> int:
        async with self._engine.connection() as connection:
            return (await connection.execute(self._sql[name], parameters)).rowcount

    async def _rows(self, name: str, **parameters: Any) -> list[Any]:
        async with self._engine.connection() as connection:
            return await (await connection.execute(self._sql[name], parameters)).fetchall()

    async def _value(self, name: str, **parameters: Any) -> Any:
        (row,) = await self._rows(name, **parameters)
        return row[0]


class Repairs(Protocol):
    """What is mended without anybody asking; each returns counts for the log."""

    async def fill_gaps(self) -> Mapping[str, int]:
        """Fetches what hooks missed while no server lived."""
        ...

    async def probe(self, now: float) -> Mapping[str, int]:
        """Looks for the effects of uncertain runs; ``now``: epoch seconds of this turn."""
        ...


@dataclass(frozen=True, slots=True)
class Chore:
    """One more job. ``name``: its own; ``cron``: when; ``work`` is given the turn's epoch seconds,
    and gives counts for the log.
    """

    name: str
    cron: str
    work: Callable[[int], Awaitable[Mapping[str, int]]]


def _register_chore(app: App, chore: Chore) -> None:
    @app.periodic(cron=chore.cron)
    @app.task(name=chore.name, queueing_lock=chore.name, lock=chore.name)
    async def work(timestamp: int) -> None:
        done = await chore.work(timestamp)
        if any(done.values()):
            log.info("maintenance.done", job=chore.name, **done, at=timestamp)


def _register_repairs(app: App, repairs: Repairs) -> None:
    @app.periodic(cron="* * * * *")
    @app.task(name="gaps", queueing_lock="gaps", lock="gaps")
    async def gaps(timestamp: int) -> None:
        done = await repairs.fill_gaps()
        if any(done.values()):
            log.info("maintenance.gaps", **done, at=timestamp)

    @app.periodic(cron="* * * * *")
    @app.task(name="probes", queueing_lock="probes", lock="probes")
    async def probes(timestamp: int) -> None:
        done = await repairs.probe(timestamp)
        if any(done.values()):
            log.info("maintenance.probes", **done, at=timestamp)


def _register(app: App, chores: Maintenance) -> None:
    # The lock keeps a chore from running twice at once; the queueing lock from piling up.
    @app.periodic(cron="7 * * * *")
    @app.task(name="partitions", queueing_lock="partitions", lock="partitions")
    async def partitions(timestamp: int) -> None:
        made = await chores.ensure_partitions()
        log.info("maintenance.partitions", made=made, at=timestamp)

    @app.periodic(cron="23 3 * * *")
    @app.task(name="history", queueing_lock="history", lock="history")
    async def history(timestamp: int) -> None:
        log.info("maintenance.history", **await chores.drop_history(), at=timestamp)

    @app.periodic(cron="*/10 * * * *")
    @app.task(name="forget", queueing_lock="forget", lock="forget")
    async def forget(timestamp: int) -> None:
        log.info("maintenance.forget", **await chores.forget(), at=timestamp)

    @app.periodic(cron="41 * * * *")
    @app.task(name="jobs", queueing_lock="jobs", lock="jobs")
    async def jobs(timestamp: int) -> None:
        await app.job_manager.delete_old_jobs(
            nb_hours=_KEEP_JOBS_HOURS,
            include_failed=True,
            include_cancelled=True,
            include_aborted=True,
        )
        log.info("maintenance.jobs", at=timestamp)

    # No lock: it frees the locks that killed workers left held. Every job here comes round again,
    # so one that was cut off is only put aside.
    @app.periodic(cron="*/5 * * * *")
    @app.task(name="stalled", queueing_lock="stalled")
    async def stalled(timestamp: int) -> None:
        cut_off = list(await app.job_manager.get_stalled_jobs())
        for job in cut_off:
            await app.job_manager.finish_job(job, Status.FAILED, delete_job=False)
        log.info("maintenance.stalled", ended=[job.task_name for job in cut_off], at=timestamp)


async def run_jobs(
    url: str,
    stop_event: asyncio.Event,
    repairs: Repairs | None = None,
    more: Sequence[Chore] = (),
) -> None:
    """Does the installation's jobs until told to stop; part of every worker process."""
    async with pool(url, "engine", 1, 2) as engine:
        chores = Maintenance(engine)
        # After a long stand there may be no partition for today, and the next turn is in an hour.
        await chores.ensure_partitions()
        app = job_app(url)
        _register(app, chores)
        if repairs is not None:
            _register_repairs(app, repairs)
        for chore in more:
            _register_chore(app, chore)
        await work(app, stop_event)
