"""Scenarios with data stores, run by a worker: what is committed, and by whom."""

from __future__ import annotations

import json
from typing import Any
from uuid import UUID

import psycopg

from tests.durability import kit
from tests.integration.runtime.door import SET, WEBHOOK, flow, idle, working
from tests.support import asynchronous

FAILS: tuple[str, dict[str, Any]] = ("json:ParseJSON", {"json": "{"})


def stored(url: str, text: str, modules: tuple[int, ...]) -> tuple[UUID, UUID]:
    """A scenario whose modules are bound to a new store; both ids."""
    scenario, store = kit.plant(url, text), kit.new_id()
    with psycopg.connect(url) as db:
        db.execute(
            "insert into data_stores (organization_id, id, team_id, name, created_by, updated_by)"
            " values (%s, %s, %s, 'd', 't', 't')",
            (kit.ORGANIZATION, store, kit.TEAM),
        )
        bindings = {"stores": {str(module): str(store) for module in modules}}
        db.execute(
            "update scenario_versions set bindings = %s where scenario_id = %s",
            (json.dumps(bindings), scenario),
        )
    return scenario, store


def records(url: str, store: UUID) -> dict[str, Any]:
    with psycopg.connect(url) as db:
        cursor = db.execute(
            "select key, data from data_store_records where store_id = %s", (store,)
        )
        return dict(cursor.fetchall())


@asynchronous
async def test_a_scenario_keeps_and_finds_records(database_url: str) -> None:
    found = {"of": "{{5.key}}", "n": "{{5.data.n}}"}
    text = flow(
        WEBHOOK,
        SET,
        ("datastore:AddRecord", {"key": "p-{{2.n}}", "data": {"n": "{{2.n}}", "at": "{{now}}"}}),
        ("datastore:UpdateRecord", {"key": "{{3.key}}", "data": {"tags": '{{split("a,b"; ",")}}'}}),
        ("datastore:SearchRecord", {"filter": [[{"a": "tags", "b": "b", "o": "array:contain"}]]}),
        ("datastore:AddRecord", {"key": "found", "overwrite": True, "data": found}),
        ("datastore:DeleteRecord", {"key": "p-{{2.n}}"}),
    )
    scenario, store = stored(database_url, text, (3, 4, 5, 6, 7))
    async with working(database_url):
        runs = await kit.deliver(database_url, scenario, [7])
        assert set((await kit.settle(database_url, runs)).values()) == {"finished"}
        assert records(database_url, store) == {"found": {"of": "p-7", "n": 7}}
        await idle(database_url)


@asynchronous
async def test_runs_at_the_same_time_do_not_lose_each_others_changes(database_url: str) -> None:
    change = {"key": "all", "upsert": True, "data": {"numbers": '{{split(2.n; ",")}}'}}
    text = flow(WEBHOOK, SET, ("datastore:UpdateRecord", change))
    scenario, store = stored(database_url, text, (3,))
    async with working(database_url):
        runs = await kit.deliver(database_url, scenario, range(30))
        assert set((await kit.settle(database_url, runs)).values()) == {"finished"}
        numbers = records(database_url, store)["all"]["numbers"]
        assert sorted(map(int, numbers)) == list(range(30))
        await idle(database_url)


@asynchronous
async def test_without_auto_commit_a_failure_takes_all_back(database_url: str) -> None:
    put = ("datastore:AddRecord", {"key": "n{{2.n}}", "data": {}})
    cases: list[tuple[bool, dict[str, Any]]] = [(True, {"n1": {}}), (False, {})]
    for auto, left in cases:
        text = flow(WEBHOOK, SET, put, FAILS, autoCommit=auto)
        scenario, store = stored(database_url, text, (3,))
        async with working(database_url):
            runs = await kit.deliver(database_url, scenario, [1])
            assert set((await kit.settle(database_url, runs)).values()) <= {
                "incomplete",
                "discarded",
            }
            assert records(database_url, store) == left
