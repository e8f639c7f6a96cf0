"""Commits that are made twice, as their answer was lost; and those that could not be made."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from uuid import UUID

import psycopg
import pytest

from junctor.adapters.postgres.hot import PostgresLedger
from junctor.adapters.postgres.queries import load
from junctor.ports.backlog import Claim
from junctor.ports.ledger import Ledger, RunRow, Write
from tests.durability import kit
from tests.durability.kit import ORGANIZATION
from tests.integration.runtime.door import SET, WEBHOOK, flow, working
from tests.integration.runtime.test_doubt import Forgetful
from tests.integration.runtime.test_waits import sends
from tests.support import asynchronous


@asynchronous
async def test_what_somebody_decided_before_a_commit_was_made_again_stays(
    database_url: str,
) -> None:
    """The run was stored as uncertain, and settled before its worker heard that it was."""
    scenario, run, now = kit.new_id(), kit.new_id(), datetime.now(UTC)
    claim = Claim(ORGANIZATION, scenario, "", 7, 1, 1, "full", "standard")
    row = RunRow(1, "uncertain", None, None, "delivery", "hook", now, now, segments=1)

    def settle() -> None:
        with psycopg.connect(database_url, autocommit=True) as db:
            given = {"organization": ORGANIZATION, "run": run, "seq": 1, "data": b"", "blobs": []}
            assert db.execute(load("settling")["settle"], given).fetchall()

    with psycopg.connect(database_url, autocommit=True) as db:
        db.execute(
            "insert into backlog (organization_id, scenario_id, fence, lease_until)"
            " values (%s, %s, 7, now() + interval '1 minute')",
            (ORGANIZATION, scenario),
        )
        line = Forgetful(database_url, patience=5)
        line.meanwhile, line.heard = settle, 1  # which scenarios are confidential is asked first
        assert await PostgresLedger(line).commit([Write(claim, run, "standard", row=row)]) == [True]
        await line.close()
        assert line.lost
        found = db.execute("select state, due_at is null from runs where id = %s", (run,))
        assert found.fetchall() == [("waiting", False)]
        db.execute("delete from backlog")


@pytest.mark.parametrize(
    ("state", "verb", "then"),
    [
        ("waiting", "stop", "incomplete"),
        ("waiting", "discard", "discarded"),
        ("incomplete", "discard", "discarded"),
    ],
)
@asynchronous
async def test_a_stop_stays_and_nothing_stands_behind_a_run_that_was_given_up(
    state: str, verb: str, then: str, database_url: str
) -> None:
    """It waited, or had stopped, and somebody ended it before its worker heard that this is so."""
    scenario, run, now = kit.new_id(), kit.new_id(), datetime.now(UTC)
    claim = Claim(ORGANIZATION, scenario, "k:x", 7, 1, 1, "full", "standard")
    due, ended = (now + timedelta(days=1), None) if state == "waiting" else (None, now)
    row = RunRow(1, state, "time" if due else None, due, "delivery", "hook", now, ended)

    def end() -> None:
        with psycopg.connect(database_url, autocommit=True) as db:
            blocked = "select blocked_by_run from backlog where scenario_id = %s"
            assert db.execute(blocked, (scenario,)).fetchall() == [(run,)]
            given = {"organization": ORGANIZATION, "run": run, "keep": True, "actor": "Ada"}
            query = load("stops" if verb == "stop" else "hot")[verb]
            assert db.execute(query, given).fetchall()

    with psycopg.connect(database_url, autocommit=True) as db:
        db.execute(
            "insert into backlog (organization_id, scenario_id, order_key, fence, lease_until)"
            " values (%s, %s, 'k:x', 7, now() + interval '1 minute')",
            (ORGANIZATION, scenario),
        )
        line = Forgetful(database_url, patience=5)
        line.meanwhile, line.heard = end, 1
        write = Write(claim, run, "standard", row=row, due_at=due, blocks=True)
        assert await PostgresLedger(line).commit([write]) == [True]
        await line.close()
        assert line.lost
        found = db.execute("select state, due_at is null from runs where id = %s", (run,))
        assert found.fetchall() == [(then, True)]
        blocked = "select blocked_by_run from backlog where scenario_id = %s"
        stands = run if then == "incomplete" else None
        assert db.execute(blocked, (scenario,)).fetchall() == [(stands,)]
        db.execute("delete from backlog")


class Picky:
    """Refuses what runs have to say, but one, so long."""

    but: UUID | None = None

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger

    async def commit(self, writes: Sequence[Write]) -> list[bool]:
        if self.but and any(not each.last_words and each.run_id != self.but for each in writes):
            raise ValueError("this can't be stored")
        return await self._ledger.commit(writes)


@asynchronous
async def test_a_run_that_could_not_be_stored_can_be_once_that_is_mended(
    database_url: str,
) -> None:
    """Though its worker has had the scenario all the while, as another run of it goes on."""
    async with (
        kit.vendor(delay=kit.NEVER) as vendor,
        working(database_url, allow=f"127.0.0.1:{vendor.port}") as worker,
    ):
        text = flow(WEBHOOK, sends(vendor.port, "{{1.n}}"), SET)
        scenario = kit.plant(database_url, text)
        picky = worker.committer._ledger = Picky(worker.committer._ledger)
        (other,) = await kit.deliver(database_url, scenario, [25])
        await kit.until(lambda: vendor.done[25] == 1)
        vendor.delay = 0.0  # of others: this one is not answered
        with psycopg.connect(database_url, autocommit=True) as db:
            picky.but = other
            (run,) = await kit.deliver(database_url, scenario, [0])
            await kit.until(lambda: kit.states(database_url).get(run) == "incomplete")
            picky.but = None
            given = {"organization": ORGANIZATION, "run": run}
            await asyncio.to_thread(db.execute, load("hot")["resume"], given)
            await kit.until(lambda: kit.states(database_url)[run] not in {"waiting", "running"})
            assert kit.states(database_url)[run] == "finished"
            assert kit.states(database_url).get(other) not in kit.ENDED
        vendor.answer()
