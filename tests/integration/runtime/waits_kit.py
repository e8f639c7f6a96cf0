"""Scenarios that ask a person and wait for the reply, and the hook that the replies come to."""

from __future__ import annotations

import asyncio
import json
import time
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import psycopg

from junctor.adapters.postgres.database import pool
from junctor.adapters.postgres.hot import Line, PostgresInbox
from junctor.adapters.vault import MasterKeys, PostgresVault
from junctor.engine.journal import Tag, decode_segment
from junctor.language.connector import Delivery
from junctor.ports.inbox import NewDelivery
from junctor.runtime.envelope import pack_call
from junctor.runtime.flight import segment_aad
from junctor.runtime.worker import Worker
from tests.durability import kit
from tests.integration.runtime.door import flow

WAIT: dict[str, Any] = {
    "hook": "replies",
    "match": [{"field": "from", "value": "{{1.n}}"}],
    "limit": 1,
    "unit": "hours",
}
START: tuple[str, dict[str, Any]] = ("gateway:CustomWebHook", {})


def asking(
    *before: tuple[str, dict[str, Any]], wait: dict[str, Any] | None = None, **rest: Any
) -> str:
    """Start → … → wait for the reply of the person `n`."""
    return flow(START, *before, ("wait:Delivery", wait or WAIT), **rest)


def cleared(url: str) -> None:
    """As if nothing had been there: the tests of a file share a database."""
    with psycopg.connect(url, autocommit=True) as db:
        db.execute("truncate waits, inbox, backlog, runs, segments, hooks, scenarios cascade")


def hook_of(url: str, scenario: UUID, name: str = "replies") -> UUID:
    """Gives a scenario's trigger a hook."""
    hook = kit.new_id()
    with psycopg.connect(url, autocommit=True) as db:
        db.execute(
            "insert into hooks (organization_id, id, team_id, scenario_id, module, name, connector,"
            " kind, token, created_by, updated_by)"
            " values (%s, %s, %s, %s, 1, %s, 'gateway', 'CustomWebHook', %s, 't', 't')",
            (kit.ORGANIZATION, hook, kit.TEAM, scenario, name, hook.hex),
        )
    return hook


def replies(url: str, **settings: Any) -> tuple[UUID, UUID]:
    """The scenario that replies start, and its hook."""
    sets = {"scope": "roundtrip", "variables": [{"name": "n", "value": "{{1.text}}"}]}
    scenario = kit.plant(url, flow(START, ("util:SetVariables", sets), **settings))
    return scenario, hook_of(url, scenario)


async def reply(url: str, scenario: UUID, hook: UUID, key: str = "", **body: Any) -> UUID:
    """An acknowledged delivery to the hook."""
    run = kit.new_id()
    call = Delivery(
        id="", method="POST", query=(), headers={"content-type": "application/json"},
        body=json.dumps(body).encode(), received_at=datetime.now(UTC),
    )  # fmt: skip
    line = Line(url, patience=5)
    try:
        await PostgresInbox(line).accept(
            [NewDelivery(kit.ORGANIZATION, run, scenario, key, hook, pack_call(call), None, None)]
        )
    finally:
        await line.close()
    return run


def rows(url: str, query: str, *parameters: Any) -> list[tuple[Any, ...]]:
    with psycopg.connect(url, autocommit=True) as db:
        return db.execute(query, parameters).fetchall()


async def asleep(url: str, count: int = 1, *, reason: str = "delivery") -> list[UUID]:
    """Runs that wait, once there are so many and they have looked back."""
    until = time.monotonic() + kit.PATIENCE
    with psycopg.connect(url, autocommit=True) as db:  # one: a new one costs more than the look
        while True:
            if time.monotonic() > until:
                left = rows(url, "select state, wait_reason, due_at, error from runs")
                raise AssertionError(f"not waiting: {left}")
            found = db.execute(
                "select r.id from runs r join waits w on w.run_id = r.id and w.closed_at is null"
                " where r.state = 'waiting' and r.wait_reason = %s and w.looked"
                " and w.answered_at is null and r.due_at = w.until order by r.id",
                (reason,),
            ).fetchall()
            if len(found) == count:
                return [row[0] for row in found]
            await asyncio.sleep(0.01)


async def execute(url: str, *statements: str, **parameters: Any) -> None:
    """Beside a worker of this process: it must go on while a lock of its is waited for."""
    async with await psycopg.AsyncConnection.connect(url, autocommit=True) as db:
        for statement in statements:
            await db.execute(statement, parameters or None)


async def stopped_by_its_worker(url: str, worker: Worker, run: UUID, *, keep: bool) -> None:
    """Its worker comes back to the wait, and finds that somebody wants the run to end."""
    soon = "update runs set due_at = now() + interval '{} s' where id = %(run)s"
    await execute(
        url,
        soon.format(15),
        "insert into stops (organization_id, run_id, keep, actor)"
        " select organization_id, id, %(keep)s, 'Ada' from runs where id = %(run)s",
        "notify junctor_stop",
        keep=keep, run=run,
    )  # fmt: skip
    await kit.until(lambda: run in worker._stops._wished)
    await execute(
        url, soon.format(0), "update backlog set due_at = now() where due_at is not null",
        "notify junctor_wake", run=run,
    )  # fmt: skip
    ended = "incomplete" if keep else "discarded"
    await kit.until(lambda: kit.states(url)[run] == ended)


async def over(url: str) -> None:
    """The time of all waits is over."""
    await execute(
        url,
        "update waits set until = clock_timestamp() where closed_at is null",
        "update runs set due_at = now() where state = 'waiting'",
        "update backlog set due_at = now() where due_at is not null",
        "notify junctor_wake",
    )


async def outcomes(url: str, run: UUID, module: int) -> list[Any]:
    """All that a run's journal has as the output of a module."""
    async with pool(url, "engine", 1, 1) as engine:
        keyring = await PostgresVault(engine, MasterKeys({"test": bytes(32)})).keyring(
            kit.ORGANIZATION
        )
    found = []
    for seq, data in rows(
        url, "select seq, data from segments where run_id = %s order by seq", run
    ):
        raw = keyring.open(data, segment_aad(kit.ORGANIZATION, run, seq))
        found += [
            record[5]
            for record in decode_segment(raw)
            if record[0] == Tag.OPERATION and record[2] == module
        ]
    return found
