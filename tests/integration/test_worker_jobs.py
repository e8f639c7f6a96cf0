"""The installation's jobs are done by worker processes, and never end one."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psycopg
import pytest
from psycopg.conninfo import conninfo_to_dict

from junctor.adapters.jobs import job_app
from junctor.app import worker_process
from junctor.app.worker_process import keep_house
from tests.durability.kit import ORGANIZATION, plant
from tests.integration.runtime.door import flow
from tests.support import SOURCE, asynchronous, run

PARTITIONS = "select count(*) from pg_class where relname ~ '^runs_.*[0-9]{8}$'"


@contextmanager
def worker(url: str, folder: Path) -> Iterator[subprocess.Popen[bytes]]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith("JUNCTOR_")}
    env = {
        **kept,
        "PYTHONPATH": str(SOURCE.parent),
        "JUNCTOR_DATABASE_URL": url,
        "JUNCTOR_DATA_DIR": str(folder),
    }
    process = subprocess.Popen(
        [sys.executable, "-m", "junctor", "worker"], env=env, stderr=subprocess.DEVNULL
    )
    try:
        yield process
    finally:
        process.terminate()
        assert process.wait(120) == 0


def until(db: psycopg.Connection[Any], query: str, wanted: object, *, within: float = 120) -> None:
    end = time.monotonic() + within
    found: object = None
    while time.monotonic() < end:
        row = db.execute(query).fetchone()
        assert row is not None
        found = row[0]
        if found == wanted:
            return
        time.sleep(0.02)
    raise AssertionError(f"{query}: {found!r}, not {wanted!r}")


async def ask(url: str, name: str) -> None:
    """Asks for one job now, as the clock will."""
    app = job_app(url)
    async with app.open_async():
        await app.configure_task(name).defer_async(timestamp=0)


def test_a_worker_process_makes_partitions_and_cleans(database_url: str, tmp_path: Path) -> None:
    with psycopg.connect(database_url, autocommit=True) as db:
        db.execute(
            "select drop_partitions(class, day::date) "
            "from unnest(array['short', 'standard', 'long']) class, "
            "generate_series(now() - interval '3 days', now() + interval '9 days', '1 day') day"
        )
        until(db, PARTITIONS, 0)
        db.execute(
            "insert into idempotency (organization_id, key, request, created_at) values "
            "(gen_random_uuid(), 'old', '', now() - interval '2 days'), "
            "(gen_random_uuid(), 'new', '', now())"
        )
        run(ask(database_url, "forget"))
        with worker(database_url, tmp_path):
            until(db, "select array_agg(key) from idempotency", ["new"])
        row = db.execute(PARTITIONS).fetchone()
        assert row is not None
        assert row[0] > 0


def test_a_worker_process_ends_though_its_database_is_away(
    database_url: str, tmp_path: Path
) -> None:
    name = conninfo_to_dict(database_url)["dbname"]
    theirs = f"from pg_stat_activity where datname = '{name}'"
    with psycopg.connect(database_url, dbname="postgres", autocommit=True) as db:
        try:
            with worker(database_url, tmp_path):
                jobs = f"select count(*) > 1 {theirs} and application_name = 'junctor jobs'"
                until(db, jobs, True)
                db.execute(f'alter database "{name}" allow_connections false')
                db.execute(f"select pg_terminate_backend(pid) {theirs}")
        finally:
            db.execute(f'alter database "{name}" allow_connections true')


@asynchronous
async def test_a_lost_database_interrupts_the_jobs_only(database_url: str) -> None:
    stop = asyncio.Event()
    house = asyncio.create_task(keep_house(database_url, stop, delay=0, pause=0.1))
    mine = "application_name = 'junctor jobs' and datname = current_database()"
    with psycopg.connect(database_url, autocommit=True) as db:
        await asyncio.to_thread(
            until, db, f"select count(*) > 0 from pg_stat_activity where {mine}", True
        )
        row = db.execute(f"select array_agg(pid) from pg_stat_activity where {mine}").fetchone()
        assert row is not None
        for pid in row[0]:
            db.execute("select pg_terminate_backend(%s, 5000)", (pid,))
        # One of them may be taken by what is just being lost; that one is freed by `stalled`.
        await ask(database_url, "forget")
        await ask(database_url, "partitions")
        done = (
            "select exists (select from procrastinate.procrastinate_jobs "
            "where task_name in ('forget', 'partitions') and args->>'timestamp' = '0' "
            "and status = 'succeeded')"
        )
        await asyncio.to_thread(until, db, done, True)
    assert not house.done()
    stop.set()
    await house


@asynchronous
async def test_a_job_that_a_killed_worker_held_is_freed(database_url: str) -> None:
    with psycopg.connect(database_url, autocommit=True) as db:
        db.execute("set search_path = procrastinate")
        db.execute("delete from procrastinate_jobs")
        await ask(database_url, "partitions")
        jobs = "procrastinate_jobs"
        db.execute(f"update {jobs} set status = 'doing', lock = 'partitions' where status = 'todo'")
        await ask(database_url, "stalled")
        stop = asyncio.Event()
        house = asyncio.create_task(keep_house(database_url, stop, delay=0))
        query = f"select status::text from {jobs} where lock = 'partitions'"
        await asyncio.to_thread(until, db, query, "failed")
        stop.set()
        await house


def test_a_worker_process_fires_schedules(database_url: str, tmp_path: Path) -> None:
    name = {"name": "n", "value": "1"}
    scenario = plant(
        database_url,
        flow(("util:SetVariables", {"scope": "roundtrip", "variables": [name]})),
    )
    with psycopg.connect(database_url, autocommit=True) as db:
        db.execute(
            "insert into schedules (organization_id, scenario_id, scheduling, next_at, updated_by)"
            " values (%s, %s, %s::jsonb, '-infinity', 't')",
            (ORGANIZATION, scenario, '{"type": "indefinitely", "interval": 86400}'),
        )
        with worker(database_url, tmp_path):
            until(
                db, "select array_agg(array[trigger, state]) from runs", [["schedule", "finished"]]
            )
        rows = db.execute("select next_at - anchor_at = '1 day' from schedules").fetchall()
        assert rows == [(True,)]


@asynchronous
async def test_schedules_are_looked_at_again_after_their_database_was_away(
    database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    tried: list[str] = []
    stop = asyncio.Event()

    async def away(url: str, stop_event: asyncio.Event, _disk: object) -> None:
        tried.append(url)
        if len(tried) == 3:
            stop_event.set()
            return
        raise psycopg.OperationalError("the server closed the connection\nunexpectedly")

    monkeypatch.setattr(worker_process, "run_scheduler", away)
    async with asyncio.timeout(120):
        await worker_process.keep_time(database_url, stop, pause=0.0)
    assert tried == [database_url] * 3
