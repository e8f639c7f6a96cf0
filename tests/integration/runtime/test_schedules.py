"""Schedules in the database: each instant fires once, whoever looks, stops, or sets the clock."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import psycopg
import pytest
from psycopg.types.json import Jsonb

from junctor.adapters.postgres.database import pool
from junctor.adapters.postgres.hot import Line, PostgresBacklog
from junctor.language import firings as reckoning
from junctor.language import ids
from junctor.ports.backlog import Claim
from junctor.runtime.disk import Disk
from junctor.runtime.pace import Pace
from junctor.runtime.scheduler import Scheduler, run_scheduler
from tests.durability import kit
from tests.support import asynchronous

MINUTES = {"type": "indefinitely", "interval": 600}
WEST = "Pacific/Honolulu"


class Table:
    """The database, as an onlooker with a will of his own sees it."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.db = psycopg.connect(url, autocommit=True)

    def sql(self, text: str, *values: Any) -> list[Any]:
        cursor = self.db.execute(text.encode(), values)
        return cursor.fetchall() if cursor.description else []

    def schedule(self, scheduling: dict[str, Any], **columns: Any) -> UUID:
        """A scheduled, active scenario."""
        scenario = kit.plant(self.url, "{}")
        given = {"next_at": "-infinity", **columns}
        names = "".join(f", {name}" for name in given)
        self.sql(
            "insert into schedules (organization_id, scenario_id, scheduling, updated_by"
            f"{names}) values (%s, %s, %s, 't'{', %s' * len(given)})",
            kit.ORGANIZATION,
            scenario,
            Jsonb(scheduling),
            *given.values(),
        )
        return scenario

    def row(self, scenario: UUID) -> dict[str, Any]:
        names = "next_at, last_at, last_run, missed_count, anchor_at, minute_n"
        (row,) = self.sql(
            f"select nullif(next_at, '-infinity'), {names.partition(', ')[2]}"
            " from schedules where scenario_id = %s",
            scenario,
        )
        return dict(zip(names.split(", "), row, strict=True))

    def shift(self, by: timedelta) -> None:
        """What was due at one time is due ``by`` earlier: the clock went on by that much."""
        self.sql(
            "update schedules set next_at = next_at - %s, last_at = last_at - %s,"
            " anchor_at = anchor_at - %s, minute_at = minute_at - %s",
            *[by] * 4,
        )

    def inbox(self) -> list[UUID]:
        return [row[0] for row in self.sql("select id from inbox order by id")]

    def end(self) -> None:
        """All runs end."""
        self.sql("delete from inbox")

    def switch(self, scenario: UUID, *, on: bool) -> None:
        self.sql("update scenarios set active = %s where id = %s", on, scenario)


@pytest.fixture
def table(database_url: str) -> Iterator[Table]:
    made = Table(database_url)
    made.sql("truncate inbox, backlog, runs, segments, scenarios, schedules, organizations cascade")
    yield made
    made.db.close()


@asynccontextmanager
async def scheduling(table: Table, count: int = 1) -> AsyncIterator[list[Scheduler]]:
    async with pool(table.url, "engine", count, count) as engine:
        yield [Scheduler(engine) for _ in range(count)]


@asynchronous
async def test_a_schedule_begins_at_once_and_goes_on(table: Table) -> None:
    scenario = table.schedule(MINUTES)
    async with scheduling(table) as (it,):
        assert await it.turn() == 1  # planned
        planned = table.row(scenario)
        assert planned["next_at"] == planned["anchor_at"]
        assert await it.turn() == 1  # fired
        fired = table.row(scenario)
        assert fired["last_at"] == planned["anchor_at"]
        assert fired["next_at"] == planned["anchor_at"] + timedelta(minutes=10)
        assert table.inbox() == [fired["last_run"]]
        assert (
            abs(ids.milliseconds(fired["last_run"]) - fired["last_at"].timestamp() * 1000) < 1.001
        )
        ((key, idle),) = table.sql("select order_key, idle from backlog")
        assert (key, idle) == ("~manual", False)
        assert await it.turn() == 0
        assert 0 < await it.pause() <= 1.0


@asynchronous
async def test_many_schedulers_fire_each_instant_once(table: Table) -> None:
    scenarios = [table.schedule(MINUTES) for _ in range(40)]
    async with scheduling(table, 4) as its:
        for _ in range(6):
            for _ in range(3):
                await asyncio.gather(*(it.turn() for it in its))
            assert len(table.inbox()) == 40
            table.end()
            table.shift(timedelta(minutes=10))
    assert {table.row(each)["missed_count"] for each in scenarios} == {0}


@asynchronous
async def test_a_scheduler_that_dies_in_between_fires_nothing_and_the_next_one_does(
    table: Table, monkeypatch: pytest.MonkeyPatch
) -> None:
    scenario = table.schedule(MINUTES)
    async with scheduling(table, 2) as (first, second):
        await first.turn()
        before = table.row(scenario)
        monkeypatch.setattr(first, "_sql", {**first._sql, "advance": "select 1 / 0"})
        with pytest.raises(psycopg.errors.DivisionByZero):
            await first.turn()
        assert table.inbox() == []
        assert table.row(scenario) == before
        await second.turn()
        assert table.inbox() == [table.row(scenario)["last_run"]]


@pytest.mark.parametrize("missed", ["skip", "once"])
@asynchronous
async def test_without_room_nothing_fires_and_what_was_due_is_missed(
    table: Table, missed: str
) -> None:
    scenario = table.schedule(MINUTES, missed=missed)
    room = [(1 << 40, 1 << 40)]
    disk = Disk({"here": Path()}, probe=lambda _path: room[0])
    disk.look()
    async with pool(table.url, "engine", 1, 1) as engine:
        it = Scheduler(engine, disk)
        assert [await it.turn(), await it.turn()] == [1, 1]  # planned, fired
        table.end()
        table.shift(timedelta(minutes=25))
        room[0] = (0, 1 << 40)
        disk.look()
        before = table.row(scenario)
        assert (await it.turn(), await it.pause()) == (0, 1.0)
        assert (table.row(scenario), table.inbox()) == (before, [])
        room[0] = (1 << 40, 1 << 40)
        disk.look()
        assert await it.turn() == 1
        after = table.row(scenario)
        assert after["missed_count"] == (2 if missed == "skip" else 1)
        assert len(table.inbox()) == (0 if missed == "skip" else 1)


@asynchronous
async def test_a_database_that_says_its_disk_is_full_is_left_alone_for_a_while(
    table: Table, monkeypatch: pytest.MonkeyPatch
) -> None:
    table.schedule(MINUTES)
    now = [0.0]
    disk = Disk({}, clock=lambda: now[0])
    async with pool(table.url, "engine", 1, 1) as engine:
        it = Scheduler(engine, disk)
        full = "do $$ begin raise exception 'full' using errcode = '53100'; end $$"
        with monkeypatch.context() as patch:
            patch.setattr(it, "_sql", {**it._sql, "due": full})
            assert await it.turn() == 0
        assert disk.full
        assert await it.turn() == 0
        now[0] = 10.0
        assert await it.turn() == 1


@pytest.mark.parametrize(
    ("missed", "instants", "count"), [("skip", 0, 7), ("once", 1, 6), ("all", 7, 0)]
)
@asynchronous
async def test_firings_missed_in_a_downtime(
    table: Table, missed: str, instants: int, count: int
) -> None:
    scenario = table.schedule(MINUTES, missed=missed)
    async with scheduling(table) as (it,):
        await it.turn()
        await it.turn()
        table.end()
        table.shift(timedelta(minutes=75))  # 10, 20 … 70 were due
        fired = []
        while await it.turn():
            fired += table.inbox()
            table.end()
        row = table.row(scenario)
        assert len(set(fired)) == len(fired) == instants
        assert row["missed_count"] == count
        (((ahead,),)) = table.sql("select next_at - clock_timestamp() from schedules")
        assert timedelta(minutes=4) < ahead < timedelta(minutes=6)


@asynchronous
async def test_a_clock_set_back_or_ahead_fires_nothing_twice(table: Table) -> None:
    scenario = table.schedule(MINUTES)
    async with scheduling(table) as (it,):
        await it.turn()
        await it.turn()
        instants = [table.row(scenario)["last_at"]]
        for jump in (-3600, 3600, 600, 3600, -3600, 3600, 600):
            table.end()
            instants = [each - timedelta(seconds=jump) for each in instants]
            table.shift(timedelta(seconds=jump))
            while await it.turn():
                instants.append(table.row(scenario)["last_at"])
                table.end()
        assert instants == sorted(set(instants))
        assert len(instants) == 4  # set back, it waits for the time it had come to


@asynchronous
async def test_nothing_fires_while_the_last_one_runs(table: Table) -> None:
    scenario = table.schedule(MINUTES)
    async with scheduling(table) as (it,):
        await it.turn()
        await it.turn()
        table.shift(timedelta(minutes=35))
        assert await it.turn() == 0
        assert 0 < await it.pause() <= 1.0
        assert len(table.inbox()) == 1
        table.end()
        assert await it.turn() == 1  # the last of the three
        assert table.row(scenario)["missed_count"] == 2
        table.sql("update inbox set parked_at = now()")  # one that can't run is no reason to wait
        table.shift(timedelta(minutes=10))
        assert await it.turn() == 1


@asynchronous
async def test_it_fires_only_while_the_scenario_is_on(table: Table) -> None:
    scenario = table.schedule(MINUTES)
    async with scheduling(table) as (it,):
        await it.turn()
        table.switch(scenario, on=False)
        assert table.row(scenario)["next_at"] is None
        assert await it.turn() == 0
        table.switch(scenario, on=True)
        assert await it.turn() == 1
        assert await it.turn() == 1
        assert len(table.inbox()) == 1
        table.sql("update schedules set paused = true, next_at = null")
        table.switch(scenario, on=False)
        table.switch(scenario, on=True)
        assert await it.turn() == 0


@asynchronous
async def test_switched_off_before_a_turn_sees_it(table: Table) -> None:
    """The turn waits for nobody: a row that is being changed is left to the next turn."""
    scenario = table.schedule(MINUTES)
    async with scheduling(table) as (it,):
        await it.turn()
        with psycopg.connect(table.url) as other:
            other.execute("update scenarios set active = false where id = %s", (scenario,))
            assert await it.turn() == 0
        assert await it.turn() == 0
        assert table.inbox() == []


@asynchronous
async def test_another_zone_means_other_instants(table: Table) -> None:
    scenario = table.schedule({"type": "daily", "time": "12:00"})
    own = table.schedule({"type": "daily", "time": "12:00"}, zone="Asia/Tokyo")
    async with scheduling(table) as (it,):
        await it.turn()
        assert table.row(scenario)["next_at"].astimezone(UTC).hour == 12
        assert table.row(own)["next_at"].astimezone(UTC).hour == 3
        table.sql("update organizations set zone = 'Asia/Kolkata'")
        assert await it.turn() == 1
        found = table.row(scenario)["next_at"].astimezone(UTC)
        assert (found.hour, found.minute) == (6, 30)


@asynchronous
async def test_what_can_not_be_used_rests(table: Table) -> None:
    bad = table.schedule({"type": "sometimes"})
    nowhere = table.schedule({"type": "daily", "time": "12:00"}, zone="Nowhere/Else")
    over = table.schedule({"type": "once", "date": "2001-01-01T00:00"})
    async with scheduling(table) as (it,):
        assert await it.turn() == 3
        assert {table.row(each)["next_at"] for each in (bad, nowhere, over)} == {None}
        assert await it.turn() == 0
        assert table.inbox() == []


@asynchronous
async def test_one_that_nobody_can_reckon_with_keeps_no_other_from_firing(
    table: Table, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Somebody else's schedule, whatever is wrong with it, is nobody's hindrance."""
    table.schedule({"type": "once", "date": "0001-01-01T00:00"}, zone="Asia/Tokyo")
    table.schedule({"type": "daily", "time": "12:00", "between": [None, "9999-12-31"]}, zone=WEST)
    odd = table.schedule({"type": "indefinitely", "interval": 77})
    good = table.schedule(MINUTES)
    reckoned = reckoning.firings

    def failing(schedule: Any, *given: Any, **more: Any) -> Any:
        if schedule.interval == 77:
            raise ZeroDivisionError
        return reckoned(schedule, *given, **more)

    monkeypatch.setattr("junctor.runtime.scheduler.firings", failing)
    async with scheduling(table) as (it,):
        assert await it.turn() == 4
        assert await it.turn() == 1
        assert table.row(odd)["next_at"] is None
        assert table.inbox() == [table.row(good)["last_run"]]


@asynchronous
async def test_one_made_up_late_is_not_forgotten_at_once(table: Table) -> None:
    scenario = table.schedule({"type": "yearly", "months": [1], "days": [1], "time": "00:00"})
    due = datetime.now(UTC) - timedelta(days=200)
    table.sql("update schedules set next_at = %s", due)
    async with scheduling(table) as (it,):
        await it.turn()
        row = table.row(scenario)
        age = datetime.now(UTC).timestamp() - ids.milliseconds(row["last_run"]) / 1000
        assert age < 60
        assert row["last_at"] == due


@asynchronous
async def test_it_fires_by_itself_until_told_to_stop(table: Table) -> None:
    table.schedule(MINUTES)
    stop = asyncio.Event()
    task = asyncio.create_task(run_scheduler(table.url, stop))
    await kit.until(lambda: len(table.inbox()) == 1)
    stop.set()
    await task


def _claim(scenario: UUID, key: str = "") -> Claim:
    return Claim(kit.ORGANIZATION, scenario, key, 1, 1, 1, "full", "standard")


@asynchronous
async def test_only_so_many_runs_start_in_a_minute(table: Table) -> None:
    scenario = table.schedule({"type": "immediately"}, next_at=None, max_per_minute=10)
    free = kit.plant(table.url, "{}")
    line = Line(table.url, patience=5)
    pace, other = Pace(line), Pace(line)
    first, second, manual, others = (
        _claim(scenario),
        _claim(scenario, "k:1"),
        _claim(scenario, "~manual"),
        _claim(free),
    )
    try:
        assert await pace.grant([]) == []
        assert await pace.grant([(first, 6), (manual, 9), (others, 500)]) == [
            (first, 6),
            (manual, 9),
            (others, 500),
        ]
        await pace.used(first, 4)  # there were only four: two places are free again
        await pace.used(manual, 9)
        assert table.row(scenario)["minute_n"] == 4
        assert await other.grant([(second, 100)]) == [(second, 6)]
        await other.used(second, 6)
        assert await pace.grant([(first, 1)]) == []
        assert first.paced
        table.sql("update schedules set minute_at = minute_at - interval '61 s'")
        assert await pace.grant([(first, 1)]) == []  # it knows without asking
        first.paced_until = 0.0
        assert await pace.grant([(first, 1)]) == [(first, 1)]
        table.sql("update schedules set max_per_minute = null")
        first.paced_until = 0.0
        assert await pace.grant([(first, 99)]) == [(first, 99)]
    finally:
        await line.close()


@asynchronous
async def test_a_full_minute_delays_a_firing_too(table: Table) -> None:
    scenario = table.schedule(MINUTES, max_per_minute=1)
    async with scheduling(table) as (it,):
        await it.turn()
        await it.turn()
        assert table.row(scenario)["minute_n"] == 1
        table.end()
        table.sql("update schedules set next_at = clock_timestamp()")
        assert await it.turn() == 0
        table.sql("update schedules set minute_at = minute_at - interval '61 s'")
        assert await it.turn() == 1


@asynchronous
async def test_a_firing_is_claimed_with_runs_by_hand(table: Table) -> None:
    """One line for both: polls of one scenario must not overlap."""
    scenario = table.schedule(MINUTES)
    async with scheduling(table) as (it,):
        await it.turn()
        await it.turn()
    line = Line(table.url, patience=5)
    try:
        backlog = PostgresBacklog(line, owner="me", lease=10)
        (claim,) = await backlog.claim(64, 64)
        assert (claim.scenario_id, claim.order_key) == (scenario, "~manual")
        ((_, (taken,)),) = await backlog.take([(claim, 16)], [])
        assert taken.id == table.row(scenario)["last_run"]
    finally:
        await line.close()
