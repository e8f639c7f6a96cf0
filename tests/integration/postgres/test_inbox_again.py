"""A batch stored again, as nobody heard of its commit: what was done meanwhile stays done."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from typing import Any
from uuid import UUID

import psycopg
import pytest
from psycopg import AsyncConnection, AsyncCursor

from junctor.adapters.postgres.hot import Line, PostgresInbox
from junctor.ports.inbox import NewDelivery
from tests.durability.kit import ORGANIZATION, new_id, plant
from tests.integration.runtime.door import SET, WEBHOOK, flow
from tests.support import asynchronous

DONE = (
    "with gone as (delete from inbox where id = %(id)s) insert into runs (organization_id, id,"
    " retention, scenario_id, version, state, actor, started_at)"
    " values (%(organization)s, %(id)s, 'standard', %(scenario)s, 1, 'finished', 't', now())"
)


class Deaf(Line):
    """Does not hear that its first statement was done; before the second, the worker ends a run."""

    def __init__(self, url: str, scenario: UUID, ends: UUID) -> None:
        super().__init__(url, patience=5)
        self._where = {"organization": ORGANIZATION, "scenario": scenario, "id": ends}
        self._place = url
        self._calls = 0
        self.ending: threading.Thread | None = None

    async def execute(
        self, connection: AsyncConnection[Any], name: str, parameters: Mapping[str, Any]
    ) -> AsyncCursor[Any]:
        self._calls += name.startswith("accept")
        if self._calls == 2 and self.ending is None:
            begun = threading.Event()
            self.ending = threading.Thread(target=self._end, args=(begun,))
            self.ending.start()
            begun.wait(120)  # its transaction holds the row; the statement below waits for it
        done = await super().execute(connection, name, parameters)
        if self._calls == 1:
            await connection.close()
            raise psycopg.OperationalError("server closed the connection unexpectedly")
        return done

    def _end(self, begun: threading.Event) -> None:
        with psycopg.connect(self._place) as worker:
            worker.execute(DONE, self._where)
            begun.set()
            with psycopg.connect(self._place, autocommit=True) as watcher:
                waits = "select count(*) from pg_stat_activity where wait_event_type = 'Lock'"
                here = waits + " and datname = current_database()"
                while watcher.execute(here).fetchone() == (0,):
                    pass


@pytest.mark.parametrize("key", [None, "event 1"])
@asynchronous
async def test_what_was_done_before_the_second_try_is_not_done_again(
    key: str | None, database_url: str
) -> None:
    scenario = plant(database_url, flow(WEBHOOK, SET))
    done, waiting = new_id(), new_id()
    hook = new_id()
    batch = [
        NewDelivery(ORGANIZATION, each, scenario, "", hook, b"x", key and f"{key} {each}", None)
        for each in (done, waiting)
    ]
    line = Deaf(database_url, scenario, done)
    try:
        assert await PostgresInbox(line).accept(batch) == {}
    finally:
        await line.close()
        assert line.ending is not None
        line.ending.join(120)
    with psycopg.connect(database_url) as db:
        left = db.execute("select id from inbox where scenario_id = %s", (scenario,)).fetchall()
    assert left == [(waiting,)]


@asynchronous
async def test_a_batch_that_may_have_been_stored_is_stored_once(database_url: str) -> None:
    scenario = plant(database_url, flow(WEBHOOK, SET))
    one, other = new_id(), new_id()
    batch = [
        NewDelivery(ORGANIZATION, each, scenario, "", new_id(), b"x", None, None)
        for each in (one, other)
    ]
    line = Line(database_url, patience=5)
    try:
        inbox = PostgresInbox(line)
        await inbox.accept(batch)
        with psycopg.connect(database_url, autocommit=True) as db:
            where = {"organization": ORGANIZATION, "scenario": scenario, "id": one}
            db.execute(DONE, where)
            await inbox.accept(batch, again=True)
            left = db.execute("select id from inbox where scenario_id = %s", (scenario,)).fetchall()
    finally:
        await line.close()
    assert left == [(other,)]
