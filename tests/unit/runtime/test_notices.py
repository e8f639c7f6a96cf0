"""Failures in a row: counted once each, in the order in which the runs ended."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any
from uuid import UUID

import pytest

from junctor.adapters.postgres.queries import load
from junctor.engine.journal import Journal
from junctor.errors import Fault, JunctorError
from junctor.ports.backlog import Claim
from junctor.runtime.flight import Flight
from junctor.runtime.notices import Notices
from junctor.testing.vault import FakeVault
from tests.support import asynchronous
from tests.unit.runtime.drive_kit import OK, SCENARIO, Bench
from tests.unit.runtime.test_worker import SEND, Unheard, accept, worker_on

ORGANIZATION = UUID(int=1)
NAMES = {text: name for name, text in load("notices").items()}


class Counted:
    """A database that counts failures by scenario. ``trouble``: how its next transactions end."""

    def __init__(self, *trouble: Exception) -> None:
        self.errors: dict[UUID, int] = {}
        self.trouble = list(trouble)
        self.number = 0
        """Of the last transaction."""
        self.made: set[int] = set()
        self.free = asyncio.Event()
        self.free.set()

    async def run(self, work: Callable[[Any], Awaitable[Any]]) -> Any:
        """As a `Line` does."""
        await self.free.wait()
        while True:
            try:
                return await work(self)
            except ConnectionError:
                continue

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[None]:
        before = dict(self.errors)
        self.number += 1
        yield
        if self.trouble:
            self.errors = before
            raise self.trouble.pop()
        self.made.add(self.number)

    async def execute(self, query: str, parameters: Mapping[str, Any]) -> Any:
        rows: list[Any] = []
        scenarios = parameters.get("scenarios", ())
        if NAMES[query] == "lock_errors":
            rows = [(ORGANIZATION, each, self.errors.get(each, 0), True) for each in scenarios]
        elif NAMES[query] == "set_errors":
            self.errors.update(zip(scenarios, parameters["errors"], strict=True))
        elif NAMES[query] == "transaction":
            rows = [(self.number,)]
        elif NAMES[query] == "made":
            rows = [(parameters["number"] in self.made,)]

        async def fetchall() -> list[Any]:
            return rows

        async def fetchone() -> Any:
            return rows[0]

        return SimpleNamespace(fetchall=fetchall, fetchone=fetchone)


def claim(scenario: int = 2, errors: int = 0) -> Claim:
    return Claim(
        ORGANIZATION, UUID(int=scenario), "", 1, 1, 1, "full", "standard", errors=errors
    )  # fmt: skip


async def over(of: Claim, error: JunctorError | None = None) -> Flight:
    """A run of a delivery that has ended."""
    return Flight(
        claim=of, run_id=UUID(int=3), prepared=None, version=1,
        keyring=await FakeVault().keyring(ORGANIZATION), journal=Journal(), retention="standard",
        server=None, trigger="delivery", actor="hook", started_at=datetime.now(UTC), error=error,
    )  # fmt: skip


FAILED = Fault(reason="no")


@pytest.mark.parametrize("trouble", [ConnectionError(), RuntimeError()])
@asynchronous
async def test_a_success_ends_a_row_though_its_commit_fails_at_first(trouble: Exception) -> None:
    """A deadlock, or another's notice in the same commit that can't be written."""
    database: Any = Counted(trouble)
    notices, ours = Notices(database), claim(errors=2)
    database.errors[ours.scenario_id] = 2
    ends = [await over(ours), await over(claim(9), FAILED)]
    await asyncio.gather(*[notices.ended(each) for each in ends if notices.concerns(each)])
    assert database.errors == {ours.scenario_id: 0, UUID(int=9): 1}


@asynchronous
async def test_a_success_right_after_a_failure_is_between_it_and_the_next() -> None:
    """Though the failure has not been counted yet."""
    database: Any = Counted()
    database.free.clear()
    notices, ours = Notices(database), claim()
    waiting = []
    for error in (FAILED, None, FAILED, None, FAILED):
        flight = await over(ours, error)
        if notices.concerns(flight):
            waiting.append(asyncio.ensure_future(notices.ended(flight)))
    database.free.set()
    await asyncio.gather(*waiting)
    assert database.errors == {ours.scenario_id: 1}


@pytest.mark.parametrize("ours", [True, False])
@asynchronous
async def test_a_run_that_is_anothers_by_now_is_not_counted_here(ours: bool) -> None:
    """Or it would count twice, and a scenario be switched off after half as many."""
    bench = Bench(SEND, handler=lambda _: OK)
    worker = worker_on(bench)
    await accept(bench, 1)
    broken = bench.store.inbox[ORGANIZATION, UUID(int=1)]
    broken.given = broken.given._replace(payload=b"unreadable")
    await worker._pass()
    if not ours:
        bench.store.backlog[ORGANIZATION, SCENARIO, ""].fence = 77
    bench.committer.start()
    while worker.active or worker.starter.tasks:
        await asyncio.sleep(0)
    await bench.committer.stop()
    assert isinstance(worker.starter.notices, Unheard)
    assert len(worker.starter.notices.told) == ours
