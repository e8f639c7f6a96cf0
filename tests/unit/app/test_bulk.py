"""Many runs at once: what was done is done and written down, whatever stops the rest."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from typing import Any, cast
from uuid import UUID

import psycopg
import pytest
from psycopg import errors

from junctor.app.bulk import act
from junctor.language import ids
from tests.support import asynchronous

ORGANIZATION = UUID(int=1)


class Database:
    """The API's pool, whose statements end as they are told to; and the audit log."""

    def __init__(self, *ends: Exception | None) -> None:
        self._ends: Iterator[Exception | None] = iter(ends)
        self.noted: list[list[str]] = []
        self.done: list[UUID] = []

    @asynccontextmanager
    async def connection(self) -> AsyncIterator[Database]:
        yield self

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[None]:
        yield

    async def execute(self, _text: str, values: Any) -> Database:
        if isinstance(values, dict):
            end = next(self._ends, None)
            if end is not None:
                raise end
            self.done.append(values["run"])
        return self

    async def fetchone(self) -> tuple[int]:
        return (1,)

    async def note(self, _organization: UUID, *, details: dict[str, Any], **_more: Any) -> None:
        assert details["count"] == len(details["runs"])
        self.noted.append(details["runs"])


class Core:
    """What it needs of one."""

    def __init__(self, database: Database) -> None:
        self.api = self.catalog = database


async def retried(database: Database, *runs: UUID) -> int:
    return await act(cast("Any", Core(database)), ORGANIZATION, "retry", runs, actor="Ada")


@asynchronous
async def test_one_that_meets_a_worker_is_done_again() -> None:
    runs = [UUID(int=n) for n in range(1, 4)]
    database = Database(None, errors.DeadlockDetected("deadlock detected"))
    assert await retried(database, *runs) == 3
    assert database.done == runs
    assert database.noted == [[ids.show("run", run) for run in runs]]


@asynchronous
async def test_what_was_done_before_it_broke_off_is_written_down() -> None:
    runs = [UUID(int=n) for n in range(1, 4)]
    database = Database(None, None, psycopg.OperationalError("the connection is lost"))
    with pytest.raises(psycopg.OperationalError):
        await retried(database, *runs)
    assert database.noted == [[ids.show("run", run) for run in runs[:2]]]


@asynchronous
async def test_every_one_of_many_is_named() -> None:
    runs = [UUID(int=n) for n in range(1, 2_002)]
    database = Database()
    assert await retried(database, *runs) == 2_001
    assert [len(each) for each in database.noted] == [1_000, 1_000, 1]
