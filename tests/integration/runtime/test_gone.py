"""Deliveries for scenarios that are deleted a moment ago: nobody would ever do them."""

from __future__ import annotations

from typing import Any
from uuid import UUID

import psycopg
import pytest

from junctor.adapters.postgres.calls import PostgresCalls
from junctor.adapters.postgres.database import pool
from junctor.adapters.postgres.hot import Line
from junctor.errors import NotFound
from junctor.runtime.maintenance import Maintenance
from tests.durability.kit import ORGANIZATION, new_id, plant
from tests.integration.runtime.door import SET, WEBHOOK, door, flow, plant_hook
from tests.support import asynchronous

DELETE = "delete from scenarios where id = %s"


def scenario_of(db: psycopg.Connection[Any], path: str) -> UUID:
    query = "select scenario_id from hooks where token = %s"
    ((scenario,),) = db.execute(query, (path.removeprefix("/hook/"),)).fetchall()
    assert isinstance(scenario, UUID)
    return scenario


def stored(url: str, scenario: UUID) -> int:
    with psycopg.connect(url, autocommit=True) as db:
        query = "select count(*) from inbox where scenario_id = %s"
        ((count,),) = db.execute(query, (scenario,)).fetchall()
        return int(count)


def hears_nothing(it: Any) -> None:
    """Of changes of its hooks, as if they had been made this very moment."""
    it.ingest._forget_hooks = lambda: None


@pytest.mark.parametrize("headers", [{}, {"idempotency_key": "k"}])
@asynchronous
async def test_what_a_door_takes_for_a_scenario_just_deleted_is_not_acknowledged(
    headers: dict[str, str], database_url: str
) -> None:
    path = plant_hook(database_url, flow(WEBHOOK, SET))
    async with door(database_url) as it:
        hears_nothing(it)
        token = path.removeprefix("/hook/")
        with psycopg.connect(database_url) as db:
            scenario, known = scenario_of(db, path), await it.ingest._hooks.get(token)
            db.execute(DELETE, (scenario,))
        it.ingest._hooks._cache[token] = (float("inf"), known)
        assert (await it.post(path, b"{}", **headers)).status == 404
        assert stored(database_url, scenario) == 0
        assert (await it.post(path, b"{}", **headers)).status == 404


@asynchronous
async def test_a_hook_that_was_moved_meanwhile_asks_for_it_again(database_url: str) -> None:
    """What the door knew was the scenario of before: to say "not found" would be a lie."""
    path, other = (plant_hook(database_url, flow(WEBHOOK, SET)) for _ in range(2))
    async with door(database_url) as it:
        hears_nothing(it)
        with psycopg.connect(database_url) as db:
            gone, stays = scenario_of(db, path), scenario_of(db, other)
            token = path.removeprefix("/hook/")
            known = await it.ingest._hooks.get(token)
            db.execute("update hooks set scenario_id = %s where token = %s", (stays, token))
            db.execute(DELETE, (gone,))
        it.ingest._hooks._cache[token] = (float("inf"), known)
        told = await it.post(path, b"{}", idempotency_key="k")
        assert (told.status, told.headers["retry-after"]) == (503, "1")
        assert (await it.post(path, b"{}", idempotency_key="k")).status == 200
    assert (stored(database_url, gone), stored(database_url, stays)) == (0, 1)


@asynchronous
async def test_a_call_of_a_scenario_that_was_just_deleted_fails(database_url: str) -> None:
    """Its caller would wait for it for ever."""
    scenario = plant(database_url, flow(WEBHOOK, SET))
    line = Line(database_url, patience=0)
    calls = PostgresCalls(line)

    async def begin(run: UUID) -> None:
        await calls.begin(ORGANIZATION, scenario, run, order_key="", payload=b"")

    known = new_id()
    with psycopg.connect(database_url, autocommit=True) as db:
        await begin(known)
        db.execute(DELETE, (scenario,))
    await begin(known)  # it was made before
    with pytest.raises(NotFound):
        await begin(new_id())
    await line.close()
    assert stored(database_url, scenario) == 1


@asynchronous
async def test_what_was_stored_for_a_scenario_that_is_gone_is_forgotten(database_url: str) -> None:
    """By a release that did not look."""
    gone, stays = (plant(database_url, flow(WEBHOOK, SET)) for _ in range(2))
    put = "insert into {} (organization_id, scenario_id{}) values (%s, %s{})"
    with psycopg.connect(database_url, autocommit=True) as db:
        for scenario in (gone, stays):
            db.execute(
                put.format("inbox", ", id, payload", ", %s, ''"),
                (ORGANIZATION, scenario, new_id()),
            )
            db.execute(put.format("backlog", "", ""), (ORGANIZATION, scenario))
        db.execute(DELETE, (gone,))
        async with pool(database_url, "engine", 1, 2) as engine:
            assert (await Maintenance(engine).forget())["orphans"] >= 1
        assert (stored(database_url, gone), stored(database_url, stays)) == (0, 1)
        lines = "select scenario_id from backlog where scenario_id = any(%s)"
        assert db.execute(lines, ([gone, stays],)).fetchall() == [(stays,)]
