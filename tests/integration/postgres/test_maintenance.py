from __future__ import annotations

import asyncio
import os
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from typing import Any
from uuid import UUID

import psycopg
import pytest

from junctor.adapters.jobs import job_app, work
from junctor.adapters.postgres.database import pool
from junctor.adapters.postgres.hot import Line, PostgresBacklog
from junctor.adapters.system import system_ids
from junctor.language.ids import uuid7
from junctor.runtime.maintenance import Maintenance, run_jobs
from tests.durability.kit import ORGANIZATION, plant
from tests.support import asynchronous

IDS = system_ids()
TODAY = date(2933, 6, 15)


def at(days_ago: int) -> UUID:
    day = datetime(TODAY.year, TODAY.month, TODAY.day, 12, tzinfo=UTC) - timedelta(days=days_ago)
    return uuid7(int(day.timestamp() * 1000), os.urandom(10))


class Store:
    """Rows of old days, put in as the owner."""

    def __init__(self, url: str) -> None:
        self.db = psycopg.connect(url, autocommit=True)
        self.org = IDS.new()
        self.do(
            "insert into organizations (organization_id, name, created_by) values (%s,'o','t')",
            self.org,
        )

    def do(self, query: str, *values: Any) -> None:
        self.db.execute(query, values)

    def partitions(self, days_ago: int) -> None:
        self.do("select ensure_partitions(%s, 1)", TODAY - timedelta(days=days_ago))

    def run(self, days_ago: int, retention: str, state: str, ended: str = "now()") -> UUID:
        id_ = at(days_ago)
        self.do(
            "insert into runs (organization_id, id, retention, scenario_id, version, state, actor,"
            f" started_at, ended_at) values (%s,%s,%s,%s,1,%s,'t',now(),{ended})",
            self.org,
            id_,
            retention,
            IDS.new(),
            state,
        )
        self.segment(id_, retention)
        return id_

    def segment(self, run: UUID, retention: str) -> None:
        self.do(
            "insert into segments (organization_id, run_id, retention, seq, data) "
            "values (%s,%s,%s,0,'')",
            self.org,
            run,
            retention,
        )
        self.do(
            "insert into blobs (organization_id, owner, id, size) values (%s,%s,'b',0)",
            self.org,
            run,
        )

    def left(self) -> tuple[dict[UUID, str], dict[UUID, str], set[UUID]]:
        """Runs and segments with their retention, and owners of blobs."""

        def rows(query: str) -> list[Any]:
            return self.db.execute(query, (self.org,)).fetchall()

        return (
            dict(rows("select id, retention from runs where organization_id = %s")),
            dict(rows("select run_id, retention from segments where organization_id = %s")),
            {row[0] for row in rows("select owner from blobs where organization_id = %s")},
        )

    def days(self, name: str) -> int:
        row = self.db.execute(
            "select count(*) from old_partitions(%s, %s)", (name, TODAY + timedelta(days=1))
        ).fetchone()
        assert row is not None
        return int(row[0])


@pytest.fixture
def store(database_url: str) -> Iterator[Store]:
    made = Store(database_url)
    yield made
    made.db.close()


@asynchronous
async def test_history_goes_by_its_class_and_the_unfinished_stays(
    database_url: str, store: Store
) -> None:
    for days in (8, 40, 400):
        store.partitions(days)
    gone = [
        store.run(8, "short", "finished"),
        store.run(40, "standard", "discarded"),
        store.run(400, "long", "finished"),
        store.run(9, "short", "finished"),  # of a day without a partition
    ]
    kept = [
        store.run(8, "short", "incomplete"),
        store.run(40, "standard", "uncertain"),
        store.run(400, "long", "waiting"),
    ]
    young = [store.run(7, "short", "finished"), store.run(8, "standard", "finished")]
    waiting = at(8)  # it has a journal and waits in the inbox; no row of its run yet
    store.segment(waiting, "short")
    store.do(
        "insert into inbox (organization_id, id, scenario_id, payload) values (%s,%s,%s,'')",
        store.org,
        waiting,
        IDS.new(),
    )
    async with pool(database_url, "engine", 1, 2) as engine:
        done = await Maintenance(engine, batch=2).drop_history(today=TODAY)
        assert done["kept"] == 3
        runs, segments, blobs = store.left()
        assert not set(gone) & (set(runs) | set(segments) | blobs)
        for id_ in kept:
            assert (runs[id_], segments[id_], id_ in blobs) == ("kept", "kept", True)
        assert segments[waiting] == "kept"
        assert waiting in blobs
        for id_ in young:
            assert id_ in runs
            assert id_ in segments
        again = await Maintenance(engine).drop_history(today=TODAY)
        assert (again["kept"], again["days"], again["runs"]) == (0, 0, 0)

        # What was kept goes once it has ended, and its time is over.
        store.do(
            "update runs set state = 'finished', ended_at = now() - interval '31 days' "
            "where organization_id = %s and id = %s",
            store.org,
            kept[0],
        )
        store.do("delete from inbox where organization_id = %s", store.org)
        await Maintenance(engine).drop_history(today=TODAY)
        runs, segments, blobs = store.left()
        assert kept[0] not in set(runs) | set(segments) | blobs
        assert waiting not in set(segments) | blobs
        assert kept[1] in runs


def test_a_day_in_use_is_left_for_later(store: Store) -> None:
    store.partitions(50)
    run = store.run(50, "standard", "running")
    row = store.db.execute(
        "select drop_partitions('standard', %s)", (TODAY - timedelta(days=50),)
    ).fetchone()
    assert row == (False,)
    assert run in store.left()[0]


@asynchronous
async def test_partitions_are_made_a_week_ahead(database_url: str) -> None:
    async with pool(database_url, "engine", 1, 2) as engine:
        chores = Maintenance(engine)
        assert await chores.ensure_partitions(today=date(2940, 1, 2)) == 54
        assert await chores.ensure_partitions(today=date(2940, 1, 3)) == 6


@asynchronous
async def test_remembered_things_are_forgotten_in_batches(database_url: str, store: Store) -> None:
    for n in range(7):
        age = "8 days" if n < 5 else "6 days"
        store.do(
            "insert into seen (organization_id, hook_id, key, delivery_id, seen_at) "
            "values (%s,%s,%s,%s, now() - %s::interval)",
            store.org, IDS.new(), str(n), IDS.new(), age,
        )  # fmt: skip
        store.do(
            "insert into answers (organization_id, delivery_id, status, body, created_at) "
            "values (%s,%s,200,'', now() - %s::interval)",
            store.org, IDS.new(), "61 minutes" if n < 5 else "59 minutes",
        )  # fmt: skip
        store.do(
            "insert into idempotency (organization_id, key, request, created_at) "
            "values (%s,%s,'', now() - %s::interval)",
            store.org, str(n), "25 hours" if n < 5 else "23 hours",
        )  # fmt: skip
        store.do(
            "insert into nodes (name, role, seen_at) values (%s,'worker', now() - %s::interval)",
            f"n{n}", "25 hours" if n < 5 else "1 minute",
        )  # fmt: skip
    async with pool(database_url, "engine", 1, 2) as engine:
        done = await Maintenance(engine, batch=2).forget()
        assert done == {
            "seen": 5,
            "answers": 5,
            "idempotency": 5,
            "waits": 0,
            "orphans": 0,
            "idle": 0,
            "nodes": 5,
            "woken": 0,
        }
        done = await Maintenance(engine).forget()
        assert done == {
            "seen": 0,
            "answers": 0,
            "idempotency": 0,
            "waits": 0,
            "orphans": 0,
            "idle": 0,
            "nodes": 0,
            "woken": 0,
        }


@asynchronous
async def test_what_a_worker_is_at_is_not_taken_from_under_its_hands(
    database_url: str, store: Store
) -> None:
    """It would write its next state beside the row that was kept, which would be done again."""
    store.partitions(8)
    states = ("running", "waiting", "incomplete", "uncertain")
    at_it, alone = ({state: store.run(8, "short", state) for state in states} for _ in range(2))
    later = store.run(8, "short", "waiting")
    due = [runs[state] for runs in (at_it, alone) for state in ("waiting", "incomplete")]
    store.do("update runs set due_at = now() where id = any(%s)", due)
    store.do("update runs set due_at = now() + interval '1 day' where id = %s", later)
    store.do(
        "insert into backlog (organization_id, scenario_id, lease_until) select organization_id,"
        " scenario_id, now() + interval '9 s' from runs where id = any(%s)",
        [*at_it.values(), later],
    )
    async with pool(database_url, "engine", 1, 2) as engine:
        await Maintenance(engine).drop_history(today=TODAY)
        runs, segments, _ = store.left()
        moved = {*alone.values(), later, at_it["uncertain"]}
        assert {run for run, retention in runs.items() if retention == "kept"} == moved
        assert {run for run, retention in segments.items() if retention == "kept"} == moved
        assert set(runs) - moved == {at_it[state] for state in states[:3]}  # their day stands, too
        store.do("delete from backlog")
        await Maintenance(engine).drop_history(today=TODAY)
        assert set(store.left()[0].values()) == {"kept"}


@asynchronous
async def test_deliveries_that_stand_in_no_line_are_found_as_if_their_worker_had_died(
    database_url: str, store: Store
) -> None:
    none, idle, asleep, known, parked = (plant(database_url, "{}") for _ in range(5))
    ids = {}
    for scenario in (none, idle, asleep, known, parked):
        ids[scenario] = IDS.new()
        store.do(
            "insert into inbox (organization_id, id, scenario_id, payload, parked_at) values"
            " (%s, %s, %s, '', case when %s then now() end)",
            ORGANIZATION, ids[scenario], scenario, scenario == parked,
        )  # fmt: skip
    for scenario, due in ((idle, "null"), (asleep, "now() + interval '1 day'"), (known, "null")):
        store.do(
            "insert into backlog (organization_id, scenario_id, idle, due_at)"
            f" values (%s, %s, %s, {due})",
            ORGANIZATION, scenario, scenario != known,
        )  # fmt: skip
    async with pool(database_url, "engine", 1, 2) as engine:
        assert (await Maintenance(engine).forget())["woken"] == 3
        assert (await Maintenance(engine).forget())["woken"] == 0
    line = Line(database_url, patience=5)
    claims = await PostgresBacklog(line, owner="me", lease=10).claim(64, 64)
    await line.close()
    assert {each.scenario_id: each.cautious_until for each in claims} == {
        none: ids[none],
        idle: ids[idle],
        asleep: ids[asleep],
        known: None,
    }
    store.do("truncate backlog, inbox")


@asynchronous
async def test_a_due_run_that_nobody_would_find_is_woken(database_url: str, store: Store) -> None:
    forgotten, known = store.run(0, "standard", "waiting"), store.run(0, "standard", "waiting")
    both = [forgotten, known]
    store.do("update runs set due_at = now() - interval '2 minutes' where id = any(%s)", both)
    store.do(
        "insert into backlog (organization_id, scenario_id, idle, due_at)"
        " select organization_id, scenario_id, true, due_at from runs where id = %s",
        known,
    )
    async with pool(database_url, "engine", 1, 2) as engine:
        assert (await Maintenance(engine).forget())["woken"] == 1
        assert (await Maintenance(engine).forget())["woken"] == 0
    found = store.db.execute(
        "select r.id from backlog b join runs r using (organization_id, scenario_id, order_key)"
        " where b.due_at <= now()"
    )
    assert {row[0] for row in found.fetchall()} == set(both)
    store.do("delete from backlog")


@asynchronous
async def test_what_stands_behind_a_run_that_is_over_goes_on(
    database_url: str, store: Store
) -> None:
    """There should be none: whoever ends a run lets what is behind it go on."""
    store.do("delete from runs")
    states = ("finished", "discarded", "incomplete", "uncertain", "waiting", "running")
    runs = {state: store.run(0, "standard", state) for state in states}
    runs["skipped"] = store.run(0, "standard", "incomplete")
    runs["next"], runs["after"] = (store.run(0, "standard", "finished") for _ in range(2))
    runs["owned"] = store.run(0, "standard", "finished")
    store.do("update runs set skipped = true where id = %s", runs["skipped"])
    behind = store.run(0, "standard", "incomplete")
    store.do(
        "update runs r set scenario_id = o.scenario_id from runs o where r.id = %s and o.id = %s",
        behind, runs["next"],
    )  # fmt: skip
    store.do(
        "insert into backlog (organization_id, scenario_id, idle, blocked_by_run, lease_until)"
        " select organization_id, scenario_id, true, id, case when id = %s then"
        " now() + interval '9 s' else '-infinity' end from runs where id = any(%s)",
        runs["owned"], [*runs.values()],
    )  # fmt: skip
    store.do("delete from runs where id = %s", runs["after"])  # past its retention
    async with pool(database_url, "engine", 1, 2) as engine:
        assert (await Maintenance(engine).forget())["woken"] == 5
        assert (await Maintenance(engine).forget())["woken"] == 0
    found = store.db.execute("select blocked_by_run from backlog where idle").fetchall()
    left = ("incomplete", "uncertain", "waiting", "running", "owned")
    assert {row[0] for row in found} == {runs[each] for each in left}
    found = store.db.execute("select blocked_by_run, n from backlog where not idle").fetchall()
    assert sorted(found, key=str) == [(None, 2)] * 4 + [(behind, 2)]
    store.do("delete from backlog")


@asynchronous
async def test_jobs_run_until_told_to_stop(database_url: str) -> None:
    app = job_app(database_url)
    stop = asyncio.Event()
    seen: list[str] = []

    @app.task(name="look")
    async def look() -> None:
        cursor = await app.connector.execute_query_one_async("select current_user as name")
        seen.append(cursor["name"])
        stop.set()

    async with app.open_async():
        await look.defer_async()
    async with asyncio.timeout(120):
        await work(app, stop)
    assert seen == ["junctor_engine"]


@asynchronous
async def test_the_workers_jobs_begin_and_end(database_url: str) -> None:
    stop = asyncio.Event()
    stop.set()
    async with asyncio.timeout(120):
        await run_jobs(database_url, stop)
